"""Work on the many lines of a file beside a server that goes on serving. Our own mechanism.

An embedded database has one writer at a time, and who waits for it looks again at most every 100 ms (SQLite's busy handler): work
without pauses would keep a server from writing until its end. So it pauses after each transaction.

What is only tried is tried on a copy, where a line sees the effect of those before it and nobody waits for either: an embedded
database is copied whole; of PostgreSQL's, the tables that acts stand on are copied into temporary ones of the same names,
of which nobody else knows. The transaction may then write nothing else, nor lock a row: PostgreSQL itself sees to it.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from sqlalchemy import MetaData, func, insert, select, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import CreateIndex, CreateTable

from iam.atos.client import Client
from iam.atos.concessao import Concessao
from iam.atos.credencial import Credencial
from iam.atos.evento import Evento
from iam.atos.fonte import Fonte
from iam.atos.orgao import Orgao
from iam.atos.pendencia import Pendencia
from iam.atos.pessoa import Pessoa
from iam.atos.recibo import Destino, Recibo
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import Vinculo
from iam.context import Agente, Ctx, House
from iam.db import Base, Database
from iam.journal import Entry
from iam.outbox import Mark

PAUSE = 0.15
"""Seconds: longer than who waits sleeps."""
COPIED: tuple[type[Base], ...] = (
    Sujeito,
    Orgao,
    Pessoa,
    Client,
    Fonte,
    Vinculo,
    Credencial,
    Evento,
    Concessao,
    Recibo,
    Pendencia,
)
EMPTY: tuple[type[Base], ...] = (Entry, Mark, Destino)
"""What acts write and do not read: an empty table takes it."""


class _Undo(Exception):
    """Undoes a transaction that was only meant to show what would happen."""


def pause(house: House) -> None:
    """Lets others write, between two transactions of a long work."""
    if house.database.sqlite:
        time.sleep(PAUSE)


@contextmanager
def undone(house: House, agente: Agente) -> Iterator[Ctx]:
    """A transaction for what is only to be shown: it is undone when the block ends, and nobody waits for it meanwhile."""
    with _beside(house) as other:
        try:
            with other.begin(agente) as ctx:
                if not house.database.sqlite:
                    _copy_tables(ctx.db)
                yield ctx
                raise _Undo
        except _Undo:
            return


@contextmanager
def _beside(house: House) -> Iterator[House]:
    """The same house over a copy of its embedded database; PostgreSQL's is copied inside the transaction."""
    if not house.database.sqlite:
        yield house
        return
    with tempfile.TemporaryDirectory(prefix=".ensaio-", dir=house.data) as folder:
        to = Path(folder) / "portaria.db"
        source = house.settings.database.removeprefix("sqlite:///")
        with closing(sqlite3.connect(source, timeout=30)) as live, closing(sqlite3.connect(to)) as copy:
            live.backup(copy)
        database = Database(f"sqlite:///{to}")
        try:
            yield replace(house, database=database)
        finally:
            database.engine.dispose()


def _copy_tables(db: Session) -> None:
    """Puts temporary tables before the real ones, filled from one snapshot; from here on only these can be written."""
    db.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    schema = str(db.scalar(select(func.current_schema())))
    until_the_end = True
    db.execute(select(func.set_config("search_path", f'pg_temp, "{schema}"', until_the_end)))
    copied = {kind.__tablename__ for kind in COPIED}
    for name in (kind.__tablename__ for kind in (*COPIED, *EMPTY)):
        table = Base.metadata.tables[name]
        keys = [key for key in table.foreign_key_constraints if key.referred_table.name in copied]
        db.execute(CreateTable(table, include_foreign_key_constraints=keys))
        for index in table.indexes:
            db.execute(CreateIndex(index))
        if name in copied:
            real = table.to_metadata(MetaData(), schema=schema)
            db.execute(insert(table).from_select(list(real.columns.keys()), select(real)))
    db.execute(text("SET TRANSACTION READ ONLY"))
