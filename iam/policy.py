"""The packs in force, compiled into one immutable policy that answers every question with its article.

Deny wins, silence is no, and the order of packs never matters. A pack speaks only for its own sistemas and órgãos
(the house's own, ``casa``, for all); only the pack that owns a sistema, or ``casa``, may allow anything on it, so that
a further norm can only make it stricter. Nothing else makes a :class:`Decision`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import casbin

from iam import pack as packs_
from iam.ato import Ato
from iam.decision import Decision, Source
from iam.index import HOUSE, Index, Line, cited, deciding, distinct
from iam.norm import (
    Article,
    Effect,
    Funcao,
    Limit,
    Orgao,
    Pack,
    Perfil,
    Restriction,
    Rule,
    Scope,
    Sistema,
    matches,
)
from iam.pack import ACRS, ALCANCES, EFFECTS
from iam.reason import MOST_NAMED, NOTHING, WEAK, Reasons
from iam.resolve import orgaos, resolve, unique
from iam.table import PackError

__all__ = ["Check", "Effect", "Explanation", "Limit", "PackError", "Policy", "build", "failures", "load", "oracle"]


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with everything that spoke: the lines with their place, who could, the article, what nobody knows."""

    decision: Decision
    lines: tuple[str, ...]
    could: tuple[str, ...]
    article: Article
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Check:
    """What a pack holds (rows by table) and what a reader should know about it."""

    pack: str
    title: str
    in_force: date
    until: date | None
    counts: Mapping[str, int]
    warnings: tuple[str, ...]


