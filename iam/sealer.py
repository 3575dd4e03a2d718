"""The chain over the journal: gapless sequence numbers, hashes, signed checkpoints, and its export.

Entries are immutable rows; a seal numbers one and binds it to all before: ``hash = SHA-256(prev ‖ canonical(header))``, the
header holding the sequence number, the moment of sealing and the digest of the payload. Any process may seal; the
database lets one at a time. A checkpoint signs the head of the chain, and names the checkpoint before it, with a key that
signs nothing else. Who seals also signs, in one transaction: never more than ``CHECKPOINT_EVERY`` entries, nor more than
``CHECKPOINT_WITHIN`` of sealing, nor entries made more than ``MADE_WITHIN`` apart, come after one checkpoint without
another. So checkpoints that are gone leave a stretch that no honest sealer leaves, whenever it says that it was sealed, and
:mod:`iam.verification` refuses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeAlias, cast

import orjson
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, LargeBinary, and_, bindparam, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base, Database
from iam.journal import HEADER, Entry, canonical
from iam.keys import Keyring

GENESIS = bytes(32)
BATCH = 2000
CHECKPOINT_EVERY = 1000
CHECKPOINT_WITHIN = timedelta(seconds=60)
MADE_WITHIN = timedelta(minutes=10)
"""More than sealing takes, by as much as the clocks of two nodes may differ."""
OUT_OF_ORDER, FAR_BACK, EVERYTHING = 10_000, 200_000, 1 << 60
LOCK = 7304126
_Place: TypeAlias = "tuple[int, int, object, bytes, bytes]"


class Seal(Base):
    """The place of one entry in the chain."""

    __tablename__ = "seal"

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ForeignKey("entry.id"), unique=True)
    sealed_at: Mapped[datetime]
    prev: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class Checkpoint(Base):
    """A signature over the head of the chain as it stood; ``previous`` is the sequence number signed before, 0 for the first.

    The two name lines by number, not by foreign key: whether a line that was signed is still there is for
    verification to tell.
    """

    __tablename__ = "checkpoint"
    __table_args__ = (CheckConstraint("previous < seq", name="previous"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    previous: Mapped[int] = mapped_column(BigInteger)
    hash: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime]
    kid: Mapped[str] = mapped_column(ForeignKey("key.kid"))
    jws: Mapped[str]


def header(entry: Entry, seq: int, sealed_at: datetime) -> dict[str, object]:
    """What the chain protects of an entry, as it is hashed and exported."""
    return _header([getattr(entry, name) for name in HEADER], entry.digest, seq, sealed_at)


def _header(values: Sequence[Any], digest: bytes, seq: int, sealed_at: datetime) -> dict[str, object]:
    """The same of the values of :data:`HEADER`, in its order."""
    head: dict[str, Any] = dict(zip(HEADER, values, strict=True))
    head["at"] = head["at"].isoformat()
    head["seq"], head["sealed_at"], head["digest"] = seq, sealed_at.isoformat(), digest.hex()
    return head


def link(prev: bytes, head: Mapping[str, object]) -> bytes:
    """The hash that binds a header to everything before it."""
    return hashlib.sha256(prev + canonical(head)).digest()


@dataclass(frozen=True, slots=True)
class Moments:
    """When an entry says that it was made, and when its seal says that it was sealed."""

    made: datetime
    sealed: datetime


# Made once: the sealer asks them ten times a second. The seals are bounded like the entries: or PostgreSQL would read every
# one there is in order to find the few entries that have none.
_NEWEST = select(func.max(Seal.entry_id))
_WAITING = (
    select(*(getattr(Entry, name) for name in ("id", *HEADER, "digest")))
    .outerjoin(Seal, and_(Seal.entry_id == Entry.id, Seal.entry_id > bindparam("after")))
    .where(Seal.seq.is_(None), Entry.id > bindparam("after"))
    .order_by(Entry.id)
    .limit(bindparam("most"))
)


def overdue(count: int, first: Moments, this: Moments) -> bool:
    """Whether ``count`` unsigned entries, beginning with ``first``, must be signed before ``this`` one is sealed."""
    return (
        count >= CHECKPOINT_EVERY
        or abs(this.sealed - first.sealed) > CHECKPOINT_WITHIN
        or abs(this.made - first.made) > MADE_WITHIN
    )


def seal(database: Database, keys: Keyring, now: datetime, *, overlap: int = OUT_OF_ORDER) -> int:
    """Numbers and chains every entry that waits, signing as it goes; answers how many. Any process may call it at any moment.

    ``overlap`` is how far back of the newest it looks for an entry whose transaction committed late.
    """
    # Two transactions of one moment may commit in another order than they took their ids; on SQLite there are never two.
    total, overlap, sealed_at = 0, 0 if database.sqlite else overlap, database.moment(now)
    with database.read() as db:
        more = bool(_waiting(db, 1, overlap))
    while more:
        with database.write() as db:
            seq, prev = _head(database, db)
            signed, first = _unsigned(db)
            places: list[_Place] = []
            waiting = _waiting(db, CHECKPOINT_EVERY, overlap)
            more = len(waiting) == CHECKPOINT_EVERY
            for id, *values, digest in waiting:
                this = Moments(values[0], now)
                if first is not None and overdue(seq - signed, first, this):
                    _put(database, db, places)
                    _sign(db, keys, now, signed)
                    signed, first, places = seq, None, []
                seq, first = seq + 1, first or this
                made = link(prev, _header(values, digest, seq, now))
                places.append((seq, id, sealed_at, prev, made))
                prev = made
                total += 1
            _put(database, db, places)
            if seq - signed >= CHECKPOINT_EVERY:
                _sign(db, keys, now, signed)
    return total


def _put(database: Database, db: Session, places: Sequence[_Place]) -> None:
    """Writes places in the chain, many with one statement."""
    statement = f"INSERT INTO seal (seq, entry_id, sealed_at, prev, hash) VALUES ({', '.join([database.mark] * 5)})"  # noqa: S608 - placeholders only
    if places:
        db.connection().exec_driver_sql(statement, list(places))


def _head(database: Database, db: Session) -> tuple[int, bytes]:
    """The end of the chain, which nobody else makes longer until the transaction ends."""
    if not database.sqlite:
        db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    last = db.execute(select(Seal.seq, Seal.hash).order_by(Seal.seq.desc()).limit(1)).first()
    return (last.seq, last.hash) if last else (0, GENESIS)


def _unsigned(db: Session) -> tuple[int, Moments | None]:
    """The sequence number signed last, 0 for none, and the moments of the first entry after it."""
    signed = db.scalar(select(func.max(Checkpoint.seq))) or 0
    query = select(func.coalesce(Entry.at, Seal.sealed_at).label("made"), Seal.sealed_at)
    query = query.outerjoin(Entry, Entry.id == Seal.entry_id).where(Seal.seq > signed).order_by(Seal.seq).limit(1)
    first = db.execute(query).first()
    return signed, Moments(first.made, first.sealed_at) if first else None


def _waiting(db: Session, most: int, overlap: int) -> Sequence[tuple[Any, ...]]:
    """Entries without a place in the chain, oldest first: those after the newest that has one, and ``overlap`` before it.

    Of each its id, the values of :data:`HEADER` in that order, and its digest.
    """
    newest = db.scalar(_NEWEST)
    after = -1 if newest is None else newest - overlap
    return cast("Sequence[tuple[Any, ...]]", db.execute(_WAITING, {"after": after, "most": most}).all())


def checkpoint(database: Database, keys: Keyring, now: datetime) -> Checkpoint | None:
    """Signs the head of the chain; None when it is signed already, or there is none."""
    with database.read() as db:
        if _unsigned(db)[1] is None:
            return None
    with database.write() as db:
        _head(database, db)
        signed, first = _unsigned(db)
        return None if first is None else _sign(db, keys, now, signed)


def _sign(db: Session, keys: Keyring, now: datetime, previous: int) -> Checkpoint:
    head = db.execute(select(Seal.seq, Seal.hash).order_by(Seal.seq.desc()).limit(1)).one()
    signer = keys.signer("checkpoint")
    claims = {"seq": head.seq, "hash": head.hash.hex(), "at": now.isoformat(), "previous": previous}
    jws = signer.jws("checkpoint+jws", canonical(claims))
    made = Checkpoint(seq=head.seq, previous=previous, hash=head.hash, at=now, kid=signer.kid, jws=jws)
    db.add(made)
    db.flush()
    return made


def export(database: Database, keys: Keyring) -> Iterator[dict[str, object]]:
    """The whole journal as JSON objects: keys first, then entries in sequence with the checkpoints after their entry.

    As it stood when it began, whatever is written, signed and rotated meanwhile.
    """
    with database.read() as db:
        head = db.scalar(select(func.max(Seal.seq))) or 0
    keys.load()
    history = keys.history()
    known = {key.kid for key in history}
    for key in history:
        yield {
            "kind": "key",
            "kid": key.kid,
            "use": key.use,
            "public": key.public,
            "created_at": key.created_at.isoformat(),
            "predecessor": key.predecessor,
            "endorsement": key.endorsement,
        }
    after = 0
    while True:
        with database.read() as db:
            query = select(Seal, Entry).outerjoin(Entry, Entry.id == Seal.entry_id).where(Seal.seq > after)
            rows = db.execute(query.where(Seal.seq <= head).order_by(Seal.seq).limit(BATCH)).all()
            if not rows:
                return
            upto = rows[-1][0].seq
            signed = db.scalars(select(Checkpoint).where(Checkpoint.seq > after, Checkpoint.seq <= upto))
            # What is signed meanwhile is the head or beyond it, perhaps with a key that was not there.
            points = {c.seq: c for c in signed if c.seq < head or c.kid in known}
        for place, entry in rows:
            yield _line(place, entry)
            if place.seq in points:
                yield point(points[place.seq])
        after = upto


def _line(place: Seal, entry: Entry | None) -> dict[str, object]:
    chain = {"kind": "entry", "prev": place.prev.hex(), "hash": place.hash.hex()}
    if entry is None:
        return chain | {"seq": place.seq, "payload": None}
    payload = orjson.loads(entry.payload) if entry.payload is not None else None
    return header(entry, place.seq, place.sealed_at) | chain | {"payload": payload}


def point(made: Checkpoint) -> dict[str, object]:
    """A checkpoint as it is exported, and kept elsewhere."""
    return {
        "kind": "checkpoint",
        "seq": made.seq,
        "previous": made.previous,
        "hash": made.hash.hex(),
        "at": made.at.isoformat(),
        "kid": made.kid,
        "jws": made.jws,
    }
