"""The authorization endpoint: RFC 6749 §4.1, OpenID Connect Core §3.1.2, RFC 9207, RFC 9470.

One request, one transaction, one of four answers: a redirect with a code, a redirect with an error, a way to a page
(log in, consent or choose whom to act as) or, when client or redirect URI are not good, a page that says so. Nothing
here shows a form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam import journal, session
from iam.ato import Ato
from iam.atos.pessoa import CADASTRADA, HABILITADA
from iam.atos.sujeito import Sujeito
from iam.context import Agente, House
from iam.http import BadRequest, Request, Response
from iam.journal import Line
from iam.oauth import acr, authorization, capacity, client, interaction, record, scope, subject
from iam.oauth.authentication_request import AuthenticationRequest, Unredirectable, destination, read
from iam.oauth.capacity import Capacity
from iam.oauth.error_page import page
from iam.oauth.errors import (
    ACCESS_DENIED,
    CONSENT_REQUIRED,
    INTERACTION_REQUIRED,
    INVALID_REQUEST,
    LOGIN_REQUIRED,
    UNMET_AUTHENTICATION,
    Denied,
    malformed,
)
from iam.oauth.lifetime import limit
from iam.oauth.redirect_uri import with_params
from iam.oauth.scope import Effective
from iam.oauth.tables import Authorization, AuthorizationCode, Consent, Interaction, digest, secret
from iam.session import Login


def authorize(house: House, request: Request) -> Response:
    """``GET`` or ``POST /oauth/authorize``, also the way back from our own pages with ``pedido``.

    A form from another site comes without the session's cookie (RFC 6265bis, ``SameSite=Lax``); asked again by GET it has it.
    """
    now = house.clock()
    agente = record.anonymous(request)
    refused: Denied | None = None
    try:
        try:
            params = request.form(scope.SEVERAL) if request.method == "POST" else request.params(scope.SEVERAL)
            cookie = request.cookie(session.COOKIE)
        except BadRequest as error:
            raise Unredirectable(INVALID_REQUEST, error.description, "pedido_malformado") from malformed(error)
        with _transaction(house, agente, cookie, now) as (db, login):
            waiting = interaction.find(house, db, params["pedido"], now) if "pedido" in params else None
            params = dict(waiting.params) if waiting is not None else params
            asked = destination(client.current(house, db, params.get("client_id", "")), params)
            agente = _agente(request, login, asked)
            if waiting is not None and login is not None:
                interaction.hold(db, waiting, now)
            try:
                asked = read(house, asked)
                if request.method == "POST" and cookie is None:
                    answer = _to_page(house, interaction.RESUME, asked, waiting, now)
                else:
                    answer = _answer(house, db, asked, login, waiting, agente, now)
            except Denied as denied:
                refused, answer = (
                    denied,
                    _redirect(house, asked, error=denied.code, error_description=denied.description),
                )
                _end(waiting, now)
    except Unredirectable as denied:
        _note(house, agente, denied, now)
        return page(
            denied, record.judged(house, frozenset(denied.words), Ato.TOKEN_EMITIR, denied.sistema or record.HOUSE)
        )
    if refused is not None:
        _note(house, agente, refused, now)
    return answer


@contextmanager
def _transaction(
    house: House, agente: Agente, cookie: str | None, now: datetime
) -> Iterator[tuple[Session, Login | None]]:
    """A transaction for who is logged in. A stranger's request is only read: it costs no commit and leaves no row."""
    idle = interaction.idle(house)
    with house.reading() as db:
        if session.find(db, cookie, now, idle, house.trust) is None:
            yield db, None
            return
    with house.begin(agente) as ctx:
        yield ctx.db, session.find(ctx.db, cookie, now, idle, house.trust)


def _end(waiting: interaction.Waiting | None, now: datetime) -> None:
    """The request is answered, once and for all."""
    if waiting is not None and waiting.row is not None:
        waiting.row.ended_at = now


def _agente(request: Request, login: Login | None, asked: AuthenticationRequest) -> Agente:
    if login is None:
        return record.anonymous(request, asked.client.id)
    return record.of_pessoa(request, login.pessoa.id, login.pessoa.nome, login.session.id, asked.client.id)


def _note(house: House, agente: Agente, denied: Denied, now: datetime) -> None:
    if denied.code in (LOGIN_REQUIRED, CONSENT_REQUIRED, INTERACTION_REQUIRED):
        return
    pessoa = agente.id if agente.kind == "pessoa" else None
    line = record.refusal(house, agente, denied, Ato.TOKEN_EMITIR, now, pessoa=pessoa)
    if pessoa is None:
        house.recorder.note(line)
    else:
        house.recorder.write(line)


