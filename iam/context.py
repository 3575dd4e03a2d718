"""The context of an act: in which transaction, who, when, under which rules. The only commit of the house.

An act reads **require, change, record, mark**, in that order. A refusal undoes the work and is itself recorded, in a
transaction of its own, because the act's was rolled back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from iam import journal, outbox, sealer
from iam.ato import Ato
from iam.config import Settings
from iam.connector import Source, Target
from iam.db import Database
from iam.decision import Decision
from iam.errors import Conflict, Refused
from iam.icp_brasil.chain import Trust
from iam.journal import JSON, Agente, Line
from iam.keys import Keyring, Vault
from iam.norm import legal_day
from iam.policy import Policy
from iam.recorder import Recorder

__all__ = ["Agente", "Ctx", "House"]

SEEN_WITHIN = timedelta(minutes=5)


@dataclass(slots=True)
class Ctx:
    """One transaction of one agente. Made only by :meth:`House.begin`."""

    db: Session
    agente: Agente
    now: datetime
    house: House
    pessoas_marcadas: set[str] = field(default_factory=set)
    may_still: Callable[[], bool] | None = None

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self.house.policy

    def require(self, ato: Ato, obj: str, papeis: AbstractSet[str], *, pessoa: str | None = None) -> Decision:
        """The decision that allows the act (about a pessoa, by id); raises :class:`Refused` with the one that does not."""
        decision = self.policy.decide(papeis, ato, obj)
        if not decision.allowed:
            raise Refused(decision, pessoa=pessoa)
        return decision

    def record(
        self, decision: Decision, *, pessoa: str | None = None, sistema: str | None = None, **payload: JSON
    ) -> int:
        """Writes the act to the journal, in this transaction; answers the entry's id."""
        return journal.write(self.db, Line(self.now, decision, self.agente, pessoa, sistema, None, payload))

    def mark(self, kind: str, id: str, *, within: timedelta = SEEN_WITHIN) -> None:
        """Says that a subject may now be wrong on every target; whoever must be seen soonest is worked on first."""
        outbox.put(self.db, self.house.targets, kind, id, self.now, self.now + within)
        self.pessoas_marcadas.add(id)


@dataclass(slots=True)
class House:
    """The wiring of one process, bound once by :mod:`iam.app`: everything an act or an edge stands on."""

    settings: Settings
    database: Database
    policy: Policy
    vault: Vault
    keys: Keyring
    clock: Callable[[], datetime]
    targets: Mapping[str, Target]
    recorder: Recorder
    trust: Trust
    sources: Mapping[str, Source] = field(default_factory=dict)
    remembered: dict[tuple[str, str], object] = field(default_factory=dict)
    wake: Callable[[], None] = lambda: None

    @contextmanager
    def begin(self, agente: Agente) -> Iterator[Ctx]:
        """One transaction for one agente; commits on leaving. Wakes the worker when somebody was marked.

        Raises what the act raises; a :class:`Refused` is journaled before it goes on. Raises :class:`Conflict` when what the
        agente may do was changed by somebody else while the act was being done: whoever is out acts no more.
        """
        now = self.clock()
        try:
            with self.database.write() as db:
                ctx = Ctx(db, agente, now, self)
                yield ctx
                if ctx.may_still is not None and not ctx.may_still():
                    raise Conflict(
                        "o que você pode fazer mudou neste instante; nada foi feito, tente de novo", code="agente_mudou"
                    )
        except Refused as refused:
            self.refuse(agente, refused)
            raise
        if ctx.pessoas_marcadas:
            self.wake()

    def refuse(self, agente: Agente, refused: Refused, *, pessoa: str | None = None) -> None:
        """Records a refusal in its own transaction: on disk before the caller hears of it, coalesced when anonymous."""
        line = Line(self.clock(), refused.decision, agente, pessoa or refused.pessoa)
        if agente.kind == "anonimo":
            self.recorder.note(line)
        else:
            self.recorder.write(line)

    def turn_day(self) -> bool:
        """Lets norms that came into force today decide, and those that ended no longer; True when any did."""
        policy = self.policy.on(legal_day(self.clock()))
        if policy is self.policy:
            return False
        self.policy = policy
        self.remembered.clear()
        return True

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A snapshot for questions that change nothing and need no record."""
        with self.database.read() as db:
            yield db

    def seal(self) -> None:
        """Everything handed to the journal so far is on disk and in the chain: what export, receipts and readers begin with."""
        self.recorder.flush()
        sealer.seal(self.database, self.keys, self.clock())

    @property
    def data(self) -> Path:
        """The data directory."""
        return self.settings.data
