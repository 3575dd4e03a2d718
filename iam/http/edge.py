"""How a request comes in and its answer goes out: ASGI, and WSGI (PEP 3333) where a framework stands between."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from typing import TypeAlias, cast

from iam.http.request import Request
from iam.http.response import Response

Scope: TypeAlias = "MutableMapping[str, object]"
Message: TypeAlias = "MutableMapping[str, object]"
Receive: TypeAlias = "Callable[[], Awaitable[Message]]"
Send: TypeAlias = "Callable[[Message], Awaitable[None]]"
ASGI: TypeAlias = "Callable[[Scope, Receive, Send], Awaitable[None]]"

CERTIFICATE = "portaria.certificate"
"""Scope key: DER of the client certificate whose key the TLS peer proved to hold (bytes), or None."""
MTLS = "portaria.mtls"
"""Scope key: True when the request arrived at a listener that asks for a client certificate."""


class Disconnected(Exception):
    """The caller left before the request was complete: there is nobody to answer."""


async def receive_request(scope: Scope, receive: Receive) -> Request:
    """Read a whole ASGI request (its size is bounded by the listener). Disconnected when the caller left."""
    message = await receive()
    parts: list[bytes] = []
    while message["type"] == "http.request":
        part = cast(bytes, message.get("body", b""))
        if not message.get("more_body", False):
            body = part if not parts else b"".join((*parts, part))
            path, query = cast(str, scope["path"]), cast(bytes, scope.get("query_string", b""))
            return _received(cast(str, scope["method"]), path, query, body, scope)
        parts.append(part)
        message = await receive()
    raise Disconnected


def wsgi_request(environ: Mapping[str, object], body: bytes) -> Request:
    """The same value where a WSGI framework has read the request and its body (PEP 3333).

    Headers, address and TLS facts come from the ASGI scope beneath, never from a WSGI variable that a header can write.
    """
    scope = cast(Scope, environ.get("asgi.scope", {}))
    path = cast(str, environ["PATH_INFO"]).encode("latin-1").decode("utf-8", "replace")
    query = cast(str, environ.get("QUERY_STRING", "")).encode("latin-1")
    return _received(cast(str, environ["REQUEST_METHOD"]), path, query, body, scope)


def _received(method: str, path: str, query: bytes, body: bytes, scope: Scope) -> Request:
    client = cast("Sequence[object] | None", scope.get("client"))
    return Request(
        method=method,
        path=path,
        query=query,
        headers=tuple(cast("Iterable[tuple[bytes, bytes]]", scope.get("headers", ()))),
        body=body,
        address=str(client[0]) if client else "",
        certificate=cast("bytes | None", scope.get(CERTIFICATE)),
        mtls=bool(scope.get(MTLS, False)),
    )


async def send_response(response: Response, send: Send, *, head: bool = False) -> None:
    """Send an answer over ASGI; with `head` (a HEAD request) only its headers."""
    await send({"type": "http.response.start", "status": response.status, "headers": response.raw_headers()})
    await send({"type": "http.response.body", "body": b"" if head else response.body})