def _answer(
    house: House,
    db: Session,
    asked: AuthenticationRequest,
    login: Login | None,
    waiting: interaction.Waiting | None,
    agente: Agente,
    now: datetime,
) -> Response:
    about = asked.sistema or asked.client.sistema
    _demanded(house, asked, about)
    if login is None or _login_again(asked, login, waiting, now):
        if login is not None and _since_asked(login, waiting) and "none" not in asked.prompt:
            raise Denied(LOGIN_REQUIRED, "another person than the one asked for is logged in", "anonimo", sistema=about)
        return _to_login(house, asked, waiting, about, now)
    if not _still(house, db, login, asked, now):
        return _to_login(house, asked, waiting, about, now)
    ways = capacities(house, db, login, asked, now)
    about = ways[0].sistema or asked.client.sistema
    if not acr.enough(login.session.acr, _demanded(house, asked, about)):
        if _since_asked(login, waiting) and "none" not in asked.prompt:
            said = "the login is too weak for this request"
            raise Denied(UNMET_AUTHENTICATION, said, "acr_insuficiente", sistema=about)
        return _to_login(house, asked, waiting, about, now)
    way = _chosen(ways, waiting, login)
    effective = _effective(house, asked, way) if way is not None else None
    if way is None or effective is None or not _consented(db, login, asked, effective, waiting):
        if "none" in asked.prompt:
            code = INTERACTION_REQUIRED if way is None else CONSENT_REQUIRED
            raise Denied(code, "the person must decide first", "anonimo", sistema=about)
        return _to_page(house, "/consentir", asked, waiting, now)
    code = _authorize(house, db, asked, login, way, effective, agente, now)
    _end(waiting, now)
    return _redirect(house, asked, code=code)


def _demanded(house: House, asked: AuthenticationRequest, about: str) -> str:
    """The ``acr`` that a login must reach for this sistema; Denied when it can never be met."""
    wanted = acr.demanded(house.policy, about, asked.acr_values)
    if wanted is None:
        raise Denied(UNMET_AUTHENTICATION, "acr_values cannot be met", "acr_insuficiente", sistema=about)
    return wanted


def _to_login(
    house: House, asked: AuthenticationRequest, waiting: interaction.Waiting | None, about: str, now: datetime
) -> Response:
    if "none" in asked.prompt:
        raise Denied(LOGIN_REQUIRED, "the person is not logged in as asked", "anonimo", sistema=about)
    return _to_page(house, "/entrar", asked, waiting, now)


def _still(house: House, db: Session, login: Login, asked: AuthenticationRequest, now: datetime) -> bool:
    """Holds person and client until the transaction ends, and looks at the login again: a cut may have come between."""
    authorization.hold(db, login.pessoa.id, asked.client.id)
    db.refresh(login.session)
    db.refresh(login.pessoa)
    return session.alive(db, login.session, login.pessoa, now, interaction.idle(house), house.trust)


def _since_asked(login: Login, waiting: interaction.Waiting | None) -> bool:
    return waiting is not None and login.session.auth_time >= waiting.since


def _login_again(
    asked: AuthenticationRequest, login: Login, waiting: interaction.Waiting | None, now: datetime
) -> bool:
    """Whether another login is wanted, however strong this one is."""
    if _is_another(asked, login):
        return True
    old = asked.max_age is not None and now - login.session.auth_time > timedelta(seconds=asked.max_age)
    return (old or bool(asked.prompt & {"login", "select_account"})) and not _since_asked(login, waiting)


def _is_another(asked: AuthenticationRequest, login: Login) -> bool:
    """Whether somebody is logged in who is not the person of the ``id_token_hint`` (OpenID Connect Core §3.1.2.1)."""
    return bool(asked.sub) and asked.sub != subject.sub(login.pessoa.id, asked.client.id)


def capacities(
    house: House, db: Session, login: Login, asked: AuthenticationRequest, now: datetime
) -> Sequence[Capacity]:
    """Whom this person may act as for this request; Denied when as nobody.

    Who holds nothing of what is asked of the sistema but asks to be identified is identified, and no more.
    """
    about = asked.sistema or asked.client.sistema
    if login.pessoa.estado != HABILITADA:
        word = "sem_concessao" if login.pessoa.estado == CADASTRADA else "pessoa_fora"
        raise Denied(ACCESS_DENIED, "the person has no access", word, sistema=about)
    ways = _giving(house, asked, capacity.of(db, login.pessoa.id, asked.sistema, now, tied="matricula" in asked.scope))
    if not ways and asked.sistema and "openid" in asked.scope:
        ways = capacity.of(db, login.pessoa.id, "", now, tied="matricula" in asked.scope)
    if not ways:
        raise Denied(ACCESS_DENIED, "the person holds nothing of this resource", "sem_concessao", sistema=about)
    return ways


def _giving(house: House, asked: AuthenticationRequest, ways: Sequence[Capacity]) -> Sequence[Capacity]:
    """The capacities that give something of what is asked; all of them where only the sistema is named."""
    wanted = frozenset(asked.scope).difference(scope.OPENID)
    giving = [way for way in ways if wanted & way.held(house.policy).keys()]
    only_named = not wanted or ("resource" in asked.params and "openid" in asked.scope)
    return giving or (ways if only_named else ())


