"""The one mint: every access token of the house is made by :func:`issue` and read by :func:`read`.

Texts: RFC 9068 (JWT profile, ``typ: at+jwt``), RFC 8705 §3.1 (``cnf``), RFC 8707 (one audience). A token lives at most
five minutes (GAP-ALL-04) and never longer than anything it rests on: concessões, vínculo, login, certificate. It
carries no personal data but an opaque ``sub``. Private claims say what it was born under: ``epoch``, for a person's
``authorization``, and for a bound one ``certificate``, by which any node finds it in the revocation lists.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import orjson

from iam.ato import Ato
from iam.context import House
from iam.decision import Decision
from iam.journal import JSON
from iam.keys import b64url_decode, verify_jws
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import ACCESS_DENIED, INVALID_GRANT, Denied
from iam.oauth.lifetime import limit
from iam.oauth.scope import Effective, Held

TYP = "at+jwt"
OUTLIVED = timedelta(minutes=6)
"""A token lives five minutes (GAP-ALL-04), and clocks differ a little."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a grant identified; ``authorized`` is None for a client, else what the person authorized.

    ``until`` are the ends of what the token rests on besides its scopes; ``words`` the facts the policy judges.
    """

    sub: str
    words: frozenset[str]
    held: Mapping[str, Held]
    claims: Mapping[str, JSON]
    until: tuple[datetime, ...] = ()
    authorized: tuple[str, ...] | None = None
    sistema: str = ""
    pessoa: str | None = None
    authorization: str = ""
    nonce: str = ""
    session: str = ""
    amr: tuple[str, ...] = ()
    offline: bool = False

    def without_nonce(self) -> Subject:
        """The same subject for an ID token that answers no authentication request."""
        return replace(self, nonce="")


@dataclass(frozen=True, slots=True)
class Issued:
    """A token that may leave once its journal line is on disk."""

    token: str
    jti: str
    expires_in: int
    scope: str
    sistema: str
    decision: Decision
    payload: Mapping[str, JSON]


def issue(house: House, who: Authenticated, subject: Subject, effective: Effective, now: datetime) -> Issued:
    """Mints the token. Denied when the policy does not let it be emitted, or nothing it rests on lasts."""
    decision = house.policy.decide(subject.words, Ato.TOKEN_EMITIR, effective.sistema or "portaria")
    if not decision.allowed:
        raise Denied(ACCESS_DENIED, "the policy does not allow this token", *subject.words, sistema=effective.sistema)
    iat = int(now.timestamp())
    ends = [*subject.until, *(h.until for h in effective.rests_on if h.until is not None)]
    if who.not_after is not None:
        ends.append(who.not_after)
    exp = min(
        [
            iat + int(limit(house, "access_token", effective.sistema).total_seconds()),
            *(int(end.timestamp()) for end in ends),
        ]
    )
    if exp <= iat:
        raise Denied(
            INVALID_GRANT, "what the token would rest on has ended", "sem_concessao", sistema=effective.sistema
        )
    jti = secrets.token_urlsafe(16)
    claims: dict[str, JSON] = {
        "iss": house.settings.issuer,
        "sub": subject.sub,
        "aud": effective.resource,
        "client_id": who.client.id,
        "iat": iat,
        "exp": exp,
        "jti": jti,
        "scope": str(effective),
    }
    claims.update(subject.claims)
    if effective.rests_on:
        claims["norma"] = sorted({h.decision.source.pack for h in effective.rests_on})
    if who.certificate:
        claims["cnf"] = {"x5t#S256": who.certificate}
        claims["certificate"] = who.listed
    payload: dict[str, JSON] = {
        "client": who.client.id,
        "scope": str(effective),
        "aud": effective.resource,
        "exp": exp,
        "fundamento": sorted({str(h.decision.source) for h in effective.rests_on}),
    }
    if subject.authorization:
        payload["authorization"] = subject.authorization
    token = house.keys.signer("token").jws(TYP, orjson.dumps(claims))
    return Issued(token, jti, exp - iat, str(effective), effective.sistema, decision, payload)


def read(house: House, token: str, now: datetime, typ: str = TYP) -> dict[str, JSON] | None:
    """The claims of a token of ours: signature by one of our token keys, ``typ``, issuer and time; None otherwise.

    Whether what it rests on still stands is another question: see :mod:`iam.oauth.introspection`.
    """
    claims = signed(house, token, typ, now)
    if claims is None or claims.get("iss") != house.settings.issuer:
        return None
    exp, iat = claims.get("exp"), claims.get("iat")
    if not isinstance(exp, int) or not isinstance(iat, int) or not now.timestamp() < exp:
        return None
    return claims


def signed(house: House, token: str, typ: str, now: datetime | None = None) -> dict[str, JSON] | None:
    """The claims of a JWT with this ``typ`` signed by a token key of ours, whatever its time; None otherwise.

    With ``now`` a key that was retired longer ago than a token lives signs nothing any more.
    """
    if not token.isascii() or len(token) > 8192 or token.count(".") != 2:
        return None
    try:
        head = orjson.loads(b64url_decode(token.partition(".")[0]))
    except ValueError:
        return None
    if not isinstance(head, dict) or head.get("typ") != typ or head.get("alg") != "ES256" or "crit" in head:
        return None
    kid = head.get("kid")
    key = next((key for key in house.keys.history() if key.use == "token" and key.kid == kid), None)
    if key is None or (now is not None and key.retired_at is not None and key.retired_at + OUTLIVED <= now):
        return None
    payload = verify_jws(token, key.public)
    if payload is None:
        return None
    claims = orjson.loads(payload)
    return claims if isinstance(claims, dict) else None


def at(claim: JSON) -> datetime:
    """A NumericDate as a moment; the epoch's start for anything that is none."""
    return datetime.fromtimestamp(claim if isinstance(claim, int) else 0, UTC)
