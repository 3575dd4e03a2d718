"""The receipt of an evento: who is out, since when, and where that was *seen*. Signed with a key that signs nothing else.

It fills in as each target is observed to agree; the signature covers the whole as it stands when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos.evento import AGUARDA, Evento
from iam.context import Ctx
from iam.db import Base, Id, new_id, one_of
from iam.errors import NotFound
from iam.journal import JSON, Entry, canonical
from iam.keys import Signer
from iam.sealer import Seal

PENDENTE, VISTO, FALHOU = "pendente", "visto", "falhou"


class Recibo(Base):
    """One receipt; its id cannot be guessed."""

    __tablename__ = "recibo"

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    evento: Mapped[str] = mapped_column(ForeignKey("evento.id"), unique=True)
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    efetivo_em: Mapped[datetime]
    entry: Mapped[int | None] = mapped_column(ForeignKey("entry.id"), default=None)


class Destino(Base):
    """What was seen on one target."""

    __tablename__ = "recibo_destino"
    __table_args__ = (one_of("estado", (PENDENTE, VISTO, FALHOU)),)

    recibo: Mapped[str] = mapped_column(ForeignKey("recibo.id"), primary_key=True)
    target: Mapped[str] = mapped_column(primary_key=True)
    estado: Mapped[str] = mapped_column(default=PENDENTE)
    visto_em: Mapped[datetime | None] = mapped_column(default=None)
    erro: Mapped[str | None] = mapped_column(default=None)


def abrir(db: Session, evento: str, pessoa: str, efetivo_em: datetime, targets: Iterable[str]) -> Recibo:
    """The receipt of an event, with every target still to be seen."""
    receipt = Recibo(evento=evento, pessoa=pessoa, efetivo_em=efetivo_em)
    db.add(receipt)
    db.flush()
    db.add_all([Destino(recibo=receipt.id, target=name) for name in targets])
    db.flush()
    return receipt


def ver(db: Session, pessoa: str, target: str, now: datetime, asked: datetime) -> None:
    """Notes on the person's open receipts that this target was seen, ``now``, to agree with what was right when asked.

    What takes effect after that moment was not looked at, nor what waits though its date has come.
    """
    mine = select(Recibo.id).join(Evento, Evento.id == Recibo.evento)
    mine = mine.where(Recibo.pessoa == pessoa, Recibo.efetivo_em <= asked, Evento.estado != AGUARDA)
    db.execute(
        update(Destino)
        .where(Destino.recibo.in_(mine), Destino.target == target, Destino.estado != VISTO)
        .values(estado=VISTO, visto_em=now, erro=None)
    )


def falhar(db: Session, pessoa: str, target: str, erro: str, now: datetime) -> None:
    """Notes that a target has not agreed in time; it goes on being tried, and may be seen later."""
    mine = select(Recibo.id).where(Recibo.pessoa == pessoa, Recibo.efetivo_em <= now)
    db.execute(
        update(Destino)
        .where(Destino.recibo.in_(mine), Destino.target == target, Destino.estado == PENDENTE)
        .values(estado=FALHOU, erro=erro[:500])
    )


def destinos(db: Session, id: str) -> Sequence[Destino]:
    """The targets of a receipt, in order of name."""
    return db.scalars(select(Destino).where(Destino.recibo == id).order_by(Destino.target)).all()


def ler(ctx: Ctx, id: str, signer: Signer, *, papeis: frozenset[str]) -> Mapping[str, JSON]:
    """The receipt as it stands, signed whole (JWS, typ ``recibo+jws``); reading it is itself recorded."""
    decision = ctx.require(Ato.RECIBO_LER, "portaria", papeis)
    receipt = ctx.db.get(Recibo, id)
    if receipt is None:
        raise NotFound("recibo não encontrado")
    content = view(ctx.db, receipt)
    ctx.record(decision, pessoa=receipt.pessoa, recibo=id)
    return content | {"jws": signer.jws("recibo+jws", canonical({**content, "lido_em": ctx.now.isoformat()}))}


def view(db: Session, receipt: Recibo) -> dict[str, JSON]:
    """What a receipt says, before it is signed: with the place in the journal of the act it proves, once sealed."""
    seen = {
        d.target: {"estado": d.estado, "visto_em": d.visto_em.isoformat() if d.visto_em else None}
        | ({"erro": d.erro} if d.erro else {})
        for d in destinos(db, receipt.id)
    }
    content: dict[str, JSON] = {
        "recibo": receipt.id,
        "pessoa": receipt.pessoa,
        "evento": receipt.evento,
        "efetivo_em": receipt.efetivo_em.isoformat(),
        "destinos": seen,
    }
    if receipt.entry is not None:
        place = db.execute(
            select(Seal.seq, Seal.hash, Entry.requirement, Entry.article)
            .select_from(Entry)
            .outerjoin(Seal, Seal.entry_id == Entry.id)
            .where(Entry.id == receipt.entry)
        ).first()
        if place is not None:
            content["fundamento"] = {"requisito": place.requirement, "artigo": place.article}
            if place.seq is not None:
                content["diario"] = {"seq": place.seq, "hash": place.hash.hex()}
    return content
