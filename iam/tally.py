"""What nobody in particular sent, counted by reason and network until it is written: a line for each kind, not for each refusal.

So are the refusals of who proved who it is and asks what it may not, each under its own name.

However many a stranger sends and whatever names they claim, the kinds are bounded; beyond that they are counted by reason alone.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from iam.journal import JSON, Agente, Line

KINDS = 2_000
CLAIMED = 5
Kind: TypeAlias = "tuple[str, ...]"


@dataclass(slots=True)
class Counted:
    """Anonymous refusals of one kind. ``claimed`` counts the first few client_ids they claimed, ``others`` the rest."""

    line: Line
    since: datetime
    networks: bool = False
    times: int = 0
    claimed: dict[str, int] = field(default_factory=dict)
    others: int = 0

    def add(self, line: Line) -> None:
        """One more."""
        self.line, self.times = line, self.times + 1
        self._claim(line.agente.client_id, 1)

    def merge(self, older: Counted) -> None:
        """Those of before, counted on."""
        self.since, self.times, self.others = older.since, self.times + older.times, self.others + older.others
        for name, times in older.claimed.items():
            self._claim(name, times)

    def _claim(self, name: str, times: int) -> None:
        if name in self.claimed or (name and len(self.claimed) < CLAIMED):
            self.claimed[name] = self.claimed.get(name, 0) + times
        elif name:
            self.others += times

    def written(self) -> Line:
        """The line, with what its repetitions do not have in common told apart."""
        if self.times == 1:
            return self.line
        agente = self.line.agente
        more: dict[str, JSON] = {**(self.line.payload or {}), "desde": self.since.isoformat()}
        if len(self.claimed) > 1:
            agente = replace(agente, client_id="")
            more |= {"alegados": self.claimed, "alegados_demais": self.others}
        if self.networks:
            agente, more = Agente("anonimo", ""), more | {"redes": "várias"}
        return replace(self.line, agente=agente, payload=more)


class Tally:
    """The refusals counted and not yet written. Any thread may add to it."""

    def __init__(self) -> None:
        self._counted: dict[Kind, Counted] = {}
        self._turn = threading.Lock()
        self._waits = False

    def add(self, line: Line) -> bool:
        """Counts an anonymous refusal; true for the first since :meth:`take`, whose writing somebody must see to."""
        d = line.decision
        reason = (d.act, d.source.requirement, d.papel)
        kind: Kind = (*reason, d.obj, line.agente.network, line.agente.name, line.pessoa or "")
        with self._turn:
            crowd = kind not in self._counted and len(self._counted) >= KINDS
            if crowd:
                kind, line = reason, replace(line, pessoa=None)
            self._counted.setdefault(kind, Counted(line, line.at, networks=crowd)).add(line)
            return self._first()

    def take(self) -> Mapping[Kind, Counted]:
        """What was counted, to be written; the count begins anew."""
        with self._turn:
            counted, self._counted, self._waits = self._counted, {}, False
        return counted

    def give_back(self, kind: Kind, counted: Counted) -> bool:
        """Counts on from what could not be written; true as in :meth:`add`."""
        with self._turn:
            self._counted.setdefault(kind, Counted(counted.line, counted.since, counted.networks)).merge(counted)
            return self._first()

    def _first(self) -> bool:
        waited, self._waits = self._waits, True
        return not waited
