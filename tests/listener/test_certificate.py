"""Every certificate arrives whose key was proven, and no header speaks for one."""

from __future__ import annotations

import base64
import socket
import ssl
from pathlib import Path

import pytest

from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority
from tests.listener.server import CERTIFICATES, GET, NOW, SPOOFED, Running, told


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_every_certificate_reaches_the_application(
    server: Running, house: tuple[Path, Authority], tmp_path: Path, kind: str, version: ssl.TLSVersion
) -> None:
    issued = CERTIFICATES[kind](house[1])
    cert, _ = issued.write(tmp_path, "client")
    found = server.ask(1, cert=cert, maximum_version=version)
    assert found["x5t"] == x5t_s256(issued.der)
    assert found["mtls"]


def test_without_a_certificate_one_enters_too(server: Running) -> None:
    assert server.ask(1)["x5t"] is None


def test_the_ordinary_listener_asks_for_no_certificate(
    server: Running, house: tuple[Path, Authority], tmp_path: Path
) -> None:
    cert, _ = house[1].person(NOW, "MARIA", "52998224725").write(tmp_path, "client")
    found = server.ask(0, cert=cert)
    assert (found["x5t"], found["mtls"], found["address"]) == (None, False, "127.0.0.1")


def test_a_resumed_session_still_shows_the_certificate(
    server: Running, house: tuple[Path, Authority], tmp_path: Path
) -> None:
    issued = house[1].person(NOW, "MARIA", "52998224725")
    cert, key = issued.write(tmp_path, "client")
    context = ssl.create_default_context(cafile=str(server.ca))
    context.load_cert_chain(cert, key)
    with context.wrap_socket(socket.create_connection(server.addresses[1], 10), server_hostname="localhost") as first:
        told(first, GET % b"")
        session = first.session
    with context.wrap_socket(
        socket.create_connection(server.addresses[1], 10), server_hostname="localhost", session=session
    ) as again:
        assert again.session_reused
        assert told(again, GET % b"")["x5t"] == x5t_s256(issued.der)


@pytest.mark.parametrize("name", SPOOFED)
def test_no_header_speaks_for_a_certificate_or_an_address(
    server: Running, house: tuple[Path, Authority], name: bytes
) -> None:
    victim = base64.b64encode(house[1].person(NOW, "MARIA", "52998224725").der)
    for place in (0, 1):
        found = server.ask(place, b"%s: :%s:\r\n%s: 10.0.0.1\r\n" % (name, victim, name))
        assert found["x5t"] is None
        assert found["address"] == "127.0.0.1"
        assert not {header for header in found["headers"] if "cert" in header or "forwarded" in header or "_" in header}
