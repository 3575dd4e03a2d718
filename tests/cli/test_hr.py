"""``portaria hr import``: a file of events, shown first, applied line by line, given again without effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam import hr
from iam.demo.world import OPERATOR
from tests.cli.conftest import Portaria
from tests.house import Home

HEADER = "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao"


def write(portaria: Portaria, *lines: str) -> Path:
    file = portaria.data.parent / "rh.csv"
    file.write_text("\n".join([HEADER, *lines]) + "\n", "utf-8")
    return file


def test_a_dry_run_names_what_would_fall_and_changes_nothing(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    cpf = home.person("servidora")["cpf"]
    event = f"1,{cpf},,,remanejamento,2026-01-05,,,"
    file = write(portaria, event, f"2,{cpf},,,retorno,2026-02-05,,,", event)
    before = portaria.state()
    done = portaria("hr", "import", file, "--fonte", "rh-sefaz-mt", "--dry-run", "--json")
    assert done.status == 0, done.err
    first = done.told["lines"][0]
    assert {right.split(" em ")[1] for right in first["concessoes"]} == {"mt-ipva", "mt-nfe", "mt-itcd"}
    assert first["efeitos"][0]["artigo"] == "Art. 13"
    assert portaria.state() == before
    assert [line["recibo"] for line in done.told["lines"]] == ["", "", ""], "what was undone has no receipt to look at"
    assert portaria("hr", "import", file, "--fonte", "rh-sefaz-mt").status == 0
    again = portaria("hr", "import", file, "--fonte", "rh-sefaz-mt", "--dry-run", "--json")
    assert all(line["recibo"].startswith("/api/recibo/") for line in again.told["lines"])


@pytest.mark.parametrize("dry_run", [True, False])
def test_who_waits_for_a_long_file_sees_how_far_it_is(home: Home, tmp_path: Path, dry_run: bool) -> None:
    file, told = tmp_path / "rh.csv", list[int]()
    file.write_text(f"{HEADER}\n" + "1,123,,,x,2026-01-05,,,\n" * (2 * hr.TURN + 1), "utf-8")
    lines = hr.load(home.house, OPERATOR, file, "rh-sefaz-mt", dry_run=dry_run, progress=told.append)
    assert len(lines) == 2 * hr.TURN + 1
    assert told == [hr.TURN, 2 * hr.TURN]


def test_good_lines_are_applied_bad_ones_told_and_the_file_may_be_given_again(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    cpf, outsider = home.person("servidora")["cpf"], home.person("procurador")["cpf"]
    file = write(
        portaria,
        f"1,{cpf},,,remanejamento,2026-01-05,,,",
        f"2,{cpf},,,sumiu,2026-01-05,,,",
        f"3,{outsider},,,desligamento,2026-01-05,,,",
        "4,123,,,desligamento,2026-01-05,,,",
        f"5,{home.person('chefia')['cpf']},,,licenca_inicio,2099-01-05,,,",
    )
    done = portaria("hr", "import", file, "--fonte", "rh-sefaz-mt", "--json")
    assert done.status == 1
    assert [line["result"] for line in done.told["lines"]] == [
        "aplicada",
        "rejeitada",
        "rejeitada",
        "rejeitada",
        "aplicada",
    ]
    assert "3 linha(s) rejeitada(s)" in done.err
    assert portaria.rows("SELECT numero, estado FROM evento ORDER BY numero") == [("1", "aplicado"), ("5", "aguarda")]
    refused = portaria.rows("SELECT requirement, agente FROM entry WHERE ato = 'pessoa:evento' AND NOT allowed")
    assert refused == [("CASA-06", "sistema:operador")], "the refusal is on record"
    again = portaria("hr", "import", file, "--fonte", "rh-sefaz-mt", "--json")
    assert [line["result"] for line in again.told["lines"]][::4] == ["inalterada", "inalterada"]
    assert again.told["lines"][0]["recibo"] == done.told["lines"][0]["recibo"]
    assert portaria.rows("SELECT count(*) FROM evento") == [(2,)]


def test_an_unknown_source_or_file_is_refused(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    file = write(portaria, f"1,{home.person('servidora')['cpf']},,,remanejamento,2026-01-05,,,")
    assert "não está cadastrada" in portaria.fails("hr", "import", file, "--fonte", "nenhuma")
    assert "não está cadastrada" in portaria.fails("hr", "import", file, "--fonte", "nenhuma", "--dry-run")
    portaria.fails("hr", "import", portaria.data / "nao-ha.csv", "--fonte", "rh-sefaz-mt")
    file.write_text("outra;coisa\n")
    portaria.fails("hr", "import", file, "--fonte", "rh-sefaz-mt")
