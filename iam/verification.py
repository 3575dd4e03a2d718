"""Verifying a journal by its exported lines alone, from the database or offline from a file: what an auditor relies on.

It goes through the lines once and keeps nothing of them, however many there are. What was changed, removed, inserted, put in
another place or dated back ends it with the first bad sequence number. What is odd, but is no proof of tampering (a clock
that was put right, a sealer that stood still), is noted apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

import orjson

from iam.journal import canonical
from iam.keys import USES, thumbprint, verify_jws
from iam.sealer import GENESIS, Moments, link, overdue

BACK_DATED = timedelta(minutes=10)
LATE = timedelta(minutes=10)
OUTLIVED = timedelta(minutes=10)
CLOCK_STEP = timedelta(days=1)
PAYLOAD_TERM = timedelta(days=5 * 365)
ELSEWHERE = "uma ponta guardada fora desta máquina (`portaria journal verify --checkpoint ARQUIVO`)"


@dataclass(frozen=True, slots=True)
class Verdict:
    """How far the chain is whole, the first thing wrong with it, if any, and what is only odd (``notes``).

    ``uncovered`` counts the last entries, which no signature covers yet; ``covered`` is the entry signed last and
    ``covered_at`` when. Sentences are for people.
    """

    entries: int
    checkpoints: int
    bad_seq: int | None = None
    reason: str = ""
    covered: int = 0
    covered_at: str = ""
    notes: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing was changed, removed, inserted, reordered or back-dated."""
        return self.bad_seq is None

    @property
    def uncovered(self) -> int:
        """How many entries come after the last signature: up to them only a checkpoint kept elsewhere shows a rewriting."""
        return max(0, self.entries - self.covered)

    @property
    def advice(self) -> str:
        """What an auditor does next; empty when nothing is wrong."""
        if self.whole:
            return ""
        proven = min(self.covered, (self.bad_seq or 1) - 1)
        until = f"até o registro {proven} assinaturas cobrem o diário" if proven else "nenhuma assinatura o cobre antes"
        return (
            f"{until}; preserve o banco como está e uma cópia dele, compare-o do registro {self.bad_seq} em diante com a "
            f"última exportação ou cópia de segurança e com {ELSEWHERE}, e apure quem escreveu no banco"
        )


def verify(lines: Iterable[Mapping[str, object]], kept: Mapping[str, object] | None = None) -> Verdict:
    """Checks an exported journal alone: sequence, chain, digests, dates, checkpoints and the history of their keys.

    ``kept`` is a checkpoint stored elsewhere; with it a cut tail or a rewritten whole shows too.
    """
    chain = _Chain(kept)
    try:
        for line in lines:
            try:
                chain.take(line)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise _Bad(chain.seq + 1, f"a linha não pode ser lida: {error}") from error
        chain.end()
    except _Bad as bad:
        return chain.verdict(chain.erased_early() or bad)
    return chain.verdict(chain.erased_early())


class _Bad(Exception):
    def __init__(self, seq: int, reason: str) -> None:
        super().__init__(reason)
        self.seq, self.reason = seq, reason


@dataclass(slots=True)
class _Odd:
    """Something odd that may happen often: how many times, and where first."""

    times: int = 0
    first: int = 0

    def at(self, seq: int) -> None:
        self.times, self.first = self.times + 1, self.first or seq

    def told(self, what: str) -> tuple[str, ...]:
        return (f"{what}: {self.times} vez(es), a primeira no registro {self.first}",) if self.times else ()


