"""PostgreSQL's own tools, for copies: ``pg_dump`` takes a consistent picture of a serving database, ``psql`` puts it back.

Between the load and the end of a restore the database is closed, by a comment on an index that comes with the transaction
that loads it and is seen from every machine. A password goes to the tools by their environment, never by an argument that
other users of the machine can read.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Dialect, Update, inspect, make_url, text

from iam.db import Database
from iam.errors import Conflict, Unavailable

CLOSED = "restauracao nao terminada"
FOLDERS = "usr/lib/postgresql/*/bin"
LOOKS, BETWEEN = 20, 0.1  # seconds


def dump(url: str, to: Path) -> None:
    """Writes the database in PostgreSQL's custom format; Unavailable with its own words when it fails."""
    _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={to}")


def load(url: str, source: Path, *, clean: bool, then: Sequence[Update]) -> None:
    """Puts a dump into an empty database and does ``then``, in one transaction that leaves it closed until :func:`release`.

    ``clean`` drops the tables of ours that are there first; without it Conflict tells of them, and with it of whoever is connected
    to them. ``source`` must be in a private folder: the dump as SQL is written beside it.
    """
    database = Database(url)
    try:
        taken, dialect = inspect(database.engine).has_table("key"), database.engine.dialect
        if taken and not clean:
            raise Conflict(
                "o banco de dados não está vazio; use outro, ou --force para substituir o que há", code="nao_vazio"
            )
        if taken:
            _refuse_used(database)
    finally:
        database.engine.dispose()
    script = source.with_name(source.name + ".sql")
    options = ["--clean", "--if-exists"] if clean else []
    shape = ["--no-owner", "--no-privileges", *options, f"--file={script}", str(source)]
    _call([_program("pg_restore"), *shape], {})
    after = ["RESET search_path", f"COMMENT ON INDEX sujeito_pkey IS '{CLOSED}'", *(_literal(s, dialect) for s in then)]
    _run(
        "psql",
        url,
        "--no-psqlrc",
        "--quiet",
        "--output=/dev/null",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        f"--file={script}",
        *(f"--command={statement}" for statement in after),
    )


def _refuse_used(database: Database) -> None:
    """Conflict, with their number, while others are connected to this database. What has just left is listed a moment longer."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid() AND usename IS NOT NULL"
    )
    for _ in range(LOOKS):
        with database.engine.connect() as connection:
            others = connection.scalar(query)
        if not others:
            return
        time.sleep(BETWEEN)
    raise Conflict(
        f"o banco de dados está em uso por {others} outra(s) conexão(ões); encerre os servidores e workers de todas as máquinas, "
        "e repita",
        code="em_uso",
    )


def closed(url: str) -> bool:
    """Whether a restore was begun here and not ended; False also for a database without our tables."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            said = connection.scalar(text("SELECT obj_description(to_regclass('sujeito_pkey'), 'pg_class')"))
    finally:
        database.engine.dispose()
    return bool(said == CLOSED)


def release(url: str) -> None:
    """The restore has ended: the database may be used."""
    database = Database(url)
    try:
        with database.engine.begin() as connection:
            connection.execute(text("COMMENT ON INDEX sujeito_pkey IS NULL"))
    finally:
        database.engine.dispose()


def _literal(statement: Update, dialect: Dialect) -> str:
    return str(statement.compile(dialect=dialect, compile_kwargs={"literal_binds": True}))


def check(source: Path) -> None:
    """Reads a dump's list of contents; Unavailable when it is none."""
    _call([_program("pg_restore"), "--list", str(source)], {})


def _run(name: str, url: str, *options: str) -> None:
    where = make_url(url)
    plain = where.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
    env = {"PGPASSWORD": str(where.password)} if where.password else {}
    _call([_program(name), f"--dbname={plain}", "--no-password", *options], env)


def _call(command: list[str], env: dict[str, str]) -> None:
    done = subprocess.run(command, capture_output=True, check=False, env={"PATH": os.defpath, "LC_ALL": "C", **env})
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Unavailable(f"{Path(command[0]).name}: {said[-1] if said else f'terminou com {done.returncode}'}")


def _program(name: str) -> str:
    found = shutil.which(name) or next((str(p / name) for p in sorted(Path("/").glob(FOLDERS), reverse=True)), None)
    if found is None:
        raise Unavailable(f"{name} não está nesta máquina; instale o cliente do PostgreSQL")
    return found
