"""One answer: JSON, a problem (RFC 9457), a redirect, text; and the cookie that goes with it (RFC 6265)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import orjson

from iam.http.parse import JSON

PROBLEM = "application/problem+json"
TITLES: Mapping[int, str] = {
    400: "Requisição malformada",
    401: "Identificação necessária",
    403: "Recusado",
    404: "Não encontrado",
    405: "Método não permitido",
    408: "Tempo esgotado",
    409: "Conflito com o que já está registrado",
    413: "Corpo grande demais",
    414: "Endereço longo demais",
    415: "Tipo de conteúdo não aceito",
    422: "Conteúdo inválido",
    431: "Cabeçalhos grandes demais",
    500: "Erro interno",
    501: "Não implementado",
    503: "Indisponível no momento",
    505: "Versão do HTTP não aceita",
}
"""The title of a problem by its status: what RFC 9457 section 4.2.1 asks of `about:blank`, in the reader's language."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_COOKIE_VALUE = re.compile(r"[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*")


@dataclass(frozen=True, slots=True)
class Response:
    """One answer. Header values must be Latin-1 without CR, LF or NUL (ValueError when sent otherwise)."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    @staticmethod
    def json(status: int, obj: object, **headers: str) -> Response:
        """A JSON answer that no browser reads as something else, `Cache-Control: no-store` unless told otherwise.

        Keyword `www_authenticate` is header `www-authenticate`, and `content_type` replaces application/json.
        """
        usual = {"content_type": "application/json", "x_content_type_options": "nosniff"}
        return _unstored(status, orjson.dumps(obj), usual | headers)

    @staticmethod
    def problem(status: int, code: str, detail: str, **more: JSON) -> Response:
        """An error as RFC 9457 has it: `code` for programs, `detail` pt-BR for people, `more` its extension members."""
        title = TITLES.get(status, TITLES[500] if status >= 500 else TITLES[400])
        body: dict[str, JSON] = {"type": "about:blank", "title": title, "status": status, "code": code}
        return Response.json(status, {**body, "detail": detail, **more}, content_type=PROBLEM)

    @staticmethod
    def redirect(url: str, **headers: str) -> Response:
        """303 See Other (RFC 9700 section 4.12: never 307), not stored and telling the next site no referrer."""
        return _unstored(303, b"", {"location": url, "referrer_policy": "no-referrer"} | headers)

    @staticmethod
    def text(status: int, text: str, **headers: str) -> Response:
        """A plain text answer in UTF-8, not stored unless told otherwise."""
        usual = {"content_type": "text/plain; charset=utf-8", "x_content_type_options": "nosniff"}
        return _unstored(status, text.encode("utf-8"), usual | headers)

    def with_header(self, name: str, value: str) -> Response:
        """The same answer with one header more."""
        return replace(self, headers=(*self.headers, (name, value)))

    def raw_headers(self) -> list[tuple[bytes, bytes]]:
        """Headers for ASGI, with Content-Length. ValueError when a name or value could split the answer."""
        raw: list[tuple[bytes, bytes]] = []
        for name, value in self.headers:
            if not _TOKEN.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
                raise ValueError("unsafe response header " + repr(name))
            raw.append((name.lower().encode("ascii"), value.encode("latin-1")))
        if self.status >= 200 and self.status != 204:
            raw.append((b"content-length", str(len(self.body)).encode("ascii")))
        return raw


def _unstored(status: int, body: bytes, headers: dict[str, str]) -> Response:
    """An answer that no cache keeps unless `headers` say otherwise; a `_` in a keyword is the header's `-`."""
    named = {"cache_control": "no-store"} | headers
    return Response(status, body, tuple((name.replace("_", "-"), value) for name, value in named.items()))


def set_cookie(name: str, value: str, *, max_age: int | None = None, same_site: str = "Lax") -> tuple[str, str]:
    """A Set-Cookie header for the whole site, always Secure and HttpOnly (RFC 6265).

    `max_age` in seconds: 0 deletes, None ends with the browser. ValueError when it could carry another attribute.
    """
    if not _TOKEN.fullmatch(name) or not _COOKIE_VALUE.fullmatch(value):
        raise ValueError("unsafe cookie")
    age = "" if max_age is None else f"; Max-Age={max_age}"
    return "set-cookie", f"{name}={value}; Path=/{age}; Secure; HttpOnly; SameSite={same_site}"
