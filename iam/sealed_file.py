"""A file encrypted in pieces, of any size: AES-256-GCM over chunks that cannot be reordered, dropped or cut off.

The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015): the nonce of a chunk is a random prefix, its number and
whether it is the last. The key is derived (HKDF-SHA256, RFC 5869) from 32 bytes kept apart and a salt of this file. Reading
never gives out a byte that was not authenticated; a cut file fails at its end.
"""

from __future__ import annotations

import base64
import secrets
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from iam.errors import Conflict, Invalid
from iam.file import new_secret

MAGIC = b"PORTARIA-COPIA-1\n"
CHUNK = 1024 * 1024
_TAG = 16


def new_key(path: Path) -> None:
    """A new key file, readable by its owner only; Conflict when there is one, because it may be all that opens a copy."""
    try:
        new_secret(path)
    except FileExistsError:
        raise Conflict(f"{path} já existe; uma chave nunca é sobrescrita", code="chave_existente") from None


def read_key(path: Path) -> bytes:
    """The 32 bytes of a key file; Invalid when it is missing, is something else, or can be read by others."""
    try:
        if path.stat().st_mode & 0o077:
            raise Invalid(f"{path} pode ser lida por outros; use chmod 600", code="chave_exposta")
        key = base64.b64decode(path.read_bytes().strip(), validate=True)
    except OSError as error:
        raise Invalid(f"a chave {path} não pode ser lida: {error.strerror}", code="chave") from error
    except ValueError:
        key = b""
    if len(key) != 32:
        raise Invalid(f"{path} não é uma chave de cópia (32 bytes em base64)", code="chave")
    return key


class Writer:
    """Encrypts what is written to it; :meth:`close` marks the end, without which the file cannot be read."""

    def __init__(self, out: BinaryIO, key: bytes) -> None:
        salt, self._prefix = secrets.token_bytes(32), secrets.token_bytes(7)
        self._header = MAGIC + salt + self._prefix
        self._aead, self._out, self._number = AESGCM(_derive(key, salt)), out, 0
        self._waiting = bytearray()
        out.write(self._header)

    def write(self, data: bytes) -> int:
        """Takes any number of bytes."""
        self._waiting += data
        while len(self._waiting) > CHUNK:
            self._chunk(bytes(self._waiting[:CHUNK]), last=False)
            del self._waiting[:CHUNK]
        return len(data)

    def close(self) -> None:
        """Writes the last chunk."""
        self._chunk(bytes(self._waiting), last=True)
        self._waiting.clear()

    def _chunk(self, data: bytes, *, last: bool) -> None:
        self._out.write(self._aead.encrypt(_nonce(self._prefix, self._number, last=last), data, self._header))
        self._number += 1


def read(source: BinaryIO, key: bytes) -> Iterator[bytes]:
    """The chunks of an encrypted file, each authenticated before it is given out; Invalid for a wrong key or a changed file."""
    header = source.read(len(MAGIC) + 39)
    if not header.startswith(MAGIC) or len(header) != len(MAGIC) + 39:
        raise Invalid("o arquivo não é uma cópia da Portaria", code="copia_invalida")
    salt, prefix = header[len(MAGIC) : -7], header[-7:]
    aead, number = AESGCM(_derive(key, salt)), 0
    piece = source.read(CHUNK + _TAG)
    while True:
        following = source.read(CHUNK + _TAG)
        try:
            yield aead.decrypt(_nonce(prefix, number, last=not following), piece, header)
        except InvalidTag:
            raise Invalid(
                "a cópia não abre: a chave é outra, ou o arquivo foi alterado ou cortado", code="copia_invalida"
            ) from None
        if not following:
            return
        piece, number = following, number + 1


def _derive(key: bytes, salt: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, b"portaria copia").derive(key)


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)
