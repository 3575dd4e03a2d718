"""A copy put back: into an empty place, byte by byte as its manifest says, and nothing of before good after (TRAM-12-II).

Every epoch is raised far beyond what acts since the copy can have reached, and by another number in each restore: no token,
session or code of before is good after it, also where the copy is older than a cut, nor is one of another place into which the
same copy was restored. Everybody is marked, so that every target is made to agree with what was restored.

A restore that is killed leaves nothing that would start with the copy's old epochs. An embedded database is renewed aside and
comes into place last, after the files; PostgreSQL's is loaded and its epochs raised in one transaction, which also closes it
until the restore has ended. :func:`unfinished` says so to every command. A trial restores beside the installation, looks, throws
it away, and is itself recorded.
"""

from __future__ import annotations

import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from sqlalchemy import Update, select, update

from iam import migrations, outbox, postgresql, sealer, verification
from iam.app import close, open_house, utcnow
from iam.archive import DATABASE, STAGING, Manifest, opened
from iam.ato import Ato
from iam.atos.papel import CASA, OPERADOR
from iam.atos.pessoa import Pessoa
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import Vinculo
from iam.config import Settings
from iam.context import Agente, House
from iam.db import Database
from iam.errors import Conflict, Invalid

PLACING = ".restauracao-nao-terminada"
OURS = (STAGING, PLACING, "portaria.lock")
EPOCHS = 1_000_000
"""How far at least a restore raises every epoch: an act raises one by one, so no token of before can name one so high."""
SPREAD = 16 * EPOCHS
"""A restore adds a random number below this: two restores of one copy agree once in 16 million, and the column (32 bits) holds
more than a hundred restores, each of a copy of the one before."""


def restore(
    settings: Callable[[Path], Settings], path: Path, key: bytes, agente: Agente, data: Path, *, force: bool
) -> Manifest:
    """Puts a copy into an empty data directory and database, verifies it, and ends everything issued before.

    ``settings`` are those of a directory, asked about the one where the copy was opened, since it brings its own
    ``portaria.toml``. ``force`` puts aside what the directory holds (``antes``). Raises Conflict for a place that is not
    empty or a database that others are connected to, Invalid for a copy that is not whole; then the directory is as it was.
    """
    if not path.is_file():
        raise Invalid(f"{path} não existe", code="arquivo")
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    data.chmod(0o700)  # it may have been made by somebody less careful
    if not force and any(entry.name not in OURS for entry in data.iterdir()):
        raise Conflict(
            f"{data} não está vazio; use outro diretório, ou --force para pôr de lado o que há", code="nao_vazio"
        )
    with opened(path, key, data) as manifest:
        staging = data / STAGING
        given = settings(staging)
        if given.sqlite != (manifest.engine == "sqlite"):
            raise Invalid(f"a cópia é de {manifest.engine} e o banco configurado é outro", code="banco_de_outro_tipo")
        places = _places(given, manifest, data)
        outside = [to for to in places.values() if not to.is_relative_to(data) and to.exists()]
        if outside:
            raise Conflict(f"{outside[0]} já existe; mova-o antes de restaurar", code="nao_vazio")
        aside = _beside(given, staging)
        _load(aside, staging, utcnow(), force=force)
        _renew(aside, manifest, agente)
        _place(places, data, force=force)
        if not given.sqlite:
            postgresql.release(given.database)
    return manifest


def unfinished(settings: Settings) -> bool:
    """Whether a restore began to change this place and did not end: nothing may start here until one does."""
    if settings.sqlite:
        return (settings.data / PLACING).exists()
    return postgresql.closed(settings.database)


def _places(given: Settings, manifest: Manifest, data: Path) -> dict[str, Path]:
    """Where each member belongs, the database last: in the directory, or where its setting names another place."""
    staging = data / STAGING
    named = {
        "master.key": given.master_key,
        "server.pem": given.tls_cert,
        "server.key": given.tls_key,
        "ca.pem": given.trust,
    }
    places = {m.name: named.get(m.name, staging / m.name) for m in manifest.members if m.name != DATABASE}
    if given.database_file:
        places[DATABASE] = given.database_file
    return {name: data / to.relative_to(staging) if to.is_relative_to(staging) else to for name, to in places.items()}


def _beside(given: Settings, staging: Path) -> Settings:
    """The copy where it was opened: its own key and authorities, and its database unless that is a server's."""
    own = {name: path for name in ("master.key", "ca.pem") if (path := staging / name).exists()}
    return replace(
        given,
        data=staging,
        database=f"sqlite:///{staging / DATABASE}" if given.sqlite else given.database,
        master_key=own.get("master.key", given.master_key),
        trust=own.get("ca.pem", given.trust),
    )


