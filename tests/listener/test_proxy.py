"""Behind a reverse proxy: its word is taken on its socket, and nobody else can write there."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority
from iam.listener import Front, UnsafeFront, check_front
from tests import servers
from tests.listener.server import CERTIFICATES, GET, NOW, SPOOFED, Server, over, running
from tests.servers import find, free_port, listening


def test_the_proxys_word_is_taken_on_its_socket(front: tuple[Path, Path], house: tuple[Path, Authority]) -> None:
    der = house[1].person(NOW, "MARIA", "52998224725").der
    header = b"Client-Cert: :%s:\r\nX-Forwarded-For: 10.1.2.3\r\n" % base64.b64encode(der)
    status, body = over(front[1], GET % header)
    found = json.loads(body)
    assert (status, found["x5t"], found["mtls"], found["address"]) == (200, x5t_s256(der), True, "10.1.2.3")
    assert found["headers"] == ["host"]
    assert json.loads(over(front[1], GET % b"")[1])["x5t"] is None


@pytest.mark.parametrize(
    "header",
    [
        b"Client_Cert: :AAAA:\r\n",
        b"client_cert: :AAAA:\r\nClient-Cert: :AAAA:\r\n",
        b"Client-Cert: :AAAA:\r\nClient-Cert: :AAAA:\r\n",
        b"Client-Cert: :AAAA:, :AAAA:\r\n",
        b"Client-Cert: AAAA\r\n",
        b"Client-Cert: ::\r\n",
        b"Client-Cert: :A A:\r\n",
        b"X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\n",
        b"X-Forwarded-For: 10.0.0.1, 10.0.0.2\r\n",
        b"X_Forwarded_For: 10.0.0.1\r\n",
    ],
)
def test_an_ambiguous_word_of_the_proxy_is_refused(front: tuple[Path, Path], header: bytes) -> None:
    assert over(front[1], GET % header)[0] == 400


def test_a_certificate_where_none_is_expected_is_refused(front: tuple[Path, Path]) -> None:
    assert over(front[0], GET % b"Client-Cert: :AAAA:\r\n")[0] == 400


def test_the_socket_is_private(front: tuple[Path, Path], house: tuple[Path, Authority], tmp_path: Path) -> None:
    assert front[1].stat().st_mode & 0o777 == 0o660
    path = tmp_path / "other.sock"
    with (
        running((Front(path, mtls=True, uids=(os.getuid() + 1,)),), house[0] / "ca.pem"),
        pytest.raises((AssertionError, OSError)),
    ):
        over(path, GET % b"")
    assert not path.exists()


def test_a_front_that_a_client_could_imitate_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(UnsafeFront, match="qualquer programa o escreveria"):
        check_front(trusts_header=True, path=None)
    everybody = tmp_path / "everybody"
    everybody.mkdir()
    everybody.chmod(0o777)
    with pytest.raises(UnsafeFront, match="todos podem escrever"):
        check_front(trusts_header=True, path=everybody / "s.sock")
    with pytest.raises(UnsafeFront, match="não é um diretório"):
        check_front(trusts_header=True, path=tmp_path / "nothing" / "s.sock")
    check_front(trusts_header=True, path=tmp_path / "s.sock")
    check_front(trusts_header=False, path=None)


CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy" / "haproxy.cfg"


@pytest.fixture
def haproxy(house: tuple[Path, Authority], tmp_path: Path, front: tuple[Path, Path]) -> Iterator[Server]:
    """The published configuration, with this test's files and ports in the places it names."""
    program = find("haproxy", "/usr/sbin", "/usr/local/sbin")
    assert program
    directory, _ = house
    pem = tmp_path / "server-with-key.pem"
    pem.write_bytes((directory / "server.pem").read_bytes() + (directory / "server.key").read_bytes())
    ports = free_port(), free_port()
    text = CONFIGURATION.read_text("utf-8")
    for name, value in {
        "*:8443": f"127.0.0.1:{ports[0]}",
        "*:8444": f"127.0.0.1:{ports[1]}",
        "/etc/haproxy/portaria.pem": str(pem),
        "/etc/portaria/ca.pem": str(directory / "ca.pem"),
        "/run/portaria/portaria.sock": str(front[1]),
    }.items():
        assert name in text
        text = text.replace(name, value)
    configuration, log = tmp_path / "haproxy.cfg", tmp_path / "haproxy.log"
    configuration.write_text(text, "utf-8")
    with servers.running([program, "-db", "-f", str(configuration)], log) as process:
        servers.wait(process, lambda: all(map(listening, ports)), 60, log)
        yield Server(tuple(("127.0.0.1", port) for port in ports), directory / "ca.pem")


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("kind", CERTIFICATES)
def test_haproxy_hands_every_certificate_over(
    haproxy: Server, house: tuple[Path, Authority], tmp_path: Path, kind: str
) -> None:
    issued = CERTIFICATES[kind](house[1])
    cert, _ = issued.write(tmp_path, "client")
    found = haproxy.ask(1, cert=cert)
    assert (found["x5t"], found["address"]) == (x5t_s256(issued.der), "127.0.0.1")
    assert haproxy.ask(1)["x5t"] is None
    assert haproxy.ask(0)["x5t"] is None


@pytest.mark.real("haproxy")
@pytest.mark.parametrize("name", SPOOFED)
def test_nobody_spoofs_through_haproxy(
    haproxy: Server, house: tuple[Path, Authority], tmp_path: Path, name: bytes
) -> None:
    victim = base64.b64encode(house[1].person(NOW, "VITIMA", "11144477735").der)
    header = b"%s: :%s:\r\n" % (name, victim)
    own = house[1].person(NOW, "MARIA", "52998224725")
    cert, _ = own.write(tmp_path, "client")
    for place in (0, 1):
        for headers in (header, header * 2):
            found = haproxy.ask(place, headers)
            assert (found["x5t"], found["address"]) == (None, "127.0.0.1")
    assert haproxy.ask(1, header, cert=cert)["x5t"] == x5t_s256(own.der)
