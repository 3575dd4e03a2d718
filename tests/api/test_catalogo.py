"""MT128 art. 2 I: what the catalogue lists as a corporate system is whole, and nothing else can be asked for."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from iam.atos import pessoa, vinculo
from iam.atos.conceder import conceder
from iam.context import Ctx
from iam.demo.outsider import Answer, Pkce, query
from iam.demo.world import OPERATOR, PAPEIS
from iam.errors import Invalid
from tests.house import Served, decide, request_of


def catalogue(served: Served) -> list[dict[str, object]]:
    answer: Answer = served.outsider().ask("GET", f"{served.issuer}/api/catalogo")
    assert answer.status == 200
    found = answer.json()["sistemas"]
    assert isinstance(found, list)
    return found


def give(ctx: Ctx, served: Served, sistema: str) -> None:
    who = pessoa.by_cpf(ctx.db, served.home.person("auditor")["cpf"])
    assert who is not None
    (tie,) = vinculo.vigentes(ctx.db, who.id, ctx.now)
    conceder(ctx, who.id, sistema, "mt-consulta", vinculo=tie, origem="teste", fundamento="teste", papeis=PAPEIS)


@pytest.mark.requirement("MT128-2-I")
def test_a_corporate_system_has_one_gestor_profiles_and_functions_and_only_such_can_be_asked_for(
    shared: Served,
) -> None:
    corporate = [s for s in catalogue(shared) if s["norma"] == "mt128"]
    assert len(corporate) == len({s["id"] for s in corporate}) == 61
    for sistema in corporate:
        assert str(sistema["gestor"]).isalpha(), "one unit"
        assert sistema["funcoes"]
        assert sistema["perfis"]
        assert sistema["escopos"]
    with pytest.raises(Invalid), shared.house.begin(OPERATOR) as ctx:
        give(ctx, shared, "mt-inventado")
    with shared.house.begin(OPERATOR) as ctx:
        give(ctx, shared, "mt-cta")
    assert decide(shared, "auditor", "consultar", "mt-cta")["decision"] is True
    assert decide(shared, "auditor", "consultar", "mt-inventado")["decision"] is False
    app = shared.world.apps["mt-ipva"]
    for more in ({"scope": "mt-inventado:consultar"}, {"resource": "urn:portaria:sistema:mt-inventado"}):
        asked = request_of(app, Pkce.new(), **more)
        answer = shared.outsider().ask("GET", f"{shared.issuer}/oauth/authorize?{urlencode(asked)}")
        assert query(answer.headers["location"])["error"] in ("invalid_scope", "invalid_target")
