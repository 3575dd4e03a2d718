"""A restore killed at its worst moments: no installation ever starts with a copy's old epochs, and a second try mends it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from tests.cli.conftest import FIRST, Portaria

CRASHING = """
import os, signal, sys
from iam import cli, postgresql, restore

where, times = sys.argv[1], int(sys.argv[2])
module = postgresql if where == "release" else restore
real = getattr(module, where)

def crash(*given, **named):
    global times
    times -= 1
    if not times:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **named)

setattr(module, where, crash)
sys.exit(cli.main(sys.argv[3:]))
"""
UNCHANGED = ("_load", 1), ("_renew", 1), ("_place", 1)
HALF = ("_move", 1), ("_move", 2), ("_move", 5)
CLOSED = ("_renew", 1), ("_place", 1), ("_move", 2), ("release", 1)


@dataclass(frozen=True)
class Copied:
    """An installation that went on after its copy was made."""

    portaria: Portaria
    url: str
    copy: Path
    key: Path

    def epochs(self) -> set[int]:
        engine = create_engine(self.url)
        with engine.connect() as connection:
            found = set(connection.scalars(text("SELECT epoch FROM sujeito")))
        engine.dispose()
        return found

    def killed(self, where: str, times: int) -> None:
        words = ["restore", str(self.copy), "--key", str(self.key), "--force"]
        done = subprocess.run(
            [sys.executable, "-c", CRASHING, where, str(times), *words], capture_output=True, check=False
        )
        assert done.returncode == -signal.SIGKILL, (done.stdout, done.stderr)

    def refuses_everything(self) -> None:
        other = self.copy.with_name("outra")
        for words in (
            "serve",
            "worker",
            "journal verify",
            "keys rotate",
            "plan x",
            "link x",
            f"backup {other} --key x",
        ):
            given = [str(self.key) if word == "x" and words.startswith("backup") else word for word in words.split()]
            assert "uma restauração não terminou" in self.portaria.fails(*given), words
        done = self.portaria("doctor", "--json")
        assert done.status == 1
        [found] = [f for f in json.loads(done.out)["findings"] if f["name"] == "restauração"]
        assert found["state"] == "falha"
        assert "--force" in found["todo"]
        assert "restauração" in self.portaria.fails("init", *FIRST, "--matricula", "1", "--trust", self.key)

    def mended(self) -> None:
        done = self.portaria("restore", self.copy, "--key", self.key, "--force")
        assert done.status == 0, done.err
        assert min(self.epochs()) > 1_000_000
        examined = self.portaria("doctor", "--json")
        assert examined.status == 0, examined.told
        assert "restos" not in {f["name"] for f in examined.told["findings"]}
        assert self.portaria("journal", "verify").status == 0


@pytest.fixture
def installation(portaria: Portaria, authority: Path, tmp_path: Path) -> Callable[[str], Copied]:
    """Makes an installation on a database and a copy of it."""

    def make(url: str) -> Copied:
        words = (*FIRST, "--matricula", "1", "--trust", authority / "ca.pem", "--crl-files", authority / "ca.crl")
        done = portaria("init", *words, *(() if url.startswith("sqlite") else ("--database-url", url)))
        assert done.status == 0, done.err
        key, copy = tmp_path / "copia.key", tmp_path / "portaria.copia"
        assert portaria("backup", "--new-key", key).status == 0
        assert portaria("backup", copy, "--key", key).status == 0
        return Copied(portaria, url, copy, key)

    return make


@pytest.fixture
def embedded(installation: Callable[[str], Copied], portaria: Portaria) -> Copied:
    return installation(f"sqlite:///{portaria.data / 'portaria.db'}")


@pytest.mark.parametrize(("where", "times"), UNCHANGED)
def test_an_embedded_database_is_renewed_before_anything_is_touched(embedded: Copied, where: str, times: int) -> None:
    before = embedded.portaria.state()
    embedded.killed(where, times)
    assert embedded.portaria.state() == before
    done = embedded.portaria("doctor")
    assert (done.status, "restos" in done.out) == (0, True), done.out
    embedded.mended()


@pytest.mark.parametrize(("where", "times"), HALF)
def test_a_place_half_filled_starts_nothing(embedded: Copied, where: str, times: int) -> None:
    embedded.killed(where, times)
    assert not (embedded.portaria.data / "portaria.db").exists()
    embedded.refuses_everything()
    wrong = embedded.copy.with_name("wrong.key")
    assert embedded.portaria("backup", "--new-key", wrong).status == 0
    embedded.portaria.fails("restore", embedded.copy, "--key", wrong, "--force")
    embedded.refuses_everything()
    embedded.mended()


@pytest.mark.parametrize(("where", "times"), CLOSED)
def test_a_loaded_postgresql_stays_closed_and_holds_no_old_epoch(
    installation: Callable[[str], Copied], postgresql_url: str, where: str, times: int
) -> None:
    copied = installation(postgresql_url)
    assert max(copied.epochs()) < 1000
    copied.killed(where, times)
    assert min(copied.epochs()) > 1_000_000, "also for a node that was serving meanwhile"
    copied.refuses_everything()
    copied.mended()
