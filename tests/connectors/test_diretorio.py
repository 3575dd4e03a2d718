"""The embedded directory keeps the contract, and loses nothing when its process is killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.diretorio import Diretorio
from iam.conformance import Connect, TargetContract
from iam.connector import Account, Target, plan
from iam.errors import Invalid


class TestDiretorio(TargetContract):
    @pytest.fixture
    def connect(self, tmp_path: Path) -> Connect:
        return lambda: Diretorio({}, tmp_path)

    @pytest.fixture
    def broken(self, tmp_path: Path) -> Target:
        (tmp_path / "broken.db").write_bytes(b"this is no database" * 1000)
        return Diretorio({"file": "broken.db"}, tmp_path)


WRITER = """
import sys
from pathlib import Path
from connectors.diretorio import Diretorio
from iam.connector import Create, AddPerfil
target = Diretorio({}, Path(sys.argv[1]))
for number in range(100000):
    target.apply(f"k{number}", Create({"nome": "Ana"}))
    target.apply(f"k{number}", AddPerfil("vfr.perito"))
    print(number, flush=True)
"""


def test_what_was_answered_is_there_after_kill_9(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        last = 0
        for line in writer.stdout:
            last = int(line)
            if last == 20:
                writer.send_signal(signal.SIGKILL)
                break
    target = Diretorio({}, tmp_path)
    for number in range(last + 1):
        seen = target.observe(f"k{number}")
        assert seen is not None
        assert seen.perfis == {"vfr.perito"}


def test_two_instances_on_one_file_see_each_other(tmp_path: Path) -> None:
    one, other = Diretorio({}, tmp_path), Diretorio({}, tmp_path)
    wanted = Account("k", enabled=True, perfis=frozenset({"dec.dec-procurador"}), attributes={"nome": "Rui"})
    for change in plan(wanted, None):
        one.apply("k", change)
    assert plan(wanted, other.observe("k")) == ()


def test_a_setting_it_does_not_know_is_refused_without_showing_its_value(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as refusal:
        Diretorio({"senha": "segredo"}, tmp_path)
    assert "senha" in refusal.value.message
    assert "segredo" not in refusal.value.message
