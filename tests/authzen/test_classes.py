"""The classes of TRAM and of Coana's table at the decision point: who may, for what is theirs, and what stays on the journal."""

from __future__ import annotations

from datetime import timedelta

import orjson
import pytest

from iam.atos import concessao, pessoa, vinculo
from iam.atos.conceder import conceder
from iam.errors import Invalid
from tests.authzen.test_restriction import (
    EXECUCAO,
    GESTAO,
    ORGAO,
    PARTES,
    RFB,
    Asked,
    allowed,
    decisions,
    holder,
    of_perfis,
)
from tests.oauth.world import OPERATOR, PAPEIS, World, body, give, register

ANA = "52998224725"
PRIVATE = {
    "tram-transportador": {"transportador": "A"},
    "tram-depositario": {"recinto": "A"},
    "tram-importador": {"importador": "A"},
}


@pytest.mark.requirement("TRAM-5-II.1")
def test_a_company_that_is_not_linked_as_gestor_gets_no_management_of_an_application(world: World) -> None:
    refused = [(False, "TRAM-5-II.1")]
    assert decisions(world, ANA, ("gestao", {"aplicativo": "ADE-1"}), sistema="tram") == refused
    for perfil, restricao in PRIVATE.items():
        cpf = holder(world, perfil, "tram", **restricao)
        assert decisions(world, cpf, ("gestao", {"aplicativo": "ADE-1", **restricao}), sistema="tram") == refused
    with world.house.begin(OPERATOR) as ctx:
        for name, perfil, restricao in (
            ("tram-empresa", "tram-transportador", PRIVATE["tram-transportador"]),
            ("tram-vinculada", "tram-gestor", {"aplicativo": "ADE-1"}),
        ):
            register(ctx, world, name, "aplicacao", sistema="tram")
            give(ctx, name, None, "tram", perfil, restricao={what: [value] for what, value in restricao.items()})
    assert body(world.machine("tram-empresa", "tram:gestao"))["error"] == "invalid_scope"
    assert body(world.machine("tram-vinculada", "tram:gestao"))["scope"] == "tram:gestao"


@pytest.mark.requirement("TRAM-14-PU.2")
def test_only_an_authority_of_the_unit_of_origin_states_that_there_is_no_obstacle(world: World) -> None:
    cpf = holder(world, "tram-autoridade-origem", "tram", orgao="alf-santos")
    asked = [{"orgao": "alf-santos", "viagem": "V1"}, {"orgao": "alf-viracopos", "viagem": "V1"}, {"viagem": "V1"}, {}]
    assert allowed(world, cpf, *(("decisao", said) for said in asked), sistema="tram") == [True, False, False, False]
    others = [holder(world, perfil, "tram", **restricao) for perfil, restricao in PRIVATE.items()]
    others.append(holder(world, "tram-autoridade-origem", "tram", orgao="alf-viracopos"))
    for somebody in (ANA, *others):
        assert allowed(world, somebody, ("decisao", asked[0]), sistema="tram") == [False]
    with world.house.reading() as db:
        authority = pessoa.by_cpf(db, cpf)
    assert authority is not None
    given = [e for e in world.entries() if e.sistema == "tram" and orjson.loads(e.payload or b"").get("resposta")]
    assert [(e.pessoa, orjson.loads(e.payload or b"")["recurso"]["orgao"]) for e in given] == [
        (authority.id, "alf-santos")
    ]
    assert given[0].at == world.now


@pytest.mark.requirement("TRAM-20-PU-II")
def test_a_designation_as_aduana_covers_the_region_from_its_start_to_its_end_and_keeps_the_act(world: World) -> None:
    act = "Portaria Diana/SRRF08 nº 7/2026"
    start, end = world.now + timedelta(hours=1), world.now + timedelta(hours=13)
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        conceder(
            ctx, world.pessoa, "tram", "tram-rfb-aduana",
            vinculo=tie, origem="teste", fundamento=act, papeis=PAPEIS, de=start, ate=end,
        )  # fmt: skip
    anywhere = [("viagem.ler", {"recinto": r, "viagem": v}) for r, v in (("santos", "V1"), ("viracopos", "V2"))]
    assert allowed(world, ANA, *anywhere, sistema="tram") == [False, False]
    world.later(hours=1)
    assert allowed(world, ANA, *anywhere, sistema="tram") == [True, True]
    world.later(hours=12)
    assert allowed(world, ANA, *anywhere, sistema="tram") == [False, False]
    with world.house.reading() as db:
        (right,) = (r for r in concessao.historico(db, world.pessoa) if r.sistema == "tram")
    assert (right.vigente_de, right.prazo, right.fundamento) == (start, end, act)


@pytest.mark.requirement("COANA-P11.1")
def test_another_interveniente_is_enabled_under_its_own_perfil_and_never_conducts_nor_captures(world: World) -> None:
    outros = PARTES[2]
    with pytest.raises(Invalid, match="evento"):
        holder(world, outros)
    cpf = holder(world, outros, evento="E1")
    asked = [(f, {"evento": "E1", "modo": "remota"}) for f in ("COANA-F05", "COANA-F07")]
    assert decisions(world, cpf, *asked) == [(False, "COANA-F05"), (False, "COANA-F07")]
    assert allowed(world, cpf, ("COANA-F06", {"evento": "E1"})) == [True]
    assert not world.house.policy.scopes_of(outros, "vfr").keys() & {"vfr:F05", "vfr:F07"}


@pytest.mark.requirement("COANA-F12")
def test_a_recinto_never_asks_for_a_download_and_who_may_is_recorded_with_event_and_reason(world: World) -> None:
    assert of_perfis(world, "COANA-F12") == {*RFB, *ORGAO}
    for perfil in (GESTAO, EXECUCAO):
        assert decisions(world, holder(world, perfil, recinto="A"), ("COANA-F12", {"recinto": "A"})) == [
            (False, "COANA-F12")
        ]
    cpf = holder(world, ORGAO[0], orgao="anvisa")
    asked = {"orgao": "anvisa", "evento": "E1", "motivo": "apuração de divergência"}
    assert allowed(world, cpf, ("COANA-F12", asked)) == [True]
    said = orjson.loads(world.entries()[-1].payload or b"")
    assert (said["acao"], said["recurso"]) == ("COANA-F12", {"id": "vfr", **asked})


@pytest.fixture
def service(world: World) -> World:
    """A sender of SEFA that serves the simplified rite alone."""
    with world.house.begin(OPERATOR) as ctx:
        register(ctx, world, "dec-servico", "aplicacao", sistema="dec")
        give(ctx, "dec-servico", None, "dec", "dec-sefa")
    return world


SIMPLE, OTHER = "comunicacao.expedir.simplificado", "comunicacao.expedir"


@pytest.mark.requirement("DEC7-7", "DEC7-7-1-II")
def test_with_the_simplified_scope_alone_its_messages_are_sent_and_those_of_another_procedure_are_not(
    service: World,
) -> None:
    assert body(service.machine("dec-servico", f"dec:{SIMPLE}"))["scope"] == f"dec:{SIMPLE}"
    assert body(service.machine("dec-servico", f"dec:{OTHER}"))["error"] == "invalid_scope"
    asked: list[Asked] = [(SIMPLE, {}), (OTHER, {})]
    assert decisions(service, "dec-servico", *asked, sistema="dec", kind="client") == [
        (True, "DEC7-7-1-I"),
        (False, "DEC7-7-2.3"),
    ]
