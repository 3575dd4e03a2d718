"""A listener in a thread of its own, an application that tells what it was told, and certificates of every kind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar, TypedDict, Unpack

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from iam import http
from iam.http import Receive, Response, Scope, Send, receive_request, send_response
from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority, Issued, Key
from iam.listener import Endpoint, Limits, serve

NOW = datetime.now(UTC)

GET = b"GET /who HTTP/1.1\r\nHost: localhost\r\n%s\r\n"


class Told(TypedDict):
    """What the application was told."""

    method: str
    path: str
    x5t: str | None
    mtls: bool
    address: str
    headers: list[str]
    length: int


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells what it was told; /slow waits until the test lets it go; /big answers with eight MiB."""
    try:
        request = await receive_request(scope, receive)
    except http.Disconnected:
        return
    if request.path == "/slow":
        Running.begun.set()
        await asyncio.to_thread(Running.gate.wait, 60)
        Running.finished.set()
    if request.path == "/error":
        raise RuntimeError("a defect")
    if request.path == "/big":
        await send_response(Response(200, b"x" * 8 * 1024 * 1024), send)
        return
    told: Told = {
        "method": request.method,
        "path": request.path,
        "x5t": x5t_s256(request.certificate) if request.certificate is not None else None,
        "mtls": request.mtls,
        "address": request.address,
        "headers": sorted({name.decode() for name, _ in request.headers}),
        "length": len(request.body),
    }
    await send_response(Response.json(200, told), send, head=request.method == "HEAD")


class Wanted(TypedDict, total=False):
    """How somebody dials: with a certificate, and within protocols of TLS."""

    cert: Path
    minimum_version: ssl.TLSVersion
    maximum_version: ssl.TLSVersion


@dataclass
class Server:
    """Where a server answers, and whose certificates it shows."""

    addresses: tuple[tuple[str, int], ...]
    ca: Path

    def plain(self, place: int = 0) -> socket.socket:
        """A connection that has not said a word yet."""
        return socket.create_connection(self.addresses[place], timeout=60)

    def dial(self, place: int = 0, **wanted: Unpack[Wanted]) -> ssl.SSLSocket:
        plain = self.plain(place)
        context = ssl.create_default_context(cafile=str(self.ca))
        context.minimum_version = wanted.get("minimum_version", context.minimum_version)
        context.maximum_version = wanted.get("maximum_version", context.maximum_version)
        if "cert" in wanted:
            context.load_cert_chain(wanted["cert"], wanted["cert"].with_suffix(".key"))
        try:
            return context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise

    def ask(self, place: int = 0, headers: bytes = b"", **wanted: Unpack[Wanted]) -> Told:
        with self.dial(place, **wanted) as connection:
            return told(connection, GET % headers)


@dataclass
class Running(Server):
    """A server in a thread of its own."""

    thread: threading.Thread
    stop_now: Callable[[], object]
    begun: ClassVar = threading.Event()
    gate: ClassVar = threading.Event()
    finished: ClassVar = threading.Event()


def answered(connection: socket.socket, data: bytes = b"") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of the next answer."""
    if data:
        connection.sendall(data)
    head = b""
    while b"\r\n\r\n" not in head:
        part = connection.recv(1)  # not a byte of the answer after it
        assert part, f"closed after {head!r}"
        head += part
    lines = head.decode("latin-1").lower().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    body = b""
    while left := int(headers.get("content-length", "0")) - len(body):
        part = connection.recv(min(left, 65536))
        assert part
        body += part
    return int(lines[0].split()[1]), headers, body


def answer(connection: socket.socket, data: bytes = b"") -> tuple[int, bytes]:
    status, _, body = answered(connection, data)
    return status, body


def told(connection: socket.socket, data: bytes) -> Told:
    status, body = answer(connection, data)
    assert status == 200, body
    said: Told = json.loads(body)
    return said


def everything(connection: socket.socket, data: bytes = b"") -> bytes:
    """What is said until the connection ends."""
    if data:
        connection.sendall(data)
    said = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while part := connection.recv(65536):
            said += part
    return said


def closed(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except (ConnectionError, ssl.SSLError):
        return True


@contextlib.contextmanager
def running(endpoints: tuple[Endpoint, ...], ca: Path, limits: Limits | None = None) -> Iterator[Running]:
    started = threading.Event()
    found: list[tuple[str, int]] = []
    stopped: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    for event in (Running.begun, Running.gate, Running.finished):
        event.clear()

    async def main() -> None:
        stop = asyncio.Event()
        stopped.append((asyncio.get_running_loop(), stop))

        def ready(addresses: Sequence[tuple[str, int]]) -> None:
            found.extend(addresses)
            started.set()

        await serve(app, endpoints, stop=stop, limits=limits, ready=ready)

    thread = threading.Thread(target=uvloop.run, args=(main(),))
    thread.start()
    try:
        assert started.wait(60)
        yield Running(tuple(found), ca, thread, lambda: stopped[0][0].call_soon_threadsafe(stopped[0][1].set))
    finally:
        Running.gate.set()
        with contextlib.suppress(RuntimeError):
            stopped[0][0].call_soon_threadsafe(stopped[0][1].set)
        thread.join(60)
        assert not thread.is_alive()


def over(path: Path, data: bytes) -> tuple[int, bytes]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(str(path))
        return answer(connection, data)


def odd(
    key: Key,
    *,
    days: float = 30,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    ca: bool = False,
    issuer: Issued | None = None,
) -> Issued:
    """A certificate nobody should accept, self-signed unless `issuer` is given."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "estranho")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=60))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=True)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    return Issued(certificate, key)


CERTIFICATES: dict[str, Callable[[Authority], Issued]] = {
    "good": lambda a: a.person(NOW, "MARIA", "52998224725"),
    "leaf only": lambda a: Issued(*((i := a.person(NOW, "MARIA", "52998224725")).certificate, i.key)),
    "expired": lambda a: a.leaf(NOW, a.issuer.certificate.subject, since=-30, days=10),
    "not yet valid": lambda a: a.leaf(NOW, a.issuer.certificate.subject, since=10),
    "unknown authority": lambda _: Authority.create(NOW).person(NOW, "MARIA", "52998224725"),
    "self-signed": lambda _: odd(ec.generate_private_key(ec.SECP256R1())),
    "self-signed and expired": lambda _: odd(ec.generate_private_key(ec.SECP256R1()), days=-1),
    "self-signed authority": lambda _: odd(ec.generate_private_key(ec.SECP256R1()), ca=True),
    "for servers": lambda a: a.leaf(NOW, a.issuer.certificate.subject, usages=[ExtendedKeyUsageOID.SERVER_AUTH]),
    "for signing code": lambda _: odd(ec.generate_private_key(ec.SECP256R1()), usage=ExtendedKeyUsageOID.CODE_SIGNING),
    "forged signature": lambda a: odd(
        ec.generate_private_key(ec.SECP256R1()),
        issuer=Issued(a.issuer.certificate, ec.generate_private_key(ec.SECP256R1())),
    ),
    "P-384": lambda _: odd(ec.generate_private_key(ec.SECP384R1())),
    "RSA": lambda _: odd(rsa.generate_private_key(65537, 2048)),
}

SPOOFED = [b"Client-Cert", b"client-cert", b"CLIENT-CERT", b"Client_Cert", b"client_cert", b"Client-Cert-Chain"]
SPOOFED += [b"X-Client-Cert", b"X-Forwarded-Client-Cert", b"X-Forwarded-For", b"X_Forwarded_For", b"Forwarded"]
