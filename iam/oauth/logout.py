"""RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): an application asks to end the person's login session.

With an ID token of ours as hint, however old, for the session of this browser, it ends at once (§2); otherwise the person is
asked on a page of our own, which knows the way back. Nobody is redirected but to an address that the application
registered for this (§3).
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlencode

from iam import session
from iam.ato import Ato
from iam.context import House
from iam.errors import Invalid
from iam.http import BadRequest, Request, Response, set_cookie
from iam.journal import JSON
from iam.login import ticket
from iam.oauth import client, id_token, record
from iam.oauth.error_page import page
from iam.oauth.errors import INVALID_REQUEST, Denied, malformed
from iam.oauth.interaction import idle
from iam.oauth.redirect_uri import registered, with_params
from iam.session import Login

PATH, ASK = "/oauth/logout", "/sair"
LIFE = timedelta(minutes=15)
PROPRIO = frozenset({"pessoa_autenticada", "o_proprio"})


@dataclass(frozen=True, slots=True)
class Back:
    """Where an application wants the person to be after leaving: the address, and the application's name for people."""

    uri: str
    client_nome: str


def logout(house: House, request: Request) -> Response:
    """``GET`` or ``POST /oauth/logout``.

    A form from another site comes without the session's cookie (RFC 6265bis, ``SameSite=Lax``); asked again by GET it has it.
    """
    now, login, named = house.clock(), None, ""
    try:
        params = request.form() if request.method == "POST" else request.params()
        named, cookie = params.get("client_id", ""), request.cookie(session.COOKIE)
        with house.reading() as db:
            login = session.find(db, cookie, now, idle(house), house.trust)
        hint = _hint(house, params)
        named = str(hint["aud"]) if hint else named
        back = _back(house, params, named)
    except (BadRequest, Denied) as error:
        denied = malformed(error) if isinstance(error, BadRequest) else error
        return _refused(house, request, denied, login, named)
    if request.method == "POST" and cookie is None:
        return Response.redirect(f"{PATH}?{urlencode(params)}")
    where = back.uri if back else "/"
    if login is None:
        return Response.redirect(where)
    if hint is None or hint.get("sub") != login.pessoa.id or hint.get("sid") != id_token.sid(login.session.id):
        carried = ticket.seal(house, "logout", LIFE, uri=back.uri, nome=back.client_nome) if back else ""
        return Response.redirect(f"{ASK}?{urlencode({'retorno': carried})}" if carried else ASK)
    agente = record.of_pessoa(request, login.pessoa.id, login.pessoa.nome, login.session.id, named)
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.SESSAO_ENCERRAR, record.HOUSE, PROPRIO)
        if session.end(ctx.db, login.session, now, f"client:{named}"):
            ctx.record(decision, pessoa=login.pessoa.id, sessao=login.session.id, pedida_por=named)
    return Response.redirect(where).with_header(*set_cookie(session.COOKIE, "", max_age=0))


def returning(house: House, carried: str) -> Back | None:
    """The way back that the page at :data:`ASK` was given, while it is fresh."""
    with suppress(Invalid):
        body = ticket.unseal(house, "logout", carried)
        return Back(str(body["uri"]), str(body["nome"]))
    return None


def _hint(house: House, params: dict[str, str]) -> dict[str, JSON] | None:
    if "id_token_hint" not in params:
        return None
    try:
        hint = id_token.hinted(house, params["id_token_hint"])
    except Denied as error:
        raise Denied(INVALID_REQUEST, error.description, "id_token_invalido") from error
    if params.get("client_id", hint["aud"]) != hint["aud"]:
        raise Denied(INVALID_REQUEST, "client_id is not the one of id_token_hint", "id_token_invalido")
    return hint


def _back(house: House, params: dict[str, str], named: str) -> Back | None:
    """The registered address asked for, with ``state``; None when none was."""
    uri = params.get("post_logout_redirect_uri")
    if uri is None:
        return None
    if not named:
        said = "post_logout_redirect_uri needs client_id or id_token_hint"
        raise Denied(INVALID_REQUEST, said, "pedido_malformado")
    program = client.snapshot(house, named, fresh=True)
    if program is None:
        raise Denied(INVALID_REQUEST, "unknown client", "client_desconhecido")
    if not registered(uri, program.post_logout_redirect_uris):
        raise Denied(INVALID_REQUEST, "post_logout_redirect_uri is not registered", "endereco_nao_registrado")
    return Back(with_params(uri, state=params.get("state", "")), program.nome)


def _refused(house: House, request: Request, denied: Denied, login: Login | None, named: str) -> Response:
    """The page that says why, and the refusal's line in the journal."""
    now = house.clock()
    if login is None:
        line = record.refusal(house, record.anonymous(request, named), denied, Ato.SESSAO_ENCERRAR, now)
        house.recorder.note(line)
    else:
        who = login.pessoa
        agente = record.of_pessoa(
            request, who.id, who.nome, login.session.id, record.anonymous(request, named).client_id
        )
        line = record.refusal(house, agente, denied, Ato.SESSAO_ENCERRAR, now, pessoa=who.id)
        house.recorder.write(line)
    return page(denied, line.decision)
