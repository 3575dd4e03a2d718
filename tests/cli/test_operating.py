"""``portaria doctor``, ``keys``, ``plan`` and ``serve``: an installation looked after from the command line."""

from __future__ import annotations

import base64
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iam.demo.outsider import Outsider
from iam.icp_brasil.sample import Authority
from tests.cli.conftest import Done, Portaria, init
from tests.house import Home
from tests.servers import free_port


def finding(done: Done, name: str) -> dict[str, str]:
    found: dict[str, str] = next(f for f in done.told["findings"] if f["name"] == name)
    return found


def test_doctor_finds_a_fresh_installation_well(portaria: Portaria, authority: Path) -> None:
    assert portaria(*init(portaria.data, authority)).status == 0
    done = portaria("doctor", "--json")
    assert (done.status, done.told["ok"]) == (0, True)
    assert {f["state"] for f in done.told["findings"]} <= {"OK", "aviso"}


def break_mode(data: Path) -> None:
    (data / "master.key").chmod(0o644)


def break_master(data: Path) -> None:
    (data / "master.key").write_bytes(base64.b64encode(bytes(32)))


def lose_master(data: Path) -> None:
    (data / "master.key").unlink()


def break_target(data: Path) -> None:
    (data / "portaria.toml").write_text(f'crl_files = "{data / "ca.crl"}"\ntargets = "ad=ldap"\n')


def break_database(data: Path) -> None:
    (data / "portaria.db").write_text("nada")


def break_trust(data: Path) -> None:
    (data / "ca.pem").write_text("nada")


def break_certificate(data: Path) -> None:
    (data / "server.pem").write_text("nada")


def break_key_elsewhere(data: Path) -> None:
    folder = data.parent / "certificados"
    folder.mkdir()
    folder.chmod(0o755)
    (data / "server.key").rename(folder / "server.key")
    (folder / "server.key").chmod(0o644)
    (data / "portaria.toml").write_text(f'tls_key = "{folder / "server.key"}"\n')


def break_crl(data: Path) -> None:
    (data / "portaria.toml").write_text('crl_files = "nao-ha.crl"\n')


def break_journal(data: Path) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE seal SET hash = zeroblob(32) WHERE seq = 9")


def break_schema(data: Path) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = '0001'")


def break_marks(data: Path) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE mark SET due = '2020-01-01 00:00:00.000000'")


def break_keys(data: Path) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE key SET retired_at = created_at WHERE use = 'receipt'")


def break_clock(data: Path) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE entry SET at = '2199-01-01 00:00:00.000000' WHERE id = (SELECT max(id) FROM entry)")


@pytest.mark.parametrize(
    ("how", "name"),
    [
        (break_mode, "chave mestra"),
        (break_master, "abertura"),
        (lose_master, "chave mestra"),
        (break_target, "abertura"),
        (break_database, "banco de dados"),
        (break_trust, "autoridades confiáveis"),
        (break_certificate, "certificado do servidor"),
        (break_key_elsewhere, "chave do servidor"),
        (break_crl, "lista nao-ha.crl"),
        (break_journal, "diário"),
        (break_schema, "banco de dados"),
        (break_marks, "ajustes nos destinos"),
        (break_keys, "chaves"),
        (break_clock, "relógio"),
    ],
)
def test_doctor_names_what_is_wrong_and_what_to_do(installed: Portaria, how: object, name: str) -> None:
    assert installed("journal", "verify").status == 0
    assert callable(how)
    how(installed.data)
    done = installed("doctor", "--json")
    assert done.status == 1
    found = [f for f in done.told["findings"] if f["name"] == name and f["state"] == "falha"]
    assert len(found) == 1, done.told
    assert found[0]["todo"]
    assert done.err.count("\n") == 1
    assert finding(done, "normas")["state"] == "OK", "what is well is told besides"


def named(authority: Authority, now: datetime) -> bytes:
    """The list of an authority with the same name and another key."""
    return Authority.create(now).crl(now)


def strange(authority: Authority, now: datetime) -> bytes:
    return replace(authority, issuer=authority.server(now, ("ac.de.ninguem",))).crl(now)


def ended(authority: Authority, now: datetime) -> bytes:
    return authority.crl(now - timedelta(days=9), days=3)


