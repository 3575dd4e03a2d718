"""What a perfil of the house is restricted to: the person has its word for people of those órgãos, and for nobody else's."""

from __future__ import annotations

import pytest

from iam.atos import papel, pessoa, vinculo
from iam.atos.conceder import conceder
from iam.context import Agente
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from tests.atos.rh import RH
from tests.house import Home


@pytest.mark.parametrize(
    ("restricao", "inside", "below", "outside"),
    [
        ({"orgao": ["sefaz-mt-suic"]}, True, True, False),
        ({"orgao": ["sefaz-mt-gcad", "sefaz-mt-gpdd"]}, False, True, False),
        ({"orgaos": ["sefaz-mt-suic"]}, False, False, False),
        ({"orgao": ["sefaz-mt-suic"], "recinto": ["recinto-santos"]}, False, False, False),
    ],
)
def test_a_word_is_given_where_its_right_reaches_and_a_restriction_that_means_nothing_here_gives_none(
    home: Home, restricao: dict[str, list[str]], inside: bool, below: bool, outside: bool
) -> None:
    with home.house.begin(RH) as ctx:
        who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert who is not None
        (tie,) = vinculo.vigentes(ctx.db, who.id, ctx.now)
        conceder(
            ctx, who.id, papel.CASA, "cadastrador",
            vinculo=tie, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS, restricao=restricao,
        )  # fmt: skip
        she = Agente("pessoa", who.id, who.nome, address="10.1.1.5")
    with home.house.begin(she) as ctx:
        words = ["cadastrador" in papel.of(ctx, orgao=o) for o in ("sefaz-mt-suic", "sefaz-mt-gpdd", "sefaz-mt-gipva")]
    assert words == [inside, below, outside]