@dataclass(slots=True)
class _Clock:
    """When entries were made and sealed, and whether one can have been made when it says.

    An entry that waited for a pass of the sealer was made after the pass before: by the sealer's own clock, or by the clock
    it had when that one was put right; or else it is of what that pass, cut short, or another node's, was still catching up
    with, where each was made after the one before. The step of a clock and what waited long are noted; a date that neither
    explains is back-dating.
    """

    sealed: datetime | None = None
    before: datetime | None = None
    leapt_from: datetime | None = None
    waited: datetime | None = None
    back: _Odd = field(default_factory=_Odd)
    forth: _Odd = field(default_factory=_Odd)
    ahead: _Odd = field(default_factory=_Odd)
    late: _Odd = field(default_factory=_Odd)

    def take(self, seq: int, at: datetime, sealed: datetime) -> None:
        if self.sealed is not None and sealed != self.sealed:
            self._pass(seq, sealed, self.sealed)
        self.sealed = sealed
        if self.before is not None and at + BACK_DATED < min(self.before, sealed, self.waited or sealed):
            raise _Bad(seq, f"o registro foi antedatado: diz {at:%d/%m/%Y %H:%M} e só apareceu depois disso no diário")
        if at > sealed + BACK_DATED:
            self.ahead.at(seq)
        late = sealed > at + LATE
        self.waited = max(at, self.waited or at) if late else None
        if late:
            self.late.at(seq)

    def _pass(self, seq: int, sealed: datetime, last: datetime) -> None:
        if sealed - last > CLOCK_STEP:
            self.leapt_from = last
            self.forth.at(seq)
        elif sealed < last:
            if last - sealed > CLOCK_STEP and (self.leapt_from is None or sealed < self.leapt_from):
                raise _Bad(seq, f"o registro foi antedatado: selado em {sealed:%d/%m/%Y %H:%M}, antes do anterior")
            self.back.at(seq)
        self.before = last

    def notes(self) -> tuple[str, ...]:
        return (
            *self.back.told("o relógio do servidor foi atrasado"),
            *self.forth.told("nada foi selado por mais de um dia; o servidor esteve parado ou o relógio foi adiantado"),
            *self.ahead.told("o registro diz uma hora posterior à do seu selo; o relógio esteve adiantado"),
            *self.late.told(
                "o registro foi selado mais de dez minutos depois de feito; o selador esteve parado, ou o trecho foi reescrito e "
                f"selado de novo, o que só se exclui com {ELSEWHERE}"
            ),
        )


