"""``portaria journal``: evidence that somebody else can check, offline, with the file alone."""

from __future__ import annotations

import json
import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Portaria

Lines = list[dict[str, Any]]


@pytest.fixture
def exported(installed: Portaria) -> tuple[Portaria, Path, Lines]:
    file = installed.data.parent / "diario.jsonl"
    assert installed("journal", "export", "--out", file).status == 0
    return installed, file, [json.loads(line) for line in file.read_text().splitlines()]


def rewrite(file: Path, lines: Lines) -> Path:
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def entries(lines: Lines) -> list[int]:
    return [i for i, line in enumerate(lines) if line["kind"] == "entry"]


def test_export_is_whole_private_and_recorded(exported: tuple[Portaria, Path, Lines]) -> None:
    portaria, file, lines = exported
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert {line["kind"] for line in lines} == {"key", "entry", "checkpoint"}
    numbers = [line["seq"] for line in lines if line["kind"] == "entry"]
    assert numbers == list(range(1, len(numbers) + 1))
    assert lines[entries(lines)[-1]]["ato"] == "diario:ler", "taking the journal out is itself in it"
    done = portaria("journal", "verify", "--json")
    assert done.told["whole"] is True
    assert done.told["entries"] == len(numbers)


def test_a_file_is_verified_without_any_installation(
    exported: tuple[Portaria, Path, Lines], monkeypatch: pytest.MonkeyPatch
) -> None:
    portaria, file, _ = exported
    monkeypatch.setenv("PORTARIA_DATA", str(portaria.data.parent / "nowhere"))
    done = portaria("journal", "verify", file, "--json")
    assert (done.status, done.told["whole"]) == (0, True)


def changed(lines: Lines, n: int) -> int:
    lines[entries(lines)[n]]["article"] = "Art. 99"
    return n + 1


def payload(lines: Lines, n: int) -> int:
    lines[entries(lines)[n]]["payload"]["n"] = "0"
    return n + 1


def removed(lines: Lines, n: int) -> int:
    del lines[entries(lines)[n]]
    return n + 1


def doubled(lines: Lines, n: int) -> int:
    lines.insert(entries(lines)[n], lines[entries(lines)[n]])
    return n + 2


def cut(lines: Lines, n: int) -> int:
    first = entries(lines)[n]
    lines[:] = [line for i, line in enumerate(lines) if line["kind"] != "entry" or i < first]
    return n + 1


def swapped(lines: Lines, n: int) -> int:
    a, b = entries(lines)[n], entries(lines)[n + 1]
    lines[a], lines[b] = lines[b], lines[a]
    return n + 1


def backdated(lines: Lines, n: int) -> int:
    lines[entries(lines)[n]]["at"] = "2020-01-01T00:00:00+00:00"
    return n + 1


@pytest.mark.parametrize("how", [changed, payload, removed, doubled, swapped, backdated, cut])
def test_whatever_was_done_to_a_line_is_found_and_named(
    exported: tuple[Portaria, Path, Lines], how: Callable[[Lines, int], int]
) -> None:
    portaria, file, lines = exported
    bad = how(lines, 5)
    done = portaria("journal", "verify", rewrite(file, lines), "--json")
    assert done.status == 1
    assert done.told["bad_seq"] == bad
    assert str(bad) in done.err


def test_a_line_that_two_readers_read_differently_is_no_line(exported: tuple[Portaria, Path, Lines]) -> None:
    portaria, file, lines = exported
    n = entries(lines)[5]
    raw = file.read_bytes().splitlines()
    for name, value in (("agente", "pessoa:outra"), ("payload", {"n": "0"})):
        said = json.dumps({name: value})[:-1].encode()
        file.write_bytes(b"\n".join([*raw[:n], said + b", " + raw[n][1:], *raw[n + 1 :]]))
        done = portaria("journal", "verify", file, "--json")
        assert (done.status, done.told["bad_seq"]) == (1, 6)
    file.write_bytes(b"\n".join([*raw[:n], json.dumps(lines[n]).encode(), *raw[n + 1 :]]))
    assert portaria("journal", "verify", file).status == 0, "blanks say nothing"


