"""Whoever rights rest on. Its epoch only grows: what was issued under an older one is dead, whatever comes back later.

``version`` grows with every change of what a sujeito holds; it kills nothing and tells caches to look again.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import or_, select, text, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base, Id, grows, new_id, one_of


class Sujeito(Base):
    """A pessoa, an órgão or a client."""

    __tablename__ = "sujeito"
    __table_args__ = (one_of("kind", ("pessoa", "orgao", "client")), grows("epoch", "version"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    kind: Mapped[str]
    epoch: Mapped[int] = mapped_column(default=1)
    version: Mapped[int] = mapped_column(default=1)


def lock(db: Session, id: str) -> None:
    """Holds a sujeito until the transaction ends: what acts on one person happens one after the other, and always this first."""
    db.execute(select(Sujeito.id).where(Sujeito.id == id).with_for_update()).all()


def version(db: Session, id: str) -> int | None:
    """The version of a sujeito as last committed; None for one that is not known."""
    return db.scalar(select(Sujeito.version).where(Sujeito.id == id))


def unmoved(db: Session, id: str, version: int | None) -> bool:
    """Whether a sujeito still stands at a version, or this transaction itself moved it; holds it there until the commit.

    Waits for nobody: one whom another transaction is just changing has moved. Where writers take turns nobody moves.
    """
    if db.get_bind().dialect.name == "sqlite":
        return True
    ours = text("xmin = pg_current_xact_id()::xid")
    query = select(Sujeito.id).where(Sujeito.id == id, or_(Sujeito.version == version, ours))
    return db.scalar(query.with_for_update(read=True, skip_locked=True)) is not None


def raise_epoch(db: Session, ids: Iterable[str]) -> None:
    """Kills everything issued for these sujeitos so far."""
    db.execute(
        update(Sujeito).where(Sujeito.id.in_(list(ids))).values(epoch=Sujeito.epoch + 1, version=Sujeito.version + 1)
    )


def touch(db: Session, ids: Iterable[str]) -> None:
    """Says that what these sujeitos hold has changed."""
    db.execute(update(Sujeito).where(Sujeito.id.in_(list(ids))).values(version=Sujeito.version + 1))
