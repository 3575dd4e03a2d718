"""What the worker could not do and tries again, less and less often: in one row for as long as it lasts, where an operator looks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base

FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(hours=1)


class Setback(Base):
    """One thing that fails, by a name such as ``evento <id>``: since when, how often, why, and when it is tried again."""

    __tablename__ = "setback"

    name: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    tries: Mapped[int]
    not_before: Mapped[datetime]
    error: Mapped[str]


def note(db: Session, name: str, now: datetime, error: str) -> None:
    """It failed (again): back-off of 1 s doubling to an hour."""
    known = db.get(Setback, name, with_for_update=True)
    tries = known.tries if known else 0
    wait = min(LAST_RETRY, FIRST_RETRY * 2 ** min(tries, 12))
    since = known.since if known else now
    db.merge(Setback(name=name, since=since, tries=tries + 1, not_before=now + wait, error=error[:500]))


def clear(db: Session, name: str) -> None:
    """It was done, or is no longer to be done."""
    db.execute(delete(Setback).where(Setback.name == name))


def standing(db: Session) -> Sequence[Setback]:
    """Everything that fails, the oldest first."""
    return db.scalars(select(Setback).order_by(Setback.since)).all()
