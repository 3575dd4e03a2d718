"""The lines of every pack in force, compiled so that a decision reads only those that can matter.

The meaning is that of ``policies/model.conf`` (a line matches when its word is among the asker's, the act is equal and
``keyMatch`` holds for the object; deny wins); :func:`iam.policy.oracle` runs the same lines through casbin, and a test
holds the two together. Built once, never changed: threads share it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import islice

from iam.decision import Source
from iam.norm import Rule

HOUSE = "casa"
MOST = 20


def cited(short: str, source: Source) -> str:
    """`Portaria nº 128/2005-SEFAZ/MT, Art. 13`; a rule of the house has a number only: `regra da casa, CASA-03`."""
    return f"{source.article}, {source.requirement}" if source.pack == HOUSE else f"{short}, {source.article}"


@dataclass(frozen=True, slots=True)
class Hint:
    """Somebody whom a line allows: the name, and what to be or have, with the article.

    ``quem`` can come to be it: ``pessoa``, ``client``, ``instalacao``, or whoever ("" for a perfil); ``sistema`` is the
    glob on which a norm's perfil is granted, "" for a word.
    """

    nome: str
    text: str
    quem: str
    sistema: str
    perfil: bool


class Line:
    """A rule with what a decision by it says. Reasons are written when first asked for."""

    __slots__ = ("_admin", "_user", "allow", "key", "nome", "quote", "remedio", "rule", "short", "source", "sources")

    def __init__(self, rule: Rule, *, rank: int, nome: str, remedio: str, short: str, quote: str) -> None:
        self.rule, self.allow, self.source, self.sources = rule, rule.allow, rule.source, (rule.source,)
        self.nome, self.remedio, self.short, self.quote = nome, remedio, short, quote
        norm_first = rule.source.pack == HOUSE
        self.key = (norm_first, rank, -len(rule.obj), rule.source.pack, rule.source.requirement, rule.sub, rule.obj)
        self._user = self._admin = ""

    @property
    def user(self) -> str:
        """The reason for the person, in Portuguese, with the article."""
        if not self._user:
            nome = self.nome[:1].upper() + self.nome[1:]
            self._user = f"{nome}: {'permitido' if self.allow else 'recusado'} ({cited(self.short, self.source)})."
        return self._user

    @property
    def admin(self) -> str:
        """The reason for who administers: the line itself and the words of the article."""
        if not self._admin:
            r = self.rule
            eft = "allow" if r.allow else "deny"
            self._admin = f"{r.where}: {r.sub}, {r.act}, {r.obj}, {eft}, {r.source.requirement}. {self.quote}"
        return self._admin


class Cell:
    """The lines about one act and one object or glob, by word."""

    __slots__ = ("hints", "words")

    def __init__(self) -> None:
        self.words: dict[str, tuple[Line, ...]] = {}
        self.hints: tuple[Hint, ...] = ()


class _Act:
    __slots__ = ("exact", "prefixes")

    def __init__(self) -> None:
        self.exact: dict[str, Cell] = {}
        self.prefixes: list[tuple[int, dict[str, Cell]]] = []

    def cells(self, obj: str) -> Iterator[Cell]:
        cell = self.exact.get(obj)
        if cell is not None:
            yield cell
        for length, cells in self.prefixes:
            cell = cells.get(obj[:length])
            if cell is not None:
                yield cell


class Index:
    """Every line, by act, then object, then word."""

    def __init__(self, lines: Iterable[Line], hint: Callable[[Line], Hint | None]) -> None:
        self._acts: dict[str, _Act] = {}
        globs: dict[str, dict[int, dict[str, Cell]]] = {}
        for line in lines:
            rule = line.rule
            act = self._acts.setdefault(rule.act, _Act())
            if rule.obj.endswith("*"):
                prefix = rule.obj[:-1]
                cell = globs.setdefault(rule.act, {}).setdefault(len(prefix), {}).setdefault(prefix, Cell())
            else:
                cell = act.exact.setdefault(rule.obj, Cell())
            cell.words[rule.sub] = tuple(sorted((*cell.words.get(rule.sub, ()), line), key=_key))
        for name, lengths in globs.items():
            self._acts[name].prefixes = sorted(lengths.items(), reverse=True)
        for act in self._acts.values():
            for cell in (*act.exact.values(), *(c for _, cells in act.prefixes for c in cells.values())):
                givers = [next((x for x in cell.words[word] if x.allow), None) for word in sorted(cell.words)]
                cell.hints = tuple(islice(filter(None, (hint(line) for line in givers if line)), MOST))

    def hits(self, words: AbstractSet[str], act: str, obj: str) -> list[Line]:
        """Every line that matches, in no particular order."""
        found: list[Line] = []
        table = self._acts.get(act)
        if table is not None:
            for cell in table.cells(obj):
                lines = cell.words
                for word in words:
                    if word in lines:
                        found += lines[word]
        return found

    def hints(self, act: str, obj: str) -> tuple[Hint, ...]:
        """Who could do it: each word that some line allows (the first twenty of an object or glob)."""
        table = self._acts.get(act)
        found = [cell.hints for cell in table.cells(obj)] if table is not None else []
        return found[0] if len(found) == 1 else tuple({h.text: h for hints in found for h in hints}.values())


def deciding(hits: list[Line]) -> list[Line]:
    """The lines that agree with the outcome, the deciding one first: denials if there is one, norms before the house.

    The order rests on the lines alone, so that the order of packs in the configuration never matters.
    """
    if len(hits) == 1:
        return hits
    denials = [line for line in hits if not line.allow]
    return sorted(denials or hits, key=_key)


def distinct(lines: list[Line]) -> tuple[Source, ...]:
    """The sources of these lines, each once, in their order."""
    return tuple(dict.fromkeys(line.source for line in lines))


def _key(line: Line) -> tuple[bool, int, int, str, str, str, str]:
    return line.key
