"""``tornado_sem_efeito``: what one event alone took is given back, by a second person's act, and never an old token.

The event no longer stands, and everything is computed anew from what does. The rows that ended stay ended; new ones take
their place, citing the undoing, but only for what no other event that stands would have ended too, and only on a vínculo
that is in force. Where the event had opened something, taking it back is a cut. Epochs only grow (CASA-13).
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.atos import corte, evento, pessoa, receber, situacao
from iam.atos.concessao import Concessao, igual
from iam.atos.evento import APLICADO, SEM_EFEITO, Evento
from iam.atos.papel import CASA
from iam.atos.pendencia import DESFAZER, Pendencia
from iam.atos.situacao import Situacao
from iam.context import Ctx
from iam.errors import Conflict, NotFound


def undone(db: Session, undoing: Evento) -> Evento:
    """The event that an undoing names, in its ``observacao``, of the same source; NotFound when there is none."""
    numero = undoing.conteudo["observacao"].strip()
    found = evento.numerado(db, undoing.fonte, numero)
    if found is None or found.pessoa != undoing.pessoa:
        raise NotFound(f"não há evento {numero} desta fonte sobre esta pessoa")
    return found


def desfazer(ctx: Ctx, pendencia_id: str, *, papeis: frozenset[str]) -> list[Concessao]:
    """Gives back what the event alone took; who reported the undoing may not decide it. Answers the new concessões."""
    question = ctx.db.get(Pendencia, pendencia_id)
    if question is None or question.kind != DESFAZER or question.evento is None:
        raise NotFound("pendência não encontrada")
    somebody = pessoa.segurar(ctx.db, question.pessoa)
    ctx.db.refresh(question)
    receber.em_dia(ctx, somebody.id)
    undoing = ctx.db.get(Evento, question.evento, populate_existing=True)
    if undoing is None:
        raise NotFound("evento não encontrado")
    words = set(papeis)
    if undoing.recebido_de == ctx.agente.name:
        words.add("mesma_pessoa")
    if undoing.pessoa == ctx.agente.id:
        words.add("o_proprio")
    decision = ctx.require(Ato.EVENTO_DESFAZER, CASA, frozenset(words), pessoa=somebody.id)
    if question.decidida_em is not None:
        raise Conflict("esta pendência já foi decidida", code="pendencia_decidida")
    event = undone(ctx.db, undoing)
    ctx.db.refresh(event)
    if event.estado == SEM_EFEITO:
        raise Conflict("este evento já foi tornado sem efeito", code="evento_sem_efeito")
    event.estado, undoing.estado = SEM_EFEITO, APLICADO
    now_is = situacao.apurar(ctx, somebody.id)
    corte.perder(ctx, undoing, somebody, now_is)
    given = _give_back(ctx, event, undoing, now_is)
    corte.assentar(ctx, somebody, situacao.apurar(ctx, somebody.id))
    question.decidida_em, question.decidida_por = ctx.now, ctx.agente.name
    question.decisao = f"{len(given)} concessões devolvidas"
    ctx.record(
        decision,
        pessoa=somebody.id,
        evento=event.id,
        numero=event.numero,
        pendencia=question.id,
        concessoes=[right.id for right in given],
    )
    ctx.mark("pessoa", somebody.id)
    return given


def _give_back(ctx: Ctx, event: Evento, undoing: Evento, now_is: Situacao) -> list[Concessao]:
    """New rights for those that the event took: unless another event takes them now, their vínculo is not in force, or
    somebody gave them again meanwhile.
    """
    tied = {None, *(tie.id for tie in now_is.vigentes(ctx.now))}
    given = []
    for right in ctx.db.scalars(select(Concessao).where(Concessao.evento == event.id)).all():
        other = next((e for e in now_is.events if _would_take(ctx, e, right, now_is)), None)
        if other is not None:
            corte.tomar(ctx, other, right)
        elif right.vinculo in tied and (right.prazo is None or right.prazo > ctx.now):
            again = Concessao(
                sujeito=right.sujeito,
                vinculo=right.vinculo,
                sistema=right.sistema,
                perfil=right.perfil,
                restricao=right.restricao,
                origem=f"tornado_sem_efeito:{undoing.id}",
                fundamento=right.fundamento,
                vigente_de=max(ctx.now, right.vigente_de),
                prazo=right.prazo,
                vigente_ate=right.prazo,
                registrada_em=ctx.now,
                registrada_por=ctx.agente.name,
            )
            if igual(ctx.db, again) is None:
                ctx.db.add(again)
                given.append(again)
    ctx.db.flush()
    return given


def _would_take(ctx: Ctx, other: Evento, right: Concessao, now_is: Situacao) -> bool:
    """Whether another event, that took effect after the right was given, would have taken it if it had still been there."""
    return other.estado == APLICADO and right.registrada_em <= other.desde and corte.leva(ctx, other, right, now_is)
