"""A copy as a file: a manifest and the files it tells of, by size and digest, in a tar that is sealed (:mod:`iam.sealed_file`).

What belongs in a copy is :mod:`iam.backup`'s, what is done with one :mod:`iam.restore`'s.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import IO, cast

import orjson

from iam import sealed_file
from iam.errors import Invalid

FORMAT = 1
DATABASE = "database"
MANIFEST = "manifest.json"
STAGING = ".restaura"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a copy."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a copy says of itself; ``digest`` names it in the journal."""

    made_at: str
    engine: str
    revision: str
    issuer: str
    seq: int
    members: tuple[Member, ...]
    digest: str = ""

    def content(self) -> bytes:
        """As it stands in the copy."""
        files = [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in self.members]
        return orjson.dumps(
            {
                "format": FORMAT,
                "portaria": version("portaria"),
                "made_at": self.made_at,
                "engine": self.engine,
                "revision": self.revision,
                "issuer": self.issuer,
                "seq": self.seq,
                "files": files,
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS,
        )

    @staticmethod
    def read(raw: bytes) -> Manifest:
        """From a copy; Invalid for one of another format."""
        try:
            told = orjson.loads(raw)
            if told["format"] != FORMAT:
                raise Invalid(f"esta versão não lê cópias do formato {told['format']}", code="copia_invalida")
            members = tuple(Member(f["name"], f["size"], f["sha256"]) for f in told["files"])
            digest = hashlib.sha256(raw).hexdigest()
            return Manifest(
                told["made_at"], told["engine"], told["revision"], told["issuer"], told["seq"], members, digest
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Invalid("o manifesto da cópia não pode ser lido", code="copia_invalida") from error


def write(path: Path, key: bytes, manifest: Manifest, files: Sequence[tuple[str, Path]]) -> None:
    """The manifest and the files it tells of, in its order, on disk before this returns."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        sealed = sealed_file.Writer(out, key)
        with tarfile.open(fileobj=cast("IO[bytes]", sealed), mode="w|", format=tarfile.PAX_FORMAT) as tar:
            content = manifest.content()
            head = tarfile.TarInfo(MANIFEST)
            head.size = len(content)
            tar.addfile(head, io.BytesIO(content))
            for member, (name, source) in zip(manifest.members, files, strict=True):
                info = tarfile.TarInfo(name)
                info.size, info.mode = member.size, 0o600
                with source.open("rb") as file:
                    tar.addfile(info, file)
        sealed.close()
        out.flush()
        os.fsync(out.fileno())


@contextmanager
def opened(path: Path, key: bytes, folder: Path) -> Iterator[Manifest]:
    """A copy, decrypted and verified file by file into a private folder inside ``folder``, gone when the block ends.

    Inside the block the manifest's members are at ``folder/.restaura/<name>``. Raises Invalid for anything not exactly as told.
    """
    staging = folder / STAGING
    if staging.exists():
        shutil.rmtree(staging)
    staging.mkdir(mode=0o700)
    try:
        with path.open("rb") as source:
            stream = cast("IO[bytes]", _Chunks(sealed_file.read(source, key)))
            yield _unpack(stream, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _unpack(stream: IO[bytes], staging: Path) -> Manifest:
    try:
        with tarfile.open(fileobj=stream, mode="r|") as tar:
            manifest: Manifest | None = None
            left: dict[str, Member] = {}
            for info in tar:
                file = tar.extractfile(info)
                if file is None:
                    raise Invalid(f"a cópia tem um membro estranho: {info.name}", code="copia_invalida")
                if manifest is None:
                    manifest = Manifest.read(file.read())
                    left = {m.name: m for m in manifest.members}
                elif (member := left.pop(info.name, None)) is None or "/" in info.name:
                    raise Invalid(f"a cópia tem um membro que o manifesto não diz: {info.name}", code="copia_invalida")
                else:
                    _extract(file, staging / member.name, member)
    except tarfile.TarError as error:
        raise Invalid(f"a cópia não pode ser lida: {error}", code="copia_invalida") from error
    if manifest is None or left:
        raise Invalid("a cópia não tem tudo o que o manifesto diz", code="copia_invalida")
    return manifest


def _extract(file: IO[bytes], to: Path, member: Member) -> None:
    digest, size = hashlib.sha256(), 0
    with os.fdopen(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        while piece := file.read(sealed_file.CHUNK):
            out.write(piece)
            digest.update(piece)
            size += len(piece)
        out.flush()
        os.fsync(out.fileno())
    if (size, digest.hexdigest()) != (member.size, member.sha256):
        raise Invalid(f"{member.name} não é o que o manifesto diz", code="copia_invalida")


class _Chunks(io.RawIOBase):
    """An iterator of bytes as a file."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._left = chunks, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while size < 0 or len(self._left) < size:
            piece = next(self._chunks, None)
            if piece is None:
                break
            self._left += piece
        cut = len(self._left) if size < 0 else size
        given, self._left = self._left[:cut], self._left[cut:]
        return given
