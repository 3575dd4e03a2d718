"""Which TLS is spoken, and which is not."""

from __future__ import annotations

import os
import socket
import ssl
import warnings
from pathlib import Path

import pytest

from iam.config import Unsafe
from iam.icp_brasil.sample import Authority
from iam.listener import Tls, tls_context
from tests.listener.server import GET, NOW, Running, closed, running, told


@pytest.mark.requirement("TRAM-12-I.1")
def test_plain_http_and_noise_on_the_tls_port_harm_nobody(server: Running) -> None:
    for noise in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", os.urandom(500), b"\x16\x03\x01\xff\xff" + b"\x00" * 100):
        with server.plain(1) as connection:
            connection.sendall(noise)
            while not closed(connection):
                pass
    assert server.ask(1)["mtls"]


@pytest.mark.requirement("TRAM-12-I.1")
@pytest.mark.parametrize("place", [0, 1])
def test_old_protocols_are_refused(server: Running, place: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings(action="ignore"):
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(server.addresses[place], 10) as plain, pytest.raises(ssl.SSLError) as refusal:
        context.wrap_socket(plain)
    assert refusal.value.reason == "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.requirement("TRAM-12-I.1")
@pytest.mark.parametrize("suite", ["AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA256"])
def test_suites_without_forward_secrecy_or_authenticated_encryption_are_refused(server: Running, suite: str) -> None:
    context = ssl.create_default_context(cafile=str(server.ca))
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite + ":@SECLEVEL=0")
    with socket.create_connection(server.addresses[0], 10) as plain, pytest.raises(ssl.SSLError) as refusal:
        context.wrap_socket(plain, server_hostname="localhost")
    assert refusal.value.reason == "SSLV3_ALERT_HANDSHAKE_FAILURE"


@pytest.mark.parametrize(
    ("versions", "refused", "taken"),
    [
        (("TLSv1.3",), ssl.TLSVersion.TLSv1_2, "TLSv1.3"),
        (("TLSv1.2",), ssl.TLSVersion.TLSv1_3, "TLSv1.2"),
    ],
)
def test_a_protocol_is_switched_off_by_a_setting(
    house: tuple[Path, Authority], versions: tuple[str, ...], refused: ssl.TLSVersion, taken: str
) -> None:
    directory, _ = house
    endpoint = Tls("127.0.0.1", 0, directory / "server.pem", directory / "server.key", versions=versions)
    with running((endpoint,), directory / "ca.pem") as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            server.ask(0, minimum_version=refused, maximum_version=refused)
        with server.dial(0) as connection:
            assert connection.version() == taken


@pytest.mark.parametrize("versions", [(), ("TLSv1.1",), ("TLSv1.2", "SSLv3")])
def test_a_weak_protocol_cannot_be_switched_on(house: tuple[Path, Authority], versions: tuple[str, ...]) -> None:
    directory, _ = house
    with pytest.raises(ValueError, match="TLS versions"):
        tls_context(Tls("127.0.0.1", 0, directory / "server.pem", directory / "server.key", versions=versions))


# The server's own certificate.


def shown(server: Running, place: int) -> bytes | None:
    """The certificate that a new connection sees; nobody asks here whether it is any good."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection(server.addresses[place], 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        return connection.getpeercert(binary_form=True)


@pytest.fixture
def own(house: tuple[Path, Authority], tmp_path: Path) -> tuple[Path, Path]:
    """The server's certificate and key, in files of this test's own."""
    return house[1].server(NOW, ["localhost"]).write(tmp_path, "own")


def test_a_renewed_certificate_is_shown_at_once_and_no_connection_is_lost(
    house: tuple[Path, Authority], own: tuple[Path, Path]
) -> None:
    endpoints = Tls("127.0.0.1", 0, *own), Tls("127.0.0.1", 0, *own, mtls=True)
    with running(endpoints, house[0] / "ca.pem") as server, server.dial(0) as old, server.dial(1) as mutual:
        before = own[0].read_bytes()
        told(old, GET % b"")
        renewed = house[1].server(NOW, ["localhost"])
        renewed.write(own[0].parent, "own")
        assert own[0].read_bytes() != before
        assert [shown(server, place) for place in (0, 1)] == [renewed.der, renewed.der]
        assert told(old, GET % b"")["path"] == "/who"
        assert told(mutual, GET % b"")["mtls"]
        assert server.ask(1)["mtls"]


@pytest.mark.parametrize("spoil", ["nothing there", "not a certificate", "another's key", "half written"])
def test_while_the_new_pair_is_bad_the_old_one_serves_and_the_log_says_so(
    house: tuple[Path, Authority], own: tuple[Path, Path], caplog: pytest.LogCaptureFixture, spoil: str
) -> None:
    with running((Tls("127.0.0.1", 0, *own),), house[0] / "ca.pem") as server:
        good = shown(server, 0)
        if spoil == "nothing there":
            own[0].unlink()
        elif spoil == "not a certificate":
            own[0].write_text("nada", "utf-8")
        elif spoil == "another's key":
            house[1].server(NOW, ["localhost"]).write(own[0].parent, "other")
            own[1].write_bytes((own[0].parent / "other.key").read_bytes())
        else:
            own[0].write_bytes(own[0].read_bytes()[:300])
        assert [shown(server, 0), shown(server, 0)] == [good, good]
        assert caplog.text.count("o servidor segue com o certificado anterior") == 1
        assert server.ask(0)["path"] == "/who"
        renewed = house[1].server(NOW, ["localhost"])
        renewed.write(own[0].parent, "own")
        assert shown(server, 0) == renewed.der


def test_a_pair_that_cannot_be_used_is_one_clear_line_at_the_start(own: tuple[Path, Path]) -> None:
    own[1].write_text("nada", "utf-8")
    with pytest.raises(Unsafe, match=r"own\.key não serve a um servidor TLS, ou não é o par de .*own\.pem"):
        tls_context(Tls("127.0.0.1", 0, *own))
    own[1].unlink()
    with pytest.raises(Unsafe, match=r"own\.key não pode ser lido"):
        tls_context(Tls("127.0.0.1", 0, *own))
    own[0].write_text("nada", "utf-8")
    with pytest.raises(Unsafe, match=r"own\.pem não serve a um servidor TLS$"):
        tls_context(Tls("127.0.0.1", 0, *own))