class Policy:
    """Immutable and safe to share between threads. ``packs`` are those in force; ``read`` also the others named."""

    def __init__(self, packs: Iterable[Pack], on: date | None = None) -> None:
        given = sorted(packs, key=lambda p: p.id)
        self.read: Mapping[str, Pack] = {p.id: p for p in given}
        if len(self.read) != len(given):
            raise PackError("PORTARIA_POLICIES", "names a pack twice")
        self.packs: Mapping[str, Pack] = {p.id: p for p in given if on is None or p.on(on)}
        if HOUSE not in self.packs:
            raise PackError("PORTARIA_POLICIES", f"the house's own pack `{HOUSE}` is not named or not in force")
        force = list(self.packs.values())
        self._perfis: dict[str, Perfil] = unique(force, lambda p: p.perfis)
        self._sistemas: dict[str, Sistema] = unique(force, lambda p: p.sistemas)
        self._funcoes: dict[str, list[Funcao]] = {}
        for pack in force:
            for f in pack.funcoes:
                self._funcoes.setdefault(f.id, []).append(f)
        self._scopes: dict[str, Scope] = unique(force, lambda p: p.scopes)
        self._orgaos = orgaos(force)
        self._limits = [lim for p in force for lim in p.limits]
        self._restrictions: dict[str, list[Restriction]] = {}
        for r in (r for p in force for r in p.restrictions):
            self._restrictions.setdefault(r.perfil, []).append(r)
        self._effects: dict[str, list[Effect]] = {}
        for e in (e for p in force for e in p.effects):
            self._effects.setdefault(e.event, []).append(e)
        resolve(self.packs, HOUSE)
        self._reasons = Reasons(self.packs, self._perfis, self._sistemas, self._funcoes)
        self._index = Index((self._reasons.line(rule) for p in force for rule in p.rules), self._reasons.hint)
        # What was already worked out, by what the packs define, so that neither can grow without end.
        self._strictest: dict[tuple[str, str], Limit] = {}
        self._given: dict[tuple[str, str], Mapping[str, Decision]] = {}

    def on(self, day: date) -> Policy:
        """The same packs as they stand on a day: this very policy while no other packs are in force."""
        force = {p.id for p in self.read.values() if p.on(day)}
        return self if force == self.packs.keys() else Policy(self.read.values(), day)

    # -- decisions -----------------------------------------------------------------------------------------------------

    def decide(self, papeis: AbstractSet[str], act: str, obj: str) -> Decision:
        """Whether who these words describe may do ``act`` (an Ato's value or a função) on ``obj``.

        Deny wins; silence is no, with the função's own requirement, else the sistema's norm, else the house's rule.
        """
        hits = self._index.hits(papeis, act, obj)
        if not hits or self._nowhere(act, obj):
            return self._silent(papeis, act, obj)
        lines = deciding(hits)
        line = lines[0]
        return Decision(
            line.allow,
            act,
            obj,
            line.source,
            line.rule.sub,
            line.user,
            line.admin,
            () if line.allow else self._lacking(lines, papeis, act, obj),
            line.sources if len(lines) == 1 else distinct(lines),
        )

    def _nowhere(self, act: str, obj: str) -> bool:
        """Whether a função is asked of a sistema that no norm in force lists: a glob gives nothing on it (MT128-2-I)."""
        return act in self._funcoes and obj not in self._sistemas

    def _lacking(self, lines: Sequence[Line], papeis: AbstractSet[str], act: str, obj: str) -> tuple[str, ...]:
        words = {line.rule.sub for line in lines}
        hints = self._reasons.fitting(papeis, act, obj, self._index.hints(act, obj)) if NOTHING in words else ()
        return self._reasons.lacking(lines, act, hints, self.acr(obj).value if WEAK in words else "")

    def _silent(self, papeis: AbstractSet[str], act: str, obj: str) -> Decision:
        source = self._silence(act, obj)
        said = self._reasons.silence(papeis, act, obj, source, self._index.hints(act, obj))
        return Decision(False, act, obj, source, "", said.user, said.admin, said.missing, (source,))

    def _silence(self, act: str, obj: str) -> Source:
        for funcao in self._funcoes.get(act, ()):
            if matches(obj, funcao.sistema):
                return funcao.source
        sistema = self._sistemas.get(obj)
        return self.packs[sistema.pack if sistema else HOUSE].silence

    def explain(self, papeis: AbstractSet[str], act: str, obj: str) -> Explanation:
        """The decision and every line that matched, with its place, and who could do it."""
        decision = self.decide(papeis, act, obj)
        hits = sorted(self._index.hits(papeis, act, obj), key=lambda x: (x.allow, x.key))
        could = () if self._nowhere(act, obj) else tuple(h.text for h in self._index.hints(act, obj))
        article = self.article(decision.source.requirement)
        return Explanation(decision, tuple(x.admin for x in hits), could, article, self._doubts(papeis, act, obj))

    def _doubts(self, papeis: AbstractSet[str], act: str, obj: str) -> tuple[str, ...]:
        """What of a question no norm in force knows: most often a slip of the pen."""
        roles = {role for p in self.packs.values() for role in p.roles}
        strange = [w for w in sorted(papeis) if not (self._reasons.known(w) or w in roles)]
        doubts = [f"`{word}` não é perfil, papel nem fato de norma alguma em vigor" for word in strange]
        if act not in self._funcoes and act not in {a.value for a in Ato}:
            doubts.append(f"`{act}` não é ato nem função de norma alguma em vigor")
        if obj not in self._sistemas and obj not in self._orgaos:
            doubts.append(f"`{obj}` não é sistema nem órgão de norma alguma em vigor")
        return tuple(doubts)

    def decide_effect(self, effect: Effect) -> Decision:
        """The decision of a norm itself: an event has the effect that its line gives, and nobody is asked."""
        quote = self.article(effect.source.requirement).text
        reason = f"{effect.event}: {quote} ({cited(self.packs[effect.pack].short, effect.source)})"
        told = f"{effect.id}: {quote}"
        return Decision(True, Ato.PESSOA_EVENTO, effect.event, effect.source, "", reason, told, (), (effect.source,))

    # -- what the norms define -----------------------------------------------------------------------------------------

    def sistema(self, id: str) -> Sistema | None:
        """The sistema of this id, or ``None``."""
        return self._sistemas.get(id)

    def sistemas(self) -> Sequence[Sistema]:
        """Every sistema, by id."""
        return [self._sistemas[k] for k in sorted(self._sistemas)]

    def perfil(self, id: str) -> Perfil | None:
        """The perfil of this id, or ``None``; one with a ``sucessor`` must not be granted."""
        return self._perfis.get(id)

    def perfis(self, sistema: str) -> Sequence[Perfil]:
        """The perfis that may be granted on this sistema, in the order of the norm."""
        return [p for p in self._perfis.values() if matches(sistema, p.sistema) and not p.sucessor]

    def restrictions(self, perfil: str) -> Sequence[Restriction]:
        """What a concessão of this perfil must name: without it the norm gives nothing."""
        return self._restrictions.get(perfil, [])

    def funcoes(self, sistema: str) -> Sequence[Funcao]:
        """The funções of this sistema, in the order of the norm."""
        return [f for found in self._funcoes.values() for f in found if matches(sistema, f.sistema)]

    def scope(self, name: str) -> Scope | None:
        """The scope of this name, or ``None``."""
        return self._scopes.get(name)

    def scopes(self, sistema: str) -> Sequence[Scope]:
        """Every scope of this sistema."""
        return [s for s in self._scopes.values() if s.sistema == sistema]

    def scopes_of(self, perfil: str, sistema: str) -> Mapping[str, Decision]:
        """Each scope of ``sistema`` that this perfil gives, with the decision that allows it."""
        known = self._given.get((perfil, sistema))
        if known is None:
            words = {perfil}
            asked = {s.name: self.decide(words, s.funcao, sistema) for s in self.scopes(sistema)}
            known = {name: decision for name, decision in asked.items() if decision.allowed}
            if perfil in self._perfis and sistema in self._sistemas:
                self._given[perfil, sistema] = known
        return known

    def limit(self, name: str, obj: str = "*") -> Limit:
        """The strictest value that a pack sets for ``obj``; each pack speaks by its most specific line.

        ``obj`` ``*`` asks for the strictest anywhere. Raises :class:`KeyError` for a limit that no pack sets.
        """
        known = self._strictest.get((name, obj))
        if known is not None:
            return known
        best: dict[str, Limit] = {}
        for lim in self._limits:
            if lim.name == name and (obj == "*" or matches(obj, lim.obj)):
                key = f"{lim.source.pack} {lim.obj}" if obj == "*" else lim.source.pack
                if key not in best or len(lim.obj) > len(best[key].obj):
                    best[key] = lim
        if not best:
            raise KeyError(name)
        strictest = min(best.values(), key=_strictness)
        if obj == "*" or obj in self._sistemas:
            self._strictest[name, obj] = strictest
        return strictest

    def acr(self, sistema: str) -> Limit:
        """The weakest login (``acr``) that this sistema accepts (GAP-ALL-01)."""
        return self.limit("acr", sistema)

    def effects(self, tipo: str) -> Sequence[Effect]:
        """What an event causes by any pack in force, strictest first."""
        return sorted(
            self._effects.get(tipo, []),
            key=lambda e: (ALCANCES.index(e.alcance), EFFECTS.index(e.effect), e.pack == HOUSE, e.pack, e.id),
        )

    def known_events(self) -> AbstractSet[str]:
        """The names of every event that some pack maps or knows."""
        return self._effects.keys() | {e for p in self.packs.values() for e in p.events}

    def orgao(self, id: str) -> Orgao | None:
        """The órgão of this id, or ``None``."""
        return self._orgaos.get(id)

    def orgaos(self) -> Sequence[Orgao]:
        """Every órgão, by id."""
        return [self._orgaos[k] for k in sorted(self._orgaos)]

    def article(self, requirement: str) -> Article:
        """The provision of this id, also of a pack no longer in force; raises :class:`KeyError`."""
        for pack in self.read.values():
            if requirement in pack.articles:
                return pack.articles[requirement]
        raise KeyError(requirement)

    def requirements(self) -> Sequence[Article]:
        """Every requirement of the norms named, pack by pack, in the order of the norm (the house has none)."""
        return [p.articles[r] for p in self.read.values() for r in p.requirements]

    def check(self) -> Sequence[Check]:
        """Per pack: what it holds, and what a reader should know."""
        return [self._check(p) for p in self.read.values()]

    def oracle(self) -> Callable[[AbstractSet[str], str, str], tuple[bool, tuple[str, ...]]]:
        """The same lines, decided by casbin over ``policies/model.conf``: (allowed, the line it cites)."""
        return oracle(rule for p in self.packs.values() for rule in p.rules)

    # -- compiling -----------------------------------------------------------------------------------------------------

    def _check(self, pack: Pack) -> Check:
        used = {r.source.requirement for r in pack.rules} | {e.source.requirement for e in pack.effects}
        used |= {lim.source.requirement for lim in pack.limits} | {f.source.requirement for f in pack.funcoes}
        used |= {r.source.requirement for r in pack.restrictions}
        warnings = []
        if pack.id not in self.packs:
            warnings.append("fora de vigência: é lido, mas não decide")
        if silent := sorted(set(pack.requirements) - used):
            more = "…" if len(silent) > MOST_NAMED else ""
            named = ", ".join(silent[:MOST_NAMED])
            warnings.append(f"{len(silent)} exigências ainda sem linha que as cite: {named}{more}")
        acting = {r.sub for r in pack.rules}
        warnings += [f"perfil sem linha: {perfil.id}" for perfil in pack.perfis if perfil.id not in acting]
        counts = {name: len(found) for name, found in pack.tables.items() if found}
        return Check(pack.id, pack.title, pack.in_force, pack.until, counts, tuple(warnings))


