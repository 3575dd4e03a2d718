"""The group commit: durable before it answers, refused when what it was computed from has moved, counted when anonymous."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from iam import journal, recorder, search, tally
from iam.ato import Ato
from iam.atos import sujeito
from iam.atos.sujeito import Sujeito
from iam.demo.world import OPERATOR
from iam.errors import Unavailable
from iam.journal import Agente, Line
from iam.recorder import Guard, Stale
from iam.search import Filter
from tests.house import Home


def line(
    home: Home, agente: Agente = OPERATOR, *, jti: str | None = None, words: frozenset[str] = frozenset({"client_mtls"})
) -> Line:
    decision = home.house.policy.decide(words, Ato.TOKEN_EMITIR, "portaria")
    return Line(home.clock(), decision, agente, jti=jti)


def guard(home: Home, id: str) -> Guard:
    with home.house.reading() as db:
        row = db.execute(select(Sujeito.epoch, Sujeito.version).where(Sujeito.id == id)).one()
    return Guard(id, row.epoch, row.version)


def test_a_line_is_on_disk_when_its_future_ends(home: Home) -> None:
    async def many() -> None:
        await asyncio.gather(*(home.house.recorder.submit(line(home, jti=f"jti-{n}")) for n in range(200)))

    asyncio.run(many())
    with home.house.reading() as db:
        found = search.find(db, Filter(ato="token:emitir"), most=500)
    assert {entry.jti for entry, _ in found} == {f"jti-{n}" for n in range(200)}


def test_more_lines_than_one_statement_holds_are_all_on_disk(home: Home) -> None:
    many = 2 * recorder.BATCH + 1

    async def at_once() -> None:
        await asyncio.gather(*(home.house.recorder.submit(line(home, jti=f"jti-{n}")) for n in range(many)))

    asyncio.run(at_once())
    with home.house.reading() as db:
        found = search.find(db, Filter(ato="token:emitir"), most=2 * many)
    assert sorted(str(entry.jti) for entry, _ in found) == sorted(f"jti-{n}" for n in range(many))


def test_a_line_computed_from_an_older_epoch_or_version_is_refused_and_its_neighbours_are_not(home: Home) -> None:
    old, other = guard(home, "sefaz-mt"), guard(home, "sefaz-sp")
    with home.house.begin(OPERATOR) as ctx:
        sujeito.touch(ctx.db, ["sefaz-mt"])

    async def both() -> list[object]:
        futures = [home.house.recorder.submit(line(home, jti=g.sujeito), [g]) for g in (old, other)]
        return list(await asyncio.gather(*futures, return_exceptions=True))

    first, second = asyncio.run(both())
    assert isinstance(first, Stale)
    assert second is None
    with home.house.reading() as db:
        assert [e.jti for e, _ in search.find(db, Filter(ato="token:emitir"))] == ["sefaz-sp"]


def test_no_line_passes_once_the_act_that_raises_the_epoch_has_committed(home: Home) -> None:
    old = guard(home, "sefaz-mt")
    late: list[str] = []
    committed = threading.Event()

    def ask() -> None:
        while True:
            was = committed.is_set()
            try:
                home.house.recorder.write(line(home), [old])
            except Stale:
                return
            if was:
                late.append("born after the cut")

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    with home.house.begin(OPERATOR) as ctx:
        sujeito.raise_epoch(ctx.db, ["sefaz-mt"])
    committed.set()
    for thread in threads:
        thread.join(120)
    assert late == []


UNKNOWN = frozenset({"client_desconhecido"})


def stranger(address: str = "203.0.113.9", claimed: str = "") -> Agente:
    return Agente("anonimo", "", address=address, client_id=claimed)


def refusals(home: Home) -> list[dict[str, Any]]:
    """The payloads of what strangers were refused, oldest first."""
    with home.house.reading() as db:
        found = search.find(db, Filter(agente="anonimo:"), most=5000)
    assert all(not entry.allowed and entry.requirement for entry, _ in found)
    return [orjson.loads(entry.payload or b"{}") for entry, _ in reversed(found)]


def total(lines: list[dict[str, Any]]) -> int:
    return sum(int(found.get("vezes", 1)) for found in lines)


@pytest.fixture
def commits(home: Home, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines each commit of the writer took."""
    seen: list[int] = []
    commit = type(home.house.recorder)._commit

    def counted(self: recorder.Recorder, batch: list[Any]) -> None:
        seen.append(len(batch))
        commit(self, batch)

    monkeypatch.setattr(type(home.house.recorder), "_commit", counted)
    return seen


