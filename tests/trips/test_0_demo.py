"""The first thing anybody does: ``portaria demo``; and the worst that can happen to it: ``kill -9`` with a target down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from iam.demo.outsider import Outsider
from tests.servers import Slapd, free_port

PORTARIA = [sys.executable, "-m", "iam.cli"]


def environment(**more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PORTARIA_")}
    return clean | {"PYTHONUNBUFFERED": "1"} | more


@contextmanager
def program(*args: str, log: Path, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command that stays; ended by SIGTERM if the test has not killed it."""
    with log.open("ab") as output:
        process = subprocess.Popen([*PORTARIA, *args], stdout=output, stderr=output, env=environment(**env))
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(60)


def once(data: Path) -> dict[str, object]:
    """A demonstration that told its story and ended; what it published."""
    ports = ("--port", str(free_port()), "--mtls-port", str(free_port()))
    told = subprocess.run(
        [*PORTARIA, "demo", "--data", str(data), *ports, "--once"],
        capture_output=True,
        timeout=240,
        env=environment(),
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()[-2000:] + told.stdout.decode()[-2000:]
    assert b"visto em " in told.stdout
    assert b"invalid_scope; no di\xc3\xa1rio, por COTEC62-" in told.stdout
    assert "Para que fique atendendo" in told.stdout.decode().splitlines()[-1], "it has ended, and says how to go on"
    assert "Ctrl-C" not in told.stdout.decode()
    published = json.loads((data / "demo.json").read_text("utf-8"))
    assert isinstance(published, dict)
    return published


def wait_for(path: Path, process: subprocess.Popen[bytes], log: Path, *, after: float = 0) -> dict[str, object]:
    """``demo.json``, once this start has written it."""
    for _ in range(2400):
        if path.exists() and path.stat().st_mtime > after:
            published = json.loads(path.read_text("utf-8"))
            assert isinstance(published, dict)
            return published
        assert process.poll() is None, log.read_text("utf-8")[-3000:]
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8")[-3000:])


def test_the_story_is_seen_to_happen_and_demo_json_has_what_a_newcomer_needs(tmp_path: Path) -> None:
    published = once(tmp_path / "demo")
    for name in ("ca", "ca_key", "crl"):
        assert Path(str(published[name])).is_absolute()
        assert Path(str(published[name])).is_file()
    chain = x509.load_pem_x509_certificates(Path(str(published["ca"])).read_bytes())
    assert chain[0].subject != chain[0].issuer
    assert chain[-1].subject == chain[-1].issuer
    clients, apps, people = published["clients"], published["apps"], published["people"]
    assert isinstance(clients, dict)
    assert isinstance(apps, dict)
    assert isinstance(people, dict)
    assert clients.keys() == {"sefaz-mt", "sefaz-sp", "pdp", "rh", "auditoria"}
    assert all(0 < len(clients[c]["scopes"]) < 5 for c in ("sefaz-mt", "sefaz-sp"))
    assert clients["rh"]["fonte"]
    roles = {"servidora", "cadastrador", "cadastrador_setorial", "gestor", "chefia", "procurador", "perito", "auditor"}
    assert people.keys() == roles
    assert all(p.keys() >= {"cpf", "login", "password", "totp", "cert", "key"} for p in people.values())
    assert all(a.startswith("mt-") and apps[a]["auth"] == "none" and "openid" in apps[a]["scopes"] for a in apps)
    for owner in (*clients.values(), *people.values()):
        leaf = x509.load_pem_x509_certificates(Path(owner["cert"]).read_bytes())[0]
        assert leaf.issuer == chain[0].subject


def test_it_goes_on_with_its_data_on_other_ports_even_after_kill_9(tmp_path: Path) -> None:
    data, log = tmp_path / "demo", tmp_path / "log"
    first = once(data)
    ports = ("--port", str(free_port()), "--mtls-port", str(free_port()))
    written = (data / "demo.json").stat().st_mtime
    with program("demo", "--data", str(data), *ports, log=log) as process:
        again = wait_for(data / "demo.json", process, log, after=written)
        assert again["people"] == first["people"]
        assert again["issuer"] == f"https://localhost:{ports[1]}"
        process.send_signal(signal.SIGKILL)
        process.wait(60)
    written = (data / "demo.json").stat().st_mtime
    with program("demo", "--data", str(data), *ports, log=log) as process:
        wait_for(data / "demo.json", process, log, after=written)
        until(lambda: f"Abra https://localhost:{ports[1]} no navegador. Ctrl-C encerra." in log.read_text("utf-8"))
    verified = subprocess.run(
        [*PORTARIA, "journal", "verify"],
        env=environment(PORTARIA_DATA=str(data)),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert verified.returncode == 0, verified.stderr.decode()


def test_two_servers_never_share_a_directory(tmp_path: Path) -> None:
    data, log = tmp_path / "demo", tmp_path / "log"
    once(data)
    with program("serve", log=log, PORTARIA_DATA=str(data)) as process:
        listening(process, log)
        second = subprocess.run(
            [*PORTARIA, "serve"], env=environment(PORTARIA_DATA=str(data)), capture_output=True, timeout=60, check=False
        )
        assert second.returncode == 1
        assert second.stderr.decode().count("\n") == 1
        assert "outro processo" in second.stderr.decode()


def listening(process: subprocess.Popen[bytes], log: Path) -> None:
    """Until the server says that it answers."""
    for _ in range(2400):
        if "atende em" in log.read_text("utf-8"):
            return
        assert process.poll() is None, log.read_text("utf-8")[-3000:]
        time.sleep(0.05)
    raise AssertionError(log.read_text("utf-8")[-3000:])


def bearer(published: dict[str, object], client: str, scope: str) -> tuple[Outsider, dict[str, str]]:
    clients = published["clients"]
    assert isinstance(clients, dict)
    caller = Outsider(Path(str(published["ca"])), clients[client]["cert"], clients[client]["key"])
    form = {"grant_type": "client_credentials", "client_id": clients[client]["client_id"], "scope": scope}
    answer = caller.form(f"{published['mtls']}/oauth/token", form)
    assert answer.status == 200, answer.body
    return caller, {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_a_cut_survives_kill_9_with_a_target_down_and_is_seen_when_it_comes_back(tmp_path: Path, slapd: Slapd) -> None:
    data, log = tmp_path / "demo", tmp_path / "log"
    published = once(data)
    people = published["people"]
    assert isinstance(people, dict)
    she = people["servidora"]
    settings = {"PORTARIA_TARGET_AD_" + k.upper(): v for k, v in slapd.settings().items()}
    up = {"PORTARIA_DATA": str(data), "PORTARIA_TARGETS": "diretorio=diretorio,ad=ldap", **settings}
    down = up | {"PORTARIA_TARGET_AD_URL": f"ldaps://localhost:{free_port()}"}

    with program("serve", log=log, **up) as process:
        listening(process, log)
        until(lambda: enabled(up, she["login"]) is True)
    log.write_text("")
    with program("serve", log=log, **down) as process:
        listening(process, log)
        caller, header = bearer(published, "rh", "pessoa:evento")
        clients = published["clients"]
        assert isinstance(clients, dict)
        event = {"fonte": clients["rh"]["fonte"], "numero": "k9", "cpf": she["cpf"], "tipo": "desligamento"}
        answer = caller.send(
            f"{published['mtls']}/api/pessoa/evento",
            event | {"data_efeito": datetime.now(UTC).date().isoformat()[:8] + "01"},
            header,
        )
        assert answer.status == 202, answer.body
        path = str(answer.json()["recibo"])
        until(lambda: states(published, path) == {"diretorio": "visto", "ad": "pendente"})
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        caller.close()
    assert enabled(up, she["login"]) is True
    log.write_text("")
    with program("serve", log=log, **up) as process:
        listening(process, log)
        until(lambda: states(published, path) == {"diretorio": "visto", "ad": "visto"})
    assert enabled(up, she["login"]) is False


def until(seen: object, seconds: float = 120) -> None:
    assert callable(seen)
    deadline = time.monotonic() + seconds
    while not seen():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def enabled(env: dict[str, str], login: str) -> bool | None:
    """What the directory itself says of an account."""
    from iam import plugins

    given = {
        k.removeprefix("PORTARIA_TARGET_AD_").lower(): v for k, v in env.items() if k.startswith("PORTARIA_TARGET_AD_")
    }
    account = plugins.target("ldap", given, Path(env["PORTARIA_DATA"])).observe(login)
    return account.enabled if account else None


def states(published: dict[str, object], path: str) -> dict[str, str]:
    caller, header = bearer(published, "auditoria", "diario")
    seen = caller.ask("GET", f"{published['mtls']}{path}", headers=header).json()["destinos"]
    caller.close()
    assert isinstance(seen, dict)
    return {name: target["estado"] for name, target in seen.items()}
