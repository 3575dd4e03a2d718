"""The worker: nothing is lost, nothing is done twice to a visible effect, one target that is down delays no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from iam import doctor, inventory, outbox, reconcile, search, setback, worker
from iam.atos import concessao, evento, pessoa, recibo, sujeito, vinculo
from iam.atos.client import Client
from iam.atos.papel import OPERADOR
from iam.atos.receber import aplicar, receber
from iam.connector import AddPerfil, Create, Enable, Evento
from iam.context import Ctx
from iam.demo.world import OPERATOR
from iam.errors import Invalid
from iam.oauth import expiry
from iam.oauth.tables import Interaction
from tests.house import Home
from tests.outage import Outage, account_of, cut, id_of, marks, seen, settled
from tests.overlap import commits
from tests.test_search import plans


def test_what_time_ended_is_found_by_the_sweep(home: Home, outage: Outage) -> None:
    settled(home)
    with home.house.begin(OPERATOR) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        for right in concessao.vigentes(ctx.db, somebody.id, ctx.now):
            right.vigente_ate = ctx.now + timedelta(hours=1)
    home.clock.move(hours=2)
    assert worker.sweep(home.house) == 1
    worker.once(home.house, "diretorio")
    account = outage.observe(home.person("servidora")["login"])
    assert account is not None
    assert account.perfis == frozenset()


def test_drift_made_by_hand_on_a_target_is_found_once_a_day_and_undone(home: Home, outage: Outage) -> None:
    worker.sweep(home.house)
    while worker.once(home.house, "diretorio"):
        pass
    outage.real.apply(home.person("auditor")["login"], AddPerfil("mt-ipva.mt-manutencao"))
    home.clock.move(hours=25)
    assert worker.sweep(home.house) >= len(home.world.people)
    while worker.once(home.house, "diretorio"):
        pass
    account = outage.observe(home.person("auditor")["login"])
    assert account is not None
    assert account.perfis == frozenset()
    with home.house.reading() as db:
        (somebody,) = [p for p in db.scalars(select(pessoa.Pessoa)) if p.login == home.person("auditor")["login"]]
    assert all(d.changes == () for d in reconcile.drift(home.house, somebody.id))


def test_an_act_waits_for_no_sweep(home: Home, outage: Outage, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only for the few people who are being marked together with her."""
    if home.house.database.sqlite:
        pytest.skip("an embedded database has one writer, who is soon done")
    monkeypatch.setattr(worker, "SWEEP_BATCH", 3)
    put, begun, done = outbox.put, list[str](), list[bool]()

    def told(db: Session, targets: Iterable[str], kind: str, id: str, now: datetime, due: datetime) -> None:
        put(db, targets, kind, id, now, due)
        begun.append(id)
        if len(begun) == 4:
            done.append(commits(lambda: marked_again(begun[0])))

    def marked_again(id: str) -> None:
        with home.house.begin(OPERATOR) as ctx:
            ctx.mark("pessoa", id)

    monkeypatch.setattr(outbox, "put", told)
    home.clock.move(hours=25)
    assert worker.sweep(home.house) >= len(home.world.people)
    assert done == [True]


