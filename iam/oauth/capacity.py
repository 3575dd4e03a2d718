"""Whom a person may act as: a vínculo and the one active perfil (GAP-COANA-20: the token carries one, and it decides).

RFC 9396 and the norms meet here: with several, the person chooses when authorizing; nothing is ever the sum of two
perfis.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from iam.atos import concessao, vinculo
from iam.atos.orgao import Orgao
from iam.oauth.scope import Held
from iam.policy import Policy


@dataclass(frozen=True, slots=True)
class Capacity:
    """One way to act in a sistema. ``sistema`` is "" and ``perfil`` too when only the person's identity is asked."""

    sistema: str
    perfil: str = ""
    vinculo: str | None = None
    epoch: int = 0
    orgao: str = ""
    orgao_nome: str = ""
    matricula: str = ""

    @property
    def key(self) -> str:
        """How a form names it: ``<vínculo>|<perfil>``."""
        return f"{self.vinculo or ''}|{self.perfil}"

    def held(self, policy: Policy) -> Mapping[str, Held]:
        """The scopes it gives."""
        given = policy.scopes_of(self.perfil, self.sistema) if self.perfil else {}
        return {name: Held(name, self.sistema, self.perfil, decision) for name, decision in given.items()}


def of(db: Session, pessoa: str, sistema: str, now: datetime, *, tied: bool = False) -> Sequence[Capacity]:
    """Every capacity of a person in a sistema, each once; empty when they hold nothing there or are out.

    Without a sistema there is one, of no vínculo when there are several, unless ``tied`` asks for each.
    """
    ties = {v.id: v for v in vinculo.vigentes(db, pessoa, now)}
    if not ties:
        return ()
    if not sistema:
        ways = [_capacity(db, "", "", tie) for tie in ties.values()]
        return ways if tied or len(ways) == 1 else (Capacity(""),)
    found: dict[str, Capacity] = {}
    for right in concessao.vigentes(db, pessoa, now, sistema=sistema):
        tie = ties.get(right.vinculo) if right.vinculo else None
        way = _capacity(db, sistema, right.perfil, tie)
        found.setdefault(way.key, way)
    return tuple(found.values())


def _capacity(db: Session, sistema: str, perfil: str, tie: vinculo.Vinculo | None) -> Capacity:
    if tie is None:
        return Capacity(sistema, perfil)
    orgao = db.get(Orgao, tie.orgao)
    return Capacity(sistema, perfil, tie.id, tie.epoch, tie.orgao, orgao.nome if orgao else tie.orgao, tie.matricula)
