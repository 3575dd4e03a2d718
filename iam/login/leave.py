"""Leaving: one of a person's sessions ends, or all of them. The act is ``sessao:encerrar`` (MT128 art. 16 §2).

What a session gave dies with it: tokens ask the database. Ending everything raises the person's ``login_epoch``.
"""

from __future__ import annotations

from sqlalchemy import select

from iam import session
from iam.ato import Ato
from iam.atos import sujeito
from iam.atos.papel import CASA
from iam.atos.pessoa import Pessoa
from iam.context import Agente, Ctx, House
from iam.session import Login, LoginSession

PROPRIO = frozenset({"o_proprio", "pessoa_autenticada"})
AUTENTICADA = frozenset({"pessoa_autenticada"})


def end(house: House, agente: Agente, login: Login, id: str = "") -> None:
    """Ends this session, or another of the same person by its id; one that is not theirs stays as it is."""
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.SESSAO_ENCERRAR, CASA, PROPRIO)
        mine = select(LoginSession).where(LoginSession.pessoa == login.pessoa.id, LoginSession.ended_at.is_(None))
        row = ctx.db.scalar(mine.where(LoginSession.id == (id or login.session.id)))
        if row is not None and session.end(ctx.db, row, ctx.now, agente.name):
            ctx.record(decision, pessoa=login.pessoa.id, sessao=row.id)


def replace(ctx: Ctx, former: LoginSession, by: LoginSession) -> None:
    """A new login in the same browser ends the one before, whoever's it was: its cookie is lost with it.

    What the former session gave ends as by any other leaving.
    """
    decision = ctx.require(Ato.SESSAO_ENCERRAR, CASA, PROPRIO if former.pessoa == by.pessoa else AUTENTICADA)
    if session.end(ctx.db, former, ctx.now, ctx.agente.name):
        ctx.record(decision, pessoa=former.pessoa, sessao=former.id, substituida_por=by.id)


def end_all(house: House, agente: Agente, login: Login) -> None:
    """Ends every session of the person, this one too."""
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.SESSAO_ENCERRAR, CASA, PROPRIO)
        sujeito.lock(ctx.db, login.pessoa.id)
        ctx.db.get_one(Pessoa, login.pessoa.id).login_epoch = Pessoa.login_epoch + 1
        ctx.record(decision, pessoa=login.pessoa.id, sessao="todas")