def test_who_is_cut_is_worked_on_before_everybody_whom_the_daily_sweep_looks_at(
    home: Home, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(home)
    monkeypatch.setattr(outbox, "BATCH", 1)
    home.clock.move(hours=25)
    swept = worker.sweep(home.house)
    assert swept >= len(home.world.people)
    home.clock.move(minutes=2)
    last = max(("servidora", "gestor", "chefia", "auditor"), key=lambda role: id_of(home, role))
    receipt = cut(home, role=last)
    worker.once(home.house, "diretorio")
    assert seen(home, receipt) == ["visto"]
    assert len(marks(home)) == swept - 1


def test_who_comes_first_is_found_without_sorting_everybody_who_waits(home: Home, outage: Outage) -> None:
    if not home.house.database.sqlite:
        pytest.skip("PostgreSQL sorts the few that a test has, whatever the index")
    settled(home)
    home.clock.move(hours=25)
    swept = worker.sweep(home.house)
    with plans(home.house.database) as said, home.house.reading() as db:
        assert len(outbox.ready(db, home.clock(), "diretorio")) == swept
    assert said
    assert not [plan for plan in said if "TEMP B-TREE" in plan or "SCAN" in plan]


def late(home: Home) -> list[doctor.Finding]:
    found = doctor.after_opening(home.house)
    return [one for one in found if one.name == "ajustes nos destinos" and one.state == doctor.FALHA]


def test_who_only_the_sweep_looks_at_and_fails_again_and_again_alarms_before_the_day_is_over(
    home: Home, outage: Outage
) -> None:
    settled(home)
    home.clock.move(hours=25)
    worker.sweep(home.house)
    outage.down = True
    for _ in range(outbox.STUCK - 1):
        worker.once(home.house, "diretorio")
        home.clock.move(minutes=5)
    assert late(home) == []
    worker.once(home.house, "diretorio")
    (told,) = late(home)
    assert f"{len(marks(home))} em diretorio (o diretório não responde)" in told.text


def test_an_event_takes_effect_on_its_day_though_a_sweep_is_under_way(
    home: Home, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(worker, "sweep", lambda _house: ended.wait(120))
    news = Evento(
        "rh-sefaz-mt",
        "9",
        home.person("gestor")["cpf"],
        "",
        "",
        "desligamento",
        home.clock.today() + timedelta(days=1),
        "",
        "",
        "",
    )
    with home.house.begin(OPERATOR) as ctx:
        receipt = receber(ctx, news, papeis=OPERADOR)[1].id
    home.clock.move(days=3)
    at_work = worker.Worker(home.house)
    at_work.start()
    try:
        deadline = time.monotonic() + 60
        while seen(home, receipt) != ["visto"] and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        ended.set()
        at_work.stop()
    assert seen(home, receipt) == ["visto"]


@pytest.mark.requirement("TRAM-12-IV.1")
def test_what_the_system_does_by_itself_is_in_the_journal_with_the_service_identity(home: Home, outage: Outage) -> None:
    tomorrow = home.clock.today() + timedelta(days=2)
    news = Evento("rh-sefaz-mt", "9", home.person("gestor")["cpf"], "", "", "desligamento", tomorrow, "", "", "")
    with home.house.begin(OPERATOR) as ctx:
        receber(ctx, news, papeis=OPERADOR)
    home.clock.move(days=3)
    worker.due_events(home.house)
    worker.once(home.house, "diretorio")
    with home.house.reading() as db:
        adjusted = search.find(db, search.Filter(ato="conta:ajustar"))
        expired = search.find(db, search.Filter(ato="pessoa:evento", agente="sistema:worker"))
    assert len(expired) == 1
    assert expired[0][0].requirement == "MT128-13.4"
    assert adjusted
    found = [*adjusted, *expired]
    assert all(entry.agente == "sistema:worker" and b"127.0.0.1" in (entry.payload or b"") for entry, _ in found)


def test_two_that_mark_the_same_person_at_once_both_succeed(home: Home, outage: Outage) -> None:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
    both = threading.Barrier(2, timeout=60)
    failed: list[BaseException] = []

    def mark() -> None:
        try:
            for _ in range(20):
                with home.house.begin(OPERATOR) as ctx:
                    if not home.house.database.sqlite:
                        both.wait()
                    ctx.mark("pessoa", somebody.id)
                worker.once(home.house, "diretorio")
        except Exception as error:  # noqa: BLE001 - told to the test's own thread
            failed.append(error)

    threads = [threading.Thread(target=mark) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    while worker.once(home.house, "diretorio"):
        pass
    assert marks(home) == []


def test_what_nobody_can_redeem_any_more_is_removed_every_ten_minutes(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interactions(expired: int) -> None:
        with home.house.database.write() as db:
            for n in range(expired):
                past = home.clock() - timedelta(hours=1)
                client = db.scalars(select(Client.id)).first() or ""
                db.add(Interaction(digest=f"{past} {n}", client=client, expires_at=past))

    monkeypatch.setattr(expiry, "BATCH", 3)
    interactions(4)
    assert [worker.expire(home.house) for _ in range(4)] == [3, 1, 0, 0], "a batch at each look, until nothing is left"
    interactions(2)
    home.clock.move(minutes=9)
    assert worker.expire(home.house) == 0
    home.clock.move(minutes=2)
    assert worker.expire(home.house) == 2


def test_the_loop_itself_removes_it(home: Home) -> None:
    with home.house.database.write() as db:
        client = db.scalars(select(Client.id)).first() or ""
        past = home.clock() - timedelta(hours=1)
        db.add(Interaction(digest="x", client=client, expires_at=past))
    at_work = worker.Worker(home.house)
    at_work.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with home.house.reading() as db:
                if db.get(Interaction, "x") is None:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("the expired row is still there")
    finally:
        at_work.stop()


def test_a_tie_that_time_ended_is_found_by_the_sweep(home: Home, outage: Outage) -> None:
    settled(home)
    with home.house.begin(OPERATOR) as ctx:
        for tie in vinculo.vigentes(ctx.db, id_of(home), ctx.now):
            tie.ate = ctx.now + timedelta(hours=1)
    home.clock.move(hours=2)
    assert worker.sweep(home.house) == 1
    worker.once(home.house, "diretorio")
    assert not account_of(home).enabled


def test_a_tie_that_time_began_is_found_by_the_sweep(home: Home, outage: Outage) -> None:
    with home.house.begin(OPERATOR) as ctx:
        for tie in vinculo.vigentes(ctx.db, id_of(home), ctx.now):
            tie.de = ctx.now + timedelta(hours=1)
    settled(home)
    assert not account_of(home).enabled
    home.clock.move(hours=2)
    assert worker.sweep(home.house) == 1
    worker.once(home.house, "diretorio")
    assert account_of(home).enabled


def test_the_sweep_of_a_node_whose_clock_is_ahead_hides_nothing(home: Home, outage: Outage) -> None:
    settled(home)
    with home.house.begin(OPERATOR) as ctx:
        for right in concessao.vigentes(ctx.db, id_of(home), ctx.now):
            right.vigente_ate = ctx.now + timedelta(seconds=90)
    ahead = replace(home.house, clock=lambda: home.clock() + timedelta(minutes=2))
    worker.sweep(ahead)
    with home.house.database.write() as db:
        outbox.forget(db)  # whoever looked, by the right clock, saw nothing to change
    home.clock.move(minutes=6)
    assert worker.sweep(home.house) == 1
    worker.once(home.house, "diretorio")
    assert account_of(home).perfis == frozenset()


def test_an_event_that_cannot_be_applied_rests_longer_each_time_and_is_told(
    home: Home, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    tomorrow = home.clock.today() + timedelta(days=2)
    for numero, role in (("20", "gestor"), ("21", "chefia")):
        news = Evento("rh-sefaz-mt", numero, home.person(role)["cpf"], "", "", "desligamento", tomorrow, "", "", "")
        with home.house.begin(OPERATOR) as ctx:
            receber(ctx, news, papeis=OPERADOR)
    home.clock.move(days=3)
    tries: list[str] = []

    def fails(ctx: Ctx, event: evento.Evento, *, papeis: frozenset[str], receipt: recibo.Recibo) -> None:
        if event.numero == "20":
            tries.append(event.id)
            raise Invalid("o vínculo sumiu")
        aplicar(ctx, event, papeis=papeis, receipt=receipt)

    monkeypatch.setattr(worker, "aplicar", fails)
    assert worker.due_events(home.house) == 1, "the other one is applied"
    for _ in range(600):
        worker.due_events(home.house)
        home.clock.move(seconds=1)
    assert 8 <= len(tries) <= 12
    with home.house.reading() as db:
        (told,) = setback.standing(db)
    assert (told.name, told.error, told.tries) == (f"evento {tries[0]}", "o vínculo sumiu", len(tries))
    assert any("o vínculo sumiu" in finding.text for finding in doctor.after_opening(home.house))
    monkeypatch.setattr(worker, "aplicar", aplicar)
    home.clock.move(hours=1)
    assert worker.due_events(home.house) == 1
    with home.house.reading() as db:
        assert setback.standing(db) == []


def test_what_is_no_longer_to_be_done_alarms_nobody(home: Home) -> None:
    with home.house.database.write() as db:
        for name in ("fonte antiga", "contas de antigo", "contas de diretorio", "evento sumido"):
            setback.note(db, name, home.clock(), "não responde")
    worker.due_events(home.house)
    with home.house.reading() as db:
        assert [s.name for s in setback.standing(db)] == ["contas de diretorio"]


def test_an_event_and_an_act_on_the_same_person_do_not_wait_for_each_other_for_ever(home: Home) -> None:
    """Both hold the person first; in opposite orders PostgreSQL ends one of them."""
    if home.house.database.sqlite:
        pytest.skip("SQLite has one writer")
    tomorrow = home.clock.today() + timedelta(days=2)
    news = Evento("rh-sefaz-mt", "30", home.person("gestor")["cpf"], "", "", "desligamento", tomorrow, "", "", "")
    with home.house.begin(OPERATOR) as ctx:
        id = receber(ctx, news, papeis=OPERADOR)[0].id
    home.clock.move(days=3)
    done: list[int] = []
    with home.house.begin(OPERATOR) as ctx:
        sujeito.lock(ctx.db, id_of(home, "gestor"))
        thread = threading.Thread(target=lambda: done.append(worker.due_events(home.house)))
        thread.start()
        time.sleep(1)  # it waits for the person, and must hold nothing meanwhile
        ctx.db.execute(text("SET LOCAL lock_timeout = '5s'"))
        assert ctx.db.get(evento.Evento, id, with_for_update=True) is not None
    thread.join(60)
    assert done == [1]


def test_accounts_that_belong_to_nobody_are_told_and_left_alone(home: Home, outage: Outage) -> None:
    outage.real.apply("fantasma", Create({"nome": "Ninguém"}))
    outage.real.apply("fantasma", Enable())
    assert inventory.take(home.house, "diretorio") == 1
    with home.house.reading() as db:
        (found,) = inventory.latest(db)
        told = search.find(db, search.Filter(ato="conta:ajustar"), most=1)
    assert (found.strays, found.examples) == (1, ["fantasma"])
    assert b"fantasma" in (told[0][0].payload or b"")
    ghost = outage.observe("fantasma")
    assert ghost is not None
    assert ghost.enabled
    assert any("1 em diretorio (fantasma)" in finding.text for finding in doctor.after_opening(home.house))
    outage.real.apply("outra", Create({}))
    assert inventory.take(home.house, "diretorio") == 1, "listed once a day"
    home.clock.move(hours=25)
    assert inventory.take(home.house, "diretorio") == 2


def test_the_loop_lists_the_targets(home: Home) -> None:
    home.house.targets["diretorio"].apply("fantasma", Create({}))
    at_work = worker.Worker(home.house)
    at_work.start()
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with home.house.reading() as db:
                if [row.examples for row in inventory.latest(db)] == [["fantasma"]]:
                    break
            time.sleep(0.05)
        else:
            pytest.fail("nobody told of the account")
    finally:
        at_work.stop()
