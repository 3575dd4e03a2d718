"""The shape of the database, revision by revision (Alembic): a new one is made by them, an older one brought up by them.

A server upgrades when it starts, in one transaction that waits its turn among nodes. Nothing regulated is ever dropped by a
revision. A test holds the last revision and the tables of the code together.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, inspect, text

from iam.config import Unsafe
from iam.db import Base, Database

TABLES = (
    "iam.atos.client",
    "iam.atos.concessao",
    "iam.atos.conta",
    "iam.atos.credencial",
    "iam.atos.evento",
    "iam.atos.fonte",
    "iam.atos.orgao",
    "iam.atos.pendencia",
    "iam.atos.pessoa",
    "iam.atos.recibo",
    "iam.atos.sujeito",
    "iam.atos.vinculo",
    "iam.inventory",
    "iam.journal",
    "iam.keys",
    "iam.login.activation",
    "iam.login.throttle",
    "iam.news",
    "iam.oauth.tables",
    "iam.outbox",
    "iam.revocation",
    "iam.sealer",
    "iam.session",
    "iam.setback",
    "iam.worker",
)
LOCK = 7304127


def metadata() -> MetaData:
    """Every table of the house; a test keeps :data:`TABLES` whole."""
    for name in TABLES:
        import_module(name)
    return Base.metadata


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    made = Config()
    made.set_main_option("script_location", str(Path(__file__).parent))
    made.attributes["connection"] = connection
    return made


def head() -> str:
    """The revision of this version of the house."""
    return ScriptDirectory.from_config(config()).get_current_head() or ""


def current(database: Database) -> str:
    """The revision of a database; empty for a new one."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() or ""


def known() -> frozenset[str]:
    """Every revision that this version of the house knows, from the first to its own."""
    return frozenset(revision.revision for revision in ScriptDirectory.from_config(config()).walk_revisions())


def check(database: Database) -> None:
    """Raises :class:`Unsafe`, with what to do, unless a database is of the revision of this version. Changes nothing."""
    found = current(database)
    if found == head():
        return
    _refuse_unknown(found)
    raise Unsafe(
        f"o banco de dados está na revisão {found or 'nenhuma'}, e esta versão usa a {head()}; "
        "inicie `portaria serve` uma vez, que ele o atualiza"
    )


def differs(database: Database) -> bool:
    """Whether the tables are not those of the code, whatever revision the database says it is of."""
    with database.engine.connect() as connection:
        return bool(compare_metadata(MigrationContext.configure(connection), metadata()))


def _refuse_unknown(found: str) -> None:
    if found and found not in known():
        raise Unsafe(f"o banco de dados está na revisão {found}, que esta versão não conhece; use a versão que o criou")


def upgrade(database: Database) -> None:
    """Brings a database to this version's shape; a new one is made. Doing it again changes nothing.

    Raises :class:`Unsafe` for a database that is newer than this program, or is not ours.
    """
    metadata()
    with database.turn(), database.engine.begin() as connection:
        if not database.sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        _refuse_unknown(found or "")
        if found is None and inspect(connection).has_table("key"):
            _adopt(connection)
        elif found != head():
            command.upgrade(config(connection), "head")


def _adopt(connection: Connection) -> None:
    """A database whose tables were made at once from the code: it is of this version, or it is not ours."""
    differences = compare_metadata(MigrationContext.configure(connection), metadata())
    if differences:
        raise Unsafe("o banco de dados tem tabelas que não são as desta versão, e não diz de que revisão são")
    command.stamp(config(connection), "head")
