"""One request as the listener received it, and how its parts are read."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iam.http.parse import JSON, MAX_JSON, BadRequest, pairs, parse_json, single

FORM = "application/x-www-form-urlencoded"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SINGLE = frozenset(("authorization", "content-type", "content-length", "dpop", "host", "origin", "referer"))


@dataclass(frozen=True, slots=True)
class Request:
    """One request as the listener received it. Header names are lower case; `address` is the caller's IP address.

    `certificate` is the DER whose private key was proven in the TLS handshake (its validity is *not* judged), or None.
    """

    method: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    address: str = ""
    certificate: bytes | None = None
    mtls: bool = False

    def header(self, name: str) -> str | None:
        """The header's value (case-insensitive name), None when absent.

        A repeated list header is joined with ", "; a repeated single-valued one (Authorization, DPoP...) is BadRequest.
        """
        wanted = name.lower().encode("ascii")
        values = [value for key, value in self.headers if key == wanted]
        if not values:
            return None
        if len(values) > 1 and wanted.decode("ascii") in _SINGLE:
            raise BadRequest("a header is repeated", "há cabeçalho repetido")
        return b", ".join(values).decode("latin-1").strip()

    def media_type(self) -> str:
        """Content-Type without parameters, lower case, "" when absent. A charset other than UTF-8 is BadRequest."""
        value = self.header("content-type")
        if value is None:
            return ""
        kind, _, parameters = value.partition(";")
        for parameter in parameters.split(";"):
            key, _, charset = parameter.strip().partition("=")
            if key.strip().lower() == "charset" and charset.strip().strip('"').lower() not in ("utf-8", "utf8"):
                raise BadRequest("charset must be UTF-8", "o charset deve ser UTF-8")
        return kind.strip().lower()

    def form(self, *several: str) -> dict[str, str]:
        """Parameters of a form-encoded body; empty values are omitted (RFC 6749 section 3.2).

        BadRequest on a repeat, another content type, broken encoding, NUL or too many fields. Only a parameter named in
        `several` may be repeated: its different values come in order, apart by a space.
        """
        if self.media_type() != FORM:
            raise BadRequest(
                "content type must be application/x-www-form-urlencoded",
                "o tipo do corpo deve ser application/x-www-form-urlencoded",
            )
        return single(pairs(self.body), several)

    def params(self, *several: str) -> dict[str, str]:
        """Parameters of the query, under the same rules as `form`."""
        return single(pairs(self.query), several)

    def json(self, *media_types: str, limit: int = MAX_JSON) -> JSON:
        """The JSON body; `media_types` defaults to application/json. BadRequest when it is not exactly that."""
        wanted = media_types or ("application/json",)
        if self.media_type() not in wanted:
            raise BadRequest(f"content type must be {wanted[0]}", f"o tipo do corpo deve ser {wanted[0]}")
        return parse_json(self.body, limit)

    def json_object(self, *media_types: str, limit: int = MAX_JSON) -> dict[str, JSON]:
        """As `json`, and the document must be an object."""
        value = self.json(*media_types, limit=limit)
        if not isinstance(value, dict):
            raise BadRequest("JSON body must be an object", "o corpo JSON deve ser um objeto")
        return value

    def cookie(self, name: str) -> str | None:
        """The cookie's value, None when absent. Two of the same name are BadRequest: one of them was planted."""
        values: list[str] = []
        for key, raw in self.headers:
            if key == b"cookie":
                for part in raw.decode("latin-1").split(";"):
                    label, separator, value = part.strip().partition("=")
                    if separator and label == name:
                        values.append(value.strip().strip('"'))
        if len(values) > 1:
            raise BadRequest("a cookie is repeated", "há cookie repetido")
        return values[0] if values else None

    @property
    def user_agent(self) -> str:
        """User-Agent fit for the journal: at most 256 characters, control characters replaced; "" when absent."""
        for key, value in self.headers:
            if key == b"user-agent":
                return _CONTROL.sub("?", value.decode("latin-1"))[:256]
        return ""
