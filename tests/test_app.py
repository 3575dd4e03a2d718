"""The wiring: what is trusted and spoken is journaled when it changes, and what cannot be trusted does not start."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iam import doctor, search
from iam.app import announce, close, open_house, owning
from iam.config import Unsafe
from iam.icp_brasil.sample import Authority
from tests.house import Home, Served, make, serving


def stated(home: Home) -> list[dict[str, object]]:
    with home.house.reading() as db:
        found = search.find(db, search.Filter(ato="confianca:alterar"))
    return [json.loads(entry.payload or b"{}") for entry, _ in found]


@pytest.mark.requirement("COTEC62-1-2-IV")
def test_a_foreign_root_is_refused_and_each_accepted_change_of_trust_is_versioned_and_logged(home: Home) -> None:
    announce(home.house)
    announce(home.house)
    (first,) = stated(home)
    assert first["confianca"] == home.house.trust.version
    bundle = home.data / "ca.pem"
    bundle.write_bytes(bundle.read_bytes() + Authority.create(datetime.now(UTC)).bundle)
    changed = open_house(home.house.settings, home.clock)
    announce(changed)
    newest, oldest = stated(home)
    assert newest["confianca"] == changed.trust.version != oldest["confianca"]
    close(changed)
    with pytest.raises(Unsafe, match="não é da ICP-Brasil"):
        open_house(replace(home.house.settings, demo=False), home.clock)
    bundle.write_bytes((home.data / "server.pem").read_bytes())
    with pytest.raises(Unsafe, match="não é uma autoridade certificadora"):
        open_house(home.house.settings, home.clock)


@pytest.mark.requirement("TRAM-12-I.3")
def test_a_protocol_is_switched_off_by_a_setting_and_the_change_is_logged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    home = make(data, f"sqlite:///{data / 'portaria.db'}", TLS_VERSIONS="TLSv1.3")
    context = ssl.create_default_context(cafile=str(data / "ca.pem"))
    with serving(home):
        address = ("localhost", home.house.settings.port)
        with socket.create_connection(address) as raw, context.wrap_socket(raw, server_hostname="localhost") as tls:
            assert tls.version() == "TLSv1.3"
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with socket.create_connection(address) as raw, pytest.raises(ssl.SSLError):
            context.wrap_socket(raw, server_hostname="localhost")
    assert stated(home)[0]["tls"] == ["TLSv1.3"]
    close(home.house)


def test_a_certificate_and_a_key_that_do_not_belong_together_are_named_by_the_doctor(home: Home) -> None:
    def found() -> doctor.Finding:
        findings = doctor.before_opening(home.house.settings, home.clock())
        (told,) = (f for f in findings if f.name == "certificado do servidor")
        return told

    assert found().state == doctor.OK
    key = home.house.settings.tls_key
    key.write_bytes(Authority.create(home.clock()).server(home.clock(), ["localhost"]).key_pem)
    assert found().state == doctor.FALHA
    assert f"{key} não serve a um servidor TLS" in found().text


@pytest.mark.parametrize("path", ["//entrar", "/norma//mt128", "/static//portaria.css", "/api/recibo//x", "/entrar/"])
def test_the_host_that_a_caller_writes_leads_nobody_away(shared: Served, path: str) -> None:
    answer = shared.outsider().ask("GET", f"{shared.issuer}{path}", headers={"Host": "elsewhere.example"})
    assert "location" not in answer.headers
    assert b"elsewhere" not in answer.body


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("OPTIONS", "/entrar", "GET, HEAD, POST"),
        ("PROPFIND", "/oauth/token", "POST"),
        ("DELETE", "/api/pessoa/evento", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("TRACE", "/", "GET, HEAD"),
    ],
)
def test_a_method_that_does_not_fit_is_told_which_do(shared: Served, method: str, path: str, allow: str) -> None:
    answer = shared.outsider().ask(method, f"{shared.issuer}{path}")
    assert (answer.status, answer.headers["allow"]) == (405, allow)


def test_the_whole_server_says_what_it_can_do(shared: Served) -> None:
    with connection(shared) as tls:
        tls.sendall(b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert tls.recv(65536).startswith(b"HTTP/1.1 204 ")


def test_a_path_that_would_break_a_line_is_a_problem(shared: Served) -> None:
    answer = shared.outsider().ask("GET", f"{shared.issuer}/a%0ab")
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")


def test_those_who_dawdle_over_a_request_or_an_answer_keep_nobody_waiting(shared: Served) -> None:
    """More of them than the screens have threads, on bodies that never end and answers that nobody fetches."""
    with ExitStack() as stack:
        for _ in range(20):
            plain = stack.enter_context(socket.create_connection(("localhost", shared.house.settings.port), 60))
            plain.sendall(b"\x16")
            slow = stack.enter_context(connection(shared))
            slow.sendall(b"POST /entrar HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nl")
            deaf = stack.enter_context(connection(shared, receive=2048))
            deaf.sendall(b"GET /static/raleway.woff2 HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20)
        somebody = shared.outsider()
        for path in ("/", "/static/raleway.woff2", "/api/catalogo", "/.well-known/openid-configuration"):
            assert somebody.ask("GET", f"{shared.issuer}{path}").status == 200


def connection(served: Served, *, receive: int | None = None) -> ssl.SSLSocket:
    """A TLS connection of somebody who speaks byte by byte; `receive` is how little they take in."""
    context = ssl.create_default_context(cafile=str(served.home.data / "ca.pem"))
    raw = socket.socket()
    if receive is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
    raw.settimeout(20)
    raw.connect(("localhost", served.house.settings.port))
    return context.wrap_socket(raw, server_hostname="localhost")


def test_one_directory_has_one_server(tmp_path: Path) -> None:
    with owning(tmp_path), pytest.raises(Unsafe, match="outro processo"), owning(tmp_path):
        pass
    with owning(tmp_path):
        pass