def load(names: Iterable[str], on: date | None = None) -> Policy:
    """The policy of the packs of these entry-point names; ``on`` leaves out those not in force that day.

    Every pack's own cases are run (with the house's lines): a failing one is a :class:`PackError`, like any other
    doubt, with file and line. Nothing of a pack is executed.
    """
    return build([packs_.read(packs_.find(name)) for name in names], on)


def build(packs: Iterable[Pack], on: date | None = None) -> Policy:
    """As :func:`load`, of packs already read (:func:`iam.pack.read`)."""
    policy = Policy(packs, on)
    for failure in failures(policy):
        raise failure
    return policy


def failures(policy: Policy) -> Iterator[PackError]:
    """The cases that their own pack (with the house's lines) does not decide as they say, with file and line."""
    house = policy.packs[HOUSE]
    for pack in policy.read.values():
        alone = policy if len(policy.read) == 1 else Policy({house.id: house, pack.id: pack}.values())
        for case in pack.cases:
            got = alone.decide(case.words, case.act, case.obj)
            if (got.allowed, got.source.requirement) != (case.allow, case.source):
                yield PackError(
                    case.where,
                    f"the case fails: {'allow' if got.allowed else 'deny'} by {got.source.requirement}, "
                    f"expected {'allow' if case.allow else 'deny'} by {case.source}",
                )


