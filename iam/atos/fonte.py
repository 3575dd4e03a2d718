"""A source of HR events, bound to the client that may speak for it and to the órgãos whose people it may report.

Nobody reports about others' people (contract, HR events).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import JSON, ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos.orgao import inside
from iam.context import Ctx
from iam.db import Base, Id


class Fonte(Base):
    """One personnel system."""

    __tablename__ = "fonte"

    id: Mapped[str] = mapped_column(Id, primary_key=True)
    nome: Mapped[str]
    client: Mapped[str | None] = mapped_column(ForeignKey("client.id"), default=None)
    orgaos: Mapped[list[str]] = mapped_column(JSON, default_factory=list)


def cadastrar(
    ctx: Ctx, id: str, nome: str, *, client: str | None, orgaos: Sequence[str], papeis: frozenset[str]
) -> Fonte:
    """Registers a source, or changes what it may report."""
    decision = ctx.require(Ato.CLIENT_CADASTRAR, "portaria", papeis)
    source = ctx.db.get(Fonte, id)
    if source is None:
        source = Fonte(id=id, nome=nome, client=client, orgaos=list(orgaos))
        ctx.db.add(source)
        ctx.db.flush()
    else:
        source.nome, source.client, source.orgaos = nome, client, list(orgaos)
    ctx.record(decision, fonte=id, client=client, orgaos=list(orgaos))
    return source


def covers(db: Session, source: Fonte, orgao: str) -> bool:
    """Whether a source may report about the people of an órgão."""
    return inside(db, orgao, source.orgaos)
