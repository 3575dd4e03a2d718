"""The one-time link: somebody registered by others chooses a password and enrols the second factor (MT128-16-2.1).

The link is good once; whoever made it never knows the password. :mod:`iam.login.activation` decides whether it still
opens.
"""

from __future__ import annotations

from admin_ui import codigo, entrar, text
from admin_ui.visit import Screen, Visit
from iam import session
from iam.ato import Ato
from iam.errors import Invalid
from iam.http import Response
from iam.login import activation, leave, password, totp


def abrir(visit: Visit, token: str) -> Response:
    """The page of a live link."""
    return _page(visit, token)


def concluir(visit: Visit, token: str) -> Response:
    """Password and code take effect; then the person enters with them."""
    try:
        if visit.form.get("nova_senha", "") != visit.form.get("repetida", ""):
            raise Invalid("as duas senhas não são iguais", code="senha_diferente", field="nova_senha")
        senha = activation.chosen(visit.house, token, visit.form.get("nova_senha", ""))
        with visit.begin() as ctx:
            activation.redeem(ctx, token, senha, visit.form.get("codigo", ""))
    except Invalid as wrong:
        return _page(visit, token, wrong)
    if visit.login is not None:  # somebody else's, or the person's own before: either way it is not who enters now
        leave.end(visit.house, visit.agente, visit.login)
    return visit.redirect("/entrar", *entrar.forget(session.COOKIE), feito="ativar")


def _page(visit: Visit, token: str, wrong: Invalid | None = None) -> Response:
    offered = activation.offer(visit.house, token)
    uri = totp.uri(offered.seed, offered.pessoa.login)
    erro = {"codigo" if wrong.field == "codigo" else "nova_senha": text.sentence(wrong.message)} if wrong else {}
    return visit.page(
        "ativar.html",
        status=wrong.status if wrong else 200,
        nome=offered.pessoa.nome,
        login=offered.pessoa.login,
        token=token,
        erro=erro,
        imagem=codigo.picture(uri),
        letras=codigo.letters(offered.seed),
        minimo=password.MIN_LENGTH,
    )


SCREENS = (
    Screen("GET", f"{activation.PATH}<token>", abrir, open=True),
    Screen("POST", f"{activation.PATH}<token>", concluir, open=True, ato=Ato.CREDENCIAL_CADASTRAR),
)
