"""The group commit: one writer thread per process makes every waiting journal line durable in one transaction.

Used where a transaction per answer would be the cost of the answer: tokens, introspection, decisions. What nobody in
particular sent is counted (:mod:`iam.tally`) and written once a second: no stranger causes a commit, and made-up names
make no lines. What somebody in particular did is never dropped: when too much waits, a thread waits too, and a caller on
the event loop is told to come again, before anything was given out. A line may carry guards, the (sujeito, epoch, version)
it was computed from: they are read again with one statement for the whole batch, under the lock that every act needs to
change them, so that between checking and releasing a token there is no gap.
"""

from __future__ import annotations

import asyncio
import math
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from itertools import chain

from sqlalchemy.engine.interfaces import DBAPICursor

from iam.db import Database
from iam.errors import Unavailable
from iam.journal import Line
from iam.tally import Counted, Kind, Tally

COLUMNS = "at ato allowed obj pack requirement article agente pessoa sistema jti payload digest".split()
BATCH = 512
COALESCE_SECONDS = 1.0
WAITING = 20_000
PATIENCE = 10.0
FULL = "há registros demais à espera do diário; tente de novo"


class Stale(Exception):
    """What the line was computed from has changed; compute it again or refuse."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A sujeito as it was when the line was computed."""

    sujeito: str
    epoch: int
    version: int


@dataclass(slots=True)
class _Waiting:
    line: Line
    guards: Sequence[Guard]
    done: Callable[[BaseException | None], None]
    times: int = 1


class _Signal(Enum):
    """What the writer is told besides lines: that something was counted, or that it ends."""

    COUNTED = "counted"
    STOP = "stop"


@dataclass(slots=True)
class _Barrier:
    """Settled once everything before it is on disk."""

    reached: Future[None]


@dataclass(slots=True)
class _Batch:
    """What one turn of the writer settled, told to each event loop in one call."""

    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[None], BaseException | None]]] = field(
        default_factory=dict
    )


