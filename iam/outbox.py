"""Marks: *this subject, on this target, may be wrong; look*. Not messages: doing one twice, late or never in order is harmless.

A mark is set in the transaction of the act that changed the subject and removed only by the transaction that records
having *seen* the target agree, and only by who still holds it, if nobody marked it again meanwhile (the ``mark`` value
is compared). Whoever works on one holds it, so that no two touch the same account at once; being marked again takes it
from nobody, and is worked on as soon as it is let go. A holder that dies is waited for until its time ends.

A change whose answer was lost may still be made, and after somebody saw the target agree. So a mark remembers until when,
whoever marks the subject anew: the person who is seen to agree before is looked at once more then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Index, case, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base, Id, new_id

FIRST_RETRY = timedelta(seconds=1)
LAST_RETRY = timedelta(minutes=5)
LEASE = timedelta(seconds=60)
RENEW_WITHIN = timedelta(seconds=40)
LATE = timedelta(minutes=10)
"""How long after an answer was lost, or was asked for in vain, the change may still be made: more than any retry waits."""
BATCH = 50
STUCK = 9
"""Failures, some eight minutes of them, after which somebody must be alarmed though there is time."""


class Mark(Base):
    """One subject that may be wrong on one target. ``due`` is when somebody must be alarmed; ``tries`` backs off.

    ``holder`` is whoever works on it, until ``held_until`` by that one's clock. It asks anew when less than
    ``RENEW_WITHIN`` is left, so that clocks may differ by most of that. ``unsure_until`` is up to when a change whose answer was
    lost may still be made. ``id`` is no foreign key: it would have the daily sweep wait for every act, and every act for it.
    """

    __tablename__ = "mark"
    __table_args__ = (Index("mark_due", "target", "due", "not_before"),)

    target: Mapped[str] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str] = mapped_column(Id, primary_key=True)
    mark: Mapped[str]
    since: Mapped[datetime]
    due: Mapped[datetime]
    not_before: Mapped[datetime]
    tries: Mapped[int] = mapped_column(default=0)
    error: Mapped[str | None] = mapped_column(default=None)
    holder: Mapped[str | None] = mapped_column(default=None)
    held_until: Mapped[datetime | None] = mapped_column(default=None)
    unsure_until: Mapped[datetime | None] = mapped_column(default=None)


FREE = {"holder": None, "held_until": None}


def put(db: Session, targets: Iterable[str], kind: str, id: str, now: datetime, due: datetime) -> None:
    """Marks the subject on every target. One already marked is marked anew, and is tried at once; two may do it together."""
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    values = {"kind": kind, "id": id, "since": now, "due": due, "not_before": now, "tries": 0}
    for target in sorted(targets):
        made = insert(Mark).values(target=target, mark=new_id(), **values)
        sooner = case((Mark.due < made.excluded.due, Mark.due), else_=made.excluded.due)
        again = {"mark": made.excluded.mark, "not_before": now, "tries": 0, "due": sooner}
        db.execute(made.on_conflict_do_update(index_elements=["target", "kind", "id"], set_=again))


def unseen() -> ColumnElement[bool]:
    """The condition on marks of who was not yet seen to agree: not of who was, and is only to be looked at once more."""
    return or_(Mark.unsure_until.is_(None), Mark.unsure_until != Mark.not_before)


def overdue(now: datetime) -> ColumnElement[bool]:
    """The condition on marks that somebody must be alarmed about: past the time allowed, or failing again and again."""
    return or_(Mark.due < now, Mark.tries >= STUCK)


def ready(db: Session, now: datetime, target: str) -> Sequence[tuple[str, str]]:
    """Kind and id of up to ``BATCH`` subjects that may be worked on now, those that are due first."""
    query = select(Mark.kind, Mark.id).where(Mark.target == target, *_free(now))
    return [(kind, id) for kind, id in db.execute(query.order_by(Mark.due).limit(BATCH))]


def claim(db: Session, now: datetime, target: str, kind: str, id: str) -> Mark | None:
    """Holds one mark for a minute; None when somebody else holds it, or it is gone or waits.

    What a former holder sent, whose time ran out, may still be on its way.
    """
    query = select(Mark).where(Mark.target == target, Mark.kind == kind, Mark.id == id, *_free(now))
    mark = db.scalars(query.with_for_update(skip_locked=True)).first()
    if mark is not None:
        if mark.holder is not None:
            mark.unsure_until = now + LATE
        mark.holder, mark.held_until = new_id(), now + LEASE
    return mark


def keep(db: Session, mark: Mark, now: datetime) -> bool:
    """Holds it for a minute from now; False when it is no longer held, or the subject was marked again meanwhile."""
    mine = update(Mark).where(*_held(mark), Mark.mark == mark.mark).values(held_until=now + LEASE)
    return db.execute(mine.returning(Mark.id)).first() is not None


def unchanged(db: Session, mark: Mark) -> bool:
    """Whether it is still held, and the subject was not marked again meanwhile."""
    return db.execute(select(Mark.id).where(*_held(mark), Mark.mark == mark.mark)).first() is not None


def settle(db: Session, mark: Mark, now: datetime) -> bool:
    """Removes the mark that was worked on, or keeps it for one more look while a change may still be made late.

    False when the subject was marked again or the mark is no longer held.
    """
    mine = (*_held(mark), Mark.mark == mark.mark)
    if mark.unsure_until is None or mark.unsure_until <= now:
        return db.execute(delete(Mark).where(*mine).returning(Mark.id)).first() is not None
    again = {"not_before": mark.unsure_until, "due": mark.unsure_until + LATE, "tries": 0, "error": None}
    kept = update(Mark).where(*mine).values(again | FREE)
    return db.execute(kept.returning(Mark.id)).first() is not None


def postpone(db: Session, mark: Mark, now: datetime, error: str) -> bool:
    """Back-off after a failure: 1 s doubling to 5 min, with what went wrong. False as for :func:`settle`."""
    wait = min(LAST_RETRY, FIRST_RETRY * 2 ** min(mark.tries, 9))
    later = {
        "tries": Mark.tries + 1,
        "not_before": now + wait,
        "error": error[:500],
        "unsure_until": mark.unsure_until,
    }
    mine = update(Mark).where(*_held(mark), Mark.mark == mark.mark).values(later | FREE)
    return db.execute(mine.returning(Mark.id)).first() is not None


def release(db: Session, mark: Mark) -> bool:
    """Lets go of a mark that was set again meanwhile: it is worked on at once. False when it was no longer held."""
    free = update(Mark).where(*_held(mark)).values({"unsure_until": mark.unsure_until} | FREE)
    return db.execute(free.returning(Mark.id)).first() is not None


def release_all(db: Session, now: datetime) -> None:
    """Lets go of every mark: of a database that one process owns, whoever held one is no more, but what it sent may be."""
    db.execute(update(Mark).where(Mark.holder.is_not(None)).values({"unsure_until": now + LATE} | FREE))


def forget(db: Session) -> None:
    """Removes every mark: of a restored copy, whose marks speak of a moment long past."""
    db.execute(delete(Mark))


def _free(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return Mark.not_before <= now, or_(Mark.holder.is_(None), Mark.held_until <= now)


def _held(mark: Mark) -> tuple[ColumnElement[bool], ...]:
    return Mark.target == mark.target, Mark.kind == mark.kind, Mark.id == mark.id, Mark.holder == mark.holder
