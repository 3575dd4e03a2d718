"""The values a pack is made of: each one line of a norm with its article. Read by :mod:`iam.pack`, never changed.

Words are the norm's (Portuguese) where a norm defines them; ``scope``, ``limit`` and the like are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from iam.decision import Source
from iam.table import Row, duration

LEGAL_TIME = "America/Sao_Paulo"
"""Brasília's: the hour of the country (Decreto 2.784/1913), and of an órgão for which nothing else is said."""


@dataclass(frozen=True, slots=True)
class Article:
    """One provision: ``text`` is the norm's own words where the pack quotes them, else what it is read to say."""

    id: str
    pack: str
    article: str
    text: str


@dataclass(frozen=True, slots=True)
class Sistema:
    """A relying application; ``orgao`` is the id of the unit that answers for it, ``gestor`` its name in the norm."""

    id: str
    nome: str
    orgao: str
    gestor: str
    superior: str
    descricao: str
    nota: str
    pack: str
    source: Source


@dataclass(frozen=True, slots=True)
class Perfil:
    """What a concessão gives. ``sistema`` may be a glob; a perfil with a ``sucessor`` is never granted again."""

    id: str
    nome: str
    sistema: str
    sigilo: str
    sucessor: str
    pack: str
    source: Source


@dataclass(frozen=True, slots=True)
class Funcao:
    """One thing a sistema lets a perfil do; its id is the action of a decision."""

    id: str
    sistema: str
    nome: str
    pack: str
    source: Source


@dataclass(frozen=True, slots=True)
class Scope:
    """An OAuth scope: the função of the sistema it stands for."""

    name: str
    sistema: str
    funcao: str
    source: Source

    @property
    def id(self) -> str:
        """The name, which no other scope has."""
        return self.name

    @property
    def pack(self) -> str:
        """The pack that defines it."""
        return self.source.pack


@dataclass(frozen=True, slots=True)
class Rule:
    """One line: who (a word), what (an act or a função), on what (a glob), allowed or not, and by which article."""

    sub: str
    act: str
    obj: str
    allow: bool
    source: Source
    where: str


@dataclass(frozen=True, slots=True)
class Word:
    """A fact as a word: how people say it and, for a refusal, what would have to be true (``remedio``).

    ``quem`` can come to be it: a ``pessoa``, a ``client``, the ``instalacao``; "" is a circumstance, nothing to become.
    """

    word: str
    nome: str
    remedio: str
    quem: str
    rank: int


@dataclass(frozen=True, slots=True)
class Effect:
    """What an event causes, from its date on: how far it reaches (of a sistema, only ``perfis`` where it names them), what it does."""

    pack: str
    id: str
    event: str
    alcance: str
    perfis: frozenset[str]
    effect: str
    source: Source
    description: str
    basis: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A value of a norm about ``obj``: an ISO 8601 duration, a whole number or an ``acr``."""

    name: str
    obj: str
    value: str
    source: Source

    @property
    def duration(self) -> timedelta:
        """The value as a span of time; :class:`ValueError` when it is none."""
        return duration(self.value)

    @property
    def number(self) -> int:
        """The value as a whole number; :class:`ValueError` when it is none."""
        return int(self.value)


@dataclass(frozen=True, slots=True)
class Restriction:
    """A perfil that is only ever held for something named: an ``evento``, or any other of ``names``."""

    perfil: str
    names: tuple[str, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Orgao:
    """An órgão or unit; ``tz`` is its legal time (IANA), ``superior`` the órgão it belongs to or empty."""

    id: str
    nome: str
    uf: str
    tz: str
    superior: str
    pack: str


@dataclass(frozen=True, slots=True)
class Case:
    """One of the pack's own tests; ``source`` pins which article decides."""

    words: frozenset[str]
    act: str
    obj: str
    allow: bool
    source: str
    about: str
    where: str


@dataclass(frozen=True, slots=True)
class Pack:
    """One norm as data, checked for form. Immutable; tables without behaviour are kept as rows in ``tables``."""

    id: str
    title: str
    short: str
    code: str
    issuer: str
    url: str
    in_force: date
    until: date | None
    sistemas_glob: tuple[str, ...]
    orgaos_glob: tuple[str, ...]
    tz: str
    silence: Source
    articles: Mapping[str, Article]
    requirements: tuple[str, ...]
    sistemas: tuple[Sistema, ...]
    perfis: tuple[Perfil, ...]
    funcoes: tuple[Funcao, ...]
    scopes: tuple[Scope, ...]
    rules: tuple[Rule, ...]
    words: tuple[Word, ...]
    effects: tuple[Effect, ...]
    events: Mapping[str, str]
    limits: tuple[Limit, ...]
    restrictions: tuple[Restriction, ...]
    orgaos: tuple[Orgao, ...]
    cases: tuple[Case, ...]
    roles: frozenset[str]
    tables: Mapping[str, tuple[Row, ...]]

    def speaks(self, obj: str) -> bool:
        """Whether ``obj`` (an id or a glob) is among the sistemas and órgãos this norm may speak of."""
        return any(covers(glob, obj) for glob in (*self.sistemas_glob, *self.orgaos_glob))

    def on(self, day: date) -> bool:
        """Whether the norm is in force on ``day``; ``until`` is its last day."""
        return self.in_force <= day and (self.until is None or day <= self.until)


def matches(obj: str, glob: str) -> bool:
    """Casbin's ``keyMatch`` for the globs a pack may write: equal, or equal up to a final ``*``."""
    return obj.startswith(glob[:-1]) if glob.endswith("*") else obj == glob


def covers(glob: str, pattern: str) -> bool:
    """Whether everything ``pattern`` matches, ``glob`` matches too."""
    return matches(pattern.removesuffix("*"), glob) if glob.endswith("*") else glob == pattern


def legal_day(now: datetime) -> date:
    """The day in Brasília, with which norms come into force and end."""
    return now.astimezone(ZoneInfo(LEGAL_TIME)).date()
