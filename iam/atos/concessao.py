"""The right of a sujeito to a perfil of a sistema (MT128 art. 2 VIII: *privilégio de acesso*; COTEC62 Anexo II: *transação*).

A concessão rests on a vínculo, or on the órgão itself. Nothing is deleted: it ends. Whether it is in force at a moment is
computed from its dates; *as of* a past day needs no rebuild.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, and_, or_, select
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.atos.vinculo import ATIVO, Vinculo
from iam.db import Base, Id, new_id, unique_while
from iam.journal import canonical


def _digest(context: DefaultExecutionContext) -> str:
    """What a row gives, to whom and until when, in one value that can be compared where a missing vínculo or prazo is NULL."""
    row = context.get_current_parameters()  # type: ignore[no-untyped-call]
    prazo = row.get("prazo")
    until = prazo.astimezone(UTC).isoformat() if prazo else None
    what = [row["sujeito"], row.get("vinculo"), row["sistema"], row["perfil"], _limits(row["restricao"]), until]
    return hashlib.sha256(canonical(what)).hexdigest()


def _limits(restricao: Mapping[str, list[str]]) -> dict[str, list[str]]:
    return {name: sorted(values) for name, values in restricao.items()}


class Concessao(Base):
    """One right. ``vigente_*`` is the time it is valid for; ``registrada_em`` and ``revogada_em`` when we knew.

    ``prazo`` is the end it was given with; ``vigente_ate`` comes before it when an event to come is known to end the right.
    Two that are the same up to the same end have one ``digest``, and only one of them is not revoked: the net under
    :func:`igual`, which sees every overlap.
    """

    __tablename__ = "concessao"
    __table_args__ = (
        Index("concessao_sujeito", "sujeito"),
        Index("concessao_vinculo", "vinculo"),
        unique_while("concessao_digest_vigente", "digest", "revogada_em IS NULL"),
        CheckConstraint("prazo > vigente_de", name="prazo"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    sujeito: Mapped[str] = mapped_column(ForeignKey("sujeito.id"))
    vinculo: Mapped[str | None] = mapped_column(ForeignKey("vinculo.id"), default=None)
    sistema: Mapped[str]
    perfil: Mapped[str]
    restricao: Mapped[dict[str, list[str]]] = mapped_column(JSON, default_factory=dict)
    origem: Mapped[str]
    fundamento: Mapped[str]
    vigente_de: Mapped[datetime]
    prazo: Mapped[datetime | None] = mapped_column(default=None)
    vigente_ate: Mapped[datetime | None] = mapped_column(default=None)
    registrada_em: Mapped[datetime]
    registrada_por: Mapped[str] = mapped_column(default="")
    digest: Mapped[str] = mapped_column(init=False, insert_default=_digest, repr=False)
    revogada_em: Mapped[datetime | None] = mapped_column(default=None)
    motivo: Mapped[str | None] = mapped_column(default=None)
    evento: Mapped[str | None] = mapped_column(ForeignKey("evento.id"), default=None)


def in_force(now: datetime) -> object:
    """The condition on rows: neither revoked, nor before or after its time."""
    return and_(
        Concessao.revogada_em.is_(None),
        Concessao.vigente_de <= now,
        or_(Concessao.vigente_ate.is_(None), Concessao.vigente_ate > now),
    )


def vigentes(db: Session, sujeito_id: str, now: datetime, *, sistema: str = "") -> Sequence[Concessao]:
    """The rights of a sujeito in force: of a person only those whose vínculo is in force too."""
    query = select(Concessao).outerjoin(Vinculo, Vinculo.id == Concessao.vinculo)
    query = query.where(Concessao.sujeito == sujeito_id, in_force(now))  # type: ignore[arg-type]
    tied = and_(Vinculo.estado == ATIVO, Vinculo.de <= now, or_(Vinculo.ate.is_(None), Vinculo.ate > now))
    query = query.where(or_(Concessao.vinculo.is_(None), tied))
    if sistema:
        query = query.where(Concessao.sistema == sistema)
    return db.scalars(query.order_by(Concessao.sistema, Concessao.perfil, Concessao.id)).all()


def por_cessar(db: Session, sujeito_id: str, now: datetime) -> Sequence[Concessao]:
    """The rights of a sujeito that have not ended, those too that are yet to begin or whose vínculo is suspended."""
    query = select(Concessao).where(Concessao.sujeito == sujeito_id, Concessao.revogada_em.is_(None))
    return db.scalars(query.where(or_(Concessao.prazo.is_(None), Concessao.prazo > now))).all()


def igual(db: Session, right: Concessao) -> Concessao | None:
    """The right that a new one would double: the same one, not revoked, for a time that they share. The sujeito is locked."""
    query = select(Concessao).where(Concessao.sujeito == right.sujeito, Concessao.vinculo == right.vinculo)
    query = query.where(Concessao.sistema == right.sistema, Concessao.perfil == right.perfil)
    query = query.where(Concessao.revogada_em.is_(None))
    query = query.where(or_(Concessao.prazo.is_(None), Concessao.prazo > right.vigente_de))
    if right.prazo is not None:
        query = query.where(Concessao.vigente_de < right.prazo)
    return next((same for same in db.scalars(query) if _limits(same.restricao) == _limits(right.restricao)), None)


def historico(db: Session, sujeito_id: str) -> Sequence[Concessao]:
    """Every right the sujeito ever held, newest first."""
    query = select(Concessao).where(Concessao.sujeito == sujeito_id)
    return db.scalars(query.order_by(Concessao.registrada_em.desc(), Concessao.id)).all()
