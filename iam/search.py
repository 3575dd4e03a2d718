"""Searching the journal: exactly what is asked for, page by page, from an index, however long it is.

What a search may find is the act's business that reads (:mod:`iam.atos.diario`), and so is recording that somebody read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from itertools import chain

from sqlalchemy import ColumnElement, func, select, tuple_
from sqlalchemy.orm import Session

from iam.journal import Entry
from iam.sealer import Seal

GROUND = (Entry.requirement, Entry.article, Entry.ato)


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader of the journal asks for; empty members do not restrict."""

    pessoa: str = ""
    sistema: str = ""
    requirement: str = ""
    article: str = ""
    ato: str = ""
    agente: str = ""
    since: datetime | None = None
    until: datetime | None = None
    allowed: bool | None = None


def find(
    db: Session, wanted: Filter, *, before: int | None = None, most: int = 50
) -> Sequence[tuple[Entry, int | None]]:
    """Entries, newest first, each with its sequence number once sealed. Recording that somebody read is the caller's act.

    What somebody did, or what was done to her or to a sistema, comes in the order in which it was written; everything else by
    its moment. So each question is answered from an index, however long the journal.
    """
    whose = [
        column == value
        for column, value in (
            (Entry.pessoa, wanted.pessoa),
            (Entry.sistema, wanted.sistema),
            (Entry.agente, wanted.agente),
        )
        if value
    ]
    grounds = list(_grounds(db, wanted)) if wanted.requirement or wanted.article or wanted.ato else None
    by_moment = not whose and (grounds is not None or wanted.since is not None or wanted.until is not None)
    newest = (Entry.at.desc(), Entry.id.desc()) if by_moment else (Entry.id.desc(),)
    places = select(Entry.at, Entry.id).where(*whose, *_period(wanted)).order_by(*newest).limit(most)
    if before is not None:
        last = db.scalar(select(Entry.at).where(Entry.id == before)) if by_moment else None
        older = tuple_(Entry.at, Entry.id) < tuple_(last, before) if last is not None else Entry.id < before
        places = places.where(older)
    if grounds is None:
        found = list(db.execute(places))
    elif by_moment:
        each = (db.execute(places.where(tuple_(*GROUND) == ground)) for ground in grounds)
        found = nlargest(most, chain.from_iterable(each), key=tuple)
    else:
        found = list(db.execute(places.where(tuple_(*GROUND).in_(grounds))))
    lines = select(Entry, Seal.seq).outerjoin(Seal, Seal.entry_id == Entry.id)
    lines = lines.where(Entry.id.in_([id for _, id in found])).order_by(*newest)
    return [(entry, seq) for entry, seq in db.execute(lines)]


def _period(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield Entry.at >= wanted.since
    if wanted.until is not None:
        yield Entry.at < wanted.until
    if wanted.allowed is not None:
        yield Entry.allowed == wanted.allowed


def _grounds(db: Session, wanted: Filter, known: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Those of the journal's requirements, with their articles and acts, that are asked for: few, whatever its length.

    Each is found from the one before by one look into the index.
    """
    if len(known) == len(GROUND):
        yield known
        return
    column, same = GROUND[len(known)], [c == value for c, value in zip(GROUND, known, strict=False)]
    following = select(func.min(column)).where(*same)
    value = db.scalar(following)
    while value is not None:
        if _fits(wanted, column.key, value):
            yield from _grounds(db, wanted, (*known, value))
        value = db.scalar(following.where(column > value))


def _fits(wanted: Filter, column: str, value: str) -> bool:
    """Whether a requirement, an article or an act is asked for, itself or by its beginning."""
    asked: str = getattr(wanted, column)
    if column == "article" and asked[:1].isdigit():
        asked = f"Art. {asked}"
    further = {"requirement": ".", "article": " "}.get(column)
    return asked in ("", value) or (further is not None and value.startswith(asked + further))
