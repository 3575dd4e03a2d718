"""The ``portaria`` command as an operator uses it: its words, what it prints where, and the status it ends with."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from iam import cli, migrations
from iam.app import close
from iam.icp_brasil.sample import Authority
from tests.house import Home, make
from tests.mould import Mould


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Portaria:
    """Runs commands on one data directory."""

    data: Path
    capsys: pytest.CaptureFixture[str]

    def __call__(self, *words: object) -> Done:
        try:
            status = cli.main([str(word) for word in words])
        except SystemExit as ended:
            status = int(ended.code or 0)
        said = self.capsys.readouterr()
        return Done(status, said.out, said.err)

    def fails(self, *words: object, status: int = 1) -> str:
        """The command must end with this status and one line on standard error; answers that line."""
        done = self(*words)
        assert done.status == status, done
        assert done.err.count("\n") == 1, done.err
        assert "Traceback" not in done.err
        return done.err

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "portaria.db")) as database:
            return database.execute(query).fetchall()

    def state(self) -> str:
        """A digest of everything the database holds."""
        with closing(sqlite3.connect(self.data / "portaria.db")) as database:
            return hashlib.sha256("\n".join(database.iterdump()).encode()).hexdigest()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a test authority: ``ca.pem``, ``ca.crl``, ``server.pem``."""
    now = datetime.now(UTC)
    folder = tmp_path_factory.mktemp("authority")
    Authority.create(now).write(folder, now)
    return folder


@pytest.fixture
def portaria(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Portaria]:
    """The command, on a data directory where nothing is yet."""
    data = tmp_path / "data"
    monkeypatch.setenv("PORTARIA_DATA", str(data))
    monkeypatch.setenv("PORTARIA_DEMO", "true")
    monkeypatch.chdir(tmp_path)
    umask = os.umask(0o022)
    yield Portaria(data, capsys)
    os.umask(umask)  # the demonstration's is stricter


FIRST = ("--nome", "Maria Souza", "--cpf", "529.982.247-25", "--login", "maria.souza", "--orgao", "sefaz-mt-gpdd")


def init(data: Path, authority: Path) -> list[str]:
    """The words that make a real installation."""
    words = ("init", "--data", data, *FIRST, "--matricula", "1", "--trust", authority / "ca.pem")
    return [str(w) for w in (*words, "--crl-files", authority / "ca.crl")]


@pytest.fixture(scope="session")
def fresh(tmp_path_factory: pytest.TempPathFactory, authority: Path) -> Mould[Path]:
    """An installation to copy, made without a word on the terminal of the test that happens to be first."""

    def made() -> Path:
        data = tmp_path_factory.mktemp("installation") / "data"
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()):
            patch.setenv("PORTARIA_DEMO", "true")
            assert cli.main(init(data, authority)) == 0
        return data

    return Mould(made)


@pytest.fixture
def installed(portaria: Portaria, fresh: Mould[Path]) -> Portaria:
    """The command on a real installation, as ``portaria init`` left it."""
    shutil.copytree(fresh.newest(), portaria.data)
    return portaria


@pytest.fixture
def world(portaria: Portaria) -> Iterator[tuple[Portaria, Home]]:
    """The command on the demonstration's world, whose house is also open here."""
    home = make(portaria.data, f"sqlite:///{portaria.data / 'portaria.db'}")
    migrations.upgrade(home.house.database)
    yield portaria, home
    close(home.house)
