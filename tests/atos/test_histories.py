"""Whole histories, drawn by fixed seeds: nothing of before answers after, and the order of telling changes nothing."""

from __future__ import annotations

import itertools
import random
from datetime import datetime, timedelta

import pytest

from iam import session
from iam.atos import concessao, evento, fonte, pendencia, pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder, revogar
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.atos.sujeito import Sujeito
from iam.connector import Evento as Noticia
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import PortariaError
from iam.worker import due_events
from tests.atos.rh import OTHER, RH
from tests.house import Home

PLACES = [("sefaz-mt-gipva", "A"), ("rfb", "C")]
TIPOS = [
    "licenca_inicio",
    "licenca_inicio",
    "licenca_fim",
    "retorno",
    "desligamento",
    "cancelamento",
    "afastamento_preventivo",
    "falecimento",
]
CPFS = ["52998224725", "11144477735", "12345678909", "98765432100", "39053344705", "71428793860"]
FONTES = ("rh-todos", "corregedoria")


@pytest.fixture
def told(home: Home) -> Home:
    """A house with two sources that may tell of everybody."""
    with home.house.begin(RH) as ctx:
        for id in FONTES:
            fonte.cadastrar(ctx, id, id, client=None, orgaos=["*"], papeis=OPERADOR)
    return home


def somebody_new(home: Home, cpf: str) -> str:
    """A person with two ties and rights on both, all long ago."""
    with home.house.begin(RH) as ctx:
        who = pessoa.cadastrar(ctx, cpf, "Joana Prado", f"j{cpf}", origem=ORIGEM, papeis=OPERADOR)
        for orgao, matricula in PLACES:
            tie = abrir(
                ctx, who.id, orgao, matricula, tipo="servidor", de=ctx.now - timedelta(100), fonte=ORIGEM, papeis=OPERADOR
            )  # fmt: skip
            for sistema, perfil in (("mt-cta", "mt-consulta"), ("vfr", "coana-rfb-administracao")):
                conceder(
                    ctx, who.id, sistema, perfil, vinculo=tie, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS,
                    de=ctx.now - timedelta(99),
                )  # fmt: skip
        return who.id


def stands(home: Home, id: str) -> tuple[object, ...]:
    """Where a person stands, without the names of rows."""
    with home.house.reading() as db:
        ties = {tie.id: (tie.orgao, tie.estado, tie.ate) for tie in vinculo.todos(db, id)}
        rights = sorted(
            (r.sistema, r.perfil, ties[str(r.vinculo)][0]) for r in concessao.vigentes(db, id, home.clock())
        )
        return pessoa.get(db, id).estado, sorted(ties.values()), rights


@pytest.mark.parametrize("seed", range(4))
def test_past_events_come_to_the_same_in_whatever_order_they_are_told(told: Home, seed: int) -> None:
    draw = random.Random(seed)
    day = told.clock.today()
    year = [
        (tipo, draw.choice(FONTES), day - timedelta(days=draw.randint(0, 3)), draw.choice(PLACES), n)
        for n, tipo in enumerate(draw.sample(TIPOS, 3))
    ]
    ends = []
    for cpf, order in zip(CPFS, itertools.permutations(year), strict=True):
        id = somebody_new(told, cpf)
        for tipo, source, when, (orgao, matricula), n in order:
            with told.house.begin(RH) as ctx:
                news = Noticia(source, f"{cpf}-{n}", cpf, matricula, "", tipo, when, orgao, "", "")
                receber(ctx, news, papeis=OPERADOR)
        ends.append(stands(told, id))
    assert all(end == ends[0] for end in ends), (year, ends)


def answers(home: Home, id: str) -> set[tuple[object, ...]]:
    """Everything that would answer now, by what it was born under: sessions, identity alone, and each right."""
    now = home.clock()
    with home.house.reading() as db:
        who, epoch = pessoa.get(db, id), db.get_one(Sujeito, id).epoch
        alive: set[tuple[object, ...]] = {("session", who.login_epoch)} if session.may_enter(db, who, now) else set()
        ties = {tie.id: tie.epoch for tie in vinculo.vigentes(db, id, now)}
        if who.estado == pessoa.HABILITADA and ties:
            alive |= {("identity", epoch, tie, of) for tie, of in ties.items()}
            alive |= {("right", epoch, r.id, ties[str(r.vinculo)]) for r in concessao.vigentes(db, id, now)}
        return alive


