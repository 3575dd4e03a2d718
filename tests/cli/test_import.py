"""``portaria import``: what existed comes in once, line by line, with its origin, and what ended does not come back."""

from __future__ import annotations

import csv
import shutil
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from iam import cli, import_table, importing
from iam.atos import client, vinculo
from iam.authzen import facts
from tests.cli.conftest import Portaria
from tests.mould import Mould

ANA, JOSE = "52998224725", "39053344705"
PEOPLE = f"cpf,nome,login,email\n390.533.447-05,José da Silva,jose.silva,jose@example.gov.br\n{ANA},Outra,outra,\n"
HEAD = {
    "pessoas": "cpf,nome,login,email",
    "vinculos": "cpf,orgao,matricula,tipo,cargo,de,ate",
    "concessoes": "cpf,orgao,matricula,sistema,perfil,restricao,de,ate,fundamento",
    "clients": "client_id,nome,kind,orgao,sistema,certificado,impressao,subject_dn,redirect_uris,scopes",
    "fontes": "id,nome,client,orgaos",
    "orgaos": "id,nome,uf,tz,superior",
}
GOOD = {
    "orgaos": "minha-unidade,Minha unidade,MT,America/Cuiaba,sefaz-mt",
    "pessoas": f"{JOSE},José da Silva,jose.silva,jose@example.gov.br",
    "vinculos": f"{JOSE},sefaz-mt-gipva,77,servidor,Fiscal,2020-02-01,",
    "concessoes": f"{JOSE},sefaz-mt-gipva,77,mt-ipva,mt-operacao,,2020-02-01,2030-12-31,Processo 123/2020",
    "clients": "rh-x,RH,interno,sefaz-mt,,server.pem,,,,pessoa:evento",
    "fontes": "rh-sefaz-mt,RH da SEFAZ-MT,rh-x,sefaz-mt minha-unidade",
}


def write(portaria: Portaria, kind: str, *lines: str) -> Path:
    file = portaria.data.parent / f"{kind}.csv"
    file.write_text("\n".join([HEAD[kind], *lines]) + "\n", "utf-8")
    return file


