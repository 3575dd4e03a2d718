"""Between the telling of an event and its day: what is given meanwhile ends by that day, and what came due is done first."""

from __future__ import annotations

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest

from iam import pack, search, session
from iam.atos import pendencia, pessoa, recibo, vinculo
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.connector import Evento as Noticia
from iam.errors import Conflict
from iam.policy import build
from iam.worker import due_events, once, sweep
from tests.atos.rh import FONTE, OTHER, RH, another_tie, give, held, noticia, receive, state, undo
from tests.house import Home

IDLE = timedelta(minutes=30)


def in_days(home: Home, days: int) -> date:
    return home.clock.today() + timedelta(days=days)


def soon(home: Home, tipo: str, minutes: int, numero: str) -> Noticia:
    """An event whose moment, not only whose day, is told."""
    when = home.clock() + timedelta(minutes=minutes)
    return Noticia(FONTE, numero, home.person("servidora")["cpf"], "", "", tipo, when, "", "", "")


def login(home: Home) -> str:
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        return session.start(ctx.db, somebody, "mfa", ["pwd"], ctx.now, address="10.1.1.7", user_agent="teste")[1]


def inside(home: Home, cookie: str) -> bool:
    with home.house.reading() as db:
        return session.find(db, cookie, home.clock(), IDLE, home.house.trust) is not None


def ties(home: Home, when: datetime) -> list[str]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return [tie.orgao for tie in vinculo.vigentes(db, somebody.id, when)]


@pytest.mark.parametrize("worker", ["awake", "asleep"])
def test_a_right_given_while_the_end_of_its_designation_waits_ends_on_that_day(home: Home, worker: str) -> None:
    told, _ = receive(home, noticia(home, "designacao_fim", day=in_days(home, 5)))
    assert told.efeitos == [], "nothing yet on which a norm could speak"
    home.clock.move(days=2)
    give(home, "vfr", "coana-perito", restricao={"evento": ["E1"]})
    assert "vfr.coana-perito" in held(home)
    home.clock.move(days=4)
    if worker == "awake":
        assert due_events(home.house) == 1
    assert held(home) == {"mt-ipva.mt-operacao", "mt-itcd.mt-manutencao", "mt-nfe.mt-consulta"}


def test_a_right_given_while_a_cut_waits_ends_by_its_date_though_no_worker_wakes(home: Home) -> None:
    receive(home, noticia(home, "cancelamento", day=in_days(home, 5)))
    give(home, "mt-cta", "mt-consulta")
    assert len(held(home)) == 4
    home.clock.move(days=6)
    assert held(home) == set()


def test_a_tie_opened_while_the_end_of_the_pessoa_waits_ends_by_its_date_too(home: Home) -> None:
    receive(home, noticia(home, "falecimento", day=in_days(home, 5)))
    another_tie(home, "sefaz-mt-gcad")
    assert len(ties(home, home.clock())) == 2
    home.clock.move(days=6)
    assert ties(home, home.clock()) == []
    with pytest.raises(Conflict, match="falecida"):
        another_tie(home, "rfb")


def test_a_tie_renewed_while_its_end_waits_ends_by_its_date_too(home: Home) -> None:
    another_tie(home, "sefaz-mt-gcad", "T1", since=400, until=3)
    news = noticia(home, "desligamento", day=in_days(home, 5), orgao="sefaz-mt-gcad", matricula="T1")
    receive(home, news)
    home.clock.move(days=4)
    another_tie(home, "sefaz-mt-gcad", "T1", since=1, until=300)
    assert "sefaz-mt-gcad" in ties(home, home.clock())
    home.clock.move(days=2)
    assert "sefaz-mt-gcad" not in ties(home, home.clock())


def test_no_receipt_calls_seen_what_waits_though_its_date_has_come(home: Home) -> None:
    _, receipt = receive(home, noticia(home, "cancelamento", day=in_days(home, 5)))
    give(home, "mt-cta", "mt-consulta")
    home.clock.move(days=6)
    sweep(home.house)
    assert seen(home, receipt.id) == {"pendente"}
    due_events(home.house)
    assert seen(home, receipt.id) == {"visto"}
    assert held(home) == set()


def seen(home: Home, receipt: str) -> set[str]:
    for name in home.house.targets:
        once(home.house, name)
    with home.house.reading() as db:
        return {d.estado for d in recibo.destinos(db, receipt)}


