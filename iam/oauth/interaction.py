"""A request that waits for its person: between the authorization endpoint and our own pages.

OpenID Connect Core §3.1.2.3 and §3.1.2.4. The pages show what :func:`pending` tells and call :func:`grant` or
:func:`deny`; they come back to ``/oauth/authorize?pedido=…``, where everything is checked again. A pedido is the request
itself, sealed, so that whoever only asks leaves nothing here. A row is made once somebody logged in comes back with it:
it says what was answered, which counts only in the session that gave it, and that the request is not answered twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.config import Unsafe
from iam.context import Agente, House
from iam.decision import Source
from iam.errors import Invalid, NotFound
from iam.keys import b64url, b64url_decode
from iam.oauth import acr, authorize, client, record, scope
from iam.oauth.authentication_request import KEPT, AuthenticationRequest, Unredirectable, destination, read
from iam.oauth.capacity import Capacity
from iam.oauth.errors import ACCESS_DENIED, INVALID_REQUEST, Denied
from iam.oauth.redirect_uri import with_params
from iam.oauth.tables import Interaction, digest, secret
from iam.session import Login

LIFETIME = timedelta(minutes=15)
RESUME = "/oauth/authorize"
GONE = "este pedido expirou ou já foi respondido; volte ao aplicativo e tente de novo"
PURPOSE = "authorization request"
LONGEST = 12 * 1024
"""Characters of a pedido: it travels in addresses, and proxies bound a request's head at 16 KiB."""


@dataclass(slots=True)
class Waiting:
    """A request that waits since ``since``. ``id`` stays when it is sealed anew; ``row`` is None while nobody logged in came."""

    id: str
    params: Mapping[str, str]
    since: datetime
    row: Interaction | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """One scope as the consent page shows it; ``source`` is the line that gives it, None for identity scopes."""

    name: str
    nome: str
    source: Source | None


@dataclass(frozen=True, slots=True)
class Option:
    """One capacity the person may choose, with the scopes it would give."""

    capacity: Capacity
    perfil_nome: str
    scopes: Sequence[Asked]


@dataclass(frozen=True, slots=True)
class Pending:
    """What a page shows of a waiting request, which waits since ``since``. ``options`` is empty while nobody is logged in."""

    pedido: str
    client_id: str
    client_nome: str
    sistema: str
    sistema_nome: str
    acr: str
    login_hint: str
    redirect_uri: str
    resume: str
    since: datetime
    options: Sequence[Option] = ()


def idle(house: House) -> timedelta:
    """After how long without activity a login session ends (MT128-16-2.2)."""
    return house.policy.limit("session_idle").duration


def keep(house: House, asked: AuthenticationRequest, waiting: Waiting | None, now: datetime) -> str:
    """The request, sealed for a quarter of an hour: its pedido. One that waited already keeps id and age.

    Denied with ``invalid_request`` when it is too long for an address.
    """
    params = {name: value for name, value in asked.params.items() if name in KEPT}
    known = waiting or Waiting(secret(), params, now)
    body = {"id": known.id, "params": params, "since": known.since, "exp": now + LIFETIME}
    pedido = b64url(house.vault.seal(orjson.dumps(body), PURPOSE))
    if len(pedido) > LONGEST:
        raise Denied(INVALID_REQUEST, "the request is too long", "pedido_malformado", sistema=asked.client.sistema)
    return pedido


def find(house: House, db: Session, pedido: str, now: datetime) -> Waiting:
    """The waiting request; :class:`Unredirectable` when there is none, it was answered, or waited too long."""
    gone = Unredirectable(INVALID_REQUEST, "the request has expired or was answered", "pedido_malformado")
    try:
        body = orjson.loads(house.vault.open(b64url_decode(pedido), PURPOSE))
    except (ValueError, Unsafe) as error:
        raise gone from error
    row = db.get(Interaction, digest(body["id"]))
    if datetime.fromisoformat(body["exp"]) <= now or (row is not None and row.ended_at is not None):
        raise gone
    return Waiting(body["id"], body["params"], datetime.fromisoformat(body["since"]), row)


def hold(db: Session, waiting: Waiting, now: datetime) -> Interaction:
    """The request's row, made when there is none, held until the transaction ends and kept for as long as any pedido of it.

    :class:`Unredirectable` when another has just answered.
    """
    id, until = digest(waiting.id), now + LIFETIME
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    made = insert(Interaction).values(digest=id, client=waiting.params["client_id"], expires_at=until)
    db.execute(made.on_conflict_do_nothing())
    row = db.get_one(Interaction, id, with_for_update=True, populate_existing=True)
    if row.ended_at is not None:
        raise Unredirectable(INVALID_REQUEST, "the request has expired or was answered", "pedido_malformado")
    row.expires_at, waiting.row = until, row
    return row


