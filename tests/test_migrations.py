"""The revisions make exactly the tables of the code, on each engine, and an older database is brought up."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

import iam
from iam import migrations
from iam.config import Unsafe
from iam.db import Base, Database


def test_every_table_of_the_code_is_known_to_the_revisions() -> None:
    known = set(migrations.metadata().tables)
    for module in pkgutil.walk_packages(iam.__path__, "iam."):
        if not module.name.startswith(("iam.migrations", "iam.conformance")) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    assert set(Base.metadata.tables) == known


def test_the_revisions_and_the_tables_of_the_code_are_one(database_url: str) -> None:
    database = Database(database_url)
    assert migrations.current(database) == ""
    migrations.upgrade(database)
    assert migrations.current(database) == migrations.head()
    with database.engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), migrations.metadata())
    assert differences == [], "write a revision: alembic's autogenerate over iam.migrations.metadata()"
    migrations.upgrade(database)
    database.engine.dispose()


def constraints(database: Database) -> dict[str, set[tuple[str | None, ...]]]:
    """Every constraint and unique index of the database, by table: its name, and what an engine may write in its own words."""
    found: dict[str, set[tuple[str | None, ...]]] = {}
    look = inspect(database.engine)
    for table in Base.metadata.tables:
        found[table] = {
            ("pk", look.get_pk_constraint(table)["name"]),
            *(("fk", fk["name"], *fk["constrained_columns"]) for fk in look.get_foreign_keys(table)),
            *(("uq", uq["name"], *uq["column_names"]) for uq in look.get_unique_constraints(table)),
            *(("ck", ck["name"], ck["sqltext"]) for ck in look.get_check_constraints(table)),
            *(("ix", ix["name"], *ix["column_names"]) for ix in look.get_indexes(table)),
        }
    return found


def test_every_constraint_has_its_name_and_the_revisions_make_the_same(database_url: str) -> None:
    by_revision = Database(database_url)
    migrations.upgrade(by_revision)
    made = constraints(by_revision)
    assert all(name for table in made.values() for _, name, *_ in table)
    with by_revision.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        Base.metadata.drop_all(connection)
    by_revision.create()
    assert constraints(by_revision) == made
    by_revision.engine.dispose()


def test_an_older_database_is_brought_up(database_url: str) -> None:
    database = Database(database_url)
    with database.engine.begin() as connection:
        command.upgrade(migrations.config(connection), "0001")
    migrations.upgrade(database)
    assert migrations.current(database) == migrations.head()
    database.engine.dispose()


def test_tables_made_at_once_are_adopted_and_strange_ones_refused(database_url: str) -> None:
    database = Database(database_url)
    migrations.metadata()
    database.create()
    migrations.upgrade(database)
    assert migrations.current(database) == migrations.head()
    with database.engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        connection.execute(text("ALTER TABLE mark ADD COLUMN colour VARCHAR"))
    with pytest.raises(Unsafe, match="tabelas"):
        migrations.upgrade(database)
    database.engine.dispose()


def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    database = Database(database_url)
    migrations.upgrade(database)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unsafe, match="9999"):
        migrations.upgrade(database)
    assert inspect(database.engine).has_table("pessoa")
    database.engine.dispose()