@pytest.mark.parametrize("content", [b"", b"\n", b"{", b"[]\n", b"\xff\n", b'{"kind":"entry"}\n'])
def test_what_is_no_journal_is_not_whole(portaria: Portaria, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    portaria.fails("journal", "verify", file)


def test_a_cut_tail_shows_against_a_checkpoint_kept_elsewhere(exported: tuple[Portaria, Path, Lines]) -> None:
    portaria, file, lines = exported
    kept = portaria.data.parent / "ponta.json"
    assert portaria("journal", "checkpoint", "--out", kept).status == 0
    assert portaria("journal", "verify", "--checkpoint", kept).status == 0
    cut = [line for line in lines if line["kind"] == "key"] + [line for line in lines if line["kind"] == "entry"][:-3]
    assert portaria("journal", "verify", rewrite(file, cut)).status == 0, "nothing in the file itself shows it"
    portaria.fails("journal", "verify", file, "--checkpoint", kept)
    portaria.fails("journal", "verify", "--checkpoint", rewrite(kept, [{"kind": "checkpoint", "seq": 1, "hash": "00"}]))
    kept.write_text("nada")
    portaria.fails("journal", "verify", "--checkpoint", kept)


def test_a_change_in_the_database_is_found(installed: Portaria) -> None:
    assert installed("journal", "verify").status == 0
    with closing(sqlite3.connect(installed.data / "portaria.db")) as database, database:
        database.execute("UPDATE entry SET agente = 'pessoa:outra' WHERE id = 7")
    done = installed("journal", "verify", "--json")
    assert (done.status, done.told["bad_seq"]) == (1, 7)
    assert installed("doctor").status == 1


def test_the_verdict_says_in_portuguese_what_was_found_where_and_what_to_do(
    exported: tuple[Portaria, Path, Lines],
) -> None:
    portaria, file, lines = exported
    bad = changed(lines, 5)
    done = portaria("journal", "verify", rewrite(file, lines))
    assert done.status == 1
    assert f"registro {bad}: o registro, ou o seu lugar na cadeia, foi alterado" in done.out
    assert "o que fazer: " in done.out
    assert "preserve o banco" in done.out
    assert "ponta guardada fora" in done.out
    assert f"o diário não confere no registro {bad}" in done.err


def test_the_last_entries_that_no_signature_covers_are_counted(exported: tuple[Portaria, Path, Lines]) -> None:
    portaria, file, lines = exported
    whole = portaria("journal", "verify", file, "--json").told
    assert (whole["uncovered"], whole["covered"]["seq"]) == (0, whole["entries"])
    file.write_text("".join(json.dumps(line) + "\n" for line in lines[:-1]))
    assert lines[-1]["kind"] == "checkpoint"
    done = portaria("journal", "verify", file)
    assert done.status == 0
    assert "ainda não têm assinatura" in done.out


def test_checkpoints_taken_out_of_the_database_are_missed(installed: Portaria) -> None:
    for _ in range(2):
        assert installed("journal", "checkpoint", "--out", installed.data / "ponta").status == 0
        assert installed("keys", "rotate").status == 0
    assert installed("journal", "checkpoint", "--out", installed.data / "ponta").status == 0
    assert installed("journal", "verify").status == 0
    first = installed.rows("SELECT min(seq) FROM checkpoint")[0][0]
    with closing(sqlite3.connect(installed.data / "portaria.db")) as database, database:
        database.execute("DELETE FROM checkpoint WHERE seq = ?", (first,))
    done = installed("journal", "verify", "--json")
    assert (done.status, done.told["bad_seq"]) == (1, 1)
    assert str(first) in done.told["reason"]