@pytest.mark.parametrize("seed", range(6))
def test_nothing_that_once_fell_silent_ever_answers_again(told: Home, seed: int) -> None:
    """Whatever is told, undone, given and revoked, and whenever the worker wakes."""
    draw = random.Random(seed)
    id = somebody_new(told, CPFS[0])
    ever, dead, log = set[tuple[object, ...]](), set[tuple[object, ...]](), list[str]()
    for step in range(14):
        act = draw.choices([tell, undo, grant, take, pause, wake], [5, 2, 3, 1, 4, 2])[0]
        try:
            log.append(act(told, id, draw, step))
        except PortariaError as refused:
            log.append(f"refused: {refused}")
        alive = answers(told, id)
        assert not dead & alive, (log, dead & alive)
        ever |= alive
        dead |= ever - alive


def tell(home: Home, id: str, draw: random.Random, step: int) -> str:
    tipo, (orgao, matricula) = draw.choice(TIPOS), draw.choice(PLACES)
    when = home.clock() + timedelta(minutes=draw.choice([-8000, -2000, 0, 3, 10, 40, 300]))
    news = Noticia(draw.choice(FONTES), str(step), CPFS[0], matricula, "", tipo, when, orgao, "", "")
    with home.house.begin(RH) as ctx:
        receber(ctx, news, papeis=OPERADOR)
    return f"{news.fonte} {tipo} {orgao} {when - home.clock()}"


def undo(home: Home, id: str, draw: random.Random, step: int) -> str:
    with home.house.begin(RH) as ctx:
        events = [e for e in evento.todos(ctx.db, id) if e.tipo != evento.DESFAZ]
        if not events:
            return "nothing to undo"
        event = draw.choice(events)
        what = f"undo {event.tipo} {event.numero}"
        news = Noticia(event.fonte, str(step), CPFS[0], "", "", evento.DESFAZ, moment(ctx.now), "", "", event.numero)
        told, _ = receber(ctx, news, papeis=OPERADOR)
    with home.house.begin(OTHER) as ctx:
        for question in pendencia.abertas(ctx.db, pessoa=id):
            if question.evento == told.id and question.kind == pendencia.DESFAZER:
                desfazer(ctx, question.id, papeis=OPERADOR)
    return what


def moment(now: datetime) -> datetime:
    """A moment as a source tells it: to the second."""
    return now.replace(microsecond=0)


def grant(home: Home, id: str, draw: random.Random, step: int) -> str:
    with home.house.begin(RH) as ctx:
        ties = vinculo.vigentes(ctx.db, id, ctx.now)
        if not ties:
            return "no tie to give on"
        tie = draw.choice(ties)
        conceder(
            ctx, id, "mt-ipva", draw.choice(["mt-consulta", "mt-operacao"]), vinculo=tie, origem=ORIGEM,
            fundamento=FUNDAMENTO, papeis=PAPEIS, ate=draw.choice([None, ctx.now + timedelta(minutes=50)]),
        )  # fmt: skip
        return f"grant on {tie.orgao}"


def take(home: Home, id: str, draw: random.Random, step: int) -> str:
    with home.house.begin(RH) as ctx:
        for right in concessao.vigentes(ctx.db, id, ctx.now)[: draw.choice([1, 9])]:
            revogar(ctx, right, motivo="a pedido", papeis=PAPEIS | OPERADOR)
    return "revoke"


def pause(home: Home, id: str, draw: random.Random, step: int) -> str:
    minutes = draw.choice([1, 4, 11, 60])
    home.clock.move(minutes=minutes)
    return f"{minutes} minutes"


def wake(home: Home, id: str, draw: random.Random, step: int) -> str:
    return f"worker: {due_events(home.house)}"
