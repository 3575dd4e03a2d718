"""Our own server as it is installed: a data directory with the demonstration's world, more people if asked, and its process."""

from __future__ import annotations

import random
import ssl
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select

from iam.app import close
from iam.atos.concessao import Concessao
from iam.atos.pessoa import HABILITADA, Pessoa
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import Vinculo
from iam.db import Base, new_id
from iam.demo.outsider import Outsider
from iam.demo.world import new_cpf
from iam.oauth.tables import Authorization, RefreshToken, digest, secret
from iam.session import LoginSession
from tests.bench import process
from tests.bench.load import Ask
from tests.house import Home, make
from tests.servers import running, wait

SISTEMA, PERFIL, UNIT = "mt-ipva", "mt-operacao", "sefaz-mt-gipva"
SCOPE = "mt-ipva:consultar mt-ipva:alterar"


@dataclass(frozen=True)
class Somebody:
    """A person who is logged in and let the application act for her."""

    id: str
    cpf: str
    matricula: str
    refresh_token: str


@dataclass
class Installation:
    """A server in a process of its own, and the ways to ask it."""

    home: Home
    pid: int
    people: Sequence[Somebody]

    @property
    def mtls(self) -> str:
        return self.home.house.settings.mtls

    @property
    def issuer(self) -> str:
        return self.home.house.settings.issuer

    def outsider(self, client: str = "") -> Outsider:
        known = self.home.world.clients.get(client, {})
        return Outsider(self.home.data / "ca.pem", str(known.get("cert", "")), str(known.get("key", "")))

    def tls(self, client: str) -> ssl.SSLContext:
        """A client's end of mutual TLS."""
        context = ssl.create_default_context(cafile=str(self.home.data / "ca.pem"))
        known = self.home.world.clients[client]
        context.load_cert_chain(str(known["cert"]), str(known["key"]))
        return context

    def ask(self, client: str, path: str, marker: bytes, **form: str) -> Ask:
        """A request that a machine client sends over and over."""
        named = str(self.home.world.clients[client]["client_id"])
        return Ask(f"{self.mtls}{path}", {"client_id": named, **form}, marker, tls=self.tls(client))

    def client_token(self, client: str) -> str:
        """A machine client's access token."""
        form = {"grant_type": "client_credentials", "client_id": str(self.home.world.clients[client]["client_id"])}
        answer = self.outsider(client).form(f"{self.mtls}/oauth/token", form)
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        return str(answer.json()["access_token"])

    def person_token(self, outsider: Outsider, who: Somebody) -> str:
        """An access token of a person, for the refresh token of her application."""
        form = {"grant_type": "refresh_token", "client_id": f"app-{SISTEMA}", "refresh_token": who.refresh_token}
        answer = outsider.form(f"{self.issuer}/oauth/token", form)
        if answer.status != 200:
            raise RuntimeError(answer.body.decode())
        return str(answer.json()["access_token"])


@contextmanager
def installed(people: int = 0, *, worker: bool = True) -> Iterator[Installation]:
    """A fresh installation with so many people logged in besides the demonstration's, served until the block ends."""
    with tempfile.TemporaryDirectory(prefix="portaria-bench-") as folder:
        data = Path(folder) / "data"
        home = make(data, f"sqlite:///{data / 'portaria.db'}")
        try:
            logged_in = populate(home, people)
            _settings(home)
            command = [sys.executable, "-m", "tests.bench.serve", str(data), *(["worker"] if worker else [])]
            log = Path(folder) / "log"
            with running(command, log) as started:
                wait(started, lambda: b"ready" in log.read_bytes(), 60, log)
                process.pin(started.pid)
                yield Installation(home, started.pid, logged_in)
        finally:
            close(home.house)


def _settings(home: Home) -> None:
    s = home.house.settings
    lines = [
        f'issuer = "{s.issuer}"',
        f'mtls_issuer = "{s.mtls}"',
        f'port = "{s.port}"',
        f'mtls_port = "{s.mtls_port}"',
    ]
    (home.data / "portaria.toml").write_text("\n".join([*lines, "demo = true", ""]))


def populate(home: Home, many: int) -> list[Somebody]:
    """People with a vínculo, a right, a live session and an authorization each, as rows: no act is being measured here."""
    dice, taken, now = random.Random(7), set(), home.clock()
    with home.house.reading() as db:
        taken |= set(db.scalars(select(Pessoa.cpf)))
        epoch = db.scalars(select(Sujeito.epoch).where(Sujeito.id == f"app-{SISTEMA}")).one()
    people = [Somebody(new_id(), new_cpf(dice, taken), str(500000 + n), secret()) for n in range(many)]
    rows: dict[type[Base], list[dict[str, object]]] = {}
    for who in people:
        for table, row in _rows(who, now, epoch):
            rows.setdefault(table, []).append(row)
    with home.house.database.write() as db:
        for table, content in rows.items():
            db.execute(insert(table), content)
    return people


def _rows(who: Somebody, now: datetime, client_epoch: int) -> Iterator[tuple[type[Base], dict[str, object]]]:
    tie, session, authorization = new_id(), new_id(), new_id()
    yield Sujeito, {"id": who.id, "kind": "pessoa", "epoch": 1, "version": 1}
    yield Pessoa, {
        "id": who.id, "cpf": who.cpf, "login": f"p{who.matricula}", "nome": f"Pessoa {who.matricula}", "email": None,
        "estado": HABILITADA, "origem": "bench", "registrada_em": now, "login_epoch": 1,
    }  # fmt: skip
    yield Vinculo, {
        "id": tie, "pessoa": who.id, "orgao": UNIT, "matricula": who.matricula, "tipo": "servidor",
        "de": now - timedelta(days=30), "fonte": "bench", "estado": "ativo", "epoch": 1,
    }  # fmt: skip
    yield Concessao, {
        "id": new_id(), "sujeito": who.id, "vinculo": tie, "sistema": SISTEMA, "perfil": PERFIL, "restricao": {},
        "origem": "bench", "fundamento": "bench", "vigente_de": now - timedelta(days=30), "registrada_em": now,
        "registrada_por": "bench",
    }  # fmt: skip
    yield LoginSession, {
        "id": session, "digest": digest(secret()), "pessoa": who.id, "epoch": 1, "acr": "mfa", "amr": ["pwd", "otp"],
        "csrf": secret(), "address": "127.0.0.1", "user_agent": "bench", "auth_time": now, "seen_at": now,
    }  # fmt: skip
    yield Authorization, {
        "id": authorization, "sujeito": who.id, "client": f"app-{SISTEMA}", "session": session, "vinculo": tie,
        "sistema": SISTEMA, "perfil": PERFIL, "scope": SCOPE, "authorization_details": [],
        "resource": f"urn:portaria:sistema:{SISTEMA}", "acr": "mfa", "amr": ["pwd", "otp"], "auth_time": now, "nonce": "",
        "offline": False, "epoch": 0, "sujeito_epoch": 1, "vinculo_epoch": 1, "client_epoch": client_epoch,
        "created_at": now, "reason": "",
    }  # fmt: skip
    yield RefreshToken, {
        "digest": digest(who.refresh_token), "authorization": authorization, "client": f"app-{SISTEMA}", "epoch": 0,
        "created_at": now, "expires_at": now + timedelta(hours=1),
    }  # fmt: skip
