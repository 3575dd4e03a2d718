"""Which packs speak of an event: those of the órgão it is about, and those of a sistema where a right rests on the tie."""

from __future__ import annotations

import pytest

from iam.atos import efeito, pessoa
from tests.atos.rh import RH, give
from tests.house import Home


@pytest.mark.parametrize(
    ("event", "orgao", "packs"),
    [
        ("fim_de_cargo", "sefa-pa", {"dec7"}),
        ("desligamento", "recinto-santos", {"coana"}),
        ("desligamento", "sefaz-mt", {"mt128"}),
        ("desligamento", "tribunal-de-contas", {"casa"}),
        ("falecimento", "sefaz-mt", {"casa"}),
    ],
)
def test_a_pack_speaks_of_an_event_only_for_its_own_orgaos_and_the_house_where_none_does(
    home: Home, event: str, orgao: str, packs: set[str]
) -> None:
    assert spoken(home, event, orgao) == packs


def test_a_pack_speaks_too_where_a_right_on_its_sistema_rests(home: Home) -> None:
    assert spoken(home, "desligamento", "tribunal-de-contas") == {"casa"}
    give(home, "mt-cta", "mt-consulta", role="auditor")
    assert spoken(home, "desligamento", "tribunal-de-contas") == {"mt128"}


def spoken(home: Home, event: str, orgao: str) -> set[str]:
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("auditor")["cpf"])
        assert somebody is not None
        return {e.pack for e in efeito.efeitos(ctx, event, somebody.id, None, orgao)}
