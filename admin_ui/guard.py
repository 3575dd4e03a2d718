"""What protects a page whatever it shows: response headers, the token against forged forms, where a redirect may go.

Texts: CSP Level 3, Fetch (``nosniff``), RFC 6797 (HSTS), Referrer Policy, RFC 6265bis §4.1.3.2 (``__Host-`` cookies),
OWASP synchroniser token. Chromium applies ``form-action`` to the whole chain of redirects after a form, so a page
whose form may end in an application names that application's origin. This module never reads a database and never
decides who may do what.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

VISIT_COOKIE = "__Host-portaria-visita"
"""Random value of a browser that has not logged in yet: what the token of its login form is bound to."""

HSTS = "max-age=31536000; includeSubDomains"
MAX_BODY = 64 * 1024


def csp(form_action: Iterable[str] = ()) -> str:
    """The content security policy: only our own style, images and font; forms go home or to the origins given."""
    targets = " ".join(("'self'", *sorted(set(form_action))))
    return (
        "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; "
        f"form-action {targets}; frame-ancestors 'none'; base-uri 'none'"
    )


def headers(*, private: bool, form_action: Iterable[str] = ()) -> tuple[tuple[str, str], ...]:
    """The headers of every page; ``private`` ones are never stored anywhere."""
    return (
        ("content-security-policy", csp(form_action)),
        ("x-content-type-options", "nosniff"),
        ("strict-transport-security", HSTS),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("cache-control", "no-store" if private else "no-cache"),
        ("vary", "cookie"),
    )


def form_target(redirect_uri: str) -> str:
    """The CSP source that lets a form's redirects end at `redirect_uri`: its origin, or a program's own scheme."""
    parts = urlsplit(redirect_uri)
    if parts.scheme in ("http", "https") and parts.netloc:
        return f"{parts.scheme}://{parts.netloc}"
    return f"{parts.scheme}:"


def new_secret() -> str:
    """A fresh value for :data:`VISIT_COOKIE`: 256 random bits."""
    return secrets.token_urlsafe(32)


def token(secret: str) -> str:
    """The token in the form of a browser that holds the visit cookie `secret`; it says nothing about the secret."""
    return hmac.new(secret.encode(), b"portaria csrf", hashlib.sha256).hexdigest()


def genuine(expected: str, given: str, *, origin: str | None, site: str | None, ours: Iterable[str]) -> bool:
    """Whether a POST came from a form of ours.

    The token must match in constant time; where the browser tells, Origin must be one of `ours` (scheme and host) and
    Sec-Fetch-Site must be ``same-origin`` or ``none``.
    """
    if not expected or not hmac.compare_digest(expected.encode(), given.encode()):
        return False
    return (origin is None or origin in tuple(ours)) and (site is None or site in ("same-origin", "none"))


def local(path: str) -> str:
    """`path` when it is a path of this server, otherwise ``""``: a redirect never leaves by a parameter."""
    plain = path.isascii() and path.isprintable() and "\\" not in path
    return path if plain and path.startswith("/") and not path.startswith("//") else ""
