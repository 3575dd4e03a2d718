"""OAuth errors: one exception, thrown anywhere in this package and rendered in one place.

Texts: RFC 6749 §4.1.2.1 and §5.2, RFC 6750 §3.1, RFC 8707 §2 (``invalid_target``), RFC 9470 §3
(``unmet_authentication_requirements``), OpenID Connect Core §3.1.2.6. The codes are Authlib's where it has them. A
description is ASCII English and never repeats what the caller sent. A denial carries the words from which the policy
decides, so that every refusal is journaled under its article: see :mod:`iam.oauth.record`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from authlib.oauth2.rfc6749 import errors as rfc6749
from authlib.oauth2.rfc6750 import errors as rfc6750
from authlib.oidc.core import errors as oidc

from iam.http import BadRequest, Response
from iam.journal import Agente

# fmt: off
INVALID_REQUEST:           Final[str] = rfc6749.InvalidRequestError.error
INVALID_CLIENT:            Final[str] = rfc6749.InvalidClientError.error
INVALID_GRANT:             Final[str] = rfc6749.InvalidGrantError.error
INVALID_SCOPE:             Final[str] = rfc6749.InvalidScopeError.error
UNAUTHORIZED_CLIENT:       Final[str] = rfc6749.UnauthorizedClientError.error
UNSUPPORTED_GRANT_TYPE:    Final[str] = rfc6749.UnsupportedGrantTypeError.error
UNSUPPORTED_RESPONSE_TYPE: Final[str] = rfc6749.UnsupportedResponseTypeError.error
ACCESS_DENIED:             Final[str] = rfc6749.AccessDeniedError.error
INVALID_TOKEN:             Final[str] = rfc6750.InvalidTokenError.error
INSUFFICIENT_SCOPE:        Final[str] = rfc6750.InsufficientScopeError.error
LOGIN_REQUIRED:            Final[str] = oidc.LoginRequiredError.error
CONSENT_REQUIRED:          Final[str] = oidc.ConsentRequiredError.error
INTERACTION_REQUIRED:      Final[str] = oidc.InteractionRequiredError.error
REQUEST_NOT_SUPPORTED:     Final[str] = oidc.RequestNotSupportedError.error
REQUEST_URI_NOT_SUPPORTED: Final[str] = oidc.RequestURINotSupportedError.error
INVALID_TARGET:            Final = "invalid_target"
UNMET_AUTHENTICATION:      Final = "unmet_authentication_requirements"
TEMPORARILY_UNAVAILABLE:   Final = "temporarily_unavailable"
# fmt: on

REALM: Final = 'realm="portaria"'
STATUS: Final = {INVALID_CLIENT: 401, INVALID_TOKEN: 401, INSUFFICIENT_SCOPE: 403, TEMPORARILY_UNAVAILABLE: 503}


class Denied(Exception):
    """A request is refused: ``words`` are the facts the policy judges, ``sistema`` what they are about.

    A denial without words is only malformed: it is recorded as the request of nobody in particular. ``agente`` is who was refused,
    when that was proved.
    """

    agente: Agente | None = None

    def __init__(self, code: str, description: str, *words: str, sistema: str = "") -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.words = words
        self.sistema = sistema

    @property
    def status(self) -> int:
        """The HTTP status of the code (RFC 6749 §5.2, RFC 6750 §3.1)."""
        return STATUS.get(self.code, 400)

    def challenge(self, scope: str = "") -> str:
        """The ``WWW-Authenticate`` header; a code that is none of RFC 6750 is told in the body alone."""
        parts = [REALM]
        if self.code in (INVALID_REQUEST, INVALID_TOKEN, INSUFFICIENT_SCOPE):
            parts += [f'error="{self.code}"', f'error_description="{self.description}"']
        if scope:
            parts.append(f'scope="{scope}"')
        return "Bearer " + ", ".join(parts)


class Tokenless(Denied):
    """A request without any token: it is told how to bring one, not that one was wrong (RFC 6750 §3.1)."""

    def challenge(self, scope: str = "") -> str:
        """No error code."""
        return f"Bearer {REALM}"


class BasicRefused(Denied):
    """A client that tried HTTP Basic, and is answered in the scheme that it tried (RFC 6749 §5.2)."""

    def challenge(self, scope: str = "") -> str:
        """The scheme alone."""
        return f"Basic {REALM}"


def malformed(error: BadRequest) -> Denied:
    """What the edge could not read in exactly one way (RFC 6749 §3.1: no parameter twice)."""
    return Denied(INVALID_REQUEST, error.description, "pedido_malformado")


def response(denied: Denied) -> Response:
    """The token endpoint's error answer (RFC 6749 §5.2), never stored."""
    body = {"error": denied.code, "error_description": denied.description}
    if denied.status == 401:
        return Response.json(401, body, pragma="no-cache", www_authenticate=denied.challenge())
    return Response.json(denied.status, body, pragma="no-cache")


def challenge(denied: Denied, *, scope: str = "") -> Response:
    """A protected resource's error answer (RFC 6750 §3): the error is in the header, and repeated in the body."""
    answer = Response.json(denied.status, {"error": denied.code, "error_description": denied.description})
    return replace(answer, headers=(*answer.headers, ("www-authenticate", denied.challenge(scope))))
