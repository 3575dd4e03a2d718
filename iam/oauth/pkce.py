"""Proof Key for Code Exchange: RFC 7636, with S256 alone, demanded of every client (RFC 9700 §2.1.1).

Authlib's grammar and transformation. ``plain`` is never accepted, and a verifier is always compared.
"""

from __future__ import annotations

import hmac
import re

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oauth2.rfc7636.challenge import CODE_VERIFIER_PATTERN

from iam.oauth.errors import INVALID_GRANT, INVALID_REQUEST, Denied

METHODS = ("S256",)
_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")


def challenge(params: dict[str, str]) -> str:
    """The ``code_challenge`` of an authorization request (RFC 7636 §4.3); Denied when absent, malformed or not S256."""
    value = params.get("code_challenge", "")
    if not value:
        raise Denied(INVALID_REQUEST, "code_challenge is required", "pedido_malformado")
    if params.get("code_challenge_method") not in METHODS:
        raise Denied(INVALID_REQUEST, "code_challenge_method must be S256", "pedido_malformado")
    if not _CHALLENGE.fullmatch(value):
        raise Denied(INVALID_REQUEST, "code_challenge is not a SHA-256 in base64url", "pedido_malformado")
    return value


def check(verifier: str, stored: str) -> None:
    """RFC 7636 §4.6: the verifier must hash to the stored challenge; Denied otherwise."""
    if not verifier:
        raise Denied(INVALID_REQUEST, "code_verifier is required", "pedido_malformado")
    if not CODE_VERIFIER_PATTERN.fullmatch(verifier):
        raise Denied(INVALID_REQUEST, "code_verifier is malformed", "pedido_malformado")
    if not hmac.compare_digest(create_s256_code_challenge(verifier).encode(), stored.encode()):
        raise Denied(INVALID_GRANT, "code_verifier does not match", "codigo_invalido")
