"""Leaving: end this session, one of my others, or all of them (MT128-16-2.2). What a session gave ends with it."""

from __future__ import annotations

from admin_ui import entrar, guard
from admin_ui.visit import Screen, Visit
from iam import session
from iam.ato import Ato
from iam.http import Response
from iam.login import leave
from iam.oauth import logout

PATH = "/sair"


def perguntar(visit: Visit) -> Response:
    """The page for who arrives by address, was sent by an application, or has just left."""
    carried = visit.params.get("retorno", "")
    retorno = logout.returning(visit.house, carried)
    if retorno is not None and visit.login is None:
        return visit.redirect(retorno.uri)
    target = (guard.form_target(retorno.uri),) if retorno else ()
    return visit.page("sair.html", form_action=target, retorno=retorno, carried=carried)


def sair(visit: Visit) -> Response:
    """Ends this session, or with ``todas`` every one of the person; back to the application that asked, if one did."""
    if visit.login is not None and visit.form.get("todas"):
        leave.end_all(visit.house, visit.agente, visit.login)
    elif visit.login is not None:
        leave.end(visit.house, visit.agente, visit.login)
    gone = entrar.forget(session.COOKIE)
    retorno = logout.returning(visit.house, visit.form.get("retorno", ""))
    return visit.redirect(retorno.uri, *gone) if retorno else visit.redirect(PATH, *gone, feito="sair")


def already(visit: Visit) -> Response | None:
    """The answer to who leaves under a session that has ended: there is nothing left to do. None for any other form.

    ``todas`` is not it: other sessions may be open, and only who enters again may end them.
    """
    if visit.login is not None or visit.request.path != PATH or visit.form.get("todas"):
        return None
    retorno = logout.returning(visit.house, visit.form.get("retorno", ""))
    return visit.redirect(retorno.uri) if retorno else visit.redirect(PATH, feito="antes")


def encerrar(visit: Visit) -> Response:
    """Ends another session of mine."""
    if visit.login is not None:
        leave.end(visit.house, visit.agente, visit.login, visit.field("sessao", "sessão"))
    return visit.redirect("/minhas", feito="sessao")


SCREENS = (
    Screen("GET", PATH, perguntar, open=True),
    Screen("POST", PATH, sair, open=True, ato=Ato.SESSAO_ENCERRAR),
    Screen("POST", "/minhas/sessao", encerrar, ato=Ato.SESSAO_ENCERRAR),
)
