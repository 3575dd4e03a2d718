"""Where a realm file differs from what the packs say, each place by the name it has for an administrator."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping


def differences(path: str, wanted: object, found: object) -> Iterator[str]:
    """One line, in Portuguese, for each difference below ``path``; list items are compared by name, not by place."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in sorted({*wanted, *found}):
            where = f"{path}.{key}".lstrip(".")
            if key not in found:
                yield f"{where}: falta no arquivo"
            elif key not in wanted:
                yield f"{where}: não vem de nenhuma norma"
            else:
                yield from differences(where, wanted[key], found[key])
    elif isinstance(wanted, list) and isinstance(found, list) and all(isinstance(x, dict) for x in (*wanted, *found)):
        yield from differences(path, {_name(x): x for x in wanted}, {_name(x): x for x in found})
    elif wanted != found:
        yield f"{path}: {_short(found)} devia ser {_short(wanted)}"


def _short(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)[:80]


def _name(item: Mapping[str, object]) -> str:
    names = ("clientId", "clientScope", "name", "alias", "username", "authenticator", "flowAlias", "providerId")
    return next((str(item[name]) for name in names if name in item), json.dumps(item, sort_keys=True)[:60])
