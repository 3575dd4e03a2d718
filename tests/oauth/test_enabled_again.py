"""Whoever ceases to be enabled and is again finds nothing of before alive, not even what rested on no right."""

from __future__ import annotations

import pytest

from iam.atos import concessao, fonte, pessoa
from iam.atos.conceder import revogar
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.atos.vinculo import Vinculo
from iam.connector import Evento
from iam.context import Ctx
from tests.oauth.world import OPERATOR, PAPEIS, World, give


def revoke_all(world: World, ctx: Ctx) -> None:
    """Every right revoked, one by one."""
    for right in concessao.vigentes(ctx.db, world.pessoa, ctx.now):
        revogar(ctx, right, motivo="cancelada", papeis=PAPEIS | OPERADOR)


def cancel(world: World, ctx: Ctx) -> None:
    """Every right taken by an event that leaves the tie as it is."""
    fonte.cadastrar(ctx, "rh", "RH", client=None, orgaos=["*"], papeis=OPERADOR)
    cpf = pessoa.get(ctx.db, world.pessoa).cpf
    receber(ctx, Evento("rh", "1", cpf, "", "", "cancelamento", ctx.now, "", "", ""), papeis=OPERADOR)


@pytest.mark.parametrize("lose", [revoke_all, cancel])
def test_a_refresh_token_for_identity_alone_does_not_outlive_the_last_right(world: World, lose: object) -> None:
    said = world.tokens(scope="openid offline_access")
    assert world.introspect(said["access_token"])["active"] is True
    with world.house.begin(OPERATOR) as ctx:
        lose(world, ctx)  # type: ignore[operator]
        assert pessoa.get(ctx.db, world.pessoa).estado == pessoa.CADASTRADA
    assert world.refresh(said["refresh_token"]).status == 400
    with world.house.begin(OPERATOR) as ctx:
        give(ctx, world.pessoa, ctx.db.get(Vinculo, world.vinculo), "mt-ipva", "mt-consulta")
    world.later(seconds=1)
    assert world.refresh(said["refresh_token"]).status == 400
    assert world.introspect(said["access_token"]) == {"active": False}
