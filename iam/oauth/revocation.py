"""Token revocation: RFC 7009. A client gives back its own tokens; anybody else's are untouched.

A refresh token ends the whole authorization, and with it every access token it gave; an access token ends alone, by
its ``jti``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from iam import journal
from iam.ato import Ato
from iam.context import House
from iam.http import BadRequest, Request, Response
from iam.journal import JSON, Line
from iam.oauth import authorization, client, client_auth, record
from iam.oauth import token as tokens
from iam.oauth.errors import INVALID_REQUEST, Denied, malformed, response
from iam.oauth.tables import RefreshToken, RevokedToken, digest

GONE = Response(200, b"", (("cache-control", "no-store"),))


def revoke(house: House, request: Request) -> Response:
    """``POST /oauth/revoke``: 200 whatever the token was (RFC 7009 §2.2); errors are about caller or request."""
    now = house.clock()
    named = ""
    try:
        try:
            form = request.form()
            named = form.get("client_id", "")
            client_auth.client_id(request, form)
        except BadRequest as error:
            raise malformed(error) from error
        program = client.snapshot(house, named, fresh=True)
        who = client_auth.authenticate(house, request, program, "", now)
        value = form.get("token")
        if not value:
            raise Denied(INVALID_REQUEST, "token is required", "pedido_malformado")
    except Denied as denied:
        house.recorder.note(record.refusal(house, record.anonymous(request, named), denied, Ato.TOKEN_REVOGAR, now))
        return response(denied)
    with house.begin(record.of_client(request, who)) as ctx:
        ended = _end(house, ctx.db, named, value, now)
        if ended is not None:
            about = who.client.sistema or record.HOUSE
            decision = ctx.require(Ato.TOKEN_REVOGAR, about, frozenset({"client_do_token"}))
            journal.write(ctx.db, Line(now, decision, ctx.agente, None, about, None, ended))
    return GONE


def _end(house: House, db: Session, named: str, value: str, now: datetime) -> Mapping[str, JSON] | None:
    """Ends the token when it is the client's own and lives; what was ended, or None: what was ended before too."""
    row = db.get(RefreshToken, digest(value))
    if row is not None:
        if row.client != named:
            return None
        ended = authorization.end(db, row.authorization, now, "revogada_pelo_client")
        return {"authorization": row.authorization} if ended else None
    claims = tokens.read(house, value, now)
    if claims is None or claims.get("client_id") != named:
        return None
    jti = str(claims["jti"])
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    made = insert(RevokedToken).values(jti=jti, client=named, revoked_at=now, expires_at=tokens.at(claims["exp"]))
    first = db.execute(made.on_conflict_do_nothing().returning(RevokedToken.jti)).first()
    return {"token": jti} if first is not None else None