class Recorder:
    """Its thread starts with the first line; :meth:`stop` writes what still waits and ends it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: queue.SimpleQueue[tuple[_Waiting, ...] | _Barrier | _Signal] = queue.SimpleQueue()
        self._waiting = 0
        self._room = threading.Condition()
        self._gathered: dict[asyncio.AbstractEventLoop, list[_Waiting]] = {}
        self._thread: threading.Thread | None = None
        self._living = threading.Lock()
        self._tally = Tally()
        self._batch = _Batch()
        self._places = f"({', '.join([database.mark] * len(COLUMNS))})"

    def _put(self, *waiting: _Waiting) -> None:
        with self._room:
            self._waiting += len(waiting)
        self._tell(waiting)

    def _tell(self, item: tuple[_Waiting, ...] | _Barrier | _Signal) -> None:
        with self._living:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="portaria-journal", daemon=True)
                self._thread.start()
            self._queue.put(item)

    def stop(self) -> None:
        """Writes everything that waits and ends the thread. Who hands something over meanwhile waits, and begins another."""
        self.flush_counted()
        for loop in [loop for loop in self._gathered if not loop.is_running()]:
            self._hand_over(loop)
        with self._living:
            if self._thread is not None:
                self._queue.put(_Signal.STOP)
                self._thread.join()
                self._thread = None

    def submit(self, line: Line, guards: Sequence[Guard] = ()) -> asyncio.Future[None]:
        """From the event loop: a future that ends when the line is on disk; :class:`Stale` or ``Unavailable`` otherwise."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()

        def done(error: BaseException | None) -> None:
            self._batch.by_loop.setdefault(loop, []).append((future, error))

        gathered = self._gathered.get(loop)
        if self._waiting + len(gathered or ()) >= WAITING:
            future.set_exception(Unavailable(FULL))
            return future
        if gathered is None:
            gathered = self._gathered[loop] = []
            loop.call_soon(self._hand_over, loop)
        gathered.append(_Waiting(line, guards, done))
        return future

    def _hand_over(self, loop: asyncio.AbstractEventLoop) -> None:
        """All lines of one turn of the loop at once: one wake-up of the writer, and one commit, instead of many."""
        gathered = self._gathered.pop(loop, [])
        if gathered:
            self._put(*gathered)

    def write(self, line: Line, guards: Sequence[Guard] = ()) -> None:
        """From a thread: returns when the line is on disk; raises :class:`Stale` or ``Unavailable``."""
        future: Future[None] = Future()

        def done(error: BaseException | None) -> None:
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)

        with self._room:
            if not self._room.wait_for(lambda: self._waiting < WAITING, PATIENCE):
                raise Unavailable(FULL)
        self._put(_Waiting(line, guards, done))
        future.result()

    def note(self, line: Line) -> None:
        """Counts an anonymous refusal without waiting; what was counted is written at once after a quiet second, else with it."""
        if self._tally.add(line):
            self._tell(_Signal.COUNTED)

    def flush(self) -> None:
        """Returns when everything handed over so far is on disk. Never from inside a writing transaction: it waits for its turn."""
        self.flush_counted()
        with self._living:
            if self._thread is None:
                return
            settled: Future[None] = Future()
            self._queue.put(_Barrier(settled))
        settled.result()

    def flush_counted(self) -> None:
        """Writes what was counted without waiting for its second."""
        counted = self._drained()
        if counted:
            self._put(*counted)

    def _drained(self) -> list[_Waiting]:
        counted = self._tally.take().items()
        return [_Waiting(c.written(), (), partial(self._settled, kind, c), c.times) for kind, c in counted]

    def _settled(self, kind: Kind, counted: Counted, error: BaseException | None) -> None:
        """Counts on from what the database did not take."""
        if isinstance(error, Unavailable) and self._tally.give_back(kind, counted):
            self._queue.put(_Signal.COUNTED)  # the thread itself: it lives

    def _run(self) -> None:
        due, quiet_until, ended = math.inf, 0.0, False
        while not ended:
            batch: list[_Waiting] = []
            barriers: list[_Barrier] = []
            item = self._next(due)
            while item is not None:
                if isinstance(item, tuple):
                    batch += item
                elif isinstance(item, _Barrier):
                    barriers.append(item)
                elif item is _Signal.COUNTED:
                    due = max(time.monotonic(), quiet_until)
                else:
                    ended = True
                item = self._next(0) if len(batch) < BATCH else None
            came = len(batch)
            if ended or time.monotonic() >= due:
                batch += self._drained()
                due, quiet_until = math.inf, time.monotonic() + COALESCE_SECONDS
            if batch:
                self._commit(batch)
                with self._room:
                    self._waiting -= came
                    self._room.notify_all()
            for barrier in barriers:
                barrier.reached.set_result(None)

    def _next(self, until: float) -> tuple[_Waiting, ...] | _Barrier | _Signal | None:
        """What comes next, waiting for it until a moment of the monotonic clock; None when nothing came."""
        try:
            wait = max(0.0, until - time.monotonic())
            return self._queue.get(timeout=None if wait == math.inf else wait)
        except queue.Empty:
            return None

    def _commit(self, batch: list[_Waiting]) -> None:
        outcome: list[BaseException | None] = [None] * len(batch)
        try:
            with self._database.turn(), closing(self._database.engine.raw_connection()) as connection:
                cursor = connection.cursor()
                if self._database.sqlite:
                    cursor.execute("BEGIN IMMEDIATE")
                current = self._current(cursor, {g.sujeito for w in batch for g in w.guards})
                rows = []
                for i, waiting in enumerate(batch):
                    if any(current.get(g.sujeito) != (g.epoch, g.version) for g in waiting.guards):
                        outcome[i] = Stale()
                    else:
                        try:
                            rows.append(self._row(waiting))
                        except (TypeError, ValueError) as error:  # what cannot be written fails alone
                            outcome[i] = error
                for first in range(0, len(rows), BATCH):
                    self._insert(cursor, rows[first : first + BATCH])
                connection.commit()
            self._database.failing = False
        except Exception as error:  # noqa: BLE001 - the edge of the thread: whoever waits must hear of any failure
            failure = Unavailable("o diário não pôde ser gravado; tente de novo")
            failure.__cause__ = error
            self._database.failing = True
            outcome = [failure] * len(batch)
        for waiting, result in zip(batch, outcome, strict=True):
            waiting.done(result)
        for loop, settled in self._batch.by_loop.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, settled)
        self._batch.by_loop = {}

    def _current(self, cursor: DBAPICursor, ids: set[str]) -> dict[str, tuple[int, int]]:
        if not ids:
            return {}
        marks = ", ".join([self._database.mark] * len(ids))
        lock = "" if self._database.sqlite else " FOR SHARE"
        query = f"SELECT id, epoch, version FROM sujeito WHERE id IN ({marks}) ORDER BY id{lock}"  # noqa: S608 - placeholders only
        cursor.execute(query, tuple(sorted(ids)))
        return {i: (e, v) for i, e, v in cursor.fetchall()}

    def _insert(self, cursor: DBAPICursor, rows: Sequence[tuple[object, ...]]) -> None:
        """All with one statement: the driver lets the event loop's thread in at each, and would wait for it as often."""
        places = ", ".join([self._places] * len(rows))
        cursor.execute(f"INSERT INTO entry ({', '.join(COLUMNS)}) VALUES {places}", tuple(chain.from_iterable(rows)))  # noqa: S608 - names and placeholders only

    def _row(self, waiting: _Waiting) -> tuple[object, ...]:
        row = waiting.line.row(waiting.times)
        row["at"] = self._database.moment(waiting.line.at)
        return tuple(row[c] for c in COLUMNS)


def _resolve(settled: list[tuple[asyncio.Future[None], BaseException | None]]) -> None:
    for future, error in settled:
        if not future.done():
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
