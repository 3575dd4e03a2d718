"""TLS of our own: records on the wire, clear text to the HTTP protocol, and whatever certificate the caller proved to hold.

Texts: RFC 8446 and RFC 5246 (TLS). Memory BIOs of pyOpenSSL, so that no handshake ever blocks another connection and a
certificate that is expired, self-signed or of an unknown authority still reaches the application as DER.
The server's own certificate is read again when its files change; connections that stand keep the one they began with.
"""

# ruff: noqa: D102  # the public methods here are the callbacks of asyncio

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from OpenSSL import SSL, crypto

from iam.config import Unsafe
from iam.file import Stamp, stamp
from iam.listener.http import Http
from iam.listener.serving import Serving

log = logging.getLogger("iam.listener")

CIPHERS = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
"""TLS 1.2 suites: forward secrecy and authenticated encryption only. TLS 1.3 has no others."""
VERSIONS = {"TLSv1.2": SSL.TLS1_2_VERSION, "TLSv1.3": SSL.TLS1_3_VERSION}
_CHUNK = 64 * 1024
_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Tls:
    """A TCP address with TLS of our own. `mtls` asks the client for a certificate and lets those without one in.

    `certificate` is a PEM chain, leaf first; `versions` the protocols allowed, so that one found weak is switched off
    by a setting; port 0 takes a free one.
    """

    host: str
    port: int
    certificate: Path
    key: Path
    mtls: bool = False
    versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    ciphers: str = CIPHERS


def tls_context(endpoint: Tls) -> SSL.Context:
    """The OpenSSL context of an endpoint. ValueError for a version not allowed, Unsafe for unusable files."""
    if not endpoint.versions or not set(endpoint.versions) <= VERSIONS.keys():
        raise ValueError("TLS versions must be among " + ", ".join(VERSIONS))
    wanted = sorted(VERSIONS[version] for version in endpoint.versions)
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(wanted[0])
    context.set_max_proto_version(wanted[-1])
    context.set_cipher_list(endpoint.ciphers.encode("ascii"))
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"portaria-mtls" if endpoint.mtls else b"portaria")
    _use_pair(context, endpoint.certificate, endpoint.key)
    context.set_alpn_select_callback(
        lambda _, offered: b"http/1.1" if b"http/1.1" in offered else SSL.NO_OVERLAPPING_PROTOCOLS
    )
    # OpenSSL still proves that the peer holds the key; whether the certificate is any good is not asked here.
    context.set_verify(SSL.VERIFY_PEER if endpoint.mtls else SSL.VERIFY_NONE, lambda *_: True)
    return context


def _use_pair(context: SSL.Context, certificate: Path, key: Path) -> None:
    for file, use in ((certificate, context.use_certificate_chain_file), (key, context.use_privatekey_file)):
        try:
            file.read_bytes()
            use(str(file))
        except OSError as error:
            raise Unsafe(f"{file} não pode ser lido: {error.strerror}") from error
        except SSL.Error as error:
            pair = "" if file == certificate else f", ou não é o par de {certificate}"
            raise Unsafe(f"{file} não serve a um servidor TLS{pair}") from error


class Credentials:
    """The server's own certificate and key at an endpoint, read again when a file changes. Raises as `tls_context`.

    While the new files cannot be used (one written before the other, a key that belongs to another certificate) the
    old pair goes on serving, and the log says why.
    """

    def __init__(self, endpoint: Tls) -> None:
        self.endpoint = endpoint
        self._read = self._stamps()
        self._made = tls_context(endpoint)

    def current(self) -> SSL.Context:
        """The OpenSSL context for a connection that begins now."""
        found = self._stamps()
        if found != self._read:
            self._read = found
            try:
                self._made = tls_context(self.endpoint)
            except Unsafe as error:
                log.error("o servidor segue com o certificado anterior: %s", error)  # noqa: TRY400  # the line says it all
            else:
                log.info("o certificado do servidor foi lido de novo: %s", self.endpoint.certificate)
        return self._made

    def _stamps(self) -> tuple[Stamp | None, Stamp | None]:
        return stamp(self.endpoint.certificate), stamp(self.endpoint.key)


