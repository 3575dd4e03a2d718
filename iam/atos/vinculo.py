"""A person's tie to an órgão. Rights rest on it and end with it; one CPF may hold several (GAP-ALL-03).

Its epoch only grows. Whether it is in force is computed from its dates and state, never by a job. ``prazo`` is the end of its
contract; ``estado`` and ``ate`` are what that and the events that stand come to (:mod:`iam.atos.situacao`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base, Id, grows, new_id, one_of

ATIVO, SUSPENSO, ENCERRADO = "ativo", "suspenso", "encerrado"
TIPOS = ("servidor", "terceirizado", "externo", "representante")


class Vinculo(Base):
    """One tie. ``ate`` is the first moment at which it is no longer in force.

    ``fonte`` says who told of it: a registered source, or a file that was imported, which has no row.
    """

    __tablename__ = "vinculo"
    __table_args__ = (
        Index("vinculo_pessoa", "pessoa"),
        one_of("estado", (ATIVO, SUSPENSO, ENCERRADO)),
        one_of("tipo", TIPOS),
        grows("epoch"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    orgao: Mapped[str] = mapped_column(ForeignKey("orgao.id"))
    matricula: Mapped[str]
    tipo: Mapped[str] = mapped_column(default="servidor")
    cargo: Mapped[str | None] = mapped_column(default=None)
    de: Mapped[datetime]
    prazo: Mapped[datetime | None] = mapped_column(default=None)
    ate: Mapped[datetime | None] = mapped_column(default=None)
    fonte: Mapped[str]
    estado: Mapped[str] = mapped_column(default=ATIVO)
    epoch: Mapped[int] = mapped_column(default=1)

    def vigente(self, now: datetime) -> bool:
        """Whether the tie is in force at a moment."""
        return self.estado == ATIVO and self.de <= now and (self.ate is None or now < self.ate)


def vigentes(db: Session, pessoa: str, now: datetime) -> Sequence[Vinculo]:
    """The person's ties in force, oldest first."""
    rows = select(Vinculo).where(Vinculo.pessoa == pessoa, Vinculo.estado == ATIVO, Vinculo.de <= now)
    return db.scalars(rows.where(or_(Vinculo.ate.is_(None), Vinculo.ate > now)).order_by(Vinculo.de, Vinculo.id)).all()


def todos(db: Session, pessoa: str) -> Sequence[Vinculo]:
    """Every tie the person ever had here."""
    return db.scalars(select(Vinculo).where(Vinculo.pessoa == pessoa).order_by(Vinculo.de, Vinculo.id)).all()
