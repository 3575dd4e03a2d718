"""Facts turned into the words that policy lines use. Words never decide, and rules never compute.

The house is a sistema of its own, ``portaria``: a cadastrador, a gestor or an auditor is somebody who holds that perfil of
it. A word that depends on the object (the órgão of a user, the gestor unit of a sistema) is given only when it holds there, and
a right restricted to anything but órgãos gives none: here nothing else could be told to be inside.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.atos import sujeito
from iam.atos.client import Client
from iam.atos.concessao import vigentes
from iam.atos.fonte import Fonte
from iam.atos.orgao import inside
from iam.context import Agente, Ctx

CASA = "portaria"
ORGAO = "orgao"
"""What a perfil of the house is restricted to."""
OPERADOR = frozenset({"operador"})
WORKER = frozenset({"worker"})
SERVICE = Agente("sistema", "worker", "Reconciliação", address="127.0.0.1", user_agent="portaria worker")
"""Who does what nobody asked for at that moment: what came due, and what targets lack."""


def of(
    ctx: Ctx, *, orgao: str | None = None, pessoa: str | None = None, scopes: frozenset[str] = frozenset()
) -> frozenset[str]:
    """The words of whoever acts in a context, towards a person of an órgão.

    ``scopes`` are those of the token that a client presented; a person's words come from the perfis held in ``portaria``,
    and the act is not committed if these changed meanwhile.
    """
    who = ctx.agente
    if who.kind == "pessoa":
        if ctx.may_still is None:
            ctx.may_still = partial(sujeito.unmoved, ctx.db, who.id, sujeito.version(ctx.db, who.id))
        return _pessoa(ctx.db, who, ctx.now, orgao, pessoa)
    if who.kind == "client":
        return _client(ctx.db, who, scopes)
    return (
        OPERADOR
        if who.kind == "sistema" and who.id == "operador"
        else WORKER
        if who.kind == "sistema"
        else frozenset({"anonimo"})
    )


def _pessoa(db: Session, who: Agente, now: datetime, orgao: str | None, pessoa: str | None) -> frozenset[str]:
    words = {"pessoa_autenticada"}
    if pessoa is not None and pessoa == who.id:
        words.add("o_proprio")
    for right in vigentes(db, who.id, now, sistema=CASA):
        limits, elsewhere = right.restricao.get(ORGAO), right.restricao.keys() - {ORGAO}
        if not elsewhere and (limits is None or orgao is None or inside(db, orgao, limits)):
            words.add(right.perfil)
    return frozenset(words)


def _client(db: Session, who: Agente, scopes: frozenset[str]) -> frozenset[str]:
    words = {f"client:{WORD[s]}" for s in scopes if s in WORD}
    program = db.get(Client, who.id)
    if program is not None and program.sistema is not None:
        words.add("client_da_aplicacao")
    if "client:rh" in words and db.scalar(select(Fonte.id).where(Fonte.client == who.id)) is None:
        words.add("fonte_alheia")
    return frozenset(words)


WORD = {"decisoes": "decisoes", "pessoa:evento": "rh", "diario": "auditoria"}
