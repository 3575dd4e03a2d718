"""Facts about the subject of a question: what they hold in a sistema now, and under which restrictions.

The norms' words (GAP-COANA-20: one active perfil decides, perfis are never added up). Facts become words here; the
policy alone decides. Loaded once per subject and request, in a few statements.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.atos import concessao, pessoa
from iam.atos.client import NORMA
from iam.atos.sujeito import Sujeito
from iam.authzen.query import Query
from iam.context import House
from iam.oauth import client, subject
from iam.recorder import Guard
from iam.session import may_enter

ALHEIO = {
    "evento": "evento_alheio",
    "tipo_evento": "evento_alheio",
    "recinto": "entidade_alheia",
    "orgao": "entidade_alheia",
    "uf": "entidade_alheia",
    "viagem": "viagem_alheia",
    "transportador": "viagem_alheia",
    "importador": "viagem_alheia",
    "aplicativo": "aplicativo_alheio",
    "outorgante": "sem_procuracao",
}
"""The word for acting outside a restriction, by what restricts; ``restricao_alheia`` for any other."""

SAID = {("modo", "presencial"): "evento_presencial"}
"""What the application says of the object itself, as a word: a função of a remote event is refused in a presencial one."""


@dataclass(frozen=True, slots=True)
class Right:
    """One perfil held, and the values it is restricted to. ``uf`` is the State of the SEFAZ whose client holds it."""

    sistema: str
    perfil: str
    restricao: Mapping[str, Sequence[str]]
    uf: str = ""

    def outside(self, properties: Mapping[str, str]) -> str:
        """The word for what the question oversteps; "" when it stays inside. What is not said counts as outside."""
        if self.uf and properties.get("uf", self.uf) != self.uf:
            return ALHEIO["uf"]
        for what, allowed in self.restricao.items():
            if properties.get(what) not in allowed:
                return ALHEIO.get(what, "restricao_alheia")
        return ""


@dataclass(frozen=True, slots=True)
class Way:
    """The words of one perfil, and the one for what the question oversteps: it is asked when the perfil itself would do."""

    words: frozenset[str]
    outside: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """A subject: the sujeito behind it ("" when unknown), the word that bars it, and its rights everywhere."""

    sujeito: str
    barred: str
    rights: Sequence[Right]
    guards: tuple[Guard, ...] = ()
    """What the sujeito was just before the facts were read: a cut since then makes the answer to be computed again."""

    def ways(self, query: Query) -> Sequence[Way]:
        """How the question may be decided, one way for each perfil held; never a sum of two."""
        if self.barred:
            return (Way(frozenset({self.barred})),)
        said = {word for (name, value), word in SAID.items() if query.properties.get(name) == value}
        return [
            Way(frozenset({right.perfil, *said}), right.outside(query.properties))
            for right in self.rights
            if right.sistema in (query.sistema, "*")
        ] or (Way(frozenset({"sem_concessao"})),)


def of(house: House, db: Session, kind: str, id: str, now: datetime) -> Facts:
    """The facts about a subject. One that is not known holds nothing, and is told no more than that."""
    if kind == "perfil":
        known = house.policy.perfil(id) is not None
        return Facts("", "", (Right("*", id, {}),)) if known else Facts("", "perfil_desconhecido", ())
    if kind == "client":
        return _client(house, db, id, now)
    if kind == "pessoa":
        somebody = pessoa.by_cpf(db, id.translate(_PUNCTUATION))
        return _pessoa(db, somebody, now) if somebody is not None else _UNKNOWN
    if kind == "sub":
        row = db.get(Sujeito, subject.sujeito(id))
        if row is not None and row.kind == "pessoa":
            return _pessoa(db, pessoa.get(db, row.id), now)
        if row is not None and row.kind == "client":
            return _client(house, db, row.id, now)
        return _UNKNOWN
    return Facts("", "sujeito_de_outro_tipo", ())


_PUNCTUATION = str.maketrans("", "", ".-")
_UNKNOWN = Facts("", "", ())


def _pessoa(db: Session, somebody: pessoa.Pessoa, now: datetime) -> Facts:
    epoch, version = db.execute(select(Sujeito.epoch, Sujeito.version).where(Sujeito.id == somebody.id)).one()
    guards = (Guard(somebody.id, epoch, version),)
    if not may_enter(db, somebody, now):
        return Facts(somebody.id, "pessoa_fora", (), guards)
    if somebody.estado != pessoa.HABILITADA:
        return Facts(somebody.id, "sem_concessao", (), guards)
    held = concessao.vigentes(db, somebody.id, now)
    return Facts(somebody.id, "", [Right(r.sistema, r.perfil, r.restricao) for r in held], guards)


def _client(house: House, db: Session, id: str, now: datetime) -> Facts:
    program = client.current(house, db, id)
    if program is None:
        return _UNKNOWN
    if not program.active:
        return Facts(id, "client_suspenso", ())
    held = [r for r in program.rights if r.perfil and r.de <= now and (r.ate is None or r.ate > now)]
    rights = [Right(r.sistema, r.perfil, r.restricao, program.uf if program.kind == NORMA else "") for r in held]
    return Facts(id, "", rights, program.guards)
