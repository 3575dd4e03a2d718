"""What an installation stands on: its settings, files, norms and database, looked at without opening the house."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from iam import archive, migrations, restore
from iam.config import Settings, Unsafe
from iam.db import Database
from iam.doctor.finding import AVISO, BANCO, CHAVE, FALHA, NORMAS, OK, RESTAURACAO, SKEW, Finding
from iam.keys import read_master
from iam.norm import legal_day
from iam.policy import load
from iam.table import PackError

FREE = 500 * 1024 * 1024
LEFT = (archive.STAGING, ".copia-", ".ensaio-")


def configuration(settings: Settings) -> Finding:
    """What the settings say, in one line."""
    engine = "embutido (SQLite)" if settings.sqlite else "PostgreSQL"
    return Finding("configuração", OK, f"{settings.issuer}, banco {engine}")


def restoring(settings: Settings) -> Iterator[Finding]:
    """A restore that did not end, and what a killed command left: folders that hold a copy's secrets in the clear."""
    try:
        if restore.unfinished(settings):
            yield Finding(
                RESTAURACAO, FALHA, "não terminou", "rode de novo `portaria restore --force ARQUIVO --key CHAVE`"
            )
    except SQLAlchemyError:
        pass  # the database has its own finding
    for left in sorted(p for p in settings.data.iterdir() if p.name.startswith(LEFT)):
        yield Finding(
            "restos", AVISO, f"{left} é de uma cópia ou restauração em curso ou interrompida", "se nada corre, apague-o"
        )


def modes(settings: Settings) -> Iterator[Finding]:
    """Whether the files with secrets are there, and unreadable to others."""
    private = {
        settings.master_key: CHAVE,
        settings.tls_key: "chave do servidor",
        settings.data / "portaria.toml": "configuração",
    }
    if settings.database_file:
        private[settings.database_file] = "arquivo do banco"
    if _readable(settings.data):
        yield Finding("diretório de dados", AVISO, "pode ser lido por outros", f"chmod 700 {settings.data}")
    for path, what in private.items():
        if not path.exists():
            if what in (CHAVE, "chave do servidor"):
                yield Finding(what, FALHA, f"{path} não existe", "restaure uma cópia ou corrija o caminho")
        elif _readable(path) and _readable(path.parent):
            yield Finding(what, FALHA, f"{path} pode ser lido por outros", f"chmod 600 {path}")
        elif what == CHAVE and (wrong := _unusable(path)):
            yield Finding(what, FALHA, wrong, "restaure-a da cópia; sem ela nenhuma chave abre")
        else:
            yield Finding(what, OK, "protegida")


def _unusable(master: Path) -> str:
    try:
        read_master(master)
    except Unsafe as error:
        return str(error)
    return ""


def _readable(path: Path) -> bool:
    return bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def packs(settings: Settings, now: datetime) -> Finding:
    """Whether the norms can be read, pass their own cases, and are in force."""
    try:
        policy = load(settings.policies, legal_day(now))
    except PackError as error:
        return Finding(NORMAS, FALHA, str(error), "corrija a linha; `portaria policy check` mostra o resultado")
    late = sorted(set(settings.policies) - set(policy.packs))
    if late:
        return Finding(NORMAS, AVISO, f"fora de vigência: {', '.join(late)}", "retire-as ou acrescente a nova redação")
    return Finding(NORMAS, OK, f"{len(policy.packs)} em vigor, todos os casos confirmados")


def disk(settings: Settings) -> Finding:
    """Whether there is room for the journal to grow."""
    free = shutil.disk_usage(settings.data).free
    if free < FREE:
        return Finding(
            "espaço em disco", AVISO, f"restam {free // 1024**2} MiB", "sem espaço o diário para, e tudo com ele"
        )
    return Finding("espaço em disco", OK, f"{free // 1024**3} GiB livres")


def database(settings: Settings, now: datetime) -> Finding:
    """Whether the database answers, is of this version's shape, and agrees about the time."""
    if settings.database_file and not settings.database_file.exists():
        return Finding(BANCO, FALHA, "não existe", "rode `portaria init`, ou restaure uma cópia")
    opened = Database(settings.database)
    try:
        found = migrations.current(opened)
        clock = None if settings.sqlite else _clock(opened)
    except SQLAlchemyError as error:
        return Finding(
            BANCO, FALHA, str(error).splitlines()[0], "verifique PORTARIA_DATABASE_URL e se o banco responde"
        )
    finally:
        opened.engine.dispose()
    if found != migrations.head():
        newer = found and found not in migrations.known()
        todo = "use a versão do programa que o criou" if newer else "inicie o servidor: ele a atualiza"
        return Finding(BANCO, FALHA, f"revisão {found or 'nenhuma'}; esta versão usa {migrations.head()}", todo)
    if clock is not None and abs(clock - now) > SKEW:
        return Finding(
            "relógio",
            FALHA,
            f"difere {abs(clock - now).total_seconds():.0f} s do relógio do banco",
            "sincronize por NTP",
        )
    return Finding(BANCO, OK, f"responde, revisão {found}")


def _clock(database: Database) -> datetime | None:
    with database.engine.connect() as connection:
        found: datetime | None = connection.scalar(text("SELECT now()"))
    return found.astimezone(UTC) if found else None
