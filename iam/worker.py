"""The loop: due events, marks on every target, what sources tell, the seal of the journal, and what time ended: found, then removed.

One thread per target and per source, so that one that is down delays no other. Everything it does can be done twice. It is
woken by every commit that marks somebody, and looks by itself once a second, so that a lost wake-up costs a second and
nothing else. What fails rests, longer each time, and is told where an operator looks.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Mapped, Session, mapped_column

from iam import inventory, news, outbox, reconcile, revocation, sealer, setback
from iam.ato import Ato
from iam.atos import evento, recibo, sujeito
from iam.atos.concessao import Concessao
from iam.atos.papel import CASA, SERVICE, WORKER
from iam.atos.pessoa import Pessoa
from iam.atos.receber import aplicar
from iam.atos.vinculo import Vinculo
from iam.context import SEEN_WITHIN, House
from iam.db import Base
from iam.errors import PortariaError
from iam.oauth import expiry

log = logging.getLogger("portaria.worker")
LOOK = 1.0
HEAR_EVERY = 10.0
SEAL_EVERY = 0.1
KEYS_EVERY = 20
FAR_EVERY, WHOLE_EVERY = 600, 36_000
"""Turns of the sealer, a minute and an hour: how often it looks further back for what was committed late."""
SWEEP_EVERY = timedelta(seconds=30)
SWEEP_BATCH, SWEEP_REST = 10, 0.02
"""People, and the seconds after them in which others write."""
DRIFT_EVERY = timedelta(hours=24)
CLOCKS_DIFFER = timedelta(minutes=3)
EXPIRE_EVERY = timedelta(minutes=10)


class Watermark(Base):
    """Up to when something periodic was done."""

    __tablename__ = "watermark"

    name: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]


class Worker:
    """The threads of one process. :meth:`start` them after the database is ready; :meth:`stop` waits for each to finish."""

    def __init__(self, house: House) -> None:
        self.house = house
        self._ended = threading.Event()
        self._wakes = {name: threading.Event() for name in (*house.targets, "time")}
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begins to work and to be woken by commits."""
        self.house.wake = self.wake
        if self.house.database.sqlite:  # nobody else works here: who held a mark is no more
            with self.house.database.write() as db:
                outbox.release_all(db, self.house.clock())
        for name in self.house.targets:
            self._spawn(f"target-{name}", self._target_loop, name)
        for name in self.house.sources:
            self._spawn(f"source-{name}", self._source_loop, name)
        self._spawn("time", self._time_loop)
        self._spawn("sweep", self._sweep_loop)
        self._spawn("seal", self._seal_loop)

    def stop(self) -> None:
        """Lets each thread finish what it is doing; marks of what was not done remain."""
        self._ended.set()
        self.wake()
        for thread in self._threads:
            thread.join(timeout=30)

    def wake(self) -> None:
        """Somebody was marked."""
        for event in self._wakes.values():
            event.set()

    def _spawn(self, name: str, loop: object, *args: str) -> None:
        thread = threading.Thread(target=self._guard, args=(loop, *args), name=f"portaria-{name}", daemon=True)
        thread.start()
        self._threads.append(thread)

    def _guard(self, loop: object, *args: str) -> None:
        while not self._ended.is_set():
            try:
                loop(*args)  # type: ignore[operator]
            except Exception:  # the edge of the process: a defect in one turn must not end revocation for ever
                log.exception("worker turn failed; trying again")
                self._ended.wait(LOOK)

    def _target_loop(self, name: str) -> None:
        while not self._ended.is_set():
            if not once(self.house, name):
                attempt(self.house, f"contas de {name}", partial(inventory.take, self.house, name))
                self._wakes[name].wait(LOOK)
                self._wakes[name].clear()

    def _source_loop(self, name: str) -> None:
        while not self._ended.is_set():
            attempt(self.house, f"fonte {name}", partial(news.hear, self.house, name))
            self._ended.wait(HEAR_EVERY)

    def _time_loop(self) -> None:
        while not self._ended.is_set():
            if self.house.turn_day():
                log.warning("norms in force from today: %s", ", ".join(self.house.policy.packs))
            due_events(self.house)
            expire(self.house)
            self._wakes["time"].wait(LOOK)
            self._wakes["time"].clear()

    def _sweep_loop(self) -> None:
        while not self._ended.is_set():
            sweep(self.house)
            self._ended.wait(LOOK)

    def _seal_loop(self) -> None:
        last = self.house.clock()
        turns = 0
        while not self._ended.wait(SEAL_EVERY):
            now = self.house.clock()
            turns += 1
            if turns % KEYS_EVERY == 0:
                self.house.keys.refresh()
                self.house.trust.lists.refresh(now)
                revocation.keep(self.house.database, self.house.trust.lists)
            sealer.seal(self.house.database, self.house.keys, now, overlap=_far(turns))
            if abs(now - last) >= sealer.CHECKPOINT_WITHIN:  # a clock may be put back too
                last = now
                sealer.checkpoint(self.house.database, self.house.keys, now)
                self.house.recorder.flush_counted()


def _far(turns: int) -> int:
    """How far back the sealer looks at one of its turns: at the first of a process, which follows an end, all the way."""
    if turns % WHOLE_EVERY == 1:
        return sealer.EVERYTHING
    return sealer.FAR_BACK if turns % FAR_EVERY == 0 else sealer.OUT_OF_ORDER


