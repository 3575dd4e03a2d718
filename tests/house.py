"""A whole house for a test: real database, packs, keys, people and programs; and the same one served over real TLS."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, make_url, select

from iam import config, migrations, outbox
from iam.app import close, open_house, run
from iam.config import Settings
from iam.context import House
from iam.db import Database
from iam.demo.outsider import Answer, Outsider, Pkce, query
from iam.demo.world import World, build, first_keys, prepare
from iam.login import totp
from iam.worker import Worker
from tests.mould import Cast, Mould, cast
from tests.servers import free_port


@dataclass
class Clock:
    """The real time, moved by what a test adds: certificates and TLS stay valid, deadlines can pass."""

    ahead: timedelta = field(default_factory=timedelta)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def move(self, **by: float) -> None:
        """Lets time pass: ``move(minutes=16)``."""
        self.ahead += timedelta(**by)

    def today(self) -> date:
        """The day in Cuiabá, by which what HR tells of MT's people counts."""
        return self().astimezone(ZoneInfo("America/Cuiaba")).date()


@dataclass
class Home:
    """A house with its world and its clock."""

    house: House
    world: World
    clock: Clock

    @property
    def data(self) -> Path:
        return self.house.data

    def person(self, role: str) -> dict[str, str]:
        return self.world.people[role]


def given(data: Path, url: str, **settings: str) -> Settings:
    """The settings of a house in a directory and on a database, with ports of its own."""
    ports = {"PORT": str(free_port()), "MTLS_PORT": str(free_port())}
    issuers = {"ISSUER": f"https://localhost:{ports['PORT']}", "MTLS_ISSUER": f"https://localhost:{ports['MTLS_PORT']}"}
    return config.read({}, DEMO="true", DATA=str(data), DATABASE_URL=url, **ports, **issuers, **settings)


def built(data: Path, url: str) -> World:
    """The demonstration's world in an empty directory, on an empty database."""
    clock = Clock()
    prepare(data, clock())
    settings = given(data, url)
    migrations.metadata()
    database = Database(settings.database)
    database.create()
    database.engine.dispose()
    house = open_house(settings, clock)
    first_keys(house)
    world = build(house)
    close(house)
    return world


@functools.cache
def mould(server: str) -> Mould[Cast]:
    """The house that is copied, on each engine; of a server of databases, on each server."""
    return Mould(lambda: cast(server, built))


def make(data: Path, url: str, **settings: str) -> Home:
    """A new house in a directory, on a database that is empty."""
    server = make_url(url).set(database="").render_as_string(hide_password=False)
    world = mould(server).newest().copy(data, url)
    clock = Clock()
    return Home(open_house(given(data, url, **settings), clock), world, clock)


@pytest.fixture
def home(tmp_path: Path, database_url: str) -> Iterator[Home]:
    """A house on each engine, without server or worker: a test drives them."""
    made = make(tmp_path / "data", database_url)
    yield made
    close(made.house)


@dataclass
class Served:
    """A house that answers over TLS, with its worker running."""

    home: Home
    issuer: str
    mtls: str
    met: list[Outsider] = field(default_factory=list)

    @property
    def house(self) -> House:
        return self.home.house

    @property
    def world(self) -> World:
        return self.home.world

    def outsider(self, client: str = "") -> Outsider:
        """Somebody outside, with the certificate of a client or without any."""
        known = self.world.clients.get(client, {})
        self.met.append(Outsider(self.home.data / "ca.pem", str(known.get("cert", "")), str(known.get("key", ""))))
        return self.met[-1]

    def token(self, client: str, scope: str = "") -> str:
        """A machine client's access token."""
        form = {"grant_type": "client_credentials", "client_id": str(self.world.clients[client]["client_id"])}
        answer = self.outsider(client).form(f"{self.mtls}/oauth/token", form | ({"scope": scope} if scope else {}))
        assert answer.status == 200, answer.body
        return str(answer.json()["access_token"])


@contextmanager
def serving(home: Home) -> Iterator[Served]:
    """Serves a house until the block ends."""
    worker = Worker(home.house)
    stop, ready = threading.Event(), threading.Event()
    failed: list[BaseException] = []

    def serve() -> None:
        try:
            run(home.house, ready.set, stop)
        except BaseException as error:  # noqa: BLE001 - told to the test's own thread
            failed.append(error)
            ready.set()

    thread = threading.Thread(target=serve, daemon=True)
    worker.start()
    thread.start()
    assert ready.wait(60)
    if failed:
        raise failed[0]
    answer = Served(home, home.house.settings.issuer, home.house.settings.mtls)
    try:
        yield answer
    finally:
        for somebody in answer.met:
            somebody.close()
        stop.set()
        thread.join(60)
        worker.stop()


