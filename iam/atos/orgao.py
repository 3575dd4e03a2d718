"""Units and organisations: first-class subjects, because MT128 art. 2 gives the roles of gestor and cadastrador to units.

The packs bring those that the norms name; an installation adds its own. A unit may stand under another.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from sqlalchemy import ForeignKey, Select, bindparam, literal, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos import sujeito
from iam.atos.sujeito import Sujeito
from iam.context import Ctx
from iam.db import Base, Id
from iam.errors import Invalid
from iam.norm import LEGAL_TIME

DEEPEST = 20


class Orgao(Base):
    """An órgão or unit. ``tz`` is the legal time of its place (GAP-ALL-07)."""

    __tablename__ = "orgao"

    id: Mapped[str] = mapped_column(ForeignKey("sujeito.id"), primary_key=True)
    nome: Mapped[str]
    uf: Mapped[str | None] = mapped_column(default=None)
    tz: Mapped[str] = mapped_column(default=LEGAL_TIME)
    superior: Mapped[str | None] = mapped_column(Id, ForeignKey("orgao.id"), default=None)


def cadastrar(
    ctx: Ctx, id: str, nome: str, *, uf: str | None, tz: str, superior: str | None, papeis: frozenset[str]
) -> Orgao:
    """Registers a unit or brings its name up to date; the same call again changes nothing.

    Raises Invalid when the one above it is not registered.
    """
    decision = ctx.require(Ato.ORGAO_CADASTRAR, "portaria", papeis)
    if superior is not None and ctx.db.get(Orgao, superior) is None:
        raise Invalid(f"órgão desconhecido: `{superior}`", code="orgao_desconhecido", field="superior")
    known = ctx.db.get(Orgao, id)
    if known is not None:
        if (known.nome, known.uf, known.tz, known.superior) == (nome, uf, tz, superior):
            return known
        known.nome, known.uf, known.tz, known.superior = nome, uf, tz, superior
        sujeito.touch(ctx.db, [id])
    else:
        ctx.db.add(Sujeito(id=id, kind="orgao"))
        ctx.db.flush()
        known = Orgao(id=id, nome=nome, uf=uf, tz=tz, superior=superior)
        ctx.db.add(known)
    ctx.record(decision, orgao=id, nome=nome)
    return known


def _ancestors() -> Select[tuple[str]]:
    own = select(Orgao.id, Orgao.superior, literal(0).label("height")).where(Orgao.id == bindparam("unit"))
    line = own.cte("line", recursive=True)
    above = select(Orgao.id, Orgao.superior, line.c.height + 1).join(line, Orgao.id == line.c.superior)
    line = line.union_all(above.where(line.c.height < DEEPEST))
    return select(line.c.id).order_by(line.c.height)


ANCESTORS = _ancestors()


def lineage(db: Session, id: str) -> tuple[str, ...]:
    """The unit and everything above it, nearest first; a unit that is not registered stands alone."""
    return tuple(dict.fromkeys((id, *db.scalars(ANCESTORS, {"unit": id}))))


def inside(db: Session, id: str, orgaos: Sequence[str]) -> bool:
    """Whether a unit is one of these or stands under one of them."""
    return "*" in orgaos or any(o in orgaos for o in lineage(db, id))


def midnight(db: Session, id: str | None, day: date) -> datetime:
    """When a day begins in the legal time of an órgão (GAP-ALL-07), as a moment."""
    tz = db.scalar(select(Orgao.tz).where(Orgao.id == id)) if id else None
    return datetime.combine(day, time.min, ZoneInfo(tz or LEGAL_TIME))
