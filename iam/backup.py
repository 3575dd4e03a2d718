"""Copies of an installation: encrypted with a key kept apart, and consistent while it serves (TRAM-12-II).

A copy holds the database, the master key and the few files an installation stands on, with a manifest of their
digests (:mod:`iam.archive`). Putting one back, and proving that it can be, is :mod:`iam.restore`'s.
"""

from __future__ import annotations

import hashlib
import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import select

from iam import archive, migrations, postgresql, sealer
from iam.archive import DATABASE, Manifest, Member
from iam.ato import Ato
from iam.atos.papel import CASA, OPERADOR
from iam.config import Settings
from iam.context import Agente, House
from iam.errors import Conflict, Invalid
from iam.keys import b64url


def backup(house: House, path: Path, key: bytes, agente: Agente) -> Manifest:
    """Writes a copy, whole or not at all, while the server may go on serving. Raises Conflict when the file is there."""
    if path.exists():
        raise Conflict(f"{path} já existe", code="arquivo_existente")
    now = house.clock()
    with house.begin(agente) as ctx:
        ctx.require(Ato.COPIA_FAZER, CASA, OPERADOR)
    with tempfile.TemporaryDirectory(prefix=".copia-", dir=house.data) as folder:
        sealer.seal(house.database, house.keys, now)
        sealer.checkpoint(house.database, house.keys, now)
        files = [(DATABASE, _dump(house.settings, Path(folder) / DATABASE)), *_files(house.settings)]
        manifest = _manifest(house, now, files)
        partial = path.with_name(path.name + ".parte")
        try:
            archive.write(partial, key, manifest, files)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.COPIA_FAZER, CASA, OPERADOR)
        ctx.record(decision, manifesto=manifest.digest, arquivo=path.name, ate_seq=manifest.seq)
    return manifest


def _dump(settings: Settings, to: Path) -> Path:
    to.touch(mode=0o600)
    if settings.database_file is None:
        postgresql.dump(settings.database, to)
        return to
    with closing(sqlite3.connect(settings.database_file, timeout=30)) as live, closing(sqlite3.connect(to)) as copy:
        live.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")
        found = copy.execute("PRAGMA integrity_check").fetchone()[0]
    if found != "ok":
        raise Invalid(f"o banco de dados está corrompido: {found}", code="banco_corrompido")
    return to


def _files(settings: Settings) -> list[tuple[str, Path]]:
    """The files beside the database, by the names they have in a data directory."""
    wanted = [
        ("portaria.toml", settings.data / "portaria.toml"),
        ("master.key", settings.master_key),
        ("server.pem", settings.tls_cert),
        ("server.key", settings.tls_key),
        ("ca.pem", settings.trust),
        ("ca.crl", settings.data / "ca.crl"),
    ]
    return [(name, path) for name, path in wanted if path.is_file()]


def _manifest(house: House, now: datetime, files: Sequence[tuple[str, Path]]) -> Manifest:
    members = []
    for name, path in files:
        with path.open("rb") as file:
            members.append(Member(name, path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest()))
    with house.reading() as db:
        seq = db.scalar(select(sealer.Seal.seq).order_by(sealer.Seal.seq.desc()).limit(1)) or 0
    engine = "sqlite" if house.settings.sqlite else "postgresql"
    revision, issuer = migrations.current(house.database), house.settings.issuer
    made = Manifest(now.isoformat(), engine, revision, issuer, seq, tuple(members))
    return replace(made, digest=hashlib.sha256(made.content()).hexdigest())


def fingerprint(key: bytes) -> str:
    """A short name of a backup key, to tell which one opens which copy; it says nothing about the key."""
    return b64url(hashlib.sha256(b"portaria copia " + key).digest())[:16]
