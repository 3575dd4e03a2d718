"""What waits for a person to decide: an event that no norm maps, a review of what another vínculo holds, an undoing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos import sujeito
from iam.atos.evento import DECIDIDO, PENDENTE, Evento
from iam.context import Ctx
from iam.db import Base, Id, new_id, one_of
from iam.errors import Conflict, NotFound

DECIDIR, REVER, DESFAZER = "decidir", "rever", "desfazer"


class Pendencia(Base):
    """One open question about a pessoa."""

    __tablename__ = "pendencia"
    __table_args__ = (one_of("kind", (DECIDIR, REVER, DESFAZER)),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    kind: Mapped[str]
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    evento: Mapped[str | None] = mapped_column(ForeignKey("evento.id"), default=None)
    concessao: Mapped[str | None] = mapped_column(ForeignKey("concessao.id"), default=None)
    texto: Mapped[str]
    aberta_em: Mapped[datetime]
    decidida_em: Mapped[datetime | None] = mapped_column(default=None)
    decidida_por: Mapped[str | None] = mapped_column(default=None)
    decisao: Mapped[str | None] = mapped_column(default=None)


def abertas(db: Session, *, pessoa: str = "", most: int = 200) -> Sequence[Pendencia]:
    """What waits, oldest first."""
    query = select(Pendencia).where(Pendencia.decidida_em.is_(None)).order_by(Pendencia.aberta_em).limit(most)
    return db.scalars(query.where(Pendencia.pessoa == pessoa) if pessoa else query).all()


def decidir(ctx: Ctx, id: str, decisao: str, *, papeis: frozenset[str]) -> Pendencia:
    """Closes a question, and the event that asked it, with what was decided.

    To give back what an event took is an act of its own (:func:`iam.atos.desfazer.desfazer`).
    """
    question = ctx.db.get(Pendencia, id)
    if question is None:
        raise NotFound("pendência não encontrada")
    decision = ctx.require(Ato.PENDENCIA_DECIDIR, "portaria", papeis, pessoa=question.pessoa)
    sujeito.lock(ctx.db, question.pessoa)
    ctx.db.refresh(question)
    if question.decidida_em is not None:
        raise Conflict("esta pendência já foi decidida", code="pendencia_decidida")
    question.decidida_em, question.decidida_por, question.decisao = ctx.now, ctx.agente.name, decisao
    event = ctx.db.get(Evento, question.evento) if question.evento else None
    if event is not None and event.estado == PENDENTE:
        event.estado = DECIDIDO
    ctx.record(decision, pessoa=question.pessoa, pendencia=id, decisao=decisao)
    return question
