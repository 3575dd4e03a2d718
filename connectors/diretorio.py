"""``diretorio``, the embedded directory: a target that needs no server, kept in ``diretorio.db`` of the data directory.

It is the reference of the contract and what a new installation begins with. Each change is one SQLite transaction on
disk before ``apply`` returns, so that an abrupt end loses nothing. It knows no sessions and holds no passwords, and
must never read or write the house's own database.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import assert_never

from iam.connector import (
    NO_SESSIONS,
    Account,
    AddPerfil,
    Change,
    Create,
    Disable,
    Enable,
    EndSessions,
    RemovePerfil,
    SetAttribute,
    settings,
)
from iam.errors import NotFound, Unavailable

SCHEMA = """
CREATE TABLE IF NOT EXISTS account (key TEXT PRIMARY KEY, enabled INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS perfil (
    key TEXT NOT NULL REFERENCES account, perfil TEXT NOT NULL, PRIMARY KEY (key, perfil)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS attribute (
    key TEXT NOT NULL REFERENCES account, name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (key, name)) WITHOUT
    ROWID;
"""


class Diretorio:
    """The embedded directory. Setting: ``file``, the name of its file in the data directory."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        self._path = data / settings("diretorio", given, (), {"file": "diretorio.db"})["file"]

    def __repr__(self) -> str:
        return f"Diretorio({str(self._path)!r})"

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """One connection, one transaction: committed on disk at the end of the block, or not at all."""
        try:
            fresh = not self._path.exists()
            with closing(sqlite3.connect(self._path, timeout=10, isolation_level=None)) as db:
                if fresh:
                    db.execute("PRAGMA journal_mode = WAL")
                db.execute("PRAGMA synchronous = FULL")
                db.execute("PRAGMA foreign_keys = ON")
                if fresh or db.execute("SELECT 1 FROM sqlite_master WHERE name = 'attribute'").fetchone() is None:
                    db.executescript(SCHEMA)
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.Error as error:
            raise Unavailable(f"o diretório {self._path.name} não responde: {error}") from error

    def check(self) -> None:
        """Raises ``Unavailable`` when the file cannot be opened and written."""
        with self._open():
            pass

    def keys(self) -> Iterator[str]:
        """Every account's key, in order."""
        with self._open() as db:
            rows = db.execute("SELECT key FROM account ORDER BY key").fetchall()
        for (key,) in rows:
            yield key

    def observe(self, key: str, id: str = "") -> Account | None:
        """The account as it is on disk. Nobody can give it another key, so that it has no id beside."""
        with self._open() as db:
            row = db.execute("SELECT enabled FROM account WHERE key = ?", (key,)).fetchone()
            if row is None:
                return None
            perfis = frozenset(p for (p,) in db.execute("SELECT perfil FROM perfil WHERE key = ?", (key,)))
            attributes = dict(db.execute("SELECT name, value FROM attribute WHERE key = ?", (key,)).fetchall())
        return Account(key, bool(row[0]), perfis, attributes, NO_SESSIONS)

    def apply(self, key: str, change: Change, id: str = "") -> None:
        """One change, on disk when this returns."""
        with self._open() as db:
            exists = db.execute("SELECT 1 FROM account WHERE key = ?", (key,)).fetchone() is not None
            if not exists and isinstance(change, SetAttribute | AddPerfil | Enable):
                raise NotFound(f"a conta `{key}` não existe no diretório")
            match change:
                case Disable():
                    db.execute("UPDATE account SET enabled = 0 WHERE key = ?", (key,))
                case EndSessions():
                    pass
                case RemovePerfil(perfil):
                    db.execute("DELETE FROM perfil WHERE key = ? AND perfil = ?", (key, perfil))
                case Create(attributes):
                    if not exists:
                        db.execute("INSERT INTO account VALUES (?, 0)", (key,))
                        db.executemany(
                            "INSERT INTO attribute VALUES (?, ?, ?)", [(key, n, v) for n, v in attributes.items() if v]
                        )
                case SetAttribute(name, value):
                    db.execute("DELETE FROM attribute WHERE key = ? AND name = ?", (key, name))
                    if value:
                        db.execute("INSERT INTO attribute VALUES (?, ?, ?)", (key, name, value))
                case AddPerfil(perfil):
                    db.execute("INSERT OR IGNORE INTO perfil VALUES (?, ?)", (key, perfil))
                case Enable():
                    db.execute("UPDATE account SET enabled = 1 WHERE key = ?", (key,))
                case _:
                    assert_never(change)
