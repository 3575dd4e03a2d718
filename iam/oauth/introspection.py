"""Token introspection: RFC 7662. Whether a token is active is recomputed from what it rests on, at every question.

A caller is a client: by mutual TLS (``client_id`` and its certificate), or by a token of its own bound to the
certificate of the connection. One with the scope ``decisoes`` may ask about any token, an application's own client
about those of its sistema; to everybody else every token is inactive (RFC 7662 §2.2), and that it was refused is in
the journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.context import House
from iam.decision import Decision
from iam.http import BadRequest, Request, Response
from iam.journal import JSON, Line
from iam.oauth import bearer, record
from iam.oauth import token as tokens
from iam.oauth.active import ended
from iam.oauth.authorization import standing
from iam.oauth.client import Moment
from iam.oauth.errors import INVALID_REQUEST, INVALID_TOKEN, Denied, malformed, response
from iam.oauth.scope import RESOURCE
from iam.oauth.tables import RefreshToken, digest

INACTIVE: Mapping[str, JSON] = {"active": False}
PRIVATE = frozenset({"authorization", "epoch", "certificate"})


def introspect(house: House, request: Request) -> Response:
    """``POST /oauth/introspect``: 200 with ``active``, 401 to a caller that proves nothing, 400 without a token."""
    now = house.clock()
    try:
        form = request.form()
    except BadRequest as error:
        return _refused(house, request, malformed(error), "", now)
    try:
        value = form.get("token", "")
        claims = tokens.read(house, value, now)
        with house.reading() as db:
            moment = _moment(house, db, form, claims)
            caller = bearer.client_or_token(house, db, request, form, moment, now)
            if not value:
                raise Denied(INVALID_REQUEST, "token is required", "pedido_malformado")
            if claims is None:
                return Response.json(200, _refresh_token(house, db, request, caller, value, now))
            allowed = may_ask(house, caller, claims)
            if not allowed.allowed:
                about = None if allowed.obj == record.HOUSE else allowed.obj
                line = Line(now, allowed, caller.agente(request), None, about, None, {"token": claims["jti"]})
                house.recorder.note(line)
            told = allowed.allowed and not ended(house, db, claims, now, moment)
            return Response.json(200, shown(claims) if told else INACTIVE)
    except BadRequest as error:
        return _refused(house, request, malformed(error), "", now)
    except Denied as denied:
        claimed = form.get("client_id", "") if request.header("authorization") is None else ""
        return _refused(house, request, denied, claimed, now)


def _refused(house: House, request: Request, denied: Denied, client_id: str, now: datetime) -> Response:
    agente = record.anonymous(request, client_id)
    house.recorder.note(record.refusal(house, agente, denied, Ato.TOKEN_INTROSPECTAR, now))
    return response(denied)


def _moment(house: House, db: Session, form: Mapping[str, str], claims: Mapping[str, JSON] | None) -> Moment:
    """Caller and token's client in one statement, with whether the token was revoked."""
    ids = {form.get("client_id", ""), str(claims["client_id"]) if claims else ""}
    return Moment(house, db, ids, str(claims["jti"]) if claims else "")


def shown(claims: Mapping[str, JSON]) -> Mapping[str, JSON]:
    """An active token's claims (RFC 7662 §2.2), without what only we understand."""
    said: dict[str, JSON] = {"active": True, "token_type": "Bearer"}
    said.update((name, value) for name, value in claims.items() if name not in PRIVATE)
    return said


def may_ask(house: House, caller: bearer.Caller, claims: Mapping[str, JSON]) -> Decision:
    """Whether the policy lets a caller be answered about this token (CASA-08)."""
    aud = str(claims.get("aud", ""))
    sistema = aud.removeprefix(RESOURCE) if aud.startswith(RESOURCE) else ""
    return house.policy.decide(caller.words(sistema), Ato.TOKEN_INTROSPECTAR, sistema or record.HOUSE)


def _refresh_token(
    house: House, db: Session, request: Request, caller: bearer.Caller, value: str, now: datetime
) -> Mapping[str, JSON]:
    """A refresh token is shown to the client it belongs to, to nobody else."""
    row = db.get(RefreshToken, digest(value))
    if row is not None and row.client != caller.client:
        denied = Denied(INVALID_TOKEN, "the refresh token is another client's", "token_invalido")
        house.recorder.note(record.refusal(house, caller.agente(request), denied, Ato.TOKEN_INTROSPECTAR, now))
        return INACTIVE
    if row is None or row.used_at is not None or row.expires_at <= now:
        return INACTIVE
    found = standing(house, db, row.authorization, now, epoch=row.epoch)
    if found is None or found.word:
        return INACTIVE
    return {
        "active": True,
        "scope": " ".join(found.scope),
        "client_id": row.client,
        "iat": int(row.created_at.timestamp()),
        "exp": int(row.expires_at.timestamp()),
        "iss": house.settings.issuer,
    }
