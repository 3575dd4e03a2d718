"""HR and the people of the demonstration's world, for the tests of events: telling, giving, undoing, and looking."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

from iam.atos import concessao, evento, pendencia, pessoa, recibo, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Evento as Noticia
from iam.context import Agente
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from tests.house import Home

RH = Agente("sistema", "operador", "RH", address="10.1.1.9")
OTHER = Agente("sistema", "operador-2", "Outra pessoa", address="10.1.1.8")
FONTE = "rh-sefaz-mt"
TODAY = date(2026, 1, 5)


def noticia(
    home: Home, tipo: str, *, numero: str = "1", day: date = TODAY, role: str = "servidora", **more: str
) -> Noticia:
    fields = {"matricula": "", "nome": "", "orgao": "", "orgao_destino": "", "observacao": ""} | more
    return Noticia(fonte=FONTE, numero=numero, cpf=home.person(role)["cpf"], tipo=tipo, data_efeito=day, **fields)


def receive(home: Home, news: Noticia, *, papeis: frozenset[str] = OPERADOR) -> tuple[evento.Evento, recibo.Recibo]:
    with home.house.begin(RH) as ctx:
        return receber(ctx, news, papeis=papeis)


def held(home: Home, role: str = "servidora") -> set[str]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person(role)["cpf"])
        assert somebody is not None
        return {f"{c.sistema}.{c.perfil}" for c in concessao.vigentes(db, somebody.id, home.clock())}


def state(home: Home, role: str = "servidora") -> tuple[str, tuple[str, ...]]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person(role)["cpf"])
        assert somebody is not None
        return somebody.estado, tuple(v.estado for v in vinculo.todos(db, somebody.id))


def give(
    home: Home,
    sistema: str,
    perfil: str,
    tie: str | None = None,
    role: str = "servidora",
    restricao: Mapping[str, list[str]] | None = None,
) -> None:
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person(role)["cpf"])
        assert somebody is not None
        ties = vinculo.vigentes(ctx.db, somebody.id, ctx.now)
        where = next(v for v in ties if tie is None or v.orgao == tie)
        conceder(
            ctx, somebody.id, sistema, perfil, vinculo=where, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS,
            restricao=restricao,
        )  # fmt: skip


def another_tie(home: Home, orgao: str, matricula: str = "777", *, since: int = 1, until: int | None = None) -> None:
    """Opens a tie that began so many days ago and, of a contract, ends so many days from now."""
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        abrir(
            ctx, somebody.id, orgao, matricula, tipo="servidor", de=ctx.now - timedelta(since), fonte=ORIGEM, papeis=OPERADOR,
            ate=None if until is None else ctx.now + timedelta(until),
        )  # fmt: skip


def undo(home: Home, numero: str, *, by: str) -> list[concessao.Concessao]:
    """Tells that an event is made void, under the number ``by``, and lets a second person give back."""
    receive(home, noticia(home, evento.DESFAZ, numero=by, observacao=numero))
    with home.house.reading() as db:
        (question,) = (p for p in pendencia.abertas(db) if p.kind == pendencia.DESFAZER)
    with home.house.begin(OTHER) as ctx:
        return desfazer(ctx, question.id, papeis=OPERADOR)
