"""The embedded directory behind something that may be down, stall or die half-way; and what a test asks about a cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import pytest
from sqlalchemy import select

from iam import outbox, worker
from iam.atos import pessoa, recibo
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Account, Change, Disable, Evento, Target
from iam.demo.world import OPERATOR
from iam.errors import Unavailable
from tests.house import Home


@dataclass
class Outage:
    """A system that may be down, or die half-way, in front of a real one."""

    real: Target
    down: bool = False
    dies_after: int | None = None
    applied: list[str] = field(default_factory=list)
    meanwhile: object = None
    after_look: object = None
    on: str = ""

    def check(self) -> None:
        if self.down:
            raise Unavailable("o diretório não responde")

    def keys(self) -> Iterator[str]:
        return self.real.keys()

    def observe(self, key: str, id: str = "") -> Account | None:
        self.check()
        seen = self.real.observe(key, id)
        if callable(self.after_look):
            act, self.after_look = self.after_look, None
            act()
        return seen

    def apply(self, key: str, change: Change, id: str = "") -> None:
        self.check()
        if callable(self.meanwhile) and type(change).__name__.startswith(self.on):
            act, self.meanwhile = self.meanwhile, None
            act()
        if self.dies_after is not None:
            if self.dies_after == 0:
                raise Unavailable("a conexão caiu")
            self.dies_after -= 1
        self.applied.append(type(change).__name__)
        self.real.apply(key, change, id)


@pytest.fixture
def outage(home: Home) -> Outage:
    """The directory behind something that can fail; everybody is already there."""
    front = Outage(home.house.targets["diretorio"])
    home.house.targets = {"diretorio": front}
    while worker.once(home.house, "diretorio"):
        pass
    front.applied.clear()
    return front


def cut(home: Home, numero: str = "1", role: str = "servidora") -> str:
    news = Evento("rh-sefaz-mt", numero, home.person(role)["cpf"], "", "", "desligamento", date(2026, 1, 5), "", "", "")
    with home.house.begin(OPERATOR) as ctx:
        return receber(ctx, news, papeis=OPERADOR)[1].id


def seen(home: Home, id: str) -> list[str]:
    with home.house.reading() as db:
        return [d.estado for d in recibo.destinos(db, id)]


def marks(home: Home) -> list[outbox.Mark]:
    with home.house.reading() as db:
        return list(db.scalars(select(outbox.Mark)))


def settled(home: Home) -> None:
    """Everybody was looked at, and every date of the world's making is long past on every node."""
    for minutes in (0, 10):
        home.clock.move(minutes=minutes)
        worker.sweep(home.house)
        while worker.once(home.house, "diretorio"):
            pass


def account_of(home: Home, role: str = "servidora") -> Account:
    account = home.house.targets["diretorio"].observe(home.person(role)["login"])
    assert account is not None
    return account


def id_of(home: Home, role: str = "servidora") -> str:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person(role)["cpf"])
    assert somebody is not None
    return somebody.id


def disabled_by_hand(home: Home, outage: Outage, role: str = "servidora") -> None:
    """So that the worker has to enable her again."""
    outage.real.apply(home.person(role)["login"], Disable())
    with home.house.begin(OPERATOR) as ctx:
        ctx.mark("pessoa", id_of(home, role))
