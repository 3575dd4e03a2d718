"""Proving once more, inside an open session, to be its person: what changing a credencial asks for.

Texts: OWASP ASVS 5.0 §6.2.3 (the present password with the new one) and §7.5.1 (authenticate again before a factor changes),
CASA-03, CASA-15. Who finds a session open on somebody's desk does not have what this asks for. It is counted as a
login is, and a refusal is one of ``credencial:cadastrar``.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NoReturn

from iam.ato import Ato
from iam.atos import credencial
from iam.atos.credencial import SENHA
from iam.atos.papel import CASA
from iam.atos.pessoa import Pessoa
from iam.context import Agente, Ctx, House
from iam.errors import Invalid
from iam.login import attempt, password, throttle
from iam.session import Login, LoginSession, alive

RECENT = timedelta(minutes=5)
STRONG = ("mfa", "icp-brasil")
PROPRIO = frozenset({"o_proprio"})


def recent(row: LoginSession, now: datetime, *acr: str) -> bool:
    """Whether the login itself, in one of these ways, is so fresh that it is proof enough."""
    return row.acr in acr and now < row.auth_time + RECENT


def by_password(house: House, agente: Agente, login: Login, senha: str, browser: str) -> None:
    """The person's present senha. ``browser`` is what an earlier login left there (:attr:`iam.login.enter.Entered.browser`).

    Raises Refused (wrong, too many), Unavailable when too many are being checked.
    """
    who = login.pessoa
    with house.reading() as db:
        proof = credencial.vigente(db, who.id, SENHA)
    counted = attempt.keys(house, agente, who.login, who, browser)
    if not attempt.allowed(house, agente, counted):
        _refuse(house, agente, throttle.TENTATIVAS_DEMAIS, who)
    stored = proof.segredo.decode() if proof is not None and proof.segredo else None
    if not password.verify(stored, senha) or proof is None or not attempt.right(house, agente, proof.id, counted):
        _refuse(house, agente, "senha_incorreta", who)


def by_code(house: House, agente: Agente, login: Login, codigo: str) -> None:
    """A code of the person's present authenticator, used up by this. Raises Refused (wrong, too many)."""
    with house.begin(agente) as ctx:
        word = attempt.code(ctx, login.pessoa, codigo)
    if word:
        _refuse(house, agente, word, login.pessoa)


def standing(ctx: Ctx, login: Login) -> tuple[LoginSession, Pessoa]:
    """Session and person as they are now, for the act that changes the credencial; the caller holds the sujeito.

    Raises Invalid for a session that ended meanwhile.
    """
    row, now = ctx.db.get_one(LoginSession, login.session.id), ctx.db.get_one(Pessoa, login.pessoa.id)
    if not alive(ctx.db, row, now, ctx.now, ctx.policy.limit("session_idle").duration, ctx.house.trust):
        raise Invalid("a sessão terminou; entre de novo", code="entrada_vencida")
    return row, now


def _refuse(house: House, agente: Agente, word: str, who: Pessoa) -> NoReturn:
    with house.begin(agente) as ctx:
        ctx.require(Ato.CREDENCIAL_CADASTRAR, CASA, PROPRIO | {word}, pessoa=who.id)
    raise AssertionError(word)