def test_anonymous_refusals_are_counted_by_reason_and_network_whatever_client_they_claim(
    home: Home, commits: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COALESCE_SECONDS", 3600.0)
    for n in range(5000):
        home.house.recorder.note(line(home, stranger(claimed=f"inventado-{n}"), words=UNKNOWN))
    home.house.recorder.flush()
    lines = refusals(home)
    assert total(lines) == 5000
    assert len(lines) == len(commits) <= 2, "what came before the writer woke, and the rest"
    assert (
        sum(sum(found.get("alegados", {"": 1}).values()) + found.get("alegados_demais", 0) for found in lines) == 5000
    )
    assert all(len(found.get("alegados", {})) <= tally.CLAIMED for found in lines)
    longest = max(lines, key=lambda found: int(found.get("vezes", 1)))
    assert "client_id" not in longest["estacao"], "no single one is blamed for all"
    assert longest["estacao"]["address"] == "203.0.113.9"


def test_the_first_refusal_after_a_quiet_second_is_on_disk_without_anybody_asking(home: Home) -> None:
    home.house.recorder.note(line(home, stranger(claimed="engano"), words=UNKNOWN))
    deadline = time.monotonic() + 60
    while not refusals(home) and time.monotonic() < deadline:
        time.sleep(0.01)
    (found,) = refusals(home)
    assert found["estacao"]["client_id"] == "engano"


def test_nobody_is_told_in_the_name_of_another_who_was_refused_from_the_same_network(home: Home) -> None:
    for name in ("auditoria", "rh", "auditoria"):
        agente = replace(stranger(), kind="client", id=name)
        home.house.recorder.note(line(home, agente, words=UNKNOWN))
    home.house.recorder.stop()
    with home.house.reading() as db:
        found = db.scalars(
            select(journal.Entry).where(journal.Entry.agente.in_(("client:auditoria", "client:rh")))
        ).all()
    times = {
        name: [orjson.loads(e.payload or b"{}").get("vezes", 1) for e in found if e.agente == name]
        for name in ("client:auditoria", "client:rh")
    }
    assert {name: sum(each) for name, each in times.items()} == {"client:auditoria": 2, "client:rh": 1}


def test_refusals_for_another_reason_from_another_network_or_about_another_person_are_lines_of_their_own(
    home: Home,
) -> None:
    for _ in range(3):
        for agente in (stranger(), stranger("203.0.113.10"), stranger("2001:db8::1"), stranger("2001:db8::2")):
            home.house.recorder.note(line(home, agente, words=UNKNOWN))
        home.house.recorder.note(line(home, stranger(), words=frozenset({"sem_certificado"})))
        home.house.recorder.note(replace(line(home, stranger(), words=UNKNOWN), pessoa="a"))
        home.house.recorder.note(replace(line(home, stranger(), words=UNKNOWN), pessoa="b"))
    home.house.recorder.stop()
    lines = refusals(home)
    assert total(lines) == 21
    with home.house.reading() as db:
        about = [e.pessoa for e, _ in search.find(db, Filter(agente="anonimo:"))]
    assert {"a", "b", None} == set(about)
    last = {str(found["estacao"]["address"]) for found in lines}
    assert len(last) <= 4
    assert "203.0.113.10" in last


def test_a_crowd_of_networks_fills_neither_memory_nor_journal_and_every_refusal_is_in_the_total(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tally, "KINDS", 20)
    for n in range(3000):
        home.house.recorder.note(line(home, stranger(f"198.{n // 250}.0.{n % 250}"), words=UNKNOWN))
        assert len(home.house.recorder._tally._counted) <= 21
    home.house.recorder.flush()
    lines = refusals(home)
    assert total(lines) == 3000
    assert any(found.get("redes") == "várias" and not found["estacao"] for found in lines)
    assert len(lines) < 1000


def test_what_the_database_did_not_take_is_counted_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    down = True
    row = type(home.house.recorder)._row

    def failing(self: recorder.Recorder, waiting: Any) -> Any:
        if down:
            raise RuntimeError("disk full")
        return row(self, waiting)

    monkeypatch.setattr(type(home.house.recorder), "_row", failing)
    for n in range(200):
        home.house.recorder.note(line(home, stranger(claimed=f"c{n}"), words=UNKNOWN))
        if n % 50 == 0:
            home.house.recorder.flush()
    home.house.recorder.flush()
    assert refusals(home) == []
    down = False
    home.house.recorder.flush()
    lines = refusals(home)
    assert total(lines) == 200
    assert sum(lines[0]["alegados"].values()) + lines[0]["alegados_demais"] == 200


def test_what_is_counted_or_written_while_the_writer_ends_waits_for_nobody_to_ask(home: Home) -> None:
    over, sent = threading.Event(), [0] * 4

    def insist(place: int) -> None:
        while not over.is_set():
            home.house.recorder.note(line(home, stranger(), words=UNKNOWN))
            home.house.recorder.write(line(home, jti=f"jti-{place}-{sent[place]}"))
            sent[place] += 1

    threads = [threading.Thread(target=insist, args=(place,)) for place in range(len(sent))]
    for thread in threads:
        thread.start()
    for _ in range(30):
        home.house.recorder.stop()
    over.set()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    deadline = time.monotonic() + 60
    while total(refusals(home)) < sum(sent) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert total(refusals(home)) == sum(sent)


def test_when_too_much_waits_threads_wait_their_turn_and_the_event_loop_is_told_before_anything_is_given_out(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "WAITING", 8)
    given: list[str] = []

    async def token(n: int) -> None:
        await home.house.recorder.submit(line(home, jti=f"jti-{n}"))
        given.append(f"jti-{n}")

    async def many() -> list[object]:
        return list(await asyncio.gather(*(token(n) for n in range(50)), return_exceptions=True))

    told = asyncio.run(many())
    assert len(given) >= 8
    assert sum(isinstance(answer, Unavailable) for answer in told) == 50 - len(given) > 0

    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda n: home.house.recorder.write(line(home, jti=f"thread-{n}")), range(100)))
    given += [f"thread-{n}" for n in range(100)]
    with home.house.reading() as db:
        written = [entry.jti for entry, _ in search.find(db, Filter(ato="token:emitir"), most=500)]
    assert sorted(written, key=str) == sorted(given), "all that was given out, and nothing else"


