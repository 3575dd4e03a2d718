"""Another senha, chosen by somebody who is logged in (CASA-15). The act is ``credencial:cadastrar``.

What the former senha may have opened for somebody else ends with it: every session of the person, and what those gave.
The one that asks goes on under a new id and cookie, as strong and as old as it was. What was given for longer than a
session (``offline_access``) rests on the person's rights and not on her senha, and stands.
"""

from __future__ import annotations

from iam import session
from iam.atos import credencial, sujeito
from iam.atos.credencial import SENHA
from iam.atos.pessoa import Pessoa
from iam.context import Agente, House
from iam.errors import Invalid
from iam.login import again, leave, password
from iam.session import Login


def asks(house: House, login: Login) -> bool:
    """Whether the present senha is asked for. Who entered by certificate a moment ago may have forgotten it."""
    return not again.recent(login.session, house.clock(), "icp-brasil")


def change(house: House, agente: Agente, login: Login, senha: str, nova: str, *, browser: str = "") -> str:
    """``nova`` in place of ``senha``, the present one; answers the new cookie of this session. ``browser`` as for a login.

    Raises Invalid for a weak or unchanged one, a session too weak or ended meanwhile; Refused for a wrong ``senha``, or too
    many.
    """
    who = login.pessoa
    if login.session.acr not in again.STRONG:
        raise Invalid("entre com os dois fatores para trocar a senha", code="fator_insuficiente")
    password.check(nova, cpf=who.cpf, login=who.login, nome=who.nome)
    if asks(house, login):
        again.by_password(house, agente, login, senha, browser)
    if password.normalize(nova) == password.normalize(senha):
        raise Invalid("a nova senha é igual à atual", code="senha_igual", field="senha")
    hashed = password.hash(nova).encode()
    with house.begin(agente) as ctx:
        sujeito.lock(ctx.db, who.id)
        row, now = again.standing(ctx, login)
        credencial.cadastrar(ctx, who.id, SENHA, segredo=hashed, papeis=again.PROPRIO)
        now.login_epoch = Pessoa.login_epoch + 1
        ctx.db.flush()
        made, cookie = session.renew(ctx.db, row, now, ctx.now)
        leave.replace(ctx, row, made)
    return cookie
