"""The token endpoint (RFC 6749 §3.2): the one order that every grant follows and none can skip.

1 authenticate the client · 2 may it use this grant · 3 identify the subject · 4 effective scope · 5 issue · 6 record.
A grant writes step 3, and what accompanies its access token. A token leaves only when its line is on disk: a client's
by group commit, which reads the epochs again under the lock of every act (:mod:`iam.recorder`); a redeemed grant's in
the transaction that uses the grant up, holding the same lock.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from iam import journal
from iam.ato import Ato
from iam.context import Agente, House
from iam.errors import Unavailable
from iam.http import BadRequest, Request, Response
from iam.journal import JSON, Line
from iam.oauth import authorization, client, client_auth, record, scope
from iam.oauth.authorization_code import AuthorizationCodeGrant
from iam.oauth.client_auth import Authenticated
from iam.oauth.client_credentials import ClientCredentialsGrant
from iam.oauth.errors import (
    INVALID_REQUEST,
    TEMPORARILY_UNAVAILABLE,
    UNAUTHORIZED_CLIENT,
    UNSUPPORTED_GRANT_TYPE,
    Denied,
    malformed,
    response,
)
from iam.oauth.exchange import Exchange, Replayed
from iam.oauth.refresh_token import RefreshTokenGrant
from iam.oauth.token import Issued, Subject, issue
from iam.recorder import Stale

TRIES = 4


class Grant(Protocol):
    """What a grant type brings of its own."""

    grant_type: str
    redeems: bool
    """Whether it uses up something stored: then everything happens in one transaction."""

    def identify(self, exchange: Exchange, who: Authenticated) -> Subject:
        """Step 3: whom the grant speaks for; Denied when it is not good."""
        ...

    def accompany(self, exchange: Exchange, who: Authenticated, subject: Subject, issued: Issued) -> dict[str, JSON]:
        """What the answer holds besides the access token."""
        ...


GRANTS: Mapping[str, Grant] = {
    grant.grant_type: grant for grant in (ClientCredentialsGrant(), AuthorizationCodeGrant(), RefreshTokenGrant())
}


@dataclass(frozen=True, slots=True)
class Granted:
    """The outcome of steps 1 to 5."""

    who: Authenticated
    subject: Subject
    issued: Issued
    body: dict[str, JSON]


async def token(house: House, request: Request) -> Response:
    """``POST /oauth/token``: the answer, once everything it says is on disk."""
    now = house.clock()
    try:
        form, grant = _read(request)
    except Denied as denied:
        house.recorder.note(record.refusal(house, record.anonymous(request), denied, Ato.TOKEN_EMITIR, now))
        return response(denied)
    try:
        if grant.redeems:
            return await asyncio.to_thread(_redeem, house, request, form, grant, now)
        return await _assert(house, request, form, grant, now)
    except Unavailable:
        return response(Denied(TEMPORARILY_UNAVAILABLE, "the journal cannot be written now"))


def _read(request: Request) -> tuple[dict[str, str], Grant]:
    try:
        form = request.form(scope.SEVERAL)
        request.header("authorization")
    except BadRequest as error:
        raise malformed(error) from error
    named = form.get("grant_type")
    if not named:
        raise Denied(INVALID_REQUEST, "grant_type is required", "pedido_malformado")
    grant = GRANTS.get(named)
    if grant is None:
        raise Denied(UNSUPPORTED_GRANT_TYPE, "grant_type is not supported", "pedido_malformado")
    return form, grant


def grant_access(exchange: Exchange, grant: Grant, program: client.Snapshot | None) -> Granted:
    """Steps 1 to 5, in the only order there is."""
    form, policy = exchange.form, exchange.house.policy
    # fmt: off
    who       = client_auth.authenticate(exchange.house, exchange.request, program, _about(exchange), exchange.now)
    _may_use(who, grant)
    exchange.authenticated = who
    subject   = grant.identify(exchange, who)
    exchange.pessoa = subject.pessoa
    if subject.authorized is None:
        effective = scope.of_client(policy, subject.held, form.get("scope"), form.get("resource"))
    else:
        issuer    = exchange.house.settings.issuer
        sistema   = scope.same_resource(subject.sistema, form.get("resource"), issuer)
        asked     = scope.narrowed(form.get("scope"), subject.authorized)
        effective = scope.of_person(asked, subject.authorized, subject.held, sistema, issuer)
    issued    = issue(exchange.house, who, subject, effective, exchange.now)
    # fmt: on
    body: dict[str, JSON] = {
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    }
    body.update(grant.accompany(exchange, who, subject, issued))
    return Granted(who, subject, issued, body)


def _about(exchange: Exchange) -> str:
    """The sistema a request names, for the norm that judges its certificate; "" when it names none."""
    policy = exchange.house.policy
    try:
        return scope.target(policy, scope.parse(exchange.form.get("scope")), exchange.form.get("resource"), ())
    except Denied:
        return ""


def _may_use(who: Authenticated, grant: Grant) -> None:
    if grant.grant_type not in who.client.grant_types:
        about = client_auth.concerns(who.client)
        raise Denied(UNAUTHORIZED_CLIENT, "the client may not use this grant", "grant_nao_permitido", sistema=about)


async def _assert(house: House, request: Request, form: dict[str, str], grant: Grant, now: datetime) -> Response:
    """A grant that uses nothing up: from memory, then the group commit; anything stale is computed again."""
    named = form.get("client_id", "")
    for attempt in range(TRIES):
        fresh = attempt > 0
        exchange = Exchange(house, request, form, now)
        try:
            client_auth.client_id(request, form)
            if fresh or not client.remembered(house, named):
                program = await asyncio.to_thread(client.snapshot, house, named, fresh=fresh)
                fresh = True
            else:
                program = client.snapshot(house, named)
            granted = grant_access(exchange, grant, program)
        except Denied as denied:
            if not fresh:
                continue
            return await _refused(exchange, denied)
        line = record.issued(record.of_client(request, granted.who), granted.issued, None, now)
        try:
            await house.recorder.submit(line, granted.who.client.guards)
        except Stale:
            continue
        return _ok(granted)
    return response(Denied(TEMPORARILY_UNAVAILABLE, "the client is being changed, try again"))


async def _refused(exchange: Exchange, denied: Denied) -> Response:
    house, line = exchange.house, await asyncio.to_thread(exchange.refusal, denied)
    if line.agente.kind == "anonimo":
        house.recorder.note(line)
    else:
        await house.recorder.submit(line)
    return response(denied)


def _redeem(house: House, request: Request, form: dict[str, str], grant: Grant, now: datetime) -> Response:
    """A grant that uses something up: one transaction, or nothing; a replay's consequence in one of its own."""
    exchange = Exchange(house, request, form, now)
    try:
        named = client_auth.client_id(request, form)
        with house.reading() as db:
            program = client.current(house, db, named)
        agente = Agente("client", named, address=request.address, user_agent=request.user_agent, client_id=named)
        with house.begin(agente) as ctx:
            exchange.transaction = ctx.db
            granted = grant_access(exchange, grant, program)
            line = record.issued(record.of_client(request, granted.who), granted.issued, granted.subject.pessoa, now)
            journal.write(ctx.db, line)
        return _ok(granted)
    except Replayed as replayed:
        _end(exchange, replayed)
        return response(replayed)
    except Denied as denied:
        _write(house, exchange.refusal(denied))
        return response(denied)


def _end(exchange: Exchange, replayed: Replayed) -> None:
    """RFC 9700 §4.14.2 and §2.1.1: what was used twice by its rightful client ends everything it gave."""
    line = exchange.refusal(replayed)
    with exchange.house.begin(line.agente) as ctx:
        ended = authorization.end(ctx.db, replayed.authorization, exchange.now, replayed.words[0])
        if ended:
            journal.write(ctx.db, line)
    if not ended:
        _write(exchange.house, line)


def _write(house: House, line: Line) -> None:
    if line.agente.kind == "anonimo":
        house.recorder.note(line)
    else:
        house.recorder.write(line)


def _ok(granted: Granted) -> Response:
    return Response.json(200, granted.body, pragma="no-cache")
