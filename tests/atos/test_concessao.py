"""Giving and ending a right: only a perfil that the sistema has, only by who may, never twice, and as of any day."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from iam.atos import concessao, pessoa, vinculo
from iam.atos.conceder import conceder, revogar
from iam.atos.papel import OPERADOR
from iam.context import Ctx
from iam.demo.world import FUNDAMENTO, OPERATOR, ORIGEM, PAPEIS
from iam.errors import Conflict, Invalid, Refused
from tests.house import Home


def give(
    ctx: Ctx,
    home: Home,
    sistema: str,
    perfil: str,
    papeis: frozenset[str] = PAPEIS,
    *,
    de: datetime | None = None,
    ate: datetime | None = None,
    restricao: Mapping[str, list[str]] | None = None,
) -> concessao.Concessao:
    somebody = pessoa.by_cpf(ctx.db, home.person("chefia")["cpf"])
    assert somebody is not None
    tie = vinculo.vigentes(ctx.db, somebody.id, ctx.now)[0]
    return conceder(
        ctx,
        somebody.id,
        sistema,
        perfil,
        vinculo=tie,
        origem=ORIGEM,
        fundamento=FUNDAMENTO,
        papeis=papeis,
        de=de,
        ate=ate,
        restricao=restricao,
    )


@pytest.mark.requirement("COANA-S.1")
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("coana-rfb-gestao-nacional", "coana-rfb-administracao"),
        ("coana-rfb-gestao-regional", "coana-rfb-gestao-operacional"),
        ("coana-orgao-gestao-nacional", "coana-orgao-administracao"),
        ("coana-orgao-gestao-regional", "coana-orgao-gestao-operacional"),
    ],
)
def test_a_perfil_of_a_replaced_set_is_refused_with_its_successors_name(home: Home, old: str, new: str) -> None:
    with pytest.raises(Invalid, match=new), home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "vfr", old)
    with home.house.begin(OPERATOR) as ctx:
        assert give(ctx, home, "vfr", new, restricao={"orgao": ["rfb"]}).perfil == new


def test_nobody_creates_a_privilege_of_an_mt_system_outside_the_flows_administrators_neither(home: Home) -> None:
    for papeis in (
        OPERADOR,
        frozenset({"auditor"}),
        frozenset({"gestor"}),
        frozenset({"cadastrador", "sem_autorizacao_do_gestor"}),
    ):
        with pytest.raises(Refused) as refused, home.house.begin(OPERATOR) as ctx:
            give(ctx, home, "mt-cta", "mt-consulta", papeis)
        assert refused.value.decision.source.pack == "mt128"


def test_the_same_right_is_not_given_twice_and_an_unknown_one_not_at_all(home: Home) -> None:
    with home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "mt-cta", "mt-consulta")
    with pytest.raises(Conflict), home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "mt-cta", "mt-consulta")
    for sistema, perfil in (("mt-cta", "coana-perito"), ("mt-nenhum", "mt-consulta"), ("vfr", "mt-consulta")):
        with pytest.raises((Invalid, Refused)), home.house.begin(OPERATOR) as ctx:
            give(ctx, home, sistema, perfil)


def test_the_same_right_is_given_again_only_for_another_time(home: Home) -> None:
    now = home.clock()
    soon, later = now + timedelta(days=30), now + timedelta(days=60)
    with home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "mt-cta", "mt-consulta", de=soon, ate=later)
    for de, ate in ((None, None), (soon, later), (now, soon + timedelta(days=1)), (later - timedelta(days=1), None)):
        with pytest.raises(Conflict, match="mesmo período"), home.house.begin(OPERATOR) as ctx:
            give(ctx, home, "mt-cta", "mt-consulta", de=de, ate=ate)
    with pytest.raises(Invalid, match="antes de começar"), home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "mt-cta", "mt-consulta", de=soon, ate=soon)
    with home.house.begin(OPERATOR) as ctx:
        give(ctx, home, "mt-cta", "mt-consulta", ate=soon)
        give(ctx, home, "mt-cta", "mt-consulta", de=later)


def test_what_was_in_force_on_a_past_day_needs_no_rebuild(home: Home) -> None:
    with home.house.begin(OPERATOR) as ctx:
        right = give(ctx, home, "mt-cta", "mt-consulta")
    home.clock.move(days=10)
    with home.house.begin(OPERATOR) as ctx:
        row = ctx.db.get(concessao.Concessao, right.id)
        assert row is not None
        revogar(ctx, row, motivo="fim do trabalho", papeis=OPERADOR)
        revogar(ctx, row, motivo="outra vez", papeis=OPERADOR)
    with home.house.reading() as db:
        assert [c.motivo for c in concessao.historico(db, right.sujeito) if c.id == right.id] == ["fim do trabalho"]
        assert right.id not in {
            c.id for c in concessao.vigentes(db, right.sujeito, home.clock() + timedelta(seconds=1))
        }
