"""Two acts that overlap: the second begins before the first has committed, and goes as far as it may."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from sqlalchemy import text

from iam.context import Ctx, House
from tests.atos.rh import OTHER, RH

Act = Callable[[Ctx], object]


def at_once(house: House, first: Act, second: Act, *, on: House | None = None) -> tuple[object, object]:
    """What each of two acts answers, or raises: the second (``on`` another node) goes as far as it may before the first commits."""
    with ThreadPoolExecutor(1) as pool:
        with house.begin(RH) as ctx:
            told = first(ctx)
            late = pool.submit(act, on or house, second)
            until_it_waits(house, late)
        return told, late.exception(60) or late.result()


def act(house: House, one: Act) -> object:
    """One act of somebody else, from beginning to commit."""
    with house.begin(OTHER) as ctx:
        return one(ctx)


def commits(act: Callable[[], object]) -> bool:
    """Whether somebody else's act is done while the caller stands where it stands."""
    thread = threading.Thread(target=act, daemon=True)
    thread.start()
    thread.join(30)
    return not thread.is_alive()


def until_it_waits(house: House, late: Future[object]) -> None:
    """Until it is over, or waits for a row that somebody holds; SQLite has one writer, whom nobody sees waiting."""
    if house.database.sqlite:
        wait([late], 0.2)
        return
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 60
    while not late.done():
        assert time.monotonic() < deadline
        with house.reading() as db:
            if db.scalar(waiting):
                return
        time.sleep(0.01)
