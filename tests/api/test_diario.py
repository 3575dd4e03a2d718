"""MT128 art. 15: a login, a decision, a grant and a refusal each leave a record, and none can be changed unseen."""

from __future__ import annotations

import copy

import pytest

from iam import sealer
from iam.atos import pessoa, vinculo
from iam.atos.conceder import conceder
from iam.demo.world import OPERATOR, PAPEIS
from iam.verification import verify
from tests.house import Served, decide, login


@pytest.mark.requirement("MT128-15.1")
def test_login_decision_grant_and_refusal_are_recorded_and_no_record_can_be_changed_unseen(served: Served) -> None:
    she = login(served)
    assert decide(served, "servidora", "consultar", "mt-ipva")["decision"] is True
    assert decide(served, "servidora", "suprimir", "mt-ipva")["decision"] is False
    with served.house.begin(OPERATOR) as ctx:
        who = pessoa.by_cpf(ctx.db, served.home.person("servidora")["cpf"])
        assert who is not None
        (tie,) = vinculo.vigentes(ctx.db, who.id, ctx.now)
        conceder(ctx, who.id, "mt-cta", "mt-consulta", vinculo=tie, origem="teste", fundamento="teste", papeis=PAPEIS)
        id = who.id
    form = {"grant_type": "refresh_token", "client_id": "app-mt-ipva", "refresh_token": "inventado"}
    assert she.browser.form(f"{served.issuer}/oauth/token", form).status == 400

    served.house.recorder.flush()
    now = served.house.clock()
    sealer.seal(served.house.database, served.house.keys, now)
    sealer.checkpoint(served.house.database, served.house.keys, now)
    lines = list(sealer.export(served.house.database, served.house.keys))
    assert verify(lines).whole
    entries = [(n, line) for n, line in enumerate(lines) if line["kind"] == "entry"]
    mine = [(n, line) for n, line in entries if line["pessoa"] == id or line["allowed"] is False]
    for ato, allowed in (
        ("sessao:abrir", True),
        ("decisao:consultar", True),
        ("concessao:conceder", True),
        ("token:emitir", True),
        ("token:emitir", False),
    ):
        found = [n for n, line in mine if (line["ato"], line["allowed"]) == (ato, allowed)]
        assert found, (ato, allowed)
        for column in ("at", "agente", "requirement", "obj", "allowed"):
            forged = copy.deepcopy(lines)
            forged[found[-1]][column] = "outra coisa"
            verdict = verify(forged)
            assert not verdict.whole
            assert verdict.bad_seq == lines[found[-1]]["seq"]
    answers = [line["payload"] for _, line in mine if line["ato"] == "decisao:consultar"]
    assert [a["resposta"] for a in answers if isinstance(a, dict)] == [True, False]