@pytest.fixture(scope="session")
def imported(fresh: Mould[Path], authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An installation into which everything good was imported, with its files beside it; made once."""
    folder = tmp_path_factory.mktemp("imported")
    shutil.copytree(fresh.newest(), folder / "data")
    shutil.copy(authority / "server.pem", folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORTARIA_DEMO", "true")
        patch.setenv("PORTARIA_DATA", str(folder / "data"))
        for kind, line in GOOD.items():
            file = folder / f"{kind}.csv"
            file.write_text(f"{HEAD[kind]}\n{line}\n", "utf-8")
            assert cli.main(["import", kind, str(file)]) == 0
    return folder


def test_help_and_readme_tell_every_column_and_every_value_that_a_file_may_have(portaria: Portaria) -> None:
    told = portaria("import", "--help").out
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    for kind, shape in import_table.KINDS.items():
        assert kind in told
        for text in (told, readme):
            assert ",".join(shape.columns) in text
            assert all(column in text for column in shape.headers[0])
    for text in (told, readme.replace("\\|", "|")):
        assert "nome=valor|valor;nome=valor" in text
        assert all(name in text for name in (*facts.ALHEIO, *vinculo.TIPOS))
    for name in (client.NORMA, client.APLICACAO, client.INTERNO):
        assert f"\n  {name} " in told
        assert f" `{name}`: " in readme


def test_a_process_of_its_own_knows_the_tables_that_a_row_points_to(portaria: Portaria, imported: Path) -> None:
    """As an operator runs it: nothing else has read the modules of those tables."""
    file = write(portaria, "concessoes", GOOD["concessoes"].replace("mt-operacao", "mt-consulta"))
    words = ["import", "concessoes", str(file), "--dry-run", "--data", str(imported / "data")]
    done = subprocess.run([sys.executable, "-m", "iam.cli", *words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1 aplicada(s)" in done.stdout


@pytest.fixture
def filled(portaria: Portaria, imported: Path) -> Portaria:
    """The command on that installation."""
    shutil.copytree(imported, portaria.data.parent, dirs_exist_ok=True)
    return portaria


PERIODS = ("2020-01-01,2022-12-31", "2023-01-01,")


def test_everything_comes_in_with_its_origin(filled: Portaria) -> None:
    [(origem,)] = filled.rows(f"SELECT origem FROM pessoa WHERE cpf = '{JOSE}'")
    assert origem.startswith("importacao:pessoas.csv:")
    [right] = filled.rows(
        "SELECT sistema, perfil, fundamento, vigente_de, vigente_ate, origem FROM concessao WHERE sistema = 'mt-ipva'"
    )
    assert right[:3] == ("mt-ipva", "mt-operacao", "Processo 123/2020")
    assert right[3].startswith("2020-02-01 03:00") or right[3].startswith("2020-02-01 04:00"), "midnight in Cuiabá"
    assert right[4].startswith("2031-01-01 04:00"), "the last day is still in force"
    assert right[5].startswith("importacao:concessoes.csv:")
    assert filled.rows("SELECT kind, auth FROM client WHERE id = 'rh-x'") == [("interno", "tls_client_auth")]
    assert filled.rows("SELECT client FROM fonte") == [("rh-x",)]
    imports = filled.rows("SELECT requirement, allowed FROM entry WHERE ato = 'importacao:executar'")
    assert imports == [("CASA-02", 1)] * len(GOOD)


@pytest.mark.parametrize("kind", GOOD)
def test_the_same_file_again_changes_nothing(filled: Portaria, kind: str) -> None:
    tables = ("pessoa", "vinculo", "concessao", "client", "credencial", "fonte", "orgao", "sujeito")
    before = [filled.rows(f"SELECT * FROM {t} ORDER BY 1") for t in tables]
    done = filled("import", kind, filled.data.parent / f"{kind}.csv", "--json")
    assert done.told["counts"] == {"aplicada": 0, "inalterada": 1, "rejeitada": 0}
    assert [filled.rows(f"SELECT * FROM {t} ORDER BY 1") for t in tables] == before


def test_a_dry_run_shows_all_and_changes_nothing(installed: Portaria) -> None:
    file = write(installed, "pessoas", GOOD["pessoas"], "x,Nome,login.dois,")
    before = installed.state()
    done = installed("import", "pessoas", file, "--dry-run", "--json")
    assert done.status == 1
    assert done.told["counts"] == {"aplicada": 1, "inalterada": 0, "rejeitada": 1}
    assert installed.state() == before


BAD = {
    "pessoas": [
        "1,Nome,login.um,",
        f"{JOSE},,login.um,",
        f"{JOSE},Nome,12345,",
        f"{JOSE},N,login.um,sem-arroba",
        f'{JOSE},"a\nb",c,',
        f"{JOSE},=A1,login.um,",
    ],
    "vinculos": [
        f"{JOSE},nenhum,7,,,,",
        "11144477735,sefaz-mt,7,,,,",
        f"{JOSE},sefaz-mt,7,chefe,,,",
        f"{JOSE},sefaz-mt,7,,,1/2/2020,",
    ],
    "concessoes": [
        f"{JOSE},sefaz-mt-gipva,77,mt-ipva,nenhum,,,,f",
        f"{JOSE},sefaz-mt-gipva,77,nenhum,mt-operacao,,,,f",
        f"{JOSE},sefaz-mt-gipva,78,mt-ipva,mt-operacao,,,,f",
        f"{JOSE},sefaz-mt-gipva,77,mt-nfe,mt-consulta,,,,",
        f"{JOSE},sefaz-mt-gipva,77,mt-nfe,mt-consulta,x,,,f",
    ],
    "clients": [
        "c,N,outro,,,,,,https://a.example/cb,",
        "c,N,norma,sefaz-mt,,,,,,",
        "c,N,aplicacao,,nenhum,,,,https://a.example/cb,openid",
        "c,N,aplicacao,,mt-ipva,,,,http://a.example/cb,openid",
        "c,N,aplicacao,,mt-ipva,,,,https://a.example/cb#x,openid",
        "c,N,aplicacao,,mt-ipva,,,,https://a.example/cb,nenhum:escopo",
        "c,N,interno,sefaz-mt,,nao-ha.pem,,,,diario",
        "c,N,interno,sefaz-mt,,,curta,CN=x,,diario",
        "maria,N,interno,sefaz-mt,,,,isto não é um DN,,diario",
    ],
    "fontes": ["f,F,nenhum,sefaz-mt", "f,F,,nenhum"],
    "orgaos": ["o,O,MT,Marte/Olimpo,", "o,O,MT,,nenhum", "sefaz-mt,Outro nome,MT,,", "o,O"],
}


@pytest.mark.parametrize(("kind", "line"), [(kind, line) for kind, lines in BAD.items() for line in lines])
def test_a_bad_line_is_told_and_the_good_ones_around_it_are_applied(filled: Portaria, kind: str, line: str) -> None:
    extra = {
        "pessoas": "11144477735,Nova Pessoa,nova.pessoa,",
        "vinculos": f"{JOSE},sefaz-mt-gcad,78,servidor,,,",
        "concessoes": f"{JOSE},sefaz-mt-gipva,77,mt-itcd,mt-consulta,,,,f",
        "clients": "novo,Novo,aplicacao,,mt-nfe,,,,http://127.0.0.1:9/cb,openid mt-nfe:consultar",
        "fontes": "outra,Outra,,sefaz-sp",
        "orgaos": "outra-unidade,Outra,,,",
    }[kind]
    before = filled.rows("SELECT count(*) FROM entry")[0][0]
    done = filled("import", kind, write(filled, kind, line, extra), "--json")
    assert done.status == 1, done
    first, second = done.told["lines"]
    assert first["result"] == "rejeitada"
    assert first["line"] == 2
    assert first["text"]
    assert second["result"] == "aplicada", second
    assert "1 linha(s) rejeitada(s)" in done.err
    assert filled.rows("SELECT count(*) FROM entry")[0][0] > before


def test_what_was_imported_and_then_cut_does_not_come_back(filled: Portaria) -> None:
    events = filled.data.parent / "rh.csv"
    events.write_text(
        "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
        f"1,{JOSE},,,desligamento,2026-01-05,,,\n"
    )
    assert filled("hr", "import", events, "--fonte", "rh-sefaz-mt").status == 0
    ended = filled.rows("SELECT count(*) FROM concessao WHERE revogada_em IS NOT NULL AND sistema = 'mt-ipva'")
    assert ended == [(1,)]
    for kind in ("pessoas", "vinculos", "concessoes"):
        done = filled("import", kind, write(filled, kind, GOOD[kind]), "--json")
        assert done.told["counts"]["inalterada"] == 1
        if kind != "pessoas":
            assert "não" in done.told["lines"][0]["text"]
    assert filled.rows("SELECT count(*) FROM concessao WHERE sistema = 'mt-ipva'") == [(1,)]
    assert filled.rows("SELECT estado FROM vinculo WHERE matricula = '77'") == [("encerrado",)]


@pytest.mark.parametrize(
    ("line", "differs"),
    [
        (f"{JOSE},sefaz-mt-gipva,77,terceirizado,Fiscal,2020-02-01,", "tipo"),
        (f"{JOSE},sefaz-mt-gipva,77,servidor,Auditor,2020-02-01,", "cargo"),
        (f"{JOSE},sefaz-mt-gipva,77,servidor,,2020-02-01,", "cargo"),
        (f"{JOSE},sefaz-mt-gipva,77,servidor,Fiscal,2021-02-01,", "início"),
        (f"{JOSE},sefaz-mt-gipva,77,,Auditor,,2030-12-31", "cargo, fim"),
    ],
)
def test_a_tie_that_is_known_otherwise_is_told_and_stays(filled: Portaria, line: str, differs: str) -> None:
    before = filled.rows("SELECT * FROM vinculo")
    done = filled("import", "vinculos", write(filled, "vinculos", line), "--json")
    assert done.status == 1
    (told,) = done.told["lines"]
    assert told["result"] == "rejeitada"
    assert f"já existe com outro {differs} (em vigor)" in told["text"]
    assert filled.rows("SELECT * FROM vinculo") == before


def test_a_contract_that_follows_upon_the_one_before_comes_in_beside_it(filled: Portaria) -> None:
    first, second = (f"{JOSE},sefaz-mt-gcad,78,terceirizado,,{period}" for period in PERIODS)
    for _ in range(2):
        done = filled("import", "vinculos", write(filled, "vinculos", first, second), "--json")
        assert done.status == 0, done
    assert [line["result"] for line in done.told["lines"]] == ["inalterada", "inalterada"]
    ties = filled.rows("SELECT prazo IS NULL FROM vinculo WHERE matricula = '78' ORDER BY de")
    assert ties == [(0,), (1,)]


def test_a_server_may_write_during_a_dry_run_and_between_the_parts_of_an_import(
    installed: Portaria, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[str] = []

    def somebody_writes(*_: object) -> None:
        with closing(sqlite3.connect(installed.data / "portaria.db", timeout=0, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("COMMIT")
        turns.append("")

    file = write(installed, "pessoas", GOOD["pessoas"], f"{ANA},Outra,outra,")
    with monkeypatch.context() as patch:
        patch.setattr(importing, "_access", somebody_writes)
        assert installed("import", "pessoas", file, "--dry-run").status == 1
    assert len(turns) == 2, "while a dry run is under way"
    monkeypatch.setattr(importing, "CHUNK", 1)
    monkeypatch.setattr("iam.batch.time.sleep", somebody_writes)
    assert installed("import", "pessoas", file).status == 1
    assert len(turns) == 4, "after each part"
    assert {p.name for p in installed.data.iterdir() if p.name.startswith(".")} == set()


def test_different_content_for_the_same_person_is_told_not_taken(filled: Portaria) -> None:
    done = filled("import", "pessoas", write(filled, "pessoas", f"{JOSE},Outro Nome,jose.silva,jose@example.gov.br"))
    assert done.status == 1
    assert "nome" in done.out
    assert filled.rows(f"SELECT nome FROM pessoa WHERE cpf = '{JOSE}'") == [("José da Silva",)]


RIGHT = f"{JOSE},sefaz-mt-gipva,77,mt-ipva,mt-operacao,,"


def test_a_right_of_another_period_is_told_when_they_overlap_and_taken_when_they_do_not(filled: Portaria) -> None:
    for other in ("2020-02-01,2027-12-31,x", "2021-01-01,2030-12-31,x", "2020-02-01,,x"):
        refused = filled("import", "concessoes", write(filled, "concessoes", RIGHT + other))
        assert refused.status == 1
        assert "linha 2: rejeitada: concessão já registrada com outro período" in refused.out
    for twice in ("aplicada", "inalterada"):
        done = filled("import", "concessoes", write(filled, "concessoes", RIGHT + "2031-01-01,,x"), "--json")
        assert done.told["counts"][twice] == 1
    assert filled.rows("SELECT count(*) FROM concessao WHERE sistema = 'mt-ipva'") == [(2,)]


def test_a_line_that_cannot_be_read_is_never_one_that_is_there_already(filled: Portaria) -> None:
    refused = filled("import", "concessoes", write(filled, "concessoes", RIGHT + "2020-13-01,2030-12-31,x"))
    assert refused.status == 1
    assert "`de` deve ser uma data" in refused.out


def test_a_right_that_was_cut_does_not_come_back_with_another_end(filled: Portaria) -> None:
    events = filled.data.parent / "rh.csv"
    events.write_text(
        "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
        f"1,{JOSE},,,licenca_inicio,2026-01-05,,,\n2,{JOSE},,,licenca_fim,2026-01-06,,,\n"
    )
    assert filled("hr", "import", events, "--fonte", "rh-sefaz-mt").status == 0
    refused = filled("import", "concessoes", write(filled, "concessoes", RIGHT + "2020-02-01,2029-12-31,x"))
    assert refused.status == 1
    assert "depois revogada; não volta por importação" in refused.out
    assert filled.rows("SELECT count(*) FROM concessao WHERE revogada_em IS NULL AND sistema = 'mt-ipva'") == [(0,)]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "cabeçalho"),
        (b"cpf;nome;login;email\n", "ponto e vírgula"),
        (b"nome,cpf,login,email\n", "cabeçalho"),
        (b'"cpf"x,nome,login,email\n', "cabeçalho"),
        (b"x" * 200_000, "cabeçalho"),
        (b"cpf,nome,login,email\nx\xff\n", "linha 2: o arquivo deve ser UTF-8"),
        (b"cpf,nome,login,email\n\x00\n", "NUL"),
    ],
    ids=["empty", "semicolons", "order", "quote", "long", "encoding", "nul"],
)
def test_a_file_of_another_form_is_refused_whole(installed: Portaria, content: bytes, told: str) -> None:
    file = installed.data.parent / "x.csv"
    file.write_bytes(content)
    before = installed.state()
    assert told in installed.fails("import", "pessoas", file)
    assert installed.state() == before
    installed.fails("import", "pessoas", installed.data.parent / "nao-ha.csv")


def test_a_quote_without_its_pair_stops_there_and_keeps_what_was_good(installed: Portaria) -> None:
    file = write(installed, "pessoas", GOOD["pessoas"], f'{ANA},"x,y,z')
    done = installed("import", "pessoas", file, "--json")
    assert done.status == 1
    assert [line["result"] for line in done.told["lines"]] == ["aplicada", "rejeitada"]


def links(file: Path) -> dict[str, str]:
    with file.open() as stream:
        return {row["login"]: row["link"] for row in csv.DictReader(stream)}


def test_two_files_of_people_give_everybody_one_link(installed: Portaria) -> None:
    """First the people, who have no vínculo yet; then their vínculos; each may come in by one link, told at each step."""
    out = installed.data.parent / "links.csv"
    others = [f"{cpf},P,{login},\n" for cpf, login in (("11144477735", "sem.vinculo"), ("98765432100", "futura"))]
    people = write(installed, "pessoas", GOOD["pessoas"], *(line.strip() for line in others))
    for words in (("--dry-run",), ("--links", out, "--dry-run"), ("--links", out)):
        done = installed("import", "pessoas", people, *words)
        assert done.status == 0, done
        assert "3 pessoa(s) sem link, porque sem vínculo em vigor" in done.out
        assert "import vinculos ARQUIVO --links" in done.out
    assert not out.exists()
    ties = write(installed, "vinculos", GOOD["vinculos"], "98765432100,sefaz-mt,78,servidor,,2199-01-01,")
    before = installed.state()
    dry = installed("import", "vinculos", ties, "--links", out, "--dry-run", "--json").told["links"]
    assert dry == {"written": 0, "link": 1, "has_link": 0, "has_senha": 0, "no_vinculo": 1}
    assert installed.state() == before
    done = installed("import", "vinculos", ties, "--links", out)
    assert done.status == 0, done
    assert "1 link(s) de ativação" in done.out
    assert "1 pessoa(s) sem link" in done.out
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert links(out).keys() == {"jose.silva"}
    assert "/ativar/" in links(out)["jose.silva"]
    other = installed.data.parent / "outros.csv"
    again = installed("import", "vinculos", ties, "--links", other)
    assert "1 pessoa(s) com um link anterior ainda em vigor" in again.out
    assert not other.exists(), "and the first one stays good"
    assert installed.rows("SELECT count(*) FROM activation WHERE ended_at IS NULL") == [(2,)], (
        "hers and the cadastrador's"
    )


def test_links_are_refused_before_anything_is_imported(installed: Portaria) -> None:
    file = write(installed, "pessoas", GOOD["pessoas"])
    before = installed.state()
    assert "já existe" in installed.fails("import", "pessoas", file, "--links", file)
    assert "vinculos" in installed.fails("import", "orgaos", file, "--links", installed.data / "x", status=2)
    assert installed.state() == before


def test_links_that_cannot_be_written_are_not_made(filled: Portaria) -> None:
    folder = filled.data.parent / "nao-ha"
    filled.fails("import", "pessoas", filled.data.parent / "pessoas.csv", "--links", folder / "links.csv")
    assert filled.rows("SELECT count(*) FROM activation") == [(1,)]
    done = filled("import", "pessoas", filled.data.parent / "pessoas.csv", "--links", folder.with_suffix(".csv"))
    assert links(folder.with_suffix(".csv")).keys() == {"jose.silva"}, done


def test_a_program_says_where_people_may_be_sent_after_leaving_and_an_older_file_need_not(filled: Portaria) -> None:
    app = "saida,Saída,aplicacao,,mt-nfe,,,,https://a.example/cb,openid"
    file = filled.data.parent / "clients.csv"

    def load(*lines: str) -> tuple[int, str, str]:
        file.write_text("\n".join([f"{HEAD['clients']},post_logout_redirect_uris", *lines]) + "\n", "utf-8")
        done = filled("import", "clients", file, "--json")
        return done.status, *(done.told["lines"][0][name] for name in ("result", "text"))

    for wrong in ("http://a.example/saiu", "https://a.example/saiu#x", "saiu"):
        assert load(f"{app},{wrong}")[2] == f"endereço não aceito em `post_logout_redirect_uris`: `{wrong}`"
    assert "redirect_uris" in load("x,X,interno,sefaz-mt,,server.pem,,,,diario,https://a.example/saiu")[2]
    assert load(f"{app},https://a.example/saiu https://b.example/fim")[:2] == (0, "aplicada")
    kept = filled.rows("SELECT post_logout_redirect_uris FROM client WHERE id = 'saida'")
    assert kept == [('["https://a.example/saiu", "https://b.example/fim"]',)]
    assert load(f"{app},https://a.example/saiu https://b.example/fim")[:2] == (0, "inalterada")
    assert load(f"{app},https://a.example/outro")[:2] == (1, "rejeitada")
    assert load(GOOD["clients"] + ",")[:2] == (0, "inalterada"), "imported by a file that ends at scopes"
