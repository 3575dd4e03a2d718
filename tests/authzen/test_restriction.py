"""What a concessão is restricted to, asked at the decision point: own event, own recinto, own órgão, own viagem.

The matrix of Coana says which perfil has a função; the restriction of the concessão says where (COANA-ENT, COANA-P09.2).
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence

import orjson
import pytest

from iam.atos import pessoa
from iam.atos.abrir import abrir
from iam.atos.papel import OPERADOR
from iam.demo.world import new_cpf
from iam.errors import Invalid
from tests.authzen.test_evaluation import call, question
from tests.oauth.world import OPERATOR, World, give

RFB = ("coana-rfb-administracao", "coana-rfb-gestao-operacional", "coana-rfb-verificacao-fisica")
ORGAO = ("coana-orgao-administracao", "coana-orgao-gestao-operacional", "coana-orgao-inspecao-fisica")
GESTAO, EXECUCAO = "coana-recinto-gestao", "coana-recinto-execucao"
PARTES = ("coana-interveniente-operacao", "coana-perito", "coana-outros-intervenientes")
PERFIS = (*RFB, *ORGAO, GESTAO, EXECUCAO, *PARTES)
OPERATIONAL = (RFB[1], RFB[2], ORGAO[1], ORGAO[2])
REMOTA = "verificacao_fisica_remota"

Asked = tuple[str, Mapping[str, str]]


def holder(world: World, perfil: str, sistema: str = "vfr", **restricao: str) -> str:
    """Somebody new who holds just this, restricted to that; answers the CPF."""
    with world.house.begin(OPERATOR) as ctx:
        taken = {p.cpf for p in pessoa.procurar(ctx.db, "", most=200)}
        cpf = new_cpf(random.Random(len(taken)), taken)
        who = pessoa.cadastrar(ctx, cpf, f"Pessoa {cpf}", f"p{cpf}", origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, who.id, "rfb", cpf, tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        give(ctx, who.id, tie, sistema, perfil, restricao={what: [value] for what, value in restricao.items()})
    return cpf


def decisions(
    world: World, cpf: str, *asked: Asked, sistema: str = "vfr", kind: str = "pessoa"
) -> Sequence[tuple[bool, str]]:
    """Each answer in order, with the requirement that decided."""
    listed = [question(kind, cpf, action, sistema, **properties) for action, properties in asked]
    answer = call(world, "/access/v1/evaluations", {"evaluations": listed})
    assert answer.status == 200, answer.body
    said = orjson.loads(answer.body)["evaluations"]
    assert len(said) == len(asked)
    return [(bool(e["decision"]), str(e["context"]["source"]["requirement"])) for e in said]


def allowed(world: World, cpf: str, *asked: Asked, sistema: str = "vfr", kind: str = "pessoa") -> list[bool]:
    """Each answer in order."""
    return [yes for yes, _ in decisions(world, cpf, *asked, sistema=sistema, kind=kind)]


def of_perfis(world: World, funcao: str) -> set[str]:
    """Which of the eleven perfis may, wherever they are not restricted."""
    listed = [question("perfil", perfil, funcao, "vfr") for perfil in PERFIS]
    said = orjson.loads(call(world, "/access/v1/evaluations", {"evaluations": listed}).body)["evaluations"]
    return {perfil for perfil, e in zip(PERFIS, said, strict=True) if e["decision"]}


@pytest.mark.parametrize("perfil", PARTES)
def test_a_party_is_never_given_access_to_every_event(world: World, perfil: str) -> None:
    with pytest.raises(Invalid, match="evento"):
        holder(world, perfil, recinto="A")
    assert allowed(world, holder(world, perfil, evento="E1"), ("COANA-F03", {"evento": "E1"})) == [True]


NAMED = {
    "coana-interveniente-operacao": ("evento", "COANA-P09.2"),
    "coana-perito": ("evento", "COANA-P10.2"),
    "coana-outros-intervenientes": ("evento", "COANA-P11.3"),
    "coana-rfb-gestao-operacional": ("recinto orgao", "COANA-P02.1"),
    "coana-rfb-verificacao-fisica": ("evento recinto orgao", "COANA-P03.1"),
    "coana-orgao-administracao": ("orgao", "COANA-P04.1"),
    "coana-orgao-gestao-operacional": ("recinto orgao", "COANA-P05.1"),
    "coana-orgao-inspecao-fisica": ("evento recinto orgao", "COANA-P06"),
    "coana-recinto-gestao": ("recinto", "COANA-P07"),
    "coana-recinto-execucao": ("recinto evento", "COANA-P08"),
    "tram-transportador": ("transportador viagem", "TRAM-11-I.1"),
    "tram-depositario": ("recinto viagem", "TRAM-5-III"),
    "tram-importador": ("importador viagem", "TRAM-5-IV.1"),
    "tram-gestor": ("aplicativo", "TRAM-9.2"),
    "tram-transportador-gestor": ("transportador", "TRAM-9-2.3"),
    "tram-autoridade-origem": ("orgao recinto viagem", "TRAM-14-PU.2"),
    "tram-autoridade-controle": ("orgao recinto viagem", "TRAM-15-2.1"),
    "tram-autoridade-intermediaria": ("recinto viagem", "TRAM-15"),
    "dec-procurador-digital": ("outorgante", "DEC7-2-I.1"),
    "cadastrador_setorial": ("orgao", "CASA-05"),
    "gestor": ("orgao", "CASA-05"),
    "chefia": ("orgao", "CASA-05"),
}


def test_what_a_norm_gives_only_for_something_named_is_never_given_at_large(world: World) -> None:
    policy = world.house.policy
    for perfil, (names, requirement) in NAMED.items():
        known = policy.perfil(perfil)
        assert known is not None
        for refused in ({}, {"uf": "SP"}, {names.split()[0]: ""}):
            with pytest.raises(Invalid, match=rf"restrito a .*\({re.escape(requirement)} "):
                holder(world, perfil, known.sistema, **refused)
        for name in names.split():
            holder(world, perfil, known.sistema, **{name: "A"})
    at_large = {p.id for s in policy.sistemas() for p in policy.perfis(s.id) if not policy.restrictions(p.id)}
    assert {p for p in at_large if not p.startswith(("mt-", "client:"))} == {
        "coana-rfb-administracao", "tram-rfb-aduana", "tram-auditor-fiscal", "tram-comissao",
        "dec-outorgante", "dec-responsavel-comunicacao", "dec-sefa", "dec-sujeito-passivo", "dec-usuario-migrado",
        "ANEXANEXAR", "DIMPCONSEF", "DIMPCOSFAZ", "PCCENOTCAL", "PCCENOTCUM",
        "cadastrador", "auditor", "suic", "coti", "gpdd",
    }  # fmt: skip


@pytest.mark.requirement("TRAM-9-2.3")
def test_a_carrier_that_is_its_own_gestor_enables_and_monitors_its_own_fleet_alone(world: World) -> None:
    cpf = holder(world, "tram-transportador-gestor", "tram", transportador="A")
    for action, requirement in (("gestao", "TRAM-9-2.3"), ("viagem.ler", "TRAM-11-I.2")):
        own, other = (action, {"transportador": "A"}), (action, {"transportador": "B"})
        assert decisions(world, cpf, own, other, sistema="tram") == [(True, "TRAM-9-2.2"), (False, requirement)]
        assert allowed(world, cpf, (action, {}), sistema="tram") == [False]


def test_a_gestor_acts_on_the_application_of_its_linkage_alone(world: World) -> None:
    cpf = holder(world, "tram-gestor", "tram", aplicativo="ADE-1")
    for action in ("viagem.ler", "mensagem", "gestao", "pacote_risco"):
        asked = [(action, {"aplicativo": a}) for a in ("ADE-1", "ADE-2")]
        (yes, _), no = decisions(world, cpf, *asked, sistema="tram")
        assert (yes, no) == (True, (False, "TRAM-9.2"))


@pytest.mark.requirement("COANA-F02", "COANA-P02.1", "COANA-P05.1")
def test_scheduling_and_every_other_act_stop_at_the_recinto_under_the_jurisdiction(world: World) -> None:
    assert of_perfis(world, "COANA-F02") == set(OPERATIONAL)
    for perfil in OPERATIONAL:
        cpf = holder(world, perfil, recinto="A")
        funcoes = [f.id for f in world.house.policy.funcoes("vfr")]
        own = allowed(world, cpf, *((f, {"recinto": "A"}) for f in funcoes))
        assert own[1] is True
        assert True not in allowed(world, cpf, *((f, {"recinto": "B"}) for f in funcoes))
        assert True not in allowed(world, cpf, *((f, {}) for f in funcoes)), "what is not said counts as outside"
        assert decisions(world, cpf, ("COANA-F02", {"recinto": "B"})) == [(False, "COANA-ENT")]


@pytest.mark.requirement("COANA-P01.7")
def test_the_chief_of_one_region_does_nothing_on_a_recinto_of_another(world: World) -> None:
    cpf = holder(world, RFB[0], recinto="recinto-da-regiao-a")
    for funcao in ("COANA-F03", "COANA-F06", "COANA-F10", "COANA-F14"):
        here, there = {"recinto": "recinto-da-regiao-a"}, {"recinto": "recinto-da-regiao-b"}
        assert allowed(world, cpf, (funcao, here), (funcao, there)) == [True, False]


@pytest.mark.requirement("COANA-P03.1")
def test_an_afrfb_acts_only_on_the_events_of_operations_under_his_responsibility(world: World) -> None:
    cpf = holder(world, RFB[2], evento="E1")
    mine = ("COANA-F02", "COANA-F04", "COANA-F05", "COANA-F07", "COANA-F09", "COANA-F11", "COANA-F13")
    assert set(allowed(world, cpf, *((f, {"evento": "E1"}) for f in mine))) == {True}
    others = decisions(world, cpf, *((f.id, {"evento": "E2"}) for f in world.house.policy.funcoes("vfr")))
    assert True not in {yes for yes, _ in others}
    assert ("COANA-P03.1") in {requirement for _, requirement in others}


@pytest.mark.requirement("COANA-F03")
def test_all_eleven_follow_the_agenda_and_a_party_only_its_own_event(world: World) -> None:
    assert of_perfis(world, "COANA-F03") == set(PERFIS)
    for perfil in PARTES:
        cpf = holder(world, perfil, evento="E1")
        assert allowed(
            world, cpf, ("COANA-F03", {"evento": "E1"}), ("COANA-F03", {"evento": "E2"}), ("COANA-F03", {})
        ) == [True, False, False]


@pytest.mark.requirement("COANA-F06")
def test_recinto_gestao_never_follows_an_event_a_party_only_its_own_and_nobody_a_presencial_one(world: World) -> None:
    assert of_perfis(world, "COANA-F06") == set(PERFIS) - {GESTAO}
    assert decisions(world, holder(world, GESTAO, recinto="A"), ("COANA-F06", {"recinto": "A"})) == [
        (False, "COANA-F06")
    ]
    for perfil in PARTES:
        cpf = holder(world, perfil, evento="E1")
        asked = [("COANA-F06", {"evento": e, "modo": m}) for e, m in (("E1", "remota"), ("E2", "remota"))]
        assert allowed(world, cpf, *asked, ("COANA-F06", {"evento": "E1", "modo": "presencial"})) == [
            True,
            False,
            False,
        ]
    for perfil in {*PERFIS} - {GESTAO}:
        asked = [("COANA-F06", {"modo": m}) for m in ("remota", "presencial")]
        assert decisions(world, perfil, *asked, kind="perfil") == [(True, "COANA-F06"), (False, "COANA-F06")]


@pytest.mark.requirement("COANA-F09")
def test_the_report_of_an_event_is_of_rfb_and_the_orgao_of_that_event_and_never_of_a_presencial_one(
    world: World,
) -> None:
    assert of_perfis(world, "COANA-F09") == {*RFB, *ORGAO}
    for perfil in (EXECUCAO, *PARTES):
        assert allowed(world, holder(world, perfil, evento="E1"), ("COANA-F09", {"evento": "E1"})) == [False]
    for perfil in (*RFB, *ORGAO):
        asked = [("COANA-F09", {"modo": m}) for m in ("remota", "presencial")]
        assert allowed(world, perfil, *asked, kind="perfil") == [True, False]
    for perfil in ORGAO:
        cpf = holder(world, perfil, orgao="anvisa")
        asked = [("COANA-F09", {"orgao": o, "evento": "E1"}) for o in ("anvisa", "mapa")]
        assert decisions(world, cpf, *asked) == [(True, "COANA-F09"), (False, "COANA-ENT")]


@pytest.mark.requirement("COANA-F08")
def test_voice_and_messages_are_not_for_recinto_gestao_and_for_a_party_only_in_its_event(world: World) -> None:
    assert of_perfis(world, "COANA-F08") == set(PERFIS) - {GESTAO}
    assert allowed(world, holder(world, GESTAO, recinto="A"), ("COANA-F08", {"recinto": "A"})) == [False]
    for perfil in PARTES:
        cpf = holder(world, perfil, evento="E1")
        asked = [("COANA-F08", {"evento": e}) for e in ("E1", "E2")]
        assert allowed(world, cpf, *asked) == [True, False]


@pytest.mark.requirement("COANA-F10")
def test_managerial_reports_are_of_rfb_and_of_an_orgao_about_its_own_events(world: World) -> None:
    assert of_perfis(world, "COANA-F10") == {*RFB, *ORGAO}
    for perfil in (GESTAO, EXECUCAO):
        assert allowed(world, holder(world, perfil, recinto="A"), ("COANA-F10", {"recinto": "A"})) == [False]
    for perfil in PARTES:
        assert allowed(world, holder(world, perfil, evento="E1"), ("COANA-F10", {"evento": "E1"})) == [False]
    for perfil in ORGAO:
        cpf = holder(world, perfil, orgao="anvisa")
        asked = [("COANA-F10", {"orgao": o}) for o in ("anvisa", "mapa")]
        assert decisions(world, cpf, *asked) == [(True, "COANA-F10"), (False, "COANA-ENT")]


@pytest.mark.requirement("COANA-F11")
def test_recorded_images_are_not_for_who_took_part_and_a_recinto_sees_its_own(world: World) -> None:
    assert of_perfis(world, "COANA-F11") == {*RFB, *ORGAO, GESTAO}
    for perfil in (EXECUCAO, *PARTES):
        cpf = holder(world, perfil, evento="E1")
        assert allowed(world, cpf, ("COANA-F06", {"evento": "E1"}), ("COANA-F11", {"evento": "E1"})) == [True, False]
    cpf = holder(world, GESTAO, recinto="A")
    assert allowed(world, cpf, *(("COANA-F11", {"recinto": r}) for r in ("A", "B"))) == [True, False]


@pytest.mark.requirement("COANA-F13")
def test_an_orgao_may_ask_for_a_download_and_never_download_and_each_download_is_logged(world: World) -> None:
    for perfil in ORGAO:
        cpf = holder(world, perfil, orgao="anvisa")
        own = {"orgao": "anvisa", "evento": "E1"}
        assert decisions(world, cpf, ("COANA-F12", own), ("COANA-F13", own)) == [
            (True, "COANA-F12"),
            (False, "COANA-F13"),
        ]
    who = {perfil: holder(world, perfil, recinto="A") for perfil in (*RFB, GESTAO)}
    for cpf in who.values():
        assert allowed(world, cpf, ("COANA-F13", {"recinto": "A", "evento": "E1"})) == [True]
    with world.house.reading() as db:
        people = [found.id for cpf in who.values() if (found := pessoa.by_cpf(db, cpf)) is not None]
    logged = [(e.pessoa, orjson.loads(e.payload or b"")) for e in world.entries() if e.ato == "decisao:consultar"]
    given = [p for p, said in logged if said["acao"] == "COANA-F13" and said["resposta"]]
    assert given == people
    assert all(said["recurso"]["evento"] == "E1" for p, said in logged if p in people)


@pytest.mark.requirement("COANA-F15")
def test_the_list_of_available_times_is_kept_by_recinto_gestao_of_that_recinto(world: World) -> None:
    assert of_perfis(world, "COANA-F15") == {GESTAO}
    cpf = holder(world, GESTAO, recinto="A")
    assert decisions(world, cpf, *(("COANA-F15", {"recinto": r}) for r in ("A", "B"))) == [
        (True, "COANA-F15"),
        (False, "COANA-ENT"),
    ]


@pytest.mark.requirement("COANA-ENT")
def test_who_belongs_to_one_recinto_or_orgao_does_nothing_on_another(world: World) -> None:
    policy = world.house.policy
    for what, perfis in (("recinto", (GESTAO, EXECUCAO)), ("orgao", ORGAO)):
        for perfil in perfis:
            cpf = holder(world, perfil, **{what: "A"})
            funcoes = [f.id for f in policy.funcoes("vfr") if policy.decide({perfil}, f.id, "vfr").allowed]
            assert set(allowed(world, cpf, *((f, {what: "A"}) for f in funcoes))) == {True}
            assert set(decisions(world, cpf, *((f, {what: "B"}) for f in funcoes))) == {(False, "COANA-ENT")}


@pytest.mark.requirement("COANA-P10.2")
def test_a_perito_serves_the_event_and_the_type_of_his_designation(world: World) -> None:
    cpf = holder(world, PARTES[1], evento="E1", tipo_evento=REMOTA)
    for funcao in ("COANA-F03", "COANA-F06", "COANA-F07", "COANA-F08"):
        asked = [
            (funcao, {"evento": "E1", "tipo_evento": REMOTA}),
            (funcao, {"evento": "E2", "tipo_evento": REMOTA}),
            (funcao, {"evento": "E1", "tipo_evento": "inspecao_fisica_remota"}),
            (funcao, {"evento": "E1"}),
        ]
        assert allowed(world, cpf, *asked) == [True, False, False, False]


@pytest.mark.requirement("TRAM-5-III", "TRAM-5-IV.1")
def test_a_depositario_and_an_importador_see_no_viagem_that_is_not_theirs(world: World) -> None:
    """The application tells destination and owner of the goods of the viagem it asks about."""
    for perfil, what in (("tram-depositario", "recinto"), ("tram-importador", "importador")):
        cpf = holder(world, perfil, "tram", **{what: "A"})
        for action in ("viagem.ler", "viagem.escrever"):
            asked = [(action, {"viagem": "V1", what: "A"}), (action, {"viagem": "V2", what: "B"}), (action, {})]
            assert allowed(world, cpf, *asked, sistema="tram") == [True, False, False]


@pytest.mark.requirement("TRAM-11-I.1")
def test_two_companies_of_one_class_see_nothing_of_each_other_in_the_same_list(world: World) -> None:
    fleet = {"A": ("V1", "V3"), "B": ("V2",)}
    listed = [("viagem.ler", {"viagem": v, "transportador": t}) for t, vs in fleet.items() for v in vs]
    for company, viagens in fleet.items():
        cpf = holder(world, "tram-transportador", "tram", transportador=company)
        seen = allowed(world, cpf, *listed, sistema="tram")
        assert [p["viagem"] for (_, p), yes in zip(listed, seen, strict=True) if yes] == list(viagens)


def test_a_company_whose_program_asks_is_held_to_its_restriction_too(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        give(ctx, "ipva-servidor", None, "tram", "tram-transportador", restricao={"viagem": ["V1"]})
    asked = [("viagem.ler", {"viagem": v}) for v in ("V1", "V2")]
    assert allowed(world, "ipva-servidor", *asked, sistema="tram", kind="client") == [True, False]


def test_each_restriction_is_refused_by_its_own_word(world: World) -> None:
    cases = (
        ("tram-transportador", "tram", {"viagem": "V1"}, "viagem.ler", "TRAM-11-I.2"),
        ("dec-procurador-digital", "dec", {"outorgante": "1"}, "documento.ler", "DEC7-2-I.1"),
        ("coana-rfb-gestao-operacional", "vfr", {"recinto": "A"}, "COANA-F09", "COANA-ENT"),
    )
    for perfil, sistema, restricao, action, requirement in cases:
        cpf = holder(world, perfil, sistema, **restricao)
        other = dict.fromkeys(restricao, "outro")
        answer = orjson.loads(
            call(world, "/access/v1/evaluation", question("pessoa", cpf, action, sistema, **other)).body
        )
        assert answer["decision"] is False
        assert answer["context"]["source"]["requirement"] == requirement
        assert not any("ter em vigor o perfil" in m for m in answer["context"]["missing"]), "a perfil is held already"
    uf = question("client", "mt", "DIMPCONSEF", "pucomex", uf="SP")
    answer = orjson.loads(call(world, "/access/v1/evaluation", uf).body)
    assert (answer["decision"], answer["context"]["source"]["requirement"]) == (False, "COTEC62-1-2-II")