def oracle(rules: Iterable[Rule]) -> Callable[[AbstractSet[str], str, str], tuple[bool, tuple[str, ...]]]:
    """Casbin over ``policies/model.conf`` with these lines: slow, and what the compiled index is tested against."""
    spec = find_spec("policies")
    model = next(Path(p, "model.conf") for p in (spec.submodule_search_locations if spec else None) or ())
    enforcer = casbin.Enforcer(str(model))
    for r in rules:
        enforcer.add_policy(r.sub, r.act, r.obj, "allow" if r.allow else "deny", r.source.requirement)

    def ask(papeis: AbstractSet[str], act: str, obj: str) -> tuple[bool, tuple[str, ...]]:
        allowed, line = enforcer.enforce_ex(frozenset(papeis), act, obj)
        return bool(allowed), tuple(line)

    return ask


def _strictness(limit: Limit) -> tuple[float, bool, str, str]:
    if limit.name == "acr":
        size = -float(ACRS.index(limit.value))
    else:
        size = float(limit.value) if limit.value.isdecimal() else limit.duration.total_seconds()
        if limit.name.startswith("guarda"):  # a term of retention: the longest applies (GAP-ALL-02)
            size = -size
    return size, limit.source.pack == HOUSE, limit.source.pack, limit.obj