@pytest.fixture
def served(home: Home) -> Iterator[Served]:
    """The house of this test, served, on each engine."""
    with serving(home) as answer:
        yield answer


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One served house on SQLite for the tests of a module that leave no trace on each other."""
    data = tmp_path_factory.mktemp("house") / "data"
    home = make(data, f"sqlite:///{data / 'portaria.db'}")
    with serving(home) as answer:
        yield answer
    close(home.house)


@dataclass
class Account:
    """Somebody logged in through the pages, and what the application got."""

    browser: Outsider
    tokens: dict[str, str]

    @property
    def access(self) -> str:
        return self.tokens["access_token"]

    @property
    def refresh(self) -> str:
        return self.tokens["refresh_token"]


def request_of(app: dict[str, object], pkce: Pkce, **more: str) -> dict[str, str]:
    """An authorization request of an application for everything it may ask."""
    scopes = app["scopes"]
    assert isinstance(scopes, list)
    return {
        "response_type": "code",
        "client_id": str(app["client_id"]),
        "redirect_uri": str(app["redirect_uri"]),
        "scope": " ".join(scopes),
        "state": "estado",
        "nonce": "n-0S6_WzA2Mj",
        "code_challenge": pkce.challenge,
        "code_challenge_method": "S256",
        "resource": str(app["resource"]),
    } | more


def code_of(served: Served, role: str, app: str, pkce: Pkce, browser: Outsider, **more: str) -> str:
    """Goes through the pages as a person would: senha, código, consent; answers the authorization code."""
    program, who = served.world.apps[app], served.home.person(role)
    stop = str(program["redirect_uri"])
    start = f"{served.issuer}/oauth/authorize?{urlencode(request_of(program, pkce, **more))}"
    page = browser.browse(browser.ask("GET", start), stop)
    if b'id="senha"' in page.body:
        page = browser.browse(browser.submit(page, "entrar", {"login": who["login"], "senha": who["password"]}), stop)
        assert b'id="codigo"' in page.body, page
        served.home.clock.move(seconds=31)  # each code is good once
        code = totp.code(who["totp"], served.home.clock())
        page = browser.browse(browser.submit(page, "entrar", {"codigo": code}), stop)
    if b'id="consentir"' in page.body:
        page = browser.browse(browser.submit(page, "consentir", {}), stop)
    answered = query(page.url)
    assert "code" in answered, (page.status, page.url, page.body[:2000])
    return answered["code"]


def redeem(served: Served, app: str, code: str, pkce: Pkce, browser: Outsider) -> Answer:
    """What the token endpoint answers for a code."""
    program = served.world.apps[app]
    form = {
        "grant_type": "authorization_code",
        "client_id": str(program["client_id"]),
        "code": code,
        "redirect_uri": str(program["redirect_uri"]),
        "code_verifier": pkce.verifier,
    }
    return browser.form(f"{served.issuer}/oauth/token", form)


def login(served: Served, role: str = "servidora", app: str = "mt-ipva", browser: Outsider | None = None) -> Account:
    """A person logged in to an application, with tokens."""
    browser, pkce = browser or served.outsider(), Pkce.new()
    answer = redeem(served, app, code_of(served, role, app, pkce, browser), pkce, browser)
    assert answer.status == 200, answer.body
    return Account(browser, {k: str(v) for k, v in answer.json().items()})


def introspect(served: Served, token: str, client: str = "pdp") -> dict[str, object]:
    """RFC 7662, asked by the decision point."""
    form = {"token": token, "client_id": str(served.world.clients[client]["client_id"])}
    return served.outsider(client).form(f"{served.mtls}/oauth/introspect", form).json()


def refresh(served: Served, account: Account, app: str = "mt-ipva") -> Answer:
    """What the token endpoint answers for the account's refresh token."""
    client_id = str(served.world.apps[app]["client_id"])
    form = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": account.refresh}
    return account.browser.form(f"{served.issuer}/oauth/token", form)


def userinfo(served: Served, token: str) -> Answer:
    """What userinfo answers."""
    return served.outsider().ask("GET", f"{served.issuer}/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})


def report(
    served: Served, tipo: str, numero: str, role: str = "servidora", day: str = "2026-01-05", **more: str
) -> Answer:
    """What the HR system tells, over HTTP."""
    event = {"fonte": "rh-sefaz-mt", "numero": numero, "cpf": served.home.person(role)["cpf"], "tipo": tipo}
    header = {"Authorization": f"Bearer {served.token('rh', 'pessoa:evento')}"}
    return served.outsider("rh").send(f"{served.mtls}/api/pessoa/evento", event | {"data_efeito": day} | more, header)


def decide(served: Served, role: str, action: str, sistema: str) -> dict[str, object]:
    """An AuthZEN evaluation about a person."""
    question = {
        "subject": {"type": "pessoa", "id": served.home.person(role)["cpf"]},
        "action": {"name": action},
        "resource": {"type": "sistema", "id": sistema},
    }
    header = {"Authorization": f"Bearer {served.token('pdp', 'decisoes')}"}
    return served.outsider("pdp").send(f"{served.mtls}/access/v1/evaluation", question, header).json()


def provisioned(served: Served) -> None:
    """Waits until the worker saw everybody of the world on every target."""
    for _ in range(1800):
        with served.house.reading() as db:
            if db.scalar(select(func.count()).select_from(outbox.Mark)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("marks remain")


def receipt(served: Served, path: str, *, until_seen: bool = True) -> dict[str, object]:
    """The receipt, once every target was seen (or as it stands)."""
    header = {"Authorization": f"Bearer {served.token('auditoria', 'diario')}"}
    auditor = served.outsider("auditoria")
    for _ in range(1800):
        seen = auditor.ask("GET", f"{served.mtls}{path}", headers=header).json()
        targets = seen["destinos"]
        assert isinstance(targets, dict)
        if not until_seen or all(t["estado"] == "visto" for t in targets.values()):
            return seen
        time.sleep(0.05)
    raise AssertionError(seen)
