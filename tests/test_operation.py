"""``/healthz``, ``/readyz`` and ``/metrics``: what a load balancer and Prometheus read."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import SQLAlchemyError

from iam import operation, session, worker
from iam.app import close
from iam.ato import Ato
from iam.atos.papel import CASA, SERVICE, WORKER
from iam.db import Database
from iam.errors import Unavailable
from iam.http import Request, Response
from iam.journal import Line
from iam.login import totp
from tests.house import Home, Served, login, make, refresh, serving


def test_a_served_house_is_alive_and_ready(shared: Served) -> None:
    somebody = shared.outsider()
    for path in ("/healthz", "/readyz"):
        answer = somebody.ask("GET", shared.issuer + path)
        assert (answer.status, answer.body) == (200, b"ok\n")
    assert somebody.ask("POST", f"{shared.issuer}/healthz", b"").status == 405


def test_metrics_are_prometheus_text_and_tell_nobodys_name(shared: Served) -> None:
    answer = shared.outsider().ask("GET", f"{shared.issuer}/metrics")
    text = answer.body.decode()
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    sample = re.compile(r'[a-z_]+(\{target="[a-z_]+"\})? -?[0-9.]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in text.splitlines())
    assert 'portaria_marks_waiting{target="diretorio"}' in text
    entries = re.search(r"^portaria_journal_entries_total (\d+)$", text, re.MULTILINE)
    assert entries is not None
    assert int(entries[1]) > 0
    assert not any(p["cpf"] in text or p["login"] in text for p in shared.world.people.values())


def test_without_a_revocation_list_the_house_is_not_ready_from_the_first_moment(
    tmp_path: Path,
) -> None:
    home = make(tmp_path / "data", f"sqlite:///{tmp_path / 'portaria.db'}")

    def said(name: str) -> int:
        text = asyncio.run(_answer(operation.metrics(home.house, Request("GET", "/metrics")))).body.decode()
        found = re.search(rf"^portaria_revocation_lists_{name} (\d+)$", text, re.MULTILINE)
        assert found is not None, text
        return int(found[1])

    def ready() -> tuple[int, bytes]:
        answer = asyncio.run(_answer(operation.readyz(home.house, Request("GET", "/readyz"))))
        return answer.status, answer.body

    assert ready() == (200, b"ok\n")
    assert (said("unusable"), said("expire_seconds") > 3600) == (0, True)
    list_, good = home.data / "ca.crl", (home.data / "ca.crl").read_bytes()
    list_.unlink()
    assert ready() == (200, b"ok, but a revocation list is unusable\n")
    assert said("unusable") == 1
    assert 0 < said("expire_seconds") <= 15 * 60
    home.clock.move(minutes=16)
    assert said("expire_seconds") == 0
    list_.write_bytes(good)
    assert ready() == (200, b"ok\n")
    close(home.house)


async def _answer(waiting: Awaitable[Response]) -> Response:
    return await waiting


def test_without_its_database_the_house_is_alive_but_not_ready(tmp_path: Path) -> None:
    database = tmp_path / "portaria.db"
    house = make(tmp_path / "data", f"sqlite:///{database}").house
    house.database.engine.dispose()
    database.unlink()
    assert operation.healthz(house, Request("GET", "/healthz")).status == 200
    ready = asyncio.run(operation.readyz(house, Request("GET", "/readyz")))
    assert (ready.status, ready.body) == (503, b"database\n")
    close(house)


def test_without_its_database_every_edge_says_that_it_may_be_asked_again(tmp_path: Path) -> None:
    home = make(tmp_path / "data", f"sqlite:///{tmp_path / 'portaria.db'}")
    with serving(home) as served:
        stranger, machine, auditor = served.outsider(), served.outsider("pdp"), served.outsider("auditoria")
        asked = {"token": served.token("sefaz-mt"), "client_id": str(home.world.clients["pdp"]["client_id"])}
        header = {"Authorization": f"Bearer {served.token('auditoria', 'diario')}"}
        assert machine.form(f"{served.mtls}/oauth/introspect", asked).json()["active"] is True
        home.house.database.engine.dispose()
        (tmp_path / "portaria.db").unlink()

        answer = machine.form(f"{served.mtls}/oauth/introspect", asked)
        assert (answer.status, answer.json()) == (503, {"error": "temporarily_unavailable"})
        answer = auditor.ask("GET", f"{served.mtls}/api/diario", headers=header)
        assert (answer.status, answer.json()["code"]) == (503, "indisponivel")
        for path in ("/entrar", "/minhas"):
            answer = stranger.ask("GET", f"{served.issuer}{path}", headers={"Cookie": f"{session.COOKIE}=x"})
            assert answer.status == 503, path
            assert "Serviço indisponível" in answer.body.decode()
    close(home.house)


@contextmanager
def held_by_another(database: Database) -> Iterator[None]:
    """Somebody else's program keeps everybody from writing, and lets them read; who waits for it soon gives up."""
    sqlite = database.sqlite
    patience = "PRAGMA busy_timeout = 100" if sqlite else "SET lock_timeout = 100"
    hold = "SELECT 1" if sqlite else "LOCK TABLE entry, watermark IN EXCLUSIVE MODE"  # SQLite's transaction begins so

    def lent(connection: DBAPIConnection, *_: object) -> None:
        cursor = connection.cursor()
        cursor.execute(patience)
        cursor.close()
        connection.commit()

    other = Database(database.engine.url.render_as_string(hide_password=False))
    event.listen(database.engine, "checkout", lent)
    with other.engine.connect() as connection:
        connection.exec_driver_sql(hold)
        yield
    event.remove(database.engine, "checkout", lent)
    other.engine.dispose()


def test_a_database_that_takes_nothing_is_told_until_it_does(home: Home) -> None:
    def ready() -> tuple[int, bytes]:
        answer = asyncio.run(_answer(operation.readyz(home.house, Request("GET", "/readyz"))))
        return answer.status, answer.body

    decision = home.house.policy.decide(WORKER, Ato.CONTA_AJUSTAR, CASA)
    line = Line(home.clock(), decision, SERVICE)
    with held_by_another(home.house.database):
        with pytest.raises(SQLAlchemyError):
            worker.sweep(home.house)
        assert ready() == (503, b"database cannot be written\n")
    home.house.recorder.write(line)
    assert ready() == (200, b"ok\n")
    with held_by_another(home.house.database):
        with pytest.raises(Unavailable):
            home.house.recorder.write(line)
        assert ready() == (503, b"database cannot be written\n")
    worker.sweep(home.house)
    assert ready() == (200, b"ok\n")


def test_whoever_asks_while_the_database_takes_nothing_hears_to_come_back_and_then_succeeds(
    home: Home, served: Served
) -> None:
    account, browser, who = login(served), served.outsider(), home.person("gestor")
    page = browser.ask("GET", f"{served.issuer}/entrar")
    page = browser.submit(page, "entrar", {"login": str(who["login"]), "senha": str(who["password"])})
    page = browser.browse(page, stop="http://")
    with held_by_another(home.house.database):
        answer = refresh(served, account)
        assert (answer.status, answer.json()["error"]) == (503, "temporarily_unavailable")
        screen = browser.submit(page, "entrar", {"codigo": totp.code(who["totp"], home.clock())})
        assert screen.status == 503
        assert "Serviço indisponível" in screen.body.decode()
    assert refresh(served, account).status == 200, "the refresh token was not used up"
    home.clock.move(seconds=31)  # a code may have been used up, as each is good once
    assert browser.submit(page, "entrar", {"codigo": totp.code(who["totp"], home.clock())}).status == 303
