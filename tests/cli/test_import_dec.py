"""IN SEFA-PA 7/2020 art. 8: who was credenciado under Decreto 150/2011 is brought in from the list, at once and once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Portaria

ORIGIN = "Decreto 150/2011"
PEOPLE = {"39053344705": "jose.silva", "11144477735": "maria.reis", "12345678909": "joao.lima"}


def files(folder: Path) -> dict[str, Path]:
    """The list of the credenciados, as the three files of an import."""
    lines = {
        "pessoas": ["cpf,nome,login,email", *(f"{cpf},{login},{login}," for cpf, login in PEOPLE.items())],
        "vinculos": [
            "cpf,orgao,matricula,tipo,cargo,de,ate",
            *(f"{cpf},sefa-pa,{cpf},externo,,2020-03-03," for cpf in PEOPLE),
        ],
        "concessoes": [
            "cpf,orgao,matricula,sistema,perfil,restricao,de,ate,fundamento",
            *(f"{cpf},sefa-pa,{cpf},dec,dec-usuario-migrado,,2020-03-03,,{ORIGIN}" for cpf in PEOPLE),
        ],
    }
    for kind, found in lines.items():
        (folder / f"{kind}.csv").write_text("\n".join(found) + "\n", "utf-8")
    return {kind: folder / f"{kind}.csv" for kind in lines}


@pytest.mark.requirement("DEC7-8")
def test_those_of_decreto_150_have_accounts_with_that_origin_and_a_second_load_doubles_none(
    installed: Portaria, tmp_path: Path
) -> None:
    listed = files(tmp_path)
    for _ in range(2):
        for kind, file in listed.items():
            done = installed("import", kind, file, "--origem", ORIGIN)
            assert done.status == 0, done
        people = installed.rows(f"SELECT cpf, origem, estado FROM pessoa WHERE origem = '{ORIGIN}' ORDER BY cpf")
        assert people == [(cpf, ORIGIN, "habilitada") for cpf in sorted(PEOPLE)]
        rights = installed.rows(
            "SELECT p.cpf, c.perfil, c.origem FROM concessao c JOIN pessoa p ON p.id = c.sujeito "
            "WHERE c.sistema = 'dec' ORDER BY p.cpf"
        )
        assert rights == [(cpf, "dec-usuario-migrado", ORIGIN) for cpf in sorted(PEOPLE)]
    early = tmp_path / "cedo.csv"
    early.write_text(listed["concessoes"].read_text("utf-8").replace("2020-03-03", "2020-03-02"), "utf-8")
    early.write_text(early.read_text("utf-8").replace("dec-usuario-migrado", "dec-sujeito-passivo"), "utf-8")
    assert installed("import", "concessoes", early).status == 1
    refused = installed.rows("SELECT DISTINCT requirement FROM entry WHERE ato = 'concessao:conceder' AND NOT allowed")
    assert refused == [("DEC7-9",)]
