"""A source is asked by the worker: each event once, whatever ends in between, and a bad one stops no other."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam import doctor, hr, news, setback, worker
from iam.app import close
from iam.atos import evento, pessoa
from iam.atos.receber import receber
from iam.connector import Cursor, Evento
from iam.context import Ctx
from iam.demo.world import OPERATOR
from tests.house import Home, make
from tests.outage import account_of

HEADER = "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
FONTE = {"SOURCES": "folha=rh_csv", "SOURCE_FOLHA_FONTE": "rh-sefaz-mt", "SOURCE_FOLHA_FOLDER": "chegada"}


@pytest.fixture
def fed(tmp_path: Path, database_url: str) -> Iterator[Home]:
    """A house that asks for the files of a folder."""
    (tmp_path / "data" / "chegada").mkdir(parents=True)
    made = make(tmp_path / "data", database_url, **FONTE)
    yield made
    close(made.house)


def arrives(home: Home, name: str, *lines: str) -> None:
    (home.data / "chegada" / name).write_text(HEADER + "".join(f"{line}\n" for line in lines))


def leaves(home: Home, numero: str, role: str = "servidora", tipo: str = "desligamento") -> str:
    return f"{numero},{home.person(role)['cpf']},,,{tipo},2026-01-05,,,"


def told(home: Home, role: str) -> list[str]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person(role)["cpf"])
        assert somebody is not None
        return [event.numero for event in evento.historico(db, pessoa=somebody.id)]


def test_what_arrives_is_taken_in_once_and_a_bad_event_stops_no_other(fed: Home) -> None:
    arrives(fed, "1.csv", leaves(fed, "1"), "2,52998224725,,,desligamento,2026-01-05,,,", leaves(fed, "3", "gestor"))
    assert news.hear(fed.house, "folha") == 3
    assert (told(fed, "servidora"), told(fed, "gestor")) == (["1"], ["3"])
    assert news.hear(fed.house, "folha") == 0
    (finding,) = [f for f in doctor.after_opening(fed.house) if f.name == "eventos das fontes"]
    assert "nº 2: não há pessoa cadastrada com este CPF" in finding.text
    arrives(fed, "2.csv", leaves(fed, "2", "chefia"))
    assert news.hear(fed.house, "folha") == 1
    assert told(fed, "chefia") == ["2"]
    with fed.house.reading() as db:
        assert news.rejected(db) == []


def rejections(home: Home) -> tuple[int, str]:
    (finding,) = [f for f in doctor.after_opening(home.house) if f.name == "eventos das fontes"]
    with home.house.reading() as db:
        return len(news.rejected(db)), finding.text if finding.state == doctor.FALHA else ""


def test_a_line_that_is_no_event_and_a_file_of_another_header_are_asked_about_until_they_come_right(fed: Home) -> None:
    broken = leaves(fed, "2", "gestor").removesuffix(",")
    arrives(fed, "1.csv", leaves(fed, "1"), broken, leaves(fed, "3", "chefia"))
    whole = fed.data / "chegada" / "2.csv"
    whole.write_text(HEADER.replace(",", ";"))
    for _ in range(2):
        news.hear(fed.house, "folha")
        count, said = rejections(fed)
        assert count == 2
        assert "rh-sefaz-mt arquivo 1.csv, linha 3: tem 8 campos" in said
        assert "rh-sefaz-mt arquivo 2.csv, linha 1: o cabeçalho" in said
    assert (told(fed, "servidora"), told(fed, "gestor"), told(fed, "chefia")) == (["1"], [], ["3"])
    assert news.hear(fed.house, "folha") == 0
    right = fed.data / "1.csv"
    right.write_text(f"{HEADER}{broken}\n")
    hr.load(fed.house, OPERATOR, right, "rh-sefaz-mt", dry_run=False)
    assert rejections(fed)[0] == 2, "given again, but not right"
    right.write_text(f"{HEADER}{leaves(fed, '2', 'gestor')}\n")
    hr.load(fed.house, OPERATOR, right, "rh-sefaz-mt", dry_run=True)
    assert rejections(fed)[0] == 2
    hr.load(fed.house, OPERATOR, right, "rh-sefaz-mt", dry_run=False)
    assert told(fed, "gestor") == ["2"]
    count, said = rejections(fed)
    assert (count, "2.csv" in said, "1.csv" in said) == (1, True, False)


def test_an_event_is_never_passed_over_when_the_process_ends_while_taking_it_in(
    fed: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrives(fed, "1.csv", leaves(fed, "1"), leaves(fed, "2", "gestor"))

    def ends(ctx: Ctx, noticia: Evento, *, papeis: frozenset[str]) -> None:
        if noticia.numero == "2":
            raise KeyboardInterrupt
        receber(ctx, noticia, papeis=papeis)

    monkeypatch.setattr(news, "receber", ends)
    with pytest.raises(KeyboardInterrupt):
        news.hear(fed.house, "folha")
    monkeypatch.setattr(news, "receber", receber)
    assert told(fed, "gestor") == []
    assert news.hear(fed.house, "folha") == 1
    assert told(fed, "gestor") == ["2"]


def test_the_loop_asks_and_the_account_is_cut(fed: Home) -> None:
    while worker.once(fed.house, "diretorio"):
        pass
    assert account_of(fed).enabled
    arrives(fed, "1.csv", leaves(fed, "1"))
    at_work = worker.Worker(fed.house)
    at_work.start()
    try:
        deadline = time.monotonic() + 60
        while told(fed, "servidora") == [] or account_of(fed).enabled:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        at_work.stop()


def test_a_source_that_does_not_answer_is_told_and_rests(fed: Home) -> None:
    (fed.data / "chegada").rmdir()
    assert not worker.attempt(fed.house, "fonte folha", lambda: news.hear(fed.house, "folha"))
    with fed.house.reading() as db:
        (standing,) = setback.standing(db)
        assert db.get(news.Heard, "folha") is None
    assert (standing.name, "não pode ser lida" in standing.error) == ("fonte folha", True)
    assert any(f.name == "fonte folha" and f.state == doctor.FALHA for f in doctor.after_opening(fed.house))


def test_a_source_is_asked_from_where_it_was_left(fed: Home) -> None:
    arrives(fed, "1.csv", leaves(fed, "1"))
    news.hear(fed.house, "folha")
    with fed.house.reading() as db:
        place = db.get(news.Heard, "folha")
    assert place is not None
    assert list(fed.house.sources["folha"].events(Cursor(place.cursor))) == []
