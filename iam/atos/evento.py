"""What the HR source told about a person, kept as it came; and in which order, and with what effect, it counts.

An event that stands is one that was applied or whose date is still to come. Where a vínculo stands is never stored as a
history of changes: it is what its contract and the events that stand say, read in order (:mod:`iam.atos.situacao`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import JSON, ForeignKey, Index, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.connector import Evento as Noticia
from iam.db import Base, Id, new_id, one_of
from iam.errors import Conflict

APLICADO, AGUARDA, PENDENTE, DECIDIDO, SEM_EFEITO = "aplicado", "aguarda", "pendente", "decidido", "sem_efeito"
ESTADOS = (APLICADO, AGUARDA, PENDENTE, DECIDIDO, SEM_EFEITO)
DESFAZ = "tornado_sem_efeito"
VOLTA = ("licenca_fim", "retorno")
ABRE = ("nova_lotacao",)
DEVOLVE = (*VOLTA, *ABRE)
VOLTAR, SUSPENDER, ENCERRAR = "voltar", "suspender", "encerrar"
_SUSPENDE = ("desabilitar", "suspender")


class Evento(Base):
    """One thing that HR told. ``efeitos`` is what the norms made of it; ``vinculo`` the tie it is about, or opened."""

    __tablename__ = "evento"
    __table_args__ = (
        UniqueConstraint("fonte", "numero"),
        Index("evento_pessoa", "pessoa"),
        one_of("estado", ESTADOS),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    fonte: Mapped[str] = mapped_column(ForeignKey("fonte.id"))
    numero: Mapped[str]
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    vinculo: Mapped[str | None] = mapped_column(ForeignKey("vinculo.id"), default=None)
    tipo: Mapped[str]
    data_efeito: Mapped[date]
    efetivo_em: Mapped[datetime]
    conteudo: Mapped[dict[str, str]] = mapped_column(JSON)
    recebido_em: Mapped[datetime]
    recebido_de: Mapped[str]
    estado: Mapped[str]
    efeitos: Mapped[list[dict[str, str]]] = mapped_column(JSON, default_factory=list)

    @property
    def ordem(self) -> tuple[datetime, str, tuple[tuple[int, str], ...]]:
        """Its place among the person's events, whenever it was told: date of effect, then number as people count (9 before 10)."""
        pieces = (p for p in re.split(r"(\d+)", self.numero) if p)
        return self.efetivo_em, self.fonte, tuple((int(p), "") if p.isdecimal() else (-1, p) for p in pieces)

    @property
    def desde(self) -> datetime:
        """When it was applied, or will be: a past date means when it was told."""
        return max(self.efetivo_em, self.recebido_em)

    @property
    def cortes(self) -> list[dict[str, str]]:
        """Those of its effects that end something."""
        return [e for e in self.efeitos if e["efeito"] not in ("pendencia", "nenhum") and e["alcance"] != "nenhum"]

    @property
    def alcance(self) -> str:
        """How far what it ends reaches: ``pessoa``, ``vinculo``, ``sistema``, or ``nenhum``."""
        reached = {e["alcance"] for e in self.cortes}
        return next((a for a in ("pessoa", "vinculo", "sistema") if a in reached), "nenhum")

    @property
    def diz(self) -> str:
        """What it says of its vínculo: ``voltar``, ``suspender``, ``encerrar``, or nothing."""
        if self.tipo in VOLTA:
            return VOLTAR
        ends = [e["efeito"] for e in self.cortes if e["alcance"] in ("vinculo", "pessoa")]
        return "" if not ends else SUSPENDER if all(e in _SUSPENDE for e in ends) else ENCERRAR


def conteudo(noticia: Noticia) -> dict[str, str]:
    """An event's content, for telling the same one from another under the same number."""
    return {
        "cpf": noticia.cpf,
        "matricula": noticia.matricula,
        "tipo": noticia.tipo,
        "data_efeito": noticia.data_efeito.isoformat(),
        "orgao": noticia.orgao,
        "orgao_destino": noticia.orgao_destino,
        "observacao": noticia.observacao,
    }


def conhecido(db: Session, noticia: Noticia) -> Evento | None:
    """The event that came under this number of this source before; Conflict when it told something else."""
    old = numerado(db, noticia.fonte, noticia.numero)
    if old is not None and old.conteudo != conteudo(noticia):
        raise Conflict(
            f"o evento {noticia.numero} da fonte {noticia.fonte} já foi recebido com outro conteúdo",
            code="evento_divergente",
        )
    return old


def numerado(db: Session, fonte: str, numero: str) -> Evento | None:
    """The event of a source under a number."""
    return db.scalar(select(Evento).where(Evento.fonte == fonte, Evento.numero == numero))


def todos(db: Session, pessoa: str) -> list[Evento]:
    """Every event about a person, in the order in which they count."""
    return sorted(db.scalars(select(Evento).where(Evento.pessoa == pessoa)), key=lambda e: e.ordem)


def que_valem(events: Sequence[Evento]) -> list[Evento]:
    """Those that stand: applied, or waiting for their date."""
    return [e for e in events if e.estado in (APLICADO, AGUARDA)]


def vencidos(db: Session, now: datetime, *, pessoa: str = "") -> Sequence[Evento]:
    """The events that wait though their date has come, oldest first."""
    query = select(Evento).where(Evento.estado == AGUARDA, Evento.efetivo_em <= now)
    return sorted(db.scalars(query.where(Evento.pessoa == pessoa) if pessoa else query), key=lambda e: e.ordem)


def historico(db: Session, *, pessoa: str = "", most: int = 100) -> Sequence[Evento]:
    """Events, newest first."""
    query = select(Evento).order_by(Evento.recebido_em.desc(), Evento.id).limit(most)
    return db.scalars(query.where(Evento.pessoa == pessoa) if pessoa else query).all()
