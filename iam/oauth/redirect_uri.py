"""Redirect URIs: exact comparison, with the one exception for native applications on the loopback interface.

Texts: RFC 6749 §3.1.2, RFC 8252 §7.3, RFC 9700 §2.1. Nothing here ever repairs or normalises a URI.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlencode, urlsplit

LOOPBACK = frozenset({"127.0.0.1", "::1"})


def registered(uri: str, allowed: Iterable[str]) -> bool:
    """Whether ``uri`` is one of ``allowed``, character by character; on the loopback interface the port may differ."""
    if "#" in uri:
        return False
    candidates = tuple(allowed)
    if uri in candidates:
        return True
    return any(_loopback(uri) is not None and _loopback(uri) == _loopback(other) for other in candidates)


def _loopback(uri: str) -> tuple[str, str, str] | None:
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    plain = parts.scheme == "http" and host in LOOPBACK and "@" not in parts.netloc and uri.isprintable()
    return (host or "", parts.path, parts.query) if plain else None


def with_params(uri: str, **params: str) -> str:
    """``uri`` with ``params`` appended to its query (RFC 6749 §4.1.2); empty ones are left out."""
    query = urlencode({name: value for name, value in params.items() if value})
    if not query:
        return uri
    return f"{uri}{'&' if urlsplit(uri).query else '?'}{query}"
