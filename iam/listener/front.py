"""A reverse proxy in front of us: where it may speak for the caller, and how we know that it is the proxy.

Texts: RFC 9440 and RFC 8941 (Client-Cert as a byte sequence). Whatever a proxy asserts is believed on a unix socket in a
guarded directory and nowhere else; there, an assertion written in two ways means that a client's got through, and is refused.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import ipaddress
import socket
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from iam.config import Unsafe
from iam.http import CERTIFICATE
from iam.listener import refusal
from iam.listener.refusal import Unservable

ASSERTIONS = frozenset(
    (
        *(b"client-cert", b"client-cert-chain", b"x-client-cert", b"x-ssl-client-cert", b"ssl-client-cert"),
        *(b"x-forwarded-client-cert", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port"),
        *(b"x-forwarded-prefix", b"x-forwarded-proto", b"x-real-ip", b"forwarded"),
    )
)
"""Headers in which a proxy asserts something about the caller. From anybody but the proxy they are dropped."""


class UnsafeFront(Unsafe):
    """A header would be trusted where a client could have written it; the server must not start."""


@dataclass(frozen=True, slots=True)
class Front:
    """A unix socket for a reverse proxy that ends TLS. With `mtls` it may assert `Client-Cert` (RFC 9440).

    `mode` are the socket's permissions; `uids`, when given, the only users whose process may connect.
    """

    path: Path
    mtls: bool = False
    mode: int = 0o660
    uids: tuple[int, ...] = ()

    def knows(self, transport: asyncio.Transport) -> bool:
        """Whether the process at the other end belongs to one of `uids`, where there are any."""
        if not self.uids:
            return True
        raw = cast(socket.socket, transport.get_extra_info("socket"))
        _, uid, _ = struct.unpack("3i", raw.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i")))
        return uid in self.uids

    @staticmethod
    def hear(told: dict[bytes, bytes], name: bytes, value: bytes) -> None:
        """Keep in `told` a header only the proxy may write; Unservable for two of one kind, or for another spelling."""
        kind = name.replace(b"_", b"-")
        if kind in {b"client-cert", b"x-forwarded-for"}:
            if name != kind or kind in told:
                raise Unservable(refusal.TWO_WORDS)
            told[kind] = value

    def believe(self, told: dict[bytes, bytes], scope: dict[str, object]) -> None:
        """Write into the ASGI scope the certificate and the address that the proxy told; Unservable for a malformed one."""
        certificate, address = told.get(b"client-cert"), told.get(b"x-forwarded-for")
        if certificate is not None:
            if not self.mtls:
                raise Unservable(refusal.UNEXPECTED_CERTIFICATE)
            scope[CERTIFICATE] = _byte_sequence(certificate)
        scope["client"] = None
        if address is not None:
            try:
                scope["client"] = (str(ipaddress.ip_address(address.decode("ascii").strip())), 0)
            except ValueError:
                raise Unservable(refusal.ADDRESS_FORM) from None


def check_front(*, trusts_header: bool, path: Path | None) -> None:
    """Raise UnsafeFront when `Client-Cert` would be believed anywhere but on a unix socket in a guarded directory."""
    if trusts_header and path is None:
        raise UnsafeFront("o cabeçalho Client-Cert só vale num socket unix: por TCP qualquer programa o escreveria")
    if path is not None and not path.parent.is_dir():
        raise UnsafeFront(f"{path.parent}, onde ficaria o socket, não é um diretório")
    if path is not None and path.parent.stat().st_mode & stat.S_IWOTH:
        raise UnsafeFront(f"todos podem escrever em {path.parent}: outro programa tomaria o lugar do socket")


def _byte_sequence(value: bytes) -> bytes:
    """RFC 8941 byte sequence, as RFC 9440 writes a certificate."""
    value = value.strip()
    try:
        if len(value) > 2 and value[:1] == value[-1:] == b":":
            return base64.b64decode(value[1:-1], validate=True)
    except binascii.Error:
        pass
    raise Unservable(refusal.CERTIFICATE_FORM)