@pytest.mark.requirement("TRAM-12-IV.3")
def test_every_line_names_operation_user_workstation_and_moment(home: Home) -> None:
    who = Agente("pessoa", "abc", "Ana", "10.0.0.7", "Firefox", "app-mt-ipva", "sessao-1", "thumb")
    home.house.recorder.write(line(home, who))
    with home.house.reading() as db:
        ((entry, _),) = search.find(db, Filter(agente="pessoa:abc"))
    station = orjson.loads(entry.payload or b"{}")["estacao"]
    assert (entry.ato, entry.agente) == ("token:emitir", "pessoa:abc")
    assert entry.at.tzinfo is not None
    expected = {
        "address": "10.0.0.7",
        "user_agent": "Firefox",
        "client_id": "app-mt-ipva",
        "session": "sessao-1",
        "certificate": "thumb",
    }
    assert station == expected


def test_a_line_that_cannot_be_written_fails_alone_and_the_writer_lives(home: Home) -> None:
    good = line(home, jti="boa")
    bad = replace(line(home), payload={"x": object()})  # type: ignore[dict-item]
    with pytest.raises(TypeError):
        home.house.recorder.write(bad)
    home.house.recorder.write(good)
    with home.house.reading() as db:
        assert [e.jti for e, _ in search.find(db, Filter(ato="token:emitir"))] == ["boa"]
