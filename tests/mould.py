"""What takes long to make, made once and then copied; made anew before it ages, for an installation counts its deadlines in minutes."""

from __future__ import annotations

import json
import shutil
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Generic, TypeVar
from uuid import uuid4

import psycopg
from sqlalchemy import URL, make_url

from iam.demo.world import World

T = TypeVar("T")
AGE_SECONDS = 60.0


class Mould(Generic[T]):
    """The newest of what ``make`` makes, never older than a minute."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._made: tuple[T, float] | None = None

    def newest(self) -> T:
        if self._made is None or time.monotonic() - self._made[1] > AGE_SECONDS:
            self._made = self._make(), time.monotonic()
        return self._made[0]


@dataclass
class Cast:
    """A data directory with its world, and a database, that nobody has open."""

    data: Path
    database: URL
    world: World

    def copy(self, data: Path, database: str) -> World:
        """Copies directory and database; answers the world as it is there."""
        shutil.copytree(self.data, data, dirs_exist_ok=True)
        to = make_url(database)
        if to.get_backend_name() == "sqlite":
            shutil.copy(str(self.database.database), str(to.database))
        else:
            _postgresql(
                to,
                f"DROP DATABASE {to.database} WITH (FORCE)",
                f"CREATE DATABASE {to.database} TEMPLATE {self.database.database}",
            )
        said = json.dumps([self.world.clients, self.world.apps, self.world.people])
        return World(*json.loads(said.replace(json.dumps(str(self.data))[1:-1], json.dumps(str(data))[1:-1])))


def cast(like: str, build: Callable[[Path, str], World]) -> Cast:
    """What ``build`` makes in an empty directory, on an empty database of the same engine as another."""
    folder, url = Path(mkdtemp(prefix="portaria-cast-")), make_url(like)
    if url.get_backend_name() == "sqlite":
        url = url.set(database=str(folder / "portaria.db"))
    else:
        url = url.set(database=f"cast{uuid4().hex}")
        _postgresql(url, f"CREATE DATABASE {url.database}")
    made = Cast(folder / "data", url, build(folder / "data", url.render_as_string(hide_password=False)))
    weakref.finalize(made, shutil.rmtree, folder, ignore_errors=True)
    return made


def _postgresql(url: URL, *statements: str) -> None:
    with psycopg.connect(host=str(url.query["host"]), user=url.username, dbname="postgres", autocommit=True) as db:
        for statement in statements:
            db.execute(statement.encode())
