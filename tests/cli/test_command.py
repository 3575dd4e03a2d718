"""The contract of every command: help, exit status, one clear line when it fails."""

from __future__ import annotations

import argparse
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from iam import cli
from tests.cli.conftest import Portaria
from tests.house import Home


def commands(parser: argparse.ArgumentParser, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    inner = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    if not inner:
        yield words
    for action in inner:
        for name, child in action.choices.items():
            yield from commands(child, (*words, name))


EVERY = list(commands(cli.parser()))
PROMISED = (
    "serve|worker|demo|init|policy check|policy explain|policy coverage|policy diff|journal verify|journal export|hr import|plan|"
    "keys rotate|realm render|realm check|realm import|backup|restore|doctor|import"
)


def test_the_promised_commands_are_there() -> None:
    assert {" ".join(words) for words in EVERY} >= set(PROMISED.split("|"))


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_every_command_explains_itself_in_portuguese(portaria: Portaria, words: tuple[str, ...]) -> None:
    done = portaria(*words, "--help")
    assert done.status == 0
    assert done.out.startswith(f"uso: portaria {' '.join(words)}")
    assert not [word for word in ("usage", "options:", "default", "directory") if word in done.out]


def test_version(portaria: Portaria) -> None:
    assert portaria("--version").out.startswith("portaria ")


@pytest.mark.parametrize(
    "words", ["", "nada", "policy", "plan", "hr import x.csv", "import carros x.csv", "doctor --nada"]
)
def test_wrong_usage_ends_with_2_and_one_line(portaria: Portaria, words: str) -> None:
    portaria.fails(*words.split(), status=2)


WITHOUT = (
    "serve|worker|journal verify|journal export|hr import x --fonte y|plan 52998224725|keys rotate|doctor|"
    "import pessoas x.csv|link x|backup x --key y"
)


@pytest.mark.parametrize("words", WITHOUT.split("|"))
def test_without_an_installation_a_command_says_so(portaria: Portaria, words: str) -> None:
    portaria.fails(*words.split())
    assert not portaria.data.exists()


@pytest.mark.parametrize("name", ["PORTARIA_COLOUR", "PORTARIA_TEST_URL", "PORTARIA_CACHE", "PORTARIA_SKIP_LOGIN"])
def test_an_unknown_setting_is_refused_in_one_line(
    portaria: Portaria, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "blue")
    assert f"{name} não é uma configuração" in portaria.fails("policy", "check")


def test_a_norm_that_cannot_be_used_is_told_in_portuguese_with_its_place(
    portaria: Portaria, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORTARIA_POLICIES", "casa,outra")
    assert portaria.fails("policy", "check").startswith("portaria: uma norma não pode ser usada: pack `outra`: ")


def revision(data: Path, number: str) -> None:
    with closing(sqlite3.connect(data / "portaria.db")) as database, database:
        database.execute("UPDATE alembic_version SET version_num = ?", (number,))


@pytest.mark.parametrize("words", ["plan 52998224725", "journal verify", "keys list", "link maria.souza"])
def test_a_database_of_another_version_is_named_and_what_to_do(installed: Portaria, words: str) -> None:
    revision(installed.data, "0001")
    said = installed.fails(*words.split())
    assert "revisão 0001" in said
    assert "inicie `portaria serve` uma vez" in said
    revision(installed.data, "9999")
    said = installed.fails(*words.split())
    assert "revisão 9999" in said
    assert "use a versão que o criou" in said


def test_the_doctor_tells_a_newer_database_from_an_older_one(installed: Portaria) -> None:
    revision(installed.data, "9999")
    assert "use a versão do programa que o criou" in installed("doctor").out
    revision(installed.data, "0001")
    assert "inicie o servidor: ele a atualiza" in installed("doctor").out


def test_a_demonstration_never_begins_in_an_installation(installed: Portaria) -> None:
    before = (installed.data / "portaria.toml").read_text("utf-8"), installed.state()
    assert "não uma demonstração" in installed.fails("demo", "--data", installed.data, "--once")
    assert ((installed.data / "portaria.toml").read_text("utf-8"), installed.state()) == before
    assert not (installed.data / "ca.key").exists()


def test_a_demonstration_of_another_version_says_what_to_do(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    with closing(sqlite3.connect(home.data / "portaria.db")) as database, database:
        database.execute("ALTER TABLE client DROP COLUMN subject_dn")
    said = portaria.fails("demo", "--data", home.data, "--once")
    assert "apague o diretório, ou escolha outro com --data" in said
    revision(home.data, "9999")
    assert "use a versão que o criou" in portaria.fails("demo", "--data", home.data, "--once")


def test_as_a_process_it_prints_where_it_should(installed: Portaria) -> None:
    command = [sys.executable, "-m", "iam.cli"]
    done = subprocess.run([*command, "journal", "verify", "--json"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    missing = subprocess.run([*command, "plan", "ninguem"], capture_output=True, text=True, check=False)
    assert missing.returncode == 1
    assert missing.stdout == ""
    assert missing.stderr.count("\n") == 1


def test_a_separate_worker_needs_postgresql(installed: Portaria) -> None:
    assert "PostgreSQL" in installed.fails("worker")


def test_a_second_server_on_the_same_directory_is_refused(installed: Portaria) -> None:
    from iam.app import owning

    with owning(installed.data):
        assert "outro processo" in installed.fails("serve")
