"""What can only be checked once every pack in force is known: that each line speaks of things that exist, and may.

A pack speaks only for its own sistemas and órgãos, and allows nothing on a sistema of another: a further norm can make
an access stricter, never wider. Every refusal names file and line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol, TypeVar

from iam.ato import Ato
from iam.norm import Orgao, Pack, matches
from iam.table import PackError

_ATOS = frozenset(a.value for a in Ato)


class _Named(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def pack(self) -> str: ...


N = TypeVar("N", bound=_Named)


def unique(packs: Iterable[Pack], get: Callable[[Pack], Iterable[N]]) -> dict[str, N]:
    """What the packs define, by id; :class:`PackError` when two define the same."""
    known: dict[str, N] = {}
    for value in (v for p in packs for v in get(p)):
        other = known.setdefault(value.id, value)
        if other is not value:
            raise PackError(f"{value.pack}/", f"`{value.id}` is also of pack `{other.pack}`")
    return known


def orgaos(packs: Iterable[Pack]) -> dict[str, Orgao]:
    """Every órgão, by id: several packs may name one, and then say the same of it; each superior must be known."""
    known: dict[str, Orgao] = {}
    for orgao in (o for p in packs for o in p.orgaos):
        other = known.setdefault(orgao.id, orgao)
        if (orgao.nome, orgao.uf, orgao.tz, orgao.superior) != (other.nome, other.uf, other.tz, other.superior):
            raise PackError(f"{orgao.pack}/orgaos.csv", f"`{orgao.id}` differs from the one of pack `{other.pack}`")
    for orgao in known.values():
        if orgao.superior and orgao.superior not in known:
            raise PackError(f"{orgao.pack}/orgaos.csv", f"`{orgao.id}`: unknown superior `{orgao.superior}`")
    return known


def resolve(packs: Mapping[str, Pack], house: str) -> None:
    """Checks every line of every pack against what all of them define; :class:`PackError` for the first doubt."""
    sistemas = unique(packs.values(), lambda p: p.sistemas)
    perfis = unique(packs.values(), lambda p: p.perfis)
    roles = {r for p in packs.values() for r in p.roles}
    _one_meaning(packs.values())
    for pack in packs.values():
        words = {w.word for p in (pack, packs[house]) for w in p.words} | roles | perfis.keys()
        acts = _ATOS | {f.id for f in pack.funcoes}
        _rules(pack, words, acts, {} if pack.id == house else _foreign(pack, packs.values()))
        for table, what, obj in _spoken(pack):
            if not pack.speaks(obj):
                raise PackError(f"{pack.id}/{table}", f"{what}: `{obj}` is not what this pack speaks for")
        for scope in pack.scopes:
            if scope.sistema not in sistemas or scope.funcao not in acts:
                raise PackError(f"{pack.id}/scopes.csv", f"scope `{scope.name}`: unknown sistema or função")
        for perfil in pack.perfis:
            if perfil.sucessor and perfil.sucessor not in perfis:
                raise PackError(f"{pack.id}/profiles.csv", f"`{perfil.id}`: unknown sucessor `{perfil.sucessor}`")
        for effect in pack.effects:
            if unknown := sorted(effect.perfis - perfis.keys()):
                raise PackError(f"{pack.id}/effects.csv", f"`{effect.id}`: unknown perfil `{unknown[0]}`")
        for restriction in pack.restrictions:
            if restriction.perfil not in {p.id for p in pack.perfis}:
                raise PackError(f"{pack.id}/restrictions.csv", f"unknown perfil `{restriction.perfil}`")
        _people(pack, words)


def _one_meaning(packs: Iterable[Pack]) -> None:
    known: dict[str, tuple[str, str, str]] = {}
    for pack in packs:
        for word in pack.words:
            other = known.setdefault(word.word, (word.nome, word.remedio, pack.id))
            if other[:2] != (word.nome, word.remedio):
                raise PackError(f"{pack.id}/words.csv", f"`{word.word}` means something else in pack `{other[2]}`")


def _foreign(pack: Pack, packs: Iterable[Pack]) -> dict[str, str]:
    """The sistemas and órgãos that only other packs define, each with one of those packs."""
    own = _defined(pack)
    return {id: p.id for p in packs for id in _defined(p) if id not in own}


def _defined(pack: Pack) -> list[str]:
    return [s.id for s in pack.sistemas] + [o.id for o in pack.orgaos]


def _rules(pack: Pack, words: set[str], acts: frozenset[str] | set[str], foreign: Mapping[str, str]) -> None:
    for rule in pack.rules:
        if rule.sub not in words:
            raise PackError(rule.where, f"unknown word `{rule.sub}`: not a perfil, role or word of words.csv")
        if rule.act not in acts:
            raise PackError(rule.where, f"unknown act `{rule.act}`: not an act nor a função of this pack")
        if not pack.speaks(rule.obj):
            raise PackError(rule.where, f"`{rule.obj}` is not a sistema or órgão that this pack speaks for")
        taken = [id for id in foreign if rule.allow and matches(id, rule.obj)]
        if taken:
            raise PackError(rule.where, f"`{taken[0]}` is of pack `{foreign[taken[0]]}`: another may only deny")
    for case in pack.cases:
        if case.act not in acts or case.words - words:
            raise PackError(case.where, f"unknown act `{case.act}` or word {sorted(case.words - words)}")


def _people(pack: Pack, words: set[str]) -> None:
    for row in pack.tables["approvals.csv"]:
        if row["papel"] not in words or row["act"] not in _ATOS or not row["quorum"].isdecimal():
            raise row.error("unknown papel or act, or a quorum that is no number")
    for row in pack.tables["conflicts.csv"]:
        if unknown := {row["perfil"], row["perfil_2"]} - words:
            raise row.error(f"unknown perfil or papel `{min(unknown)}`")


def _spoken(pack: Pack) -> Iterator[tuple[str, str, str]]:
    yield from (("systems.csv", s.id, s.id) for s in pack.sistemas)
    yield from (("profiles.csv", p.id, p.sistema) for p in pack.perfis)
    yield from (("functions.csv", f.id, f.sistema) for f in pack.funcoes)
    yield from (("scopes.csv", s.name, s.sistema) for s in pack.scopes)
    yield from (("limits.csv", lim.name, lim.obj) for lim in pack.limits)
    yield from (("orgaos.csv", o.id, o.id) for o in pack.orgaos)