def early(authority: Authority, now: datetime) -> bytes:
    return authority.crl(now + timedelta(days=1))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (named, "a assinatura não é de AC TESTE MULTIPLA v1"),
        (strange, "é de ac.de.ninguem, que não está entre"),
        (ended, "venceu"),
        (early, "futuro"),
        (lambda *_: b"nada", "não é uma lista"),
    ],
)
def test_doctor_believes_a_list_only_as_the_server_does(
    installed: Portaria, authority: Path, make: Callable[[Authority, datetime], bytes], said: str
) -> None:
    known = Authority.read(authority)
    now = datetime.now(UTC)
    (installed.data / "ca.crl").write_bytes(make(known, now))
    (installed.data / "portaria.toml").write_text("")
    done = installed("doctor", "--json")
    assert done.status == 1
    found = finding(done, "lista ca.crl")
    assert found["state"] == "falha"
    assert said in found["text"]
    (installed.data / "ca.crl").write_bytes(make(known, now) + known.crl(now) if make is ended else known.crl(now))
    found = [f for f in installed("doctor", "--json").told["findings"] if f["name"] == "lista ca.crl"][-1]
    assert found["state"] == "OK", "also after another in the same file"
    assert "AC TESTE MULTIPLA v1" in found["text"]


def test_doctor_names_the_authorities_without_a_list(installed: Portaria) -> None:
    assert "autoridades sem lista" not in installed("doctor").out
    (installed.data / "portaria.toml").write_text('crl_files = ""')
    found = finding(installed("doctor", "--json"), "autoridades sem lista")
    assert found["state"] == "aviso"
    assert found["text"] == "1: AC TESTE MULTIPLA v1", "those above it issue no certificate that a program brings"
    assert found["todo"]


def test_doctor_warns_of_a_certificate_about_to_end(installed: Portaria) -> None:
    now = datetime.now(UTC)
    Authority.create(now).leaf(
        now, Authority.create(now).issuer.certificate.subject, hosts=("localhost",), days=10
    ).write(installed.data, "server")
    assert finding(installed("doctor", "--json"), "certificado do servidor")["state"] == "aviso"


def test_a_rotated_key_is_endorsed_and_the_journal_still_verifies(installed: Portaria) -> None:
    before = dict(installed.rows("SELECT use, kid FROM key"))
    assert installed("keys", "rotate", "--use", "checkpoint", "--json").told["keys"].keys() == {"checkpoint"}
    assert installed("keys", "rotate").status == 0
    rows = installed.rows("SELECT use, kid, predecessor FROM key WHERE retired_at IS NULL")
    assert len(rows) == 3
    assert all(predecessor for _, _, predecessor in rows)
    assert not set(before.values()) & {kid for _, kid, _ in rows}
    assert installed("journal", "checkpoint", "--out", installed.data / "c").status == 0
    assert installed("journal", "verify").status == 0
    assert len(installed("keys", "list", "--json").told["keys"]) == 7
    assert installed.rows("SELECT count(*) FROM entry WHERE ato = 'chave:rodar'") == [(2,)]


def test_plan_shows_what_a_target_lacks_and_nothing_once_it_agrees(world: tuple[Portaria, Home]) -> None:
    from iam import reconcile, worker

    portaria, home = world
    who = home.person("gestor")
    told = portaria("plan", who["cpf"], "--json").told
    assert told["login"] == who["login"]
    assert told["destinos"]["diretorio"][-1] == "Enable()"
    while worker.once(home.house, "diretorio"):
        pass
    assert portaria("plan", who["login"], "--json").told["destinos"] == {"diretorio": []}
    assert "de acordo" in portaria("plan", who["login"]).out
    assert reconcile.drift(home.house, told["pessoa"])[0].changes == ()


def test_serve_answers_until_it_is_told_to_stop(installed: Portaria) -> None:
    ports = free_port(), free_port()
    settings = {"PORTARIA_PORT": str(ports[0]), "PORTARIA_MTLS_PORT": str(ports[1])}
    command = [sys.executable, "-m", "iam.cli", "serve"]
    with subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            assert "atende em" in server.stdout.readline()
            somebody = Outsider(installed.data / "server.pem")
            deadline = time.monotonic() + 60
            while somebody.ask("GET", f"https://localhost:{ports[0]}/readyz").status != 200:
                assert time.monotonic() < deadline
            assert somebody.ask("GET", f"https://localhost:{ports[0]}/api/catalogo").status == 200
            somebody.close()
            # While it serves, other commands work on the same directory.
            assert installed("journal", "verify").status == 0
            assert installed("keys", "rotate", "--use", "receipt").status == 0
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(60) == 0
