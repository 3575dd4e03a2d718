"""What is asked of the decision point: subject, action, resource (AuthZEN Authorization API 1.0 §5 and §6.1, §7.1).

Unknown members are ignored, as the specification says; a missing or misshapen required one is an error of the call, or
of that one evaluation in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
DEFAULTS = ("subject", "action", "resource", "context")
SEMANTICS = ("execute_all", "deny_on_first_deny", "permit_on_first_permit")
RESTRICTING = (
    *("evento", "tipo_evento", "modo", "viagem", "transportador", "importador"),
    *("recinto", "orgao", "uf", "aplicativo", "outorgante"),
)
"""The properties of a resource that a norm restricts by: in another shape than a text they would count as never said."""
MOST = 200
PROPERTIES = 20
LONGEST = 200
"""A batch fills each of its evaluations with the same defaults, and each goes into the journal: so all of them are short."""


class Malformed(Exception):
    """A required attribute is missing or has another shape; the message names it."""


@dataclass(frozen=True, slots=True)
class Query:
    """May this subject do this action on this resource? ``properties`` are the resource's, as texts."""

    kind: str
    id: str
    action: str
    resource: str
    sistema: str
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several questions in order, each a query or the reason why it is none, and when to stop."""

    queries: Sequence[Query | Malformed]
    semantic: str


def one(document: Mapping[str, JSON]) -> Query:
    """The query of an Access Evaluation request; :class:`Malformed` otherwise."""
    subject, action, resource = (_object(document, name) for name in ("subject", "action", "resource"))
    _optional(document, "context")
    for name, of in (("subject", subject), ("action", action)):
        _optional(of, "properties", f"{name}.properties")
    properties = _optional(resource, "properties", "resource.properties")
    for name in RESTRICTING:
        if not isinstance(properties.get(name, ""), str | int | None):
            raise Malformed(f"resource.properties.{name} must be a text")
    texts = {name: _word(value) for name, value in properties.items() if isinstance(value, str | int | bool)}
    if len(texts) > PROPERTIES or any(len(text) > LONGEST for each in texts.items() for text in each):
        raise Malformed(f"resource.properties may hold {PROPERTIES} texts of at most {LONGEST} characters")
    return Query(
        kind=_text(subject, "subject", "type"),
        id=_text(subject, "subject", "id"),
        action=_text(action, "action", "name"),
        resource=_text(resource, "resource", "type"),
        sistema=_text(resource, "resource", "id"),
        properties=texts,
    )


def many(document: Mapping[str, JSON]) -> Batch | None:
    """The queries of an Access Evaluations request, defaults filled in; None when it is a single one (§7.1)."""
    listed = document.get("evaluations")
    if listed is None or listed == []:
        return None
    if not isinstance(listed, list):
        raise Malformed("evaluations must be an array")
    if len(listed) > MOST:
        raise Malformed(f"evaluations may hold at most {MOST}")
    semantic = _optional(document, "options").get("evaluations_semantic", SEMANTICS[0])
    if not isinstance(semantic, str) or semantic not in SEMANTICS:
        raise Malformed("options.evaluations_semantic is not known")
    return Batch([_filled(document, item) for item in listed], semantic)


def _filled(document: Mapping[str, JSON], item: JSON) -> Query | Malformed:
    if not isinstance(item, dict):
        return Malformed("an evaluation must be an object")
    try:
        return one({**{name: document[name] for name in DEFAULTS if name in document}, **item})
    except Malformed as error:
        return error


def _object(document: Mapping[str, JSON], name: str) -> Mapping[str, JSON]:
    value = document.get(name)
    if not isinstance(value, dict):
        raise Malformed(f"{name} is required and must be an object")
    return value


def _optional(value: Mapping[str, JSON], name: str, said: str = "") -> Mapping[str, JSON]:
    found = value.get(name, {})
    if not isinstance(found, dict):
        raise Malformed(f"{said or name} must be an object")
    return found


def _text(value: Mapping[str, JSON], of: str, name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not 0 < len(text) <= LONGEST:
        raise Malformed(f"{of}.{name} is required and must be a text of at most {LONGEST} characters")
    return text


def _word(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
