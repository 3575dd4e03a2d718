"""ID tokens (OpenID Connect Core §2 and §3.1.3): to the client, about a login; never access tokens.

``sid`` (OpenID Connect Front-Channel Logout §3) names the login session by a digest, so that the client learns nothing
it could use.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

import orjson

from iam.context import House
from iam.journal import JSON
from iam.keys import b64url
from iam.oauth import token as tokens
from iam.oauth.errors import INVALID_REQUEST, Denied
from iam.oauth.token import Issued, Subject

TYP = "JWT"


def issue(house: House, client_id: str, subject: Subject, issued: Issued, now: datetime) -> str:
    """The ID token that accompanies an access token, and lives as long."""
    iat = int(now.timestamp())
    claims: dict[str, JSON] = {
        "iss": house.settings.issuer,
        "sub": subject.sub,
        "aud": client_id,
        "iat": iat,
        "exp": iat + issued.expires_in,
        "auth_time": subject.claims["auth_time"],
        "acr": subject.claims["acr"],
        "amr": list(subject.amr),
        "at_hash": at_hash(issued.token),
        "sid": sid(subject.session),
    }
    if subject.nonce:
        claims["nonce"] = subject.nonce
    return house.keys.signer("token").jws(TYP, orjson.dumps(claims))


def hinted(house: House, value: str) -> dict[str, JSON]:
    """The claims of an ID token of ours that a client gives back as a hint, whatever its time; Denied for anything else.

    Text: OpenID Connect Core §3.1.2.1 (``id_token_hint``), RP-Initiated Logout 1.0 §2.
    """
    claims = tokens.signed(house, value, TYP)
    if claims is None or claims.get("iss") != house.settings.issuer:
        raise Denied(INVALID_REQUEST, "id_token_hint is not an ID token of this server", "pedido_malformado")
    return claims


def at_hash(access_token: str) -> str:
    """OpenID Connect Core §3.1.3.6: the left half of the hash of the token that comes along."""
    return b64url(hashlib.sha256(access_token.encode("ascii")).digest()[:16])


def sid(session: str) -> str:
    """The session's name towards clients."""
    return b64url(hashlib.sha256(b"sid " + session.encode("ascii")).digest()[:16])