def _chosen(ways: Sequence[Capacity], waiting: interaction.Waiting | None, login: Login) -> Capacity | None:
    """The capacity to act in: the only one, or the one this person chose for this request."""
    if len(ways) == 1:
        return ways[0]
    row = _answered(waiting, login)
    return next((way for way in ways if row and way.key == f"{row.vinculo or ''}|{row.perfil or ''}"), None)


def _answered(waiting: interaction.Waiting | None, login: Login) -> Interaction | None:
    """What was answered in this very session; an answer counts in no other."""
    row = waiting.row if waiting is not None else None
    return row if row is not None and row.session == login.session.id else None


def _effective(house: House, asked: AuthenticationRequest, way: Capacity) -> Effective:
    allowed = asked.client.scopes | scope.ALWAYS
    try:
        return scope.of_person(asked.scope, allowed, way.held(house.policy), way.sistema, house.settings.issuer)
    except Denied as denied:
        raise Denied(ACCESS_DENIED, denied.description, *denied.words, sistema=denied.sistema) from denied


def _consented(
    db: Session, login: Login, asked: AuthenticationRequest, effective: Effective, waiting: interaction.Waiting | None
) -> bool:
    row = _answered(waiting, login)
    if row is not None and row.consented is not None and set(effective.names) <= set(row.consented.split()):
        return True
    return "consent" not in asked.prompt and set(effective.names) <= consented(db, login.pessoa.id, asked.client.id)


def consented(db: Session, pessoa: str, client_id: str) -> frozenset[str]:
    """Everything the person ever let this client have, and did not take back."""
    given = select(Consent.scope).where(
        Consent.pessoa == pessoa, Consent.client == client_id, Consent.ended_at.is_(None)
    )
    return frozenset(name for text in db.scalars(given) for name in text.split())


def _to_page(
    house: House, path: str, asked: AuthenticationRequest, waiting: interaction.Waiting | None, now: datetime
) -> Response:
    """To one of our own pages, which comes back with ``pedido``: the request, sealed."""
    pedido = interaction.keep(house, asked, waiting, now)
    return Response.redirect(with_params(path, pedido=pedido))


def _authorize(
    house: House,
    db: Session,
    asked: AuthenticationRequest,
    login: Login,
    way: Capacity,
    effective: Effective,
    agente: Agente,
    now: datetime,
) -> str:
    """Writes authorization, consent, code and journal line; answers the code."""
    about = effective.sistema or record.HOUSE
    decision = house.policy.decide(frozenset({"pessoa_autenticada"}), Ato.TOKEN_EMITIR, about)
    if not decision.allowed:
        raise Denied(
            ACCESS_DENIED, "the policy does not allow this token", "pessoa_autenticada", sistema=effective.sistema
        )
    epochs = dict(
        db.execute(select(Sujeito.id, Sujeito.epoch).where(Sujeito.id.in_([login.pessoa.id, asked.client.id]))).all()
    )
    agreed = None
    if not set(effective.names) <= consented(db, login.pessoa.id, asked.client.id):
        agreed = Consent(pessoa=login.pessoa.id, client=asked.client.id, scope=str(effective), given_at=now)
        db.add(agreed)
        db.flush()
    given = Authorization(
        sujeito=login.pessoa.id,
        client=asked.client.id,
        session=login.session.id,
        vinculo=way.vinculo,
        sistema=effective.sistema,
        perfil=way.perfil,
        scope=str(effective),
        resource=effective.resource,
        acr=login.session.acr,
        amr=list(login.session.amr),
        auth_time=login.session.auth_time,
        nonce=asked.nonce,
        consent=agreed.id if agreed else None,
        offline="offline_access" in effective.names,
        sujeito_epoch=epochs[login.pessoa.id],
        vinculo_epoch=way.epoch,
        client_epoch=epochs[asked.client.id],
        created_at=now,
    )
    db.add(given)
    db.flush()
    code = secret()
    db.add(
        AuthorizationCode(
            digest=digest(code),
            authorization=given.id,
            client=asked.client.id,
            redirect_uri=asked.params.get("redirect_uri", ""),
            code_challenge=asked.code_challenge,
            epoch=given.epoch,
            expires_at=now + limit(house, "authorization_code", effective.sistema),
        )
    )
    session.touch(db, login.session, now)
    payload = {
        "etapa": "autorizacao",
        "authorization": given.id,
        "scope": str(effective),
        "perfil": way.perfil,
        "acr": given.acr,
    }
    journal.write(db, Line(now, decision, agente, login.pessoa.id, effective.sistema or None, None, payload))
    return code


def _redirect(house: House, asked: AuthenticationRequest, **params: str) -> Response:
    """Back to the client, always with ``state`` and ``iss`` (RFC 9207 §2)."""
    return Response.redirect(location(house, asked.redirect_uri, asked.params, **params))


def location(house: House, uri: str, asked: Mapping[str, str], **params: str) -> str:
    """The address of an authorization response."""
    return with_params(uri, **params, state=asked.get("state", ""), iss=house.settings.issuer)
