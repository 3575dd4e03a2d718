"""MT128 art. 13, *always* and *in full*: nobody keeps a privilege for whom an event reached; and art. 10 § 2, who enables."""

from __future__ import annotations

import pytest

from iam.ato import Ato
from iam.atos import papel, pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.context import Agente, Ctx
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import Invalid, Refused
from tests.atos.rh import RH, give, held, noticia, receive
from tests.house import Home


def agente(home: Home, role: str) -> Agente:
    with home.house.reading() as db:
        who = pessoa.by_cpf(db, home.person(role)["cpf"])
        assert who is not None
        return Agente("pessoa", who.id, who.nome, address="10.1.1.5")


def again(ctx: Ctx, who: pessoa.Pessoa, tie: vinculo.Vinculo, papeis: frozenset[str]) -> object:
    """One privilege, on the tie that ended."""
    return conceder(
        ctx, who.id, "mt-ipva", "mt-consulta", vinculo=tie, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=papeis
    )


def loose(ctx: Ctx, who: pessoa.Pessoa, tie: vinculo.Vinculo, papeis: frozenset[str]) -> object:
    """One privilege, on no tie at all."""
    return conceder(
        ctx, who.id, "mt-ipva", "mt-consulta", vinculo=None, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=papeis
    )


def reopen(ctx: Ctx, who: pessoa.Pessoa, tie: vinculo.Vinculo, papeis: frozenset[str]) -> object:
    """The tie itself."""
    return abrir(ctx, who.id, tie.orgao, "9", tipo="servidor", de=ctx.now, fonte=ORIGEM, papeis=papeis)


def undo(ctx: Ctx, who: pessoa.Pessoa, tie: vinculo.Vinculo, papeis: frozenset[str]) -> object:
    """The event."""
    return ctx.require(Ato.EVENTO_DESFAZER, papel.CASA, papeis, pessoa=who.id)


@pytest.mark.requirement("MT128-13.5")
@pytest.mark.parametrize("event", ["remanejamento", "cessao", "licenca_inicio", "desligamento"])
@pytest.mark.parametrize("role", ["gestor", "chefia"])
def test_neither_gestor_nor_chefia_keeps_one_privilege_after_an_event_of_article_13(
    home: Home, role: str, event: str
) -> None:
    receive(home, noticia(home, event, observacao="a chefia pede que se mantenha mt-ipva"))
    assert held(home) == set(), "what a report asks to keep is not kept"
    asks, attempts = agente(home, role), (again, loose, reopen, undo)
    for attempt in attempts:
        with pytest.raises(Refused), home.house.begin(asks) as ctx:
            attempt(ctx, *ended(ctx, home), papel.of(ctx, orgao="sefaz-mt-gipva"))
    with pytest.raises(Invalid, match="não está em vigor"), home.house.begin(RH) as ctx:
        again(ctx, *ended(ctx, home), PAPEIS)
    assert held(home) == set()
    receive(home, noticia(home, "nova_lotacao", numero="2", orgao_destino="sefaz-mt-gcad", matricula="7"))
    assert held(home) == set(), "the new unit must ask anew"
    give(home, "mt-ipva", "mt-consulta", "sefaz-mt-gcad")
    assert held(home) == {"mt-ipva.mt-consulta"}


def ended(ctx: Ctx, home: Home) -> tuple[pessoa.Pessoa, vinculo.Vinculo]:
    who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
    assert who is not None
    return who, vinculo.todos(ctx.db, who.id)[0]


@pytest.mark.requirement("MT128-10-2.2")
def test_the_gestor_who_authorised_an_external_user_does_not_enable_him_the_cadastrador_does(home: Home) -> None:
    """GAP-MT-35: for who is of no órgão of the Fazenda, the órgão is the gestor unit of the sistema."""
    for role, able in (("gestor", False), ("cadastrador", True)):
        with home.house.begin(agente(home, role)) as ctx:
            who = pessoa.by_cpf(ctx.db, home.person("perito")["cpf"])
            assert who is not None
            (tie,) = vinculo.vigentes(ctx.db, who.id, ctx.now)
            assert tie.tipo == "externo"
            words = papel.of(ctx, orgao="sefaz-mt-gipva", pessoa=who.id)
            assert role in words
            if able:
                again(ctx, who, tie, words)
            else:
                with pytest.raises(Refused) as refused:
                    again(ctx, who, tie, words)
                assert "agir como cadastrador, por MT128-2-IV (Art. 2 IV)" in refused.value.decision.missing
    assert "mt-ipva.mt-consulta" in held(home, "perito")
