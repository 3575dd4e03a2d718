"""A third party's pack comes as a wheel of data: found by entry point, never imported, in force only when named."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from iam.policy import load
from iam.table import PackError
from tests.policies.conftest import ACME


def wheel(folder: Path, name: str, files: dict[str, str]) -> Path:
    """A wheel with these files and the entry point ``acme``."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    meta = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[iam.policies]\nacme = acme_norms.acme\n",
    }
    record = "".join(f"{entry},,\n" for entry in [*files, *meta, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for entry, content in (files | meta | {f"{info}/RECORD": record}).items():
            archive.writestr(entry, content)
    return path


def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *wheels: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-compile", "--target"]
    for one in wheels:
        subprocess.run([*command, str(site), str(one)], check=True, capture_output=True)
    monkeypatch.syspath_prepend(str(site))


@pytest.fixture
def pack() -> dict[str, str]:
    return {f"acme_norms/acme/{name}": content for name, content in ACME.items()}


def test_a_data_only_wheel_is_in_force_only_when_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: dict[str, str]
) -> None:
    install(tmp_path, monkeypatch, wheel(tmp_path, "acme_norms", pack))
    assert "acme" not in load(["casa"]).packs
    policy = load(["acme", "casa"])
    assert policy.decide({"acme-leitor"}, "acme.ler", "acme").source.requirement == "ACME-1"
    assert policy.scopes_of("acme-leitor", "acme").keys() == {"acme:ler"}
    assert [e.id for e in policy.effects("ferias")] == ["ACME-EV-1"]
    assert "acme_norms" not in sys.modules


def test_the_code_of_a_hostile_package_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: dict[str, str]
) -> None:
    trap = tmp_path / "ran"
    hostile = {"acme_norms/__init__.py": f"open({str(trap)!r}, 'w')\n"}
    install(tmp_path, monkeypatch, wheel(tmp_path, "acme_norms", pack | hostile))
    assert load(["acme", "casa"]).decide({"acme-leitor"}, "acme.ler", "acme").allowed
    assert not trap.exists()
    assert "acme_norms" not in sys.modules


def test_a_pack_with_code_inside_is_refused_and_the_code_does_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: dict[str, str]
) -> None:
    trap = tmp_path / "ran"
    hostile = {"acme_norms/acme/__init__.py": f"open({str(trap)!r}, 'w')\n"}
    install(tmp_path, monkeypatch, wheel(tmp_path, "acme_norms", pack | hostile))
    with pytest.raises(PackError, match=r"acme/__init__\.py: is not a file of a pack"):
        load(["acme", "casa"])
    assert not trap.exists()


def test_two_packages_that_offer_one_name_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pack: dict[str, str]
) -> None:
    other = {k.replace("acme_norms/", "other_norms/"): v for k, v in pack.items()}
    install(tmp_path, monkeypatch, wheel(tmp_path, "acme_norms", pack), wheel(tmp_path, "other_norms", other))
    with pytest.raises(PackError, match="pack `acme`: is offered by 2 packages"):
        load(["acme", "casa"])


def test_an_entry_point_to_nowhere_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, monkeypatch, wheel(tmp_path, "acme_norms", {"acme_norms/other/x.csv": "x\n"}))
    with pytest.raises(PackError, match="names the folder `acme_norms`, which is not there"):
        load(["acme", "casa"])