def pending(house: House, pedido: str, login: Login | None) -> Pending:
    """What a page shows; NotFound when the request no longer waits, Invalid when the person can be nobody for it."""
    now = house.clock()
    with house.reading() as db:
        waiting, asked = _load(house, db, pedido, now)
        about = asked.sistema or asked.client.sistema
        sistema = house.policy.sistema(about)
        wanted = acr.demanded(house.policy, about, asked.acr_values)
        return Pending(
            pedido=pedido,
            client_id=asked.client.id,
            client_nome=asked.client.nome,
            sistema=about,
            sistema_nome=sistema.nome if sistema else "",
            acr=wanted or acr.minimum(house.policy, about),
            login_hint=asked.login_hint,
            redirect_uri=asked.redirect_uri,
            resume=with_params(RESUME, pedido=pedido),
            since=waiting.since,
            options=_options(house, db, asked, login, now) if login is not None else (),
        )


def grant(house: House, pedido: str, login: Login, choice: str = "") -> str:
    """The person agrees, acting as ``choice`` (a :attr:`Capacity.key`; "" when there is only one). Answers where to go.

    Raises NotFound when the request no longer waits, Invalid when the choice is not one of theirs.
    """
    now = house.clock()
    with house.begin(_pessoa(login)) as ctx:
        waiting, asked = _load(house, ctx.db, pedido, now)
        row = _hold(ctx.db, waiting, now)
        options = _options(house, ctx.db, asked, login, now)
        chosen = next((o for o in options if o.capacity.key == choice or (len(options) == 1 and not choice)), None)
        if chosen is None:
            raise Invalid("escolha em que vínculo e perfil quer agir", code="escolha_invalida", field="escolha")
        row.session = login.session.id
        row.vinculo, row.perfil = chosen.capacity.vinculo, chosen.capacity.perfil
        row.consented = " ".join(s.name for s in chosen.scopes)
    return with_params(RESUME, pedido=pedido)


def deny(house: House, pedido: str, login: Login) -> str:
    """The person says no; the client is told ``access_denied``. Answers where to go."""
    now = house.clock()
    with house.begin(_pessoa(login)) as ctx:
        waiting, asked = _load(house, ctx.db, pedido, now)
        _hold(ctx.db, waiting, now).ended_at = now
    denied = Denied(ACCESS_DENIED, "the person did not consent", "consentimento_negado", sistema=asked.client.sistema)
    house.recorder.write(record.refusal(house, _pessoa(login), denied, Ato.TOKEN_EMITIR, now, pessoa=login.pessoa.id))
    said = {"error": denied.code, "error_description": denied.description}
    return authorize.location(house, asked.redirect_uri, asked.params, **said)


def _load(house: House, db: Session, pedido: str, now: datetime) -> tuple[Waiting, AuthenticationRequest]:
    try:
        waiting = find(house, db, pedido, now)
        program = client.current(house, db, waiting.params["client_id"])
        return waiting, read(house, destination(program, waiting.params))
    except Denied as denied:
        raise NotFound(GONE) from denied


def _hold(db: Session, waiting: Waiting, now: datetime) -> Interaction:
    try:
        return hold(db, waiting, now)
    except Denied as denied:
        raise NotFound(GONE) from denied


def _options(house: House, db: Session, asked: AuthenticationRequest, login: Login, now: datetime) -> Sequence[Option]:
    try:
        ways = authorize.capacities(house, db, login, asked, now)
        return [_option(house, asked, way) for way in ways]
    except Denied as denied:
        decision = record.judged(house, frozenset(denied.words), Ato.TOKEN_EMITIR, denied.sistema or record.HOUSE)
        raise Invalid(decision.reason_user, code="sem_acesso") from denied


def _option(house: House, asked: AuthenticationRequest, way: Capacity) -> Option:
    allowed = asked.client.scopes | scope.ALWAYS
    effective = scope.of_person(asked.scope, allowed, way.held(house.policy), way.sistema, house.settings.issuer)
    given = {held.name: held.decision.source for held in effective.rests_on}
    perfil = house.policy.perfil(way.perfil) if way.perfil else None
    shown = [Asked(name, IDENTITY.get(name) or _nome(house, name), given.get(name)) for name in effective.names]
    return Option(way, perfil.nome if perfil else "", shown)


IDENTITY = {
    "openid": "saber que é você",
    "profile": "seu nome e login",
    "email": "seu e-mail",
    "cpf": "seu CPF",
    "matricula": "sua matrícula e seu órgão",
    "offline_access": "continuar conectado depois que você sair",
}


def _nome(house: House, name: str) -> str:
    known = house.policy.scope(name)
    funcoes = house.policy.funcoes(known.sistema) if known else ()
    return next((f.nome for f in funcoes if known is not None and f.id == known.funcao), name)


def _pessoa(login: Login) -> Agente:
    who, row = login.pessoa, login.session
    return Agente("pessoa", who.id, who.nome, row.address, row.user_agent, session=row.id)