class _Plain(asyncio.Transport):
    """What the HTTP protocol sees as its transport: clear text on its side, TLS records on the other."""

    def __init__(self, tls: TlsConnection) -> None:
        super().__init__()
        self.tls = tls
        self.parts: list[bytes] = []
        self.size = 0

    def get_extra_info(self, name: str, default: object = None) -> object:
        return True if name == "sslcontext" else self.tls.raw.get_extra_info(name, default)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Head and body of an answer come one after the other: they leave together, in one record where they fit."""
        if not data or not self.tls.speaking():
            return
        if not self.parts:
            self.tls.serving.loop.call_soon(self.send)
        self.parts.append(bytes(data))
        self.size += len(data)
        if self.size > _CHUNK:
            self.send()

    def send(self) -> None:
        """Encrypt and send what was written since the last time."""
        if self.parts and not self.tls.raw.is_closing():
            data, self.parts, self.size = b"".join(self.parts), [], 0
            try:
                for start in range(0, len(data), _PIECE):
                    self.tls.ssl.sendall(data[start : start + _PIECE])
                    self.tls.flush()
            except SSL.Error:
                self.tls.raw.abort()

    def is_closing(self) -> bool:
        return self.tls.raw.is_closing()

    def close(self) -> None:
        if not self.tls.raw.is_closing():
            self.send()
            with contextlib.suppress(SSL.Error):
                self.tls.ssl.shutdown()
            self.tls.flush()
            self.tls.raw.close()

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        if not self.tls.raw.is_closing():
            self.send()
            self.tls.finished = True
            with contextlib.suppress(SSL.Error):
                self.tls.ssl.shutdown()
            self.tls.flush()
            self.tls.raw.write_eof()

    def abort(self) -> None:
        self.tls.raw.abort()

    def pause_reading(self) -> None:
        if not self.tls.raw.is_closing():
            self.tls.raw.pause_reading()

    def resume_reading(self) -> None:
        if not self.tls.raw.is_closing():
            self.tls.raw.resume_reading()


class TlsConnection(asyncio.Protocol):
    """TLS records on the wire, clear text to `Http`, which exists only once the handshake is complete."""

    raw: asyncio.Transport

    def __init__(self, serving: Serving, context: SSL.Context, *, mtls: bool) -> None:
        self.serving, self.mtls = serving, mtls
        self.ssl = SSL.Connection(context, None)
        self.ssl.set_accept_state()
        self.finished = False  # nothing will be said any more; what still arrives is thrown away unread
        self.http: Http | None = None
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.raw = cast(asyncio.Transport, transport)
        if not self.serving.admit():
            self.raw.abort()
            return
        self.serving.unready[self] = None
        self.timer = self.serving.loop.call_later(self.serving.limits.handshake, self.raw.abort)

    def speaking(self) -> bool:
        """Whether there is still somebody to answer."""
        return not self.finished and not self.raw.is_closing()

    def flush(self) -> None:
        """Send the records that OpenSSL has made."""
        out = b""
        with contextlib.suppress(SSL.WantReadError):
            out = self.ssl.bio_read(_CHUNK)
            while len(out) % _CHUNK == 0:
                out += self.ssl.bio_read(_CHUNK)
        if out and not self.raw.is_closing():
            self.raw.write(out)

    def data_received(self, data: bytes) -> None:
        if not self.speaking():
            if self.http is not None:
                self.http.discard()
            return
        try:
            self.ssl.bio_write(data)
            if self.http is None:
                self.ssl.do_handshake()
                self._begin_http()
            http = cast(Http, self.http)
            while self.speaking():
                http.data_received(self.ssl.recv(_CHUNK))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.raw.close()
        except SSL.Error:
            self.flush()  # the alert that says why
            self.raw.close()
            return
        self.flush()

    def _begin_http(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.serving.unready.pop(self, None)
        peer = self.ssl.get_peer_certificate() if self.mtls else None
        der = None if peer is None else crypto.dump_certificate(crypto.FILETYPE_ASN1, peer)
        self.http = Http(self.serving, certificate=der, mtls=self.mtls, front=None)
        self.http.connection_made(_Plain(self))

    def eof_received(self) -> None:
        if self.http is not None:
            self.http.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.serving.unready.pop(self, None)
        if self.http is not None:
            self.http.connection_lost(exc)

    def pause_writing(self) -> None:
        if self.http is not None:
            self.http.pause_writing()

    def resume_writing(self) -> None:
        if self.http is not None:
            self.http.resume_writing()