class _Chain:
    """The state of one verification, line by line."""

    def __init__(self, kept: Mapping[str, object] | None) -> None:
        self.seq, self.points, self.prev = 0, 0, GENESIS
        self.signed, self.signed_at = 0, ""
        self.signed_when: datetime | None = None
        self.first: Moments | None = None
        self.keys: dict[str, dict[str, str]] = {}
        self.until: dict[str, datetime] = {}
        self.outlived: _Bad | None = None
        self.outlived_until: datetime | None = None
        self.newest: dict[str, str] = {}
        self.uses: dict[str, str] = {}
        self.clock = _Clock()
        self.erased: dict[date, int] = {}
        self.kept = kept
        self.met = kept is None

    def take(self, line: Mapping[str, object]) -> None:
        kind = line.get("kind")
        if kind == "entry":
            self._entry(line)
        elif kind == "checkpoint":
            self._checkpoint(line)
        elif kind == "key":
            self._key(line)
        else:
            raise _Bad(self.seq + 1, f"há uma linha de espécie desconhecida, `{kind}`")

    def end(self) -> None:
        """What only the end shows: that the clock was never put right, or that the checkpoint kept elsewhere is missing."""
        if self.outlived is not None:
            raise self.outlived
        if not self.met and self.kept is not None:
            seq = self.kept.get("seq")
            first = min(seq, self.seq + 1) if isinstance(seq, int) else self.seq + 1
            raise _Bad(first, "o diário não contém a ponta assinada que foi guardada: foi cortado ou reescrito")

    def erased_early(self) -> _Bad | None:
        """The first payload erased before its term, counted in whole days to the newest signature: seals anybody can write."""
        newest = self.signed_when
        early = [
            seq
            for day, seq in self.erased.items()
            if newest is None or day.toordinal() + 1 + PAYLOAD_TERM.days > newest.date().toordinal()
        ]
        return _Bad(min(early), "o teor do registro foi eliminado antes do fim da sua guarda") if early else None

    def verdict(self, bad: _Bad | None) -> Verdict:
        """What is known so far."""
        seq, reason = (bad.seq, bad.reason) if bad else (None, "")
        return Verdict(self.seq, self.points, seq, reason, self.signed, self.signed_at, self.clock.notes())

    def _entry(self, line: Mapping[str, object]) -> None:
        seq = line.get("seq")
        expected = self.seq + 1
        if seq != expected:
            raise _Bad(expected, f"o registro {expected} falta, está repetido ou fora de ordem")
        if "digest" not in line:
            raise _Bad(expected, "o registro foi retirado")
        unchained = {k: v for k, v in line.items() if k not in ("kind", "prev", "hash", "payload")}
        made = link(self.prev, unchained)
        if line.get("prev") != self.prev.hex() or line.get("hash") != made.hex():
            raise _Bad(expected, "o registro, ou o seu lugar na cadeia, foi alterado")
        at, sealed = datetime.fromisoformat(str(line["at"])), datetime.fromisoformat(str(line["sealed_at"]))
        payload = line.get("payload")
        if payload is None:
            self.erased.setdefault(at.date(), expected)
        elif hashlib.sha256(canonical(payload)).hexdigest() != line["digest"]:  # type: ignore[arg-type]
            raise _Bad(expected, "o teor do registro foi alterado")
        self.clock.take(expected, at, sealed)
        if self.outlived_until is not None and sealed <= self.outlived_until:
            self.outlived = self.outlived_until = None
        this = Moments(at, sealed)
        if self.first is None:
            self.first = this
        elif overdue(self.seq - self.signed, self.first, this):
            raise _Bad(
                self.signed + 1,
                f"nenhuma ponta assinada cobre os registros {self.signed + 1} a {expected}, e o selador teria assinado: "
                "pontas foram retiradas, ou o trecho foi reescrito",
            )
        self.seq, self.prev = expected, made
        if self.kept is not None and self.kept.get("seq") == expected:
            self.met = self.kept.get("hash") == made.hex()

    def _checkpoint(self, line: Mapping[str, object]) -> None:
        seq = line["seq"]
        if isinstance(seq, int) and seq > self.seq:
            raise _Bad(self.seq + 1, f"o registro {self.seq + 1} falta: uma ponta assinada cobre até {seq}")
        if not isinstance(seq, int) or seq != self.seq or line["hash"] != self.prev.hex():
            raise _Bad(self.seq, "uma ponta assinada não corresponde à cadeia")
        kid = str(line["kid"])
        public = self.keys.get(kid) if self.uses.get(kid) == "checkpoint" else None
        payload = verify_jws(str(line["jws"]), public) if public else None
        signed = orjson.loads(payload) if payload else {}
        if signed != {"seq": seq, "hash": line["hash"], "at": line["at"], "previous": line["previous"]}:
            raise _Bad(seq, "a assinatura de uma ponta não confere")
        if line["previous"] != self.signed:
            raise _Bad(self.signed + 1, f"falta a ponta assinada do registro {line['previous']}, que a seguinte nomeia")
        self._in_time(seq, kid, datetime.fromisoformat(str(line["at"])))
        self.points += 1
        self.signed, self.signed_at, self.first = seq, str(line["at"]), None

    def _in_time(self, seq: int, kid: str, at: datetime) -> None:
        """Whether a key signed before its successor was there, by what it says and by what it covers.

        One that did it by a clock that had leapt ahead is told from one that outlived its retirement by what comes after:
        that clock was put right before the successor was made.
        """
        self.signed_when = at
        until = self.until.get(kid)
        if until is not None and self.outlived is None and max(at, self.clock.sealed or at) > until:
            reason = f"a ponta assinada foi feita em {at:%d/%m/%Y %H:%M} com uma chave retirada antes disso"
            self.outlived, self.outlived_until = _Bad(seq, reason), until

    def _key(self, line: Mapping[str, object]) -> None:
        kid, use, public = str(line["kid"]), str(line["use"]), line["public"]
        if not isinstance(public, dict):
            raise _Bad(self.seq + 1, "uma chave não pode ser lida")
        if self.seq:  # or it would come after what its predecessor may have signed too late
            raise _Bad(self.seq + 1, f"a chave {kid} vem depois de registros; as chaves vêm antes de todos")
        if use not in USES:
            raise _Bad(self.seq + 1, f"há uma chave de uso desconhecido, `{use}`")
        newest = self.newest.get(use)
        if newest is not None:
            predecessor = self.keys.get(newest) if line["predecessor"] == newest else None
            payload = verify_jws(str(line["endorsement"]), predecessor) if predecessor else None
            endorsed = orjson.loads(payload) if payload else {}
            if endorsed.get("kid") != kid or endorsed.get("jwk") != public:
                raise _Bad(self.seq + 1, f"a chave {kid} não foi abonada pela anterior")
            self.until[newest] = datetime.fromisoformat(str(endorsed["at"])) + OUTLIVED
        if kid in self.keys or thumbprint(public) != kid:
            raise _Bad(self.seq + 1, f"a chave {kid} não é a que o seu nome diz")
        self.keys[kid], self.newest[use], self.uses[kid] = public, kid, use