def _load(aside: Settings, staging: Path, now: datetime, *, force: bool) -> None:
    """The copy's database with every epoch raised; PostgreSQL's also closed, all in the transaction that loads it."""
    ending = ended(EPOCHS + secrets.randbelow(SPREAD), now)
    if not aside.sqlite:
        postgresql.load(aside.database, staging / DATABASE, clean=force, then=ending)
        return
    database = Database(aside.database)
    try:
        with database.write() as db:
            for statement in ending:
                db.execute(statement)
    finally:
        database.engine.dispose()


def ended(by: int, now: datetime) -> tuple[Update, ...]:
    """The statements that end every token, code and session there ever was."""
    return (
        update(Sujeito).values(epoch=Sujeito.epoch + by, version=Sujeito.version + by),
        update(Vinculo).values(epoch=Vinculo.epoch + by),
        update(Pessoa).values(login_epoch=Pessoa.login_epoch + by, cortada_em=now),
    )


def _renew(aside: Settings, manifest: Manifest, agente: Agente) -> None:
    """Brings the copy to this version's shape, verifies its journal, and has every target looked at."""
    house = open_house(aside)
    try:
        migrations.upgrade(house.database)
        verdict = verification.verify(sealer.export(house.database, house.keys))
        if not verdict.whole:
            raise Invalid(
                f"o diário restaurado não confere em {verdict.bad_seq}: {verdict.reason}", code="diario_alterado"
            )
        with house.begin(agente) as ctx:
            decision = ctx.require(Ato.COPIA_RESTAURAR, CASA, OPERADOR)
            outbox.forget(ctx.db)
            for id in ctx.db.scalars(select(Pessoa.id)):
                ctx.mark("pessoa", id)
            ctx.record(
                decision, manifesto=manifest.digest, feita_em=manifest.made_at, ate_seq=manifest.seq, teste=False
            )
    finally:
        close(house)


def _place(places: Mapping[str, Path], data: Path, *, force: bool) -> None:
    """Everything into its place, the database last. What fails is undone; what is killed stays marked as unfinished."""
    staging = data / STAGING
    if DATABASE in places:
        with closing(sqlite3.connect(staging / DATABASE)) as database:
            database.execute("PRAGMA journal_mode=DELETE")  # one file, whole
    marker = data / PLACING
    marked = marker.exists()
    marker.touch()
    before = {entry.name: entry for entry in data.iterdir()} if force else {}
    placed: list[Path] = []
    antes = _free(data / "antes")
    try:
        for name, entry in before.items():
            if name not in OURS and not name.startswith("antes"):
                antes.mkdir(mode=0o700, exist_ok=True)
                entry.replace(antes / name)
        for name, to in places.items():
            placed.append(to)
            _move(staging / name, to)
    except BaseException:
        for to in placed:
            to.unlink(missing_ok=True)
        if antes.exists():
            for entry in antes.iterdir():
                entry.replace(data / entry.name)
            antes.rmdir()
        if not marked:
            marker.unlink()
        raise
    marker.unlink()


def _move(source: Path, to: Path) -> None:
    """Into place at once, also from another file system."""
    source.chmod(0o600)
    near = to.with_name(f".{to.name}{STAGING}")
    shutil.move(source, near)
    near.replace(to)


def _free(path: Path) -> Path:
    number, found = 1, path
    while found.exists():
        number += 1
        found = path.with_name(f"{path.name}-{number}")
    return found


def test(house: House, path: Path, key: bytes, agente: Agente) -> tuple[Manifest, verification.Verdict | None]:
    """Restores a copy beside the installation, looks at it, throws it away, and records that it was tried (TRAM-12-II).

    An embedded database is opened and its journal verified; of PostgreSQL's, the list of contents is read.
    """
    verdict: verification.Verdict | None = None
    with (
        tempfile.TemporaryDirectory(prefix=".ensaio-", dir=house.data) as folder,
        opened(path, key, Path(folder)) as found,
    ):
        dump = Path(folder) / STAGING / DATABASE
        if found.engine == "sqlite":
            for member in found.members:
                if member.name != DATABASE:
                    (dump.parent / member.name).replace(Path(folder) / member.name)
            dump.replace(Path(folder) / "portaria.db")
            verdict = _verify_beside(house, Path(folder))
        else:
            postgresql.check(dump)
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.COPIA_RESTAURAR, CASA, OPERADOR)
        ctx.record(
            decision,
            manifesto=found.digest,
            feita_em=found.made_at,
            ate_seq=found.seq,
            teste=True,
            resultado="confere" if verdict is None or verdict.whole else verdict.reason,
        )
    if verdict is not None and not verdict.whole:
        raise Invalid(f"o diário da cópia não confere em {verdict.bad_seq}: {verdict.reason}", code="diario_alterado")
    return found, verdict


def _verify_beside(house: House, folder: Path) -> verification.Verdict:
    master = folder / "master.key"
    beside = replace(
        house.settings,
        data=folder,
        database=f"sqlite:///{folder / 'portaria.db'}",
        master_key=master if master.exists() else house.settings.master_key,
    )
    other = open_house(beside, house.clock)
    try:
        return verification.verify(sealer.export(other.database, other.keys))
    finally:
        close(other)
