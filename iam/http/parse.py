"""Parameters and JSON, read in exactly one way or refused (RFC 6749 appendix B, RFC 8259)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast
from urllib.parse import unquote_to_bytes

from iam.errors import Invalid

JSON: TypeAlias = "str | int | float | bool | list[JSON] | dict[str, JSON] | None"
MAX_FIELDS = 100
MAX_JSON = 1024 * 1024
MAX_DEPTH = 64
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class BadRequest(Invalid):
    """The request cannot be read in exactly one way. `status` is 400, `code` RFC 6749's `invalid_request`.

    `description` is ASCII English, fit for OAuth `error_description`, `message` the same in Portuguese for people;
    neither repeats what the caller sent.
    """

    status = 400
    code = "invalid_request"

    def __init__(self, description: str, message: str) -> None:
        super().__init__(message)
        self.description = description


def _text(raw: str) -> str:
    if "+" in raw:
        raw = raw.replace("+", " ")
    if "%" in raw:
        if _BROKEN_ESCAPE.search(raw):
            raise BadRequest("broken percent escape", "há um escape % quebrado")
        try:
            raw = unquote_to_bytes(raw).decode("utf-8")
        except UnicodeDecodeError:
            raise BadRequest("parameters must be UTF-8", "os parâmetros devem ser UTF-8") from None
    if "\x00" in raw:
        raise BadRequest("NUL is not allowed in parameters", "um parâmetro não pode ter NUL")
    return raw


def pairs(data: bytes) -> list[tuple[str, str]]:
    """Decode form-encoded bytes (query or body) in order, repeats kept; at most MAX_FIELDS. BadRequest otherwise."""
    if not data:
        return []
    if data.count(b"&") >= MAX_FIELDS:
        raise BadRequest("too many parameters", "há parâmetros demais")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise BadRequest("parameters must be UTF-8", "os parâmetros devem ser UTF-8") from None
    found: list[tuple[str, str]] = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            found.append((_text(name), _text(value)))
    return found


def single(found: Iterable[tuple[str, str]], several: Sequence[str]) -> dict[str, str]:
    """RFC 6749 section 3.1: no parameter twice, but for `several`; one without a value counts as omitted."""
    values: dict[str, str] = {}
    for name, value in found:
        if name in several:
            values[name] = " ".join(dict.fromkeys(each for each in (values.get(name), value) if each))
        elif name in values:
            raise BadRequest("a parameter is repeated", "há parâmetro repetido")
        else:
            values[name] = value
    return {name: value for name, value in values.items() if value} if "" in values.values() else values


def _object(found: list[tuple[str, JSON]]) -> dict[str, JSON]:
    values = dict(found)
    if len(values) != len(found):
        raise BadRequest("duplicate key in JSON", "o JSON tem chave repetida")
    return values


def _no_constant(_: str) -> JSON:
    raise BadRequest("NaN and Infinity are not JSON", "NaN e Infinity não são JSON")


def _check_json(value: JSON, depth: int = 0) -> None:
    """Refuse what no store of ours can hold (NUL, half a surrogate pair) and depths no document of ours has."""
    if depth > MAX_DEPTH:
        raise BadRequest("JSON too deep", "o JSON é fundo demais")
    if isinstance(value, str):
        if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
            raise BadRequest("JSON text must be Unicode without NUL", "o texto do JSON deve ser Unicode sem NUL")
    elif isinstance(value, list):
        for item in value:
            _check_json(item, depth + 1)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_json(key, depth + 1)
            _check_json(item, depth + 1)


def parse_json(data: bytes, limit: int = MAX_JSON) -> JSON:
    """Read one RFC 8259 document of at most `limit` bytes: UTF-8, no duplicate key, no NaN, no NUL; else BadRequest."""
    if len(data) > limit:
        raise BadRequest("JSON too large", "o JSON é grande demais")
    try:
        value = cast(JSON, json.loads(data.decode("utf-8"), object_pairs_hook=_object, parse_constant=_no_constant))
    except RecursionError:
        raise BadRequest("JSON too deep", "o JSON é fundo demais") from None
    except ValueError:
        raise BadRequest("not valid UTF-8 JSON", "o corpo não é JSON em UTF-8") from None
    _check_json(value)
    return value
