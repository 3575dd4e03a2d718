"""``portaria backup`` and ``restore``, word by word as an operator types them."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Portaria


def test_key_copy_trial_and_restore(installed: Portaria, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, copy = tmp_path / "copia.key", tmp_path / "portaria.copia"
    assert "longe das cópias" in installed("backup", "--new-key", key).out
    installed.fails("backup", "--new-key", key)
    installed.fails("backup", copy, status=2)
    installed.fails("backup", "--new-key", key, copy, status=2)
    done = installed("backup", copy, "--key", key, "--json")
    assert done.status == 0, done.err
    assert done.told["bytes"] == copy.stat().st_size
    tried = installed("restore", copy, "--key", key, "--test")
    assert tried.status == 0, tried.err
    assert "O ensaio foi registrado" in tried.out
    assert installed.rows("SELECT allowed FROM entry WHERE ato = 'copia:restaurar'") == [(1,)]
    assert "não está vazio" in installed.fails("restore", copy, "--key", key)

    place = tmp_path / "other"
    monkeypatch.setenv("PORTARIA_DATA", str(place))
    other = Portaria(place, installed.capsys)
    done = other("restore", copy, "--key", key, "--json")
    assert done.status == 0, done.err
    assert done.told["data"] == str(place)
    assert other("doctor").status == 0
    assert other("journal", "verify").status == 0
    assert other.rows("SELECT min(epoch) FROM sujeito")[0][0] > 1_000_000
    shutil.rmtree(place)
    other.fails("restore", key, "--key", key)
    other.fails("restore", tmp_path / "nao-ha", "--key", key)
    other.fails("restore", copy, "--key", copy)


def test_restore_with_force_puts_aside_what_was_there(installed: Portaria, tmp_path: Path) -> None:
    key, copy = tmp_path / "copia.key", tmp_path / "portaria.copia"
    installed("backup", "--new-key", key)
    assert installed("backup", copy, "--key", key).status == 0
    done = installed("restore", copy, "--key", key, "--force")
    assert done.status == 0, done.err
    assert (installed.data / "antes" / "portaria.db").exists()
    assert installed("journal", "verify").status == 0


def test_marks_that_were_late_in_the_copy_are_not_late_in_what_was_restored(
    installed: Portaria, tmp_path: Path
) -> None:
    key, copy = tmp_path / "copia.key", tmp_path / "portaria.copia"
    with closing(sqlite3.connect(installed.data / "portaria.db")) as database, database:
        assert database.execute("UPDATE mark SET due = '2020-01-01 00:00:00.000000'").rowcount > 0
    assert "atrasados" in installed("doctor").out
    installed("backup", "--new-key", key)
    assert installed("backup", copy, "--key", key).status == 0
    assert installed("restore", copy, "--key", key, "--force").status == 0
    done = installed("doctor")
    assert done.status == 0, done.out
    people = installed.rows("SELECT count(*) FROM pessoa")
    assert installed.rows("SELECT count(DISTINCT id) FROM mark") == people
