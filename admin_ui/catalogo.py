"""The public catalogue: every corporate system with its gestor, functions, groups and profiles, on one page.

Text: MT128 art. 11 (published on the internet for whoever fills the form). It reads the packs in force only, so that
the listing changes with the norm; it needs no login and touches no database.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from admin_ui.visit import Screen, Visit
from iam.http import Response
from iam.norm import Funcao, Pack
from iam.policy import Policy


@dataclass(frozen=True, slots=True)
class Grupo:
    """A group or profile and the names of the functions it gives."""

    id: str
    nome: str
    funcoes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Linha:
    """One system as the catalogue lists it."""

    id: str
    pack: str
    nome: str
    descricao: str
    gestor: str
    superior: str
    funcoes: tuple[Funcao, ...]
    perfis: tuple[Grupo, ...]

    def says(self, words: Sequence[str]) -> bool:
        """Whether every word occurs somewhere in what the line shows, accents and case apart."""
        shown = [self.id, self.nome, self.descricao, self.gestor, self.superior]
        shown += [f.nome for f in self.funcoes] + [p.nome for p in self.perfis]
        whole = plain(" ".join(shown))
        return all(word in whole for word in words)


@dataclass(frozen=True, slots=True)
class Parte:
    """The systems of one norm."""

    pack: Pack
    sistemas: tuple[Linha, ...]


def plain(text: str) -> str:
    """Lower case without accents, for comparing."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def linhas(policy: Policy) -> tuple[Linha, ...]:
    """Every system of the packs in force, in order of name."""
    found = []
    for s in policy.sistemas():
        funcoes = tuple(policy.funcoes(s.id))
        perfis = tuple(
            Grupo(p.id, p.nome, tuple(f.nome for f in funcoes if policy.decide({p.id}, f.id, s.id).allowed))
            for p in policy.perfis(s.id)
        )
        found.append(Linha(s.id, s.pack, s.nome, s.descricao, s.gestor, s.superior, funcoes, perfis))
    return tuple(sorted(found, key=lambda x: plain(x.nome)))


def listar(visit: Visit) -> Response:
    """The listing, whole or filtered by words, gestor and norm."""
    policy, get = visit.policy, visit.params.get
    busca, gestor, norma = get("busca", "")[:80], get("gestor", ""), get("norma", "")
    todas = linhas(policy)
    shown = [s for s in todas if s.says(plain(busca).split()) and gestor in ("", s.gestor) and norma in ("", s.pack)]
    partes = [Parte(p, tuple(s for s in shown if s.pack == p.id)) for p in policy.packs.values()]
    return visit.page(
        "catalogo.html",
        partes=sorted((p for p in partes if p.sistemas), key=lambda p: -len(p.sistemas)),
        total=len(shown),
        todas=todas,
        filtro={"busca": busca, "gestor": gestor, "norma": norma},
        gestores=[(g, g) for g in sorted({s.gestor for s in todas})],
        normas=[(p, policy.packs[p].short) for p in sorted({s.pack for s in todas})],
    )


SCREENS = (Screen("GET", "/", listar, public=True),)