def test_an_event_that_waits_has_the_effect_of_the_norm_in_force_on_its_day(home: Home, tmp_path: Path) -> None:
    replace_mt128(home, tmp_path, in_days(home, 2))
    receive(home, noticia(home, "cancelamento", numero="1", day=in_days(home, 5)))
    home.clock.move(days=3)
    assert home.house.turn_day()
    assert "mt128" not in home.house.policy.packs
    receive(home, noticia(home, "ferias", numero="2", day=in_days(home, 20)))
    home.clock.move(days=3)
    assert held(home) == set(), "by its date, though everything was computed anew under the next version"
    assert due_events(home.house) == 1
    assert held(home) == set()
    event, _ = receive(home, noticia(home, "cancelamento", numero="1", day=in_days(home, -1)))
    assert {e["norma"] for e in event.efeitos} == {"mt128b"}


def test_what_a_norm_took_is_not_given_back_because_its_next_version_is_in_force(home: Home, tmp_path: Path) -> None:
    replace_mt128(home, tmp_path, in_days(home, 2))
    receive(home, noticia(home, "remanejamento", numero="1"))
    receive(home, noticia(home, "cancelamento", numero="2"))
    home.clock.move(days=3)
    assert home.house.turn_day()
    assert undo(home, "1", by="3") == [], "the cancelamento would have taken it too"


def replace_mt128(home: Home, folder: Path, turn: date) -> None:
    """A policy in which MT128 gives way to a next version of the same words on a day."""
    old = pack.find("mt128")
    for name, dates in (("mt128", f"in_force = 2005-10-10\nuntil = {turn}"), ("mt128b", f"in_force = {turn}")):
        shutil.copytree(old, folder / name)
        toml = folder / name / "pack.toml"
        text = toml.read_text(encoding="utf-8").replace('id = "mt128"', f'id = "{name}"')
        toml.write_text(text.replace("in_force = 2005-10-10", dates), encoding="utf-8")
    others = [known for id, known in home.house.policy.read.items() if id != "mt128"]
    versions = [pack.read(folder / name) for name in ("mt128", "mt128b")]
    home.house.policy = build([*others, *versions], home.clock.today())


def test_a_leave_that_had_begun_by_its_date_is_a_cut_before_it_is_undone(home: Home) -> None:
    cookie = login(home)
    receive(home, soon(home, "licenca_inicio", 5, "1"))
    home.clock.move(minutes=7)
    assert not inside(home, cookie)
    undo(home, "1", by="2")
    assert state(home) == ("habilitada", ("ativo",))
    assert not inside(home, cookie), "she comes in again, the old session never"


def test_a_leave_that_came_due_while_its_undoing_waited_to_be_decided_is_a_cut_too(home: Home) -> None:
    cookie = login(home)
    receive(home, soon(home, "licenca_inicio", 5, "1"))
    receive(home, noticia(home, "tornado_sem_efeito", numero="2", observacao="1"))
    home.clock.move(minutes=7)
    with home.house.begin(OTHER) as ctx:
        (question,) = pendencia.abertas(ctx.db)
        desfazer(ctx, question.id, papeis=OPERADOR)
    assert state(home) == ("habilitada", ("ativo",))
    assert not inside(home, cookie)


def test_a_leave_and_a_return_that_came_due_unseen_are_a_cut_and_a_return(home: Home) -> None:
    cookie = login(home)
    receive(home, soon(home, "licenca_inicio", 5, "1"))
    receive(home, soon(home, "licenca_fim", 10, "2"))
    home.clock.move(minutes=7)
    assert ties(home, home.clock()) == []
    home.clock.move(minutes=5)
    assert ties(home, home.clock()) == [], "a return opens nothing by its date"
    receive(home, noticia(home, "cancelamento", numero="3", day=in_days(home, 30)))
    assert state(home) == ("cadastrada", ("ativo",))
    assert held(home) == set()
    assert not inside(home, cookie)


def test_what_came_due_takes_effect_before_a_right_is_given(home: Home) -> None:
    receive(home, soon(home, "cancelamento", 5, "1"))
    home.clock.move(minutes=7)
    give(home, "mt-cta", "mt-consulta")
    assert due_events(home.house) == 0
    assert held(home) == {"mt-cta.mt-consulta"}, "given after the event, so not the event's to take"


def test_what_came_due_is_the_workers_in_the_journal_whoever_met_it(home: Home) -> None:
    event, _ = receive(home, soon(home, "cancelamento", 5, "1"))
    home.clock.move(minutes=7)
    give(home, "mt-cta", "mt-consulta")
    with home.house.reading() as db:
        done = search.find(db, search.Filter(pessoa=event.pessoa, ato="pessoa:evento"), most=1)
    assert [entry.agente for entry, _ in done] == ["sistema:worker"]
