"""The Flask application of the screens: routes, and the edge between WSGI and :class:`admin_ui.visit.Visit`.

Texts: RFC 9110 (methods and statuses), RFC 6265bis (cookies). One route is one view; a wrong method answers 405, a
body that is too large 413, a form that is not ours 403. Only this module knows Flask. It never decides who may do
what.
"""

from __future__ import annotations

import logging
from functools import partial

import flask
import jinja2
import werkzeug
from werkzeug.exceptions import HTTPException

from admin_ui import (
    acessibilidade,
    administrar,
    ativar,
    catalogo,
    certificado,
    codigo,
    consentir,
    diario,
    entrar,
    erro,
    evento,
    guard,
    minhas,
    norma,
    pessoa,
    rascunho,
    sair,
    senha,
    text,
)
from admin_ui.visit import Screen, Visit, visit_cookie
from iam import session
from iam.context import Agente, House
from iam.db import away
from iam.errors import PortariaError
from iam.http import FORM, BadRequest, Request, Response, pairs, wsgi_request
from iam.http.wsgi import answered, failed
from iam.journal import Line
from iam.oauth import interaction, record
from iam.policy import Policy

SCREENS: tuple[Screen, ...] = (
    *catalogo.SCREENS,
    *norma.SCREENS,
    *acessibilidade.SCREENS,
    *entrar.SCREENS,
    *certificado.SCREENS,
    *ativar.SCREENS,
    *sair.SCREENS,
    *consentir.SCREENS,
    *minhas.SCREENS,
    *senha.SCREENS,
    *codigo.SCREENS,
    *administrar.SCREENS,
    *pessoa.SCREENS,
    *evento.SCREENS,
    *diario.SCREENS,
)

log = logging.getLogger(__name__)


def create_app(house: House) -> flask.Flask:
    """The screens of one house, as a WSGI application. It keeps no state of its own."""
    app = flask.Flask("admin_ui", static_folder="static", template_folder="templates")
    app.config.update(MAX_CONTENT_LENGTH=guard.MAX_BODY, SEND_FILE_MAX_AGE_DEFAULT=3600)
    app.url_map.merge_slashes = False  # or `//` would redirect to whatever Host the caller wrote
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.undefined = jinja2.StrictUndefined
    _words(app.jinja_env, house)
    for screen in SCREENS:
        view = partial(_serve, house, app.jinja_env, screen)
        name = f"{screen.method} {screen.path}".replace(".", "-")
        app.add_url_rule(screen.path, name, view, methods=[screen.method], provide_automatic_options=False)
    app.register_error_handler(HTTPException, partial(_http_error, house, app.jinja_env))
    app.after_request(_static_headers)
    return app


def _words(env: jinja2.Environment, house: House) -> None:
    """What templates may call: how values read, and the words of the norms in force."""
    for filter in (text.legal, text.utc, text.iso, text.dia, text.demora, text.cpf, text.masked, text.sentence):
        env.filters[filter.__name__] = filter
    env.globals.update(
        acr_name=text.acr,
        estado_class=text.estado_class,
        ato_name=text.ato,
        estado_name=text.nome,
        norm_title=lambda pack: house.policy.read[pack].title if pack in house.policy.read else pack,
        norm_short=lambda pack: house.policy.read[pack].short if pack in house.policy.read else pack,
        article_text=lambda requirement: _article_text(house.policy, requirement),
        event_name=lambda tipo: _event_name(house.policy, tipo),
        sistema_name=lambda sistema: _sistema_name(house.policy, sistema),
    )


def _article_text(policy: Policy, requirement: str) -> str:
    try:
        return policy.article(requirement).text
    except KeyError:
        return ""


def _event_name(policy: Policy, tipo: str) -> str:
    named = (pack.events[tipo] for pack in policy.packs.values() if tipo in pack.events)
    return next(named, text.nome(tipo).capitalize())


def _sistema_name(policy: Policy, id: str) -> str:
    sistema = policy.sistema(id)
    return sistema.nome if sistema else id


