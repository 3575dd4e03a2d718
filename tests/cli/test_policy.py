"""``portaria policy``, ``realm``: the norms as data, from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from iam import pack
from tests.cli.conftest import Portaria
from tests.house import Home

ROOT = Path(__file__).resolve().parents[2]


def test_check_needs_no_installation(portaria: Portaria) -> None:
    done = portaria("policy", "check", "--json")
    assert done.status == 0
    assert {p["pack"] for p in done.told["packs"]} == {"casa", "cotec62", "dec7", "mt128", "tram", "coana"}
    assert not portaria.data.exists()


def test_check_names_the_pack_it_does_not_know(portaria: Portaria, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTARIA_POLICIES", "casa,nenhuma")
    assert "nenhuma" in portaria.fails("policy", "check")


def test_explain_says_by_which_line_and_article(portaria: Portaria) -> None:
    done = portaria("policy", "explain", "consultar", "mt-ipva", "--papel", "mt-consulta", "--json")
    assert done.told["allowed"] is True
    assert done.told["source"]["pack"] == "mt128"
    assert done.told["source"]["article"]
    no = portaria("policy", "explain", "suprimir", "mt-ipva", "--papel", "mt-consulta", "--json").told
    assert no["allowed"] is False
    assert no["missing"]
    assert no["could"]
    assert no["source"]["requirement"]
    text = portaria("policy", "explain", "suprimir", "mt-ipva").out
    assert text.startswith("RECUSADO: suprimir em mt-ipva")


def test_explain_for_a_person_asks_what_they_hold(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    login = home.person("servidora")["login"]
    done = portaria("policy", "explain", "alterar", "mt-ipva", "--pessoa", login, "--json")
    assert done.told["allowed"] is True
    assert "mt-operacao" in done.told["papeis"]
    assert portaria("policy", "explain", "alterar", "mt-nfe", "--pessoa", login, "--json").told["allowed"] is False
    portaria.fails("policy", "explain", "alterar", "mt-nfe", "--pessoa", "ninguem")


def test_coverage_adds_up(portaria: Portaria) -> None:
    told = portaria("policy", "coverage", "--json").told
    assert told["total"] == 296
    assert len(told["proved"]) + len(told["pending"]) == 296
    assert not set(told["proved"]) & set(told["pending"])
    assert len(told["relying"]) == 44


def test_diff_tells_lines_and_decisions_that_change(portaria: Portaria, tmp_path: Path) -> None:
    folder = tmp_path / "mt128"
    shutil.copytree(pack.find("mt128"), folder)
    assert portaria("policy", "diff", folder, "--json").told == {
        "pack": "mt128",
        "removed": [],
        "added": [],
        "decisions": [],
        "failing": [],
    }
    rules = (folder / "rules.csv").read_text("utf-8").splitlines()
    gone = next(line for line in rules if line.startswith("mt-consulta,consultar,"))
    (folder / "rules.csv").write_text("\n".join(line for line in rules if line != gone) + "\n", "utf-8")
    cases = (folder / "cases.csv").read_text("utf-8").splitlines()
    kept = [line for line in cases if not (line.startswith("mt-consulta,consultar") and ",allow," in line)]
    (folder / "cases.csv").write_text("\n".join(kept) + "\n", "utf-8")
    told = portaria("policy", "diff", folder, "--json").told
    assert any(gone in line for line in told["removed"])
    assert any("mt-consulta" in line and "→ não" in line for line in told["decisions"])
    portaria.fails("policy", "diff", tmp_path / "nao-ha")
    (folder / "rules.csv").write_text("lixo\n")
    assert "rules.csv:1" in portaria.fails("policy", "diff", folder)


def test_diff_shows_what_changes_also_when_the_cases_of_the_folder_fail(portaria: Portaria, tmp_path: Path) -> None:
    folder = tmp_path / "mt128"
    shutil.copytree(pack.find("mt128"), folder)
    rules = (folder / "rules.csv").read_text("utf-8").splitlines()
    gone = next(line for line in rules if line.startswith("mt-consulta,consultar,"))
    (folder / "rules.csv").write_text("\n".join(line for line in rules if line != gone) + "\n", "utf-8")
    done = portaria("policy", "diff", folder, "--json")
    assert done.status == 1
    assert done.err.count("\n") == 1
    assert any(gone in line for line in done.told["removed"])
    assert any("mt-consulta" in line and "→ não" in line for line in done.told["decisions"])
    assert done.told["failing"]
    assert all(line.startswith("na pasta, mt128/cases.csv:") for line in done.told["failing"])
    assert f"{len(done.told['failing'])} caso(s) de mt128 falham" in done.err
    text = portaria("policy", "diff", folder).out
    assert f"- rules.csv: {gone}" in text
    assert "casos que falham" in text


def test_the_realm_is_rendered_and_compared(portaria: Portaria, tmp_path: Path) -> None:
    file = tmp_path / "realm.json"
    assert portaria("realm", "render", "--out", file).status == 0
    assert portaria("realm", "check", file).status == 0
    file.write_text(file.read_text("utf-8").replace('"enabled": true', '"enabled": false', 1), "utf-8")
    assert "difere" in portaria.fails("realm", "check", file)
    assert "Errno" not in portaria.fails("realm", "check", tmp_path / "nao-ha")
    (tmp_path / "outro").write_text("127.0.0.1 localhost", "utf-8")
    assert "não é um realm em JSON" in portaria.fails("realm", "check", tmp_path / "outro")
    portaria.fails("realm", "import", "nenhum", "--user", "admin", "--password-file", file)
    assert "keycloak" in portaria.fails("realm", "import", "diretorio", "--user", "admin", "--password-file", file)
