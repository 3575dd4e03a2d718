"""Choosing another password while logged in (CASA-15): the present one, the new one twice, and on under a new session.

:mod:`iam.login.change` decides. What was typed is never shown again, nor kept for after a login.
"""

from __future__ import annotations

from admin_ui import entrar, text
from admin_ui.visit import Screen, Visit
from iam import session
from iam.ato import Ato
from iam.errors import Invalid, PortariaError, Refused
from iam.http import Response, set_cookie
from iam.login import change, password

PATH = "/minhas/senha"
WRONG = "A senha atual não confere."
ADVICE = {
    "senha_incorreta": "Esqueceu a senha atual? Entre de novo com certificado ICP-Brasil, ou procure o cadastrador do seu órgão.",
    "tentativas_demais": entrar.ADVICE["tentativas_demais"],
}


def oferecer(visit: Visit) -> Response:
    """The form."""
    return _page(visit)


def trocar(visit: Visit) -> Response:
    """The new password takes effect; this browser stays in, every other one is out."""
    if visit.login is None:
        return visit.redirect("/entrar", volta=PATH)
    nova, browser = visit.form.get("nova_senha", ""), visit.request.cookie(entrar.BROWSER) or ""
    try:
        if nova != visit.form.get("repetida", ""):
            raise Invalid("as duas senhas não são iguais", code="senha_diferente", field="senha")
        senha = visit.form.get("senha", "")
        cookie = change.change(visit.house, visit.agente, visit.login, senha, nova, browser=browser)
    except (Invalid, Refused) as error:
        if error.code == "entrada_vencida":
            raise
        return _page(visit, error)
    return visit.redirect("/minhas", set_cookie(session.COOKIE, cookie), feito="troca")


def _page(visit: Visit, error: PortariaError | None = None) -> Response:
    refused = error.decision if isinstance(error, Refused) else None
    wrong = {"nova_senha": text.sentence(error.message)} if error is not None and refused is None else {}
    return visit.page(
        "senha.html",
        status=error.status if error else 200,
        login=visit.login.pessoa.login if visit.login else "",
        asks=visit.login is None or change.asks(visit.house, visit.login),
        erro=wrong,
        refused=refused,
        titulo=WRONG if refused and refused.papel == "senha_incorreta" else refused.reason_user if refused else "",
        advice=ADVICE.get(refused.papel, "") if refused else "",
        certificado=entrar.certificate_address(visit, {"volta": PATH}),
        minimo=password.MIN_LENGTH,
    )


SCREENS = (Screen("GET", PATH, oferecer), Screen("POST", PATH, trocar, ato=Ato.CREDENCIAL_CADASTRAR))
