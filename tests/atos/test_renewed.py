"""A contract renewed under one órgão and matrícula: several rows, one tie to whoever reports its end."""

from __future__ import annotations

from datetime import timedelta
from typing import TypedDict

import pytest

from iam.atos import pessoa, vinculo
from tests.atos.rh import another_tie, give, held, noticia, receive
from tests.house import Home


class Tie(TypedDict):
    """Which tie somebody tells of."""

    orgao: str
    matricula: str


GCAD: Tie = {"orgao": "sefaz-mt-gcad", "matricula": "T1"}


def states(home: Home) -> list[str]:
    """The states of the tie's rows, oldest first."""
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return [tie.estado for tie in vinculo.todos(db, somebody.id) if tie.matricula == "T1"]


def test_a_contract_that_was_renewed_by_hand_can_be_ended(home: Home) -> None:
    another_tie(home, **GCAD, since=400, until=-10)
    another_tie(home, **GCAD, since=9, until=300)
    assert states(home) == ["encerrado", "ativo"]
    give(home, "mt-cta", "mt-consulta", "sefaz-mt-gcad")
    receive(home, noticia(home, "desligamento", day=home.clock.today(), **GCAD))
    assert "mt-cta.mt-consulta" not in held(home)
    assert states(home) == ["encerrado", "encerrado"]


def test_a_contract_that_hr_renewed_after_it_ran_out_can_be_ended(home: Home) -> None:
    day = home.clock.today()
    another_tie(home, **GCAD, since=400, until=-10)
    lotacao = {"orgao_destino": "sefaz-mt-gcad", "matricula": "T1"}
    receive(home, noticia(home, "nova_lotacao", numero="1", day=day - timedelta(days=5), **lotacao))
    assert states(home) == ["encerrado", "ativo"]
    give(home, "mt-cta", "mt-consulta", "sefaz-mt-gcad")
    receive(home, noticia(home, "desligamento", numero="2", day=day, **GCAD))
    assert "mt-cta.mt-consulta" not in held(home)
    assert states(home) == ["encerrado", "encerrado"]


@pytest.mark.parametrize(("tipo", "left"), [("licenca_inicio", "suspenso"), ("desligamento", "encerrado")])
def test_two_contracts_of_one_matricula_that_overlap_are_cut_both(home: Home, tipo: str, left: str) -> None:
    another_tie(home, **GCAD, since=400, until=20)
    give(home, "vfr", "coana-rfb-administracao", "sefaz-mt-gcad")
    another_tie(home, **GCAD, since=9, until=300)
    receive(home, noticia(home, tipo, day=home.clock.today(), **GCAD))
    assert states(home) == [left, left]
    assert "vfr.coana-rfb-administracao" not in held(home)
    if left == "suspenso":
        receive(home, noticia(home, "retorno", numero="2", day=home.clock.today(), **GCAD))
        assert states(home) == ["ativo", "ativo"]


def test_no_tie_is_opened_beside_one_that_is_suspended_under_the_same_matricula(home: Home) -> None:
    day = home.clock.today()
    lotacao = {"orgao_destino": "sefaz-mt-gcad", "matricula": "T1"}
    receive(home, noticia(home, "nova_lotacao", numero="1", day=day - timedelta(days=9), **lotacao))
    receive(home, noticia(home, "licenca_inicio", numero="2", day=day - timedelta(days=3), **GCAD))
    receive(home, noticia(home, "nova_lotacao", numero="3", day=day - timedelta(days=2), **lotacao))
    assert states(home) == ["suspenso"]
    receive(home, noticia(home, "desligamento", numero="4", day=day - timedelta(days=1), **GCAD))
    assert states(home) == ["encerrado"]


def test_an_end_told_late_does_not_reach_the_contract_that_began_after_it(home: Home) -> None:
    day = home.clock.today()
    another_tie(home, **GCAD, since=400, until=60)
    another_tie(home, **GCAD, since=9, until=300)
    receive(home, noticia(home, "desligamento", day=day - timedelta(days=20), **GCAD))
    assert states(home) == ["encerrado", "ativo"]


def test_a_cut_without_matricula_falls_on_the_tie_in_force_and_a_return_on_the_suspended_one(home: Home) -> None:
    day = home.clock.today()
    another_tie(home, **GCAD, since=400)
    receive(home, noticia(home, "licenca_inicio", numero="1", day=day - timedelta(days=9), **GCAD))
    another_tie(home, "sefaz-mt-gcad", "T2", since=5)
    receive(home, noticia(home, "licenca_fim", numero="2", day=day - timedelta(days=1), orgao="sefaz-mt-gcad"))
    assert states(home) == ["ativo"]
    receive(home, noticia(home, "licenca_inicio", numero="3", day=day, **GCAD))
    receive(home, noticia(home, "desligamento", numero="4", day=day, orgao="sefaz-mt-gcad"))
    assert states(home) == ["suspenso"]