def _serve(house: House, env: jinja2.Environment, screen: Screen, **path: str) -> werkzeug.Response:
    """One request through one view; the errors of the acts become pages that show the article."""
    request = wsgi_request(flask.request.environ, flask.request.get_data())
    try:
        visit = _visit(house, env, request, screen)
    except BadRequest as bad:
        anonymous = Agente("anonimo", "", address=request.address, user_agent=request.user_agent)
        return answered(erro.page(Visit(house, env, request, anonymous, house.clock()), 400, bad.code))
    if request.method == "POST" and not _genuine(visit):
        return answered(rascunho.keep(visit, screen) or sair.already(visit) or _forged(visit, screen))
    if not (screen.public or screen.open) and (stop := entrar.needed(visit)) is not None:
        return answered(stop)
    try:
        return answered(screen.view(visit, **path))
    except PortariaError as error:
        return answered(erro.refused(visit, error))


def _visit(house: House, env: jinja2.Environment, request: Request, screen: Screen) -> Visit:
    """Who asks, from the session cookie; a browser without session gets the cookie its forms are bound to."""
    now = house.clock()
    params = _fields(request.query)
    if request.method == "POST" and request.media_type() != FORM:
        raise BadRequest("a form must be form-encoded", f"o tipo do corpo deve ser {FORM}")
    form = _fields(request.body) if request.method == "POST" else {}
    with house.reading() as db:
        login = session.find(db, request.cookie(session.COOKIE), now, interaction.idle(house), house.trust)
    agente = Agente("anonimo", "", address=request.address, user_agent=request.user_agent)
    if login is not None:
        who, row = login.pessoa, login.session
        agente = Agente("pessoa", who.id, who.nome, request.address, request.user_agent, session=row.id)
        if now >= row.seen_at + session.TOUCH:
            with house.database.write() as db:
                session.touch(db, row, now)
        return Visit(house, env, request, agente, now, login, row.csrf, params, form)
    secret = request.cookie(guard.VISIT_COOKIE) or ""
    cookies: tuple[tuple[str, str], ...] = ()
    if not secret and not screen.public:
        secret = guard.new_secret()
        cookies = (visit_cookie(secret),)
    csrf = guard.token(secret) if secret and not screen.public else ""
    return Visit(house, env, request, agente, now, None, csrf, params, form, cookies)


def _fields(data: bytes) -> dict[str, str]:
    """Parameters, each at most once; empty ones stay out."""
    found = pairs(data)
    values = {name: value for name, value in found if value}
    if len({name for name, _ in found}) != len(found):
        raise BadRequest("a parameter is repeated", "há parâmetro repetido")
    return values


def _genuine(visit: Visit) -> bool:
    """Whether a POST came from a form that this server gave to this browser."""
    settings, header = visit.house.settings, visit.request.header
    ours = (settings.issuer, settings.mtls)
    given = visit.form.get("csrf", "")
    return guard.genuine(visit.csrf, given, origin=header("origin"), site=header("sec-fetch-site"), ours=ours)


def _forged(visit: Visit, screen: Screen) -> Response:
    """A form that is not of this session: refused, and counted in the journal under the name of whose browser sent it."""
    if screen.ato is not None:
        decision = record.judged(visit.house, frozenset({"formulario_alheio"}), screen.ato, record.HOUSE)
        visit.house.recorder.note(Line(visit.now, decision, visit.agente))
    return erro.forged(visit)


def _http_error(house: House, env: jinja2.Environment, error: HTTPException) -> werkzeug.Response:
    """Wrong path, method or size, and defects: a page, and for a defect a line in the log but nothing on the page."""
    incoming = flask.request
    status = error.code or 500
    if status >= 500:
        cause = getattr(error, "original_exception", None)
        log.error("defect at %s %s", incoming.method, incoming.endpoint, exc_info=cause)
        status = 503 if away(cause) else status
    request = wsgi_request(incoming.environ, b"")
    visit = Visit(house, env, request, Agente("anonimo", ""), house.clock())
    return failed(error, erro.page(visit, status))


def _static_headers(response: flask.Response) -> flask.Response:
    """The style sheet, font and images get the headers that pages have, and may be kept for an hour."""
    if flask.request.endpoint == "static":
        for name, value in guard.headers(private=False):
            if name not in ("cache-control", "vary"):
                response.headers[name] = value
    return response
