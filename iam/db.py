"""The database: the base of every table, its constraints, the engine, and the two ways to open a transaction.

SQLite (WAL, synchronous=FULL) for one process, PostgreSQL for many. A writing transaction on SQLite begins IMMEDIATE and
waits its turn on an ordinary lock, because SQLite's own waiting starves. What is regulated is written by
:mod:`iam.context` and the journal's writers alone; the few who keep books of their own beside it (marks and their leases,
when a session was last used, what nobody can redeem any more) are named in a house test.
"""

from __future__ import annotations

import sqlite3
import threading
import uuid
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from typing import ClassVar, dataclass_transform

import psycopg
from sqlalchemy import (
    CheckConstraint,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Index,
    MetaData,
    String,
    TypeDecorator,
    create_engine,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, MappedAsDataclass, Session, mapped_column, relationship
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeEngine


def new_id() -> str:
    """A random identifier: 32 lower-case hexadecimal digits."""
    return uuid.uuid4().hex


class Instant(TypeDecorator[datetime]):
    """A moment in UTC. Refuses naive values, gives back aware ones, whatever the database keeps."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Into the database."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Out of the database."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Id = String(64)
# What PostgreSQL itself would say, on every engine alike.
NAMES = {
    "pk": "%(table_name)s_pkey",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "ix": "%(table_name)s_%(column_0_N_name)s",
}


@dataclass_transform(kw_only_default=True, field_specifiers=(mapped_column, relationship))  # what SQLAlchemy does
class Base(MappedAsDataclass, DeclarativeBase, kw_only=True):
    """Every table of the house. Times are :class:`Instant`, ids are strings, constraints have names."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map: ClassVar[dict[type, TypeEngine[datetime] | TypeEngine[str]]] = {
        datetime: Instant(),
        str: String(),
    }


def one_of(column: str, values: Iterable[str]) -> CheckConstraint:
    """A column that holds one of a closed vocabulary."""
    words = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({words})", name=column)


def grows(*columns: str) -> CheckConstraint:
    """Epochs and versions, which begin at 1."""
    return CheckConstraint(" AND ".join(f"{column} > 0" for column in columns), name="epoch")


def unique_while(name: str, column: str, condition: str) -> Index:
    """At most one row with the same value of a column among those for which the condition holds."""
    where = text(condition)
    return Index(name, column, unique=True, sqlite_where=where, postgresql_where=where)


def away(error: BaseException | None) -> bool:
    """Whether the database does not answer, or takes nothing just now: the same request may succeed later."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(error, (InterfaceError, InternalError, OperationalError, PoolTimeout, *DRIVERS))


DRIVERS = (sqlite3.OperationalError, psycopg.InterfaceError, psycopg.OperationalError)
"""What comes as the driver said it, where the hot path asks without SQLAlchemy."""


class Database:
    """One engine, and the lock that orders writers where the database is embedded."""

    def __init__(self, url: str) -> None:
        self.sqlite = url.startswith("sqlite")
        self.engine = _sqlite(url) if self.sqlite else _postgresql(url)
        self.failing = False
        snapshot = {} if self.sqlite else {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        self._reader = self.engine.execution_options(portaria_read=True, **snapshot)
        self._turn = threading.Lock()

    @property
    def mark(self) -> str:
        """The driver's placeholder."""
        return "?" if self.sqlite else "%s"

    def moment(self, at: datetime) -> datetime | str:
        """A moment as the driver takes it, for the few statements that are worth writing without SQLAlchemy."""
        at = at.astimezone(UTC)
        return at.replace(tzinfo=None).isoformat(" ", "microseconds") if self.sqlite else at

    def turn(self) -> AbstractContextManager[object]:
        """Held while writing: one writer at a time on SQLite, nothing elsewhere."""
        return self._turn if self.sqlite else nullcontext()

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction that may change rows; commits on leaving, undoes everything on any exception.

        ``failing`` tells whether the database did not take the last one, whatever was to be written: what asks for health looks.
        """
        try:
            with self.turn(), Session(self.engine, expire_on_commit=False) as session, session.begin():
                yield session
        except SQLAlchemyError as error:
            self.failing = self.failing or away(error)
            raise
        self.failing = False

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One snapshot, as the database stood at its first question, that changes nothing and waits for nobody."""
        with Session(self._reader, expire_on_commit=False) as session:
            yield session

    def create(self) -> None:
        """Every table, for a new database; an older one is brought up by :mod:`iam.migrations`."""
        Base.metadata.create_all(self.engine)


LOST = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
"""When a server that went without a word is given up, unless the address says it otherwise."""
IDLE = 60_000
"""Milliseconds after which PostgreSQL undoes the transaction of a node that stopped in the middle, and lets its locks go."""


def _postgresql(url: str) -> Engine:
    given = make_url(url)
    given = given.update_query_dict({name: value for name, value in LOST.items() if name not in given.query})
    engine = create_engine(given, hide_parameters=True, pool_size=10, max_overflow=20, pool_pre_ping=True)

    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        cursor = connection.cursor()
        cursor.execute(f"SET idle_in_transaction_session_timeout = {IDLE}")
        for name in ("idle", "interval", "count"):  # the same on its side: it finds out by itself that a node is gone
            cursor.execute(f"SET tcp_keepalives_{name} = {int(LOST[f'keepalives_{name}'])}")
        cursor.close()
        connection.commit()

    return engine


def _sqlite(url: str) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"check_same_thread": False, "timeout": 30},
        pool_size=10,
        max_overflow=30,
    )

    @event.listens_for(engine, "connect")
    def _connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if connection.get_execution_options().get("portaria_read"):
            # It asks the file for nothing yet, so that nothing can go wrong: at the driver's price.
            connection.connection.cursor().execute("BEGIN")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
