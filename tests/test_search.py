"""Searching the journal: exactly what is asked for, page by page, and never by reading the whole of it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, ExecutionContext, delete, event, insert, select, text
from sqlalchemy.engine.interfaces import DBAPICursor
from sqlalchemy.orm import Session

from iam import sealer
from iam.db import Database
from iam.journal import Entry
from iam.search import Filter, find
from tests.house import Home

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
LINES = 20_000
RARE = {7, 8, 9}


def line(n: int, dice: random.Random) -> dict[str, object]:
    """One of many like it; a few are unlike all others. Some are written a little later than what comes after them."""
    rare = n in RARE
    requirement = f"MT128-{dice.randrange(12, 15)}"
    return {
        "at": BEGAN + timedelta(minutes=n, seconds=dice.randrange(0, 180)),
        "ato": "confianca:alterar" if rare else dice.choice(("token:emitir", "pessoa:evento")),
        "allowed": bool(dice.randrange(5)),
        "obj": "mt-ipva",
        "pack": "mt128",
        "requirement": "CASA-99" if rare else dice.choice((requirement, f"{requirement}.1")),
        "article": "Art. 99 I" if rare else f"Art. {requirement[6:]}{dice.choice(('', ' I', ' II'))}",
        "agente": f"client:{n % 9}",
        "pessoa": f"p{n % 700}",
        "sistema": "raro" if rare else f"s{n % 6}",
        "digest": bytes(32),
    }


@pytest.fixture
def long(home: Home) -> Home:
    """A house with a long journal that is sealed."""
    dice = random.Random(128)
    with home.house.database.write() as db:
        db.execute(delete(sealer.Checkpoint))
        db.execute(delete(sealer.Seal))
        db.execute(insert(Entry), [line(n, dice) for n in range(LINES)])
    sealer.seal(home.house.database, home.house.keys, home.clock(), overlap=sealer.EVERYTHING)
    if not home.house.database.sqlite:
        with home.house.database.write() as db:
            db.execute(text("ANALYZE"))
    return home


def day(n: int) -> datetime:
    return BEGAN + timedelta(days=n)


ASKED = (
    Filter(pessoa="p12"),
    Filter(sistema="raro"),
    Filter(agente="client:4", allowed=False),
    Filter(requirement="MT128-13"),
    Filter(requirement="CASA-99"),
    Filter(article="13"),
    Filter(article="Art. 99"),
    Filter(article="Art. 13 I"),
    Filter(article="Art. 404"),
    Filter(ato="confianca:alterar"),
    Filter(since=day(2), until=day(3)),
    Filter(until=day(1), allowed=False),
    Filter(article="13", ato="pessoa:evento", since=day(2), until=day(4)),
    Filter(pessoa="p12", article="13", since=day(1)),
    Filter(sistema="s3", requirement="MT128-14.1"),
)


def fits(entry: Entry, wanted: Filter) -> bool:
    """What a filter means, said once more and slowly."""
    article = f"Art. {wanted.article}" if wanted.article[:1].isdigit() else wanted.article
    return (
        all(getattr(wanted, name) in ("", getattr(entry, name)) for name in ("pessoa", "sistema", "agente", "ato"))
        and (f"{entry.requirement}.").startswith(f"{wanted.requirement}." if wanted.requirement else "")
        and (f"{entry.article} ").startswith(f"{article} " if article else "")
        and (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
        and wanted.allowed in (None, entry.allowed)
    )


@contextmanager
def plans(database: Database) -> Iterator[list[str]]:
    """How the database goes about each question that is asked meanwhile."""
    said: list[str] = []
    how = "EXPLAIN QUERY PLAN " if database.sqlite else "EXPLAIN "

    def asked(
        connection: Connection,
        _cursor: DBAPICursor,
        sql: str,
        given: dict[str, object],
        _context: ExecutionContext,
        many: bool,
    ) -> None:
        if sql.startswith("SELECT") and not many:
            cursor = connection.connection.cursor()
            cursor.execute(how + sql, given)
            said.append("\n".join(str(row[-1]) for row in cursor.fetchall()))

    event.listen(database.engine, "before_cursor_execute", asked)
    try:
        yield said
    finally:
        event.remove(database.engine, "before_cursor_execute", asked)


def pages(db: Session, wanted: Filter) -> Iterator[Entry]:
    before = None
    while page := find(db, wanted, before=before, most=400):
        assert all(seq for _, seq in page)
        yield from (entry for entry, _ in page)
        before = page[-1][0].id


def test_all_that_is_asked_for_and_nothing_else_comes_and_no_question_reads_the_whole(long: Home) -> None:
    with long.house.reading() as db:
        everything = db.scalars(select(Entry)).all()
        for wanted in ASKED:
            found = list(pages(db, wanted))
            assert {entry.id for entry in found} == {entry.id for entry in everything if fits(entry, wanted)}, wanted
            places = [(entry.at, entry.id) for entry in found]
            assert len(places) == len(set(places)), wanted
            assert (wanted.pessoa or wanted.sistema or wanted.agente) or places == sorted(places, reverse=True), wanted
    with plans(long.house.database) as said, long.house.reading() as db:
        for wanted in ASKED:
            find(db, wanted)
    assert len(said) > len(ASKED)
    assert not [plan for plan in said if "SCAN entry\n" in f"{plan}\n" or "Seq Scan" in plan]


def test_the_sealer_looks_at_the_end_of_the_journal_and_not_at_every_seal(long: Home) -> None:
    with plans(long.house.database) as said:
        assert sealer.seal(long.house.database, long.house.keys, long.clock(), overlap=100) == 0
    assert said
    assert not [plan for plan in said if "Seq Scan" in plan or "SCAN entry" in plan or "SCAN seal" in plan]