def once(house: House, name: str) -> int:
    """Works on the marks of one target that are ready, each held only while it is worked on; answers how many it tried."""
    with house.reading() as db:
        ready = outbox.ready(db, house.clock(), name)
    tried = 0
    for kind, id in ready:
        with house.database.write() as db:
            mark = outbox.claim(db, house.clock(), name, kind, id)
        if mark is not None:
            reconcile.settle(house, mark)
            tried += 1
    return tried


def due_events(house: House) -> int:
    """Applies the events whose date has come; answers how many. One that fails waits longer each time and stops no other."""
    with house.reading() as db:
        due = [(event.id, event.pessoa) for event in evento.vencidos(db, house.clock())]
        tried = {f"evento {id}" for id, _ in due}
        tried |= {f"contas de {name}" for name in house.targets} | {f"fonte {name}" for name in house.sources}
        gone = [s.name for s in setback.standing(db) if s.name not in tried]
    if gone:  # decided in another way meanwhile, or no longer configured
        with house.database.write() as db:
            for name in gone:
                setback.clear(db, name)
    return sum(attempt(house, f"evento {id}", partial(_apply, house, id, pessoa)) for id, pessoa in due)


def _apply(house: House, id: str, pessoa: str) -> None:
    with house.begin(SERVICE) as ctx:
        sujeito.lock(ctx.db, pessoa)
        event = ctx.db.get(evento.Evento, id, with_for_update=True)
        if event is not None and event.estado == evento.AGUARDA:
            receipt = ctx.db.scalars(select(recibo.Recibo).where(recibo.Recibo.evento == id)).one()
            aplicar(ctx, event, papeis=WORKER, receipt=receipt)


def attempt(house: House, name: str, act: Callable[[], object]) -> bool:
    """Does it unless it failed lately; True when it was done. A failure is kept where an operator looks, and rests."""
    now = house.clock()
    with house.reading() as db:
        known = db.get(setback.Setback, name)
    if known is not None and known.not_before > now:
        return False
    try:
        act()
    except Exception as error:  # a defect about one thing must not hide the others
        log.exception("%s failed; trying again later", name)
        said = error.message if isinstance(error, PortariaError) else type(error).__name__
        with house.database.write() as db:
            setback.note(db, name, now, said)
        return False
    if known is not None:
        with house.database.write() as db:
            setback.clear(db, name)
    return True


def sweep(house: House) -> int:
    """Marks whoever lost or gained something because time passed since the last sweep; once a day everybody, for drift.

    In batches: an act about somebody who is just being marked waits for its end. Whose dates passed are marked first; for the
    others there is a day, so that a cut meanwhile is worked on before them.
    """
    now = house.clock()
    with house.reading() as db:
        every = f"drift {','.join(sorted(house.targets))}"  # a target that is new has seen nobody yet
        since, whole = _mark(db, "sweep"), _mark(db, every)
        if since is not None and now - since < SWEEP_EVERY:
            return 0
        everybody = whole is None or now - whole >= DRIFT_EVERY
        changed = _changed(db, since or now, now)
        others = set(db.scalars(select(Pessoa.id))) - changed if everybody else set()
    people = [*sorted(changed), *sorted(others)]
    for first in range(0, len(people), SWEEP_BATCH):
        with house.begin(SERVICE) as ctx:
            ctx.require(Ato.CONTA_AJUSTAR, CASA, WORKER)
            for id in people[first : first + SWEEP_BATCH]:
                ctx.mark("pessoa", id, within=DRIFT_EVERY if id in others else SEEN_WITHIN)
        time.sleep(SWEEP_REST)
    with house.begin(SERVICE) as ctx:
        for name in ("sweep", every) if everybody else ("sweep",):
            ctx.db.merge(Watermark(name=name, at=now))
        if people:
            decision = ctx.require(Ato.CONTA_AJUSTAR, CASA, WORKER)
            ctx.record(decision, varredura="completa" if everybody else "prazos", pessoas=len(people))
    return len(people)


def expire(house: House) -> int:
    """Removes what the protocol kept and nobody can use any more, a batch at each look, then rests; answers how many rows."""
    now = house.clock()
    with house.reading() as db:
        rested = _mark(db, "expiry")
    if rested is not None and now - rested < EXPIRE_EVERY:
        return 0
    gone = expiry.expire(house)
    if not gone:
        with house.database.write() as db:
            db.merge(Watermark(name="expiry", at=now))
    return gone


def _mark(db: Session, name: str) -> datetime | None:
    return db.scalar(select(Watermark.at).where(Watermark.name == name))


def _changed(db: Session, since: datetime, now: datetime) -> set[str]:
    """Whose dates passed: just now, and a while ago, when they have passed on every node whatever its clock says."""

    def passed(
        *moments: InstrumentedAttribute[datetime] | InstrumentedAttribute[datetime | None],
    ) -> ColumnElement[bool]:
        return or_(*((m > since - back) & (m <= now - back) for m in moments for back in (timedelta(0), CLOCKS_DIFFER)))

    rights = select(Concessao.sujeito).join(Pessoa, Pessoa.id == Concessao.sujeito)
    ties = select(Vinculo.pessoa).where(passed(Vinculo.ate, Vinculo.de))
    return {*db.scalars(rights.where(passed(Concessao.vigente_ate, Concessao.vigente_de))), *db.scalars(ties)}
