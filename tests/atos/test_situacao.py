"""The fold: where a tie stands follows from what stands, whoever told it first, and nothing is left of what was taken back."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as generated
from hypothesis import strategies as st

from iam import search
from iam.atos import concessao, fonte, papel, pessoa, vinculo
from iam.atos.conceder import conceder, revogar
from iam.atos.evento import ENCERRAR, SUSPENDER, VOLTAR
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.atos.situacao import Dito, do_vinculo
from iam.atos.vinculo import ENCERRADO, SUSPENSO
from iam.connector import Evento as Noticia
from iam.context import Agente
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import Invalid, Refused
from iam.worker import due_events
from tests.atos.rh import RH, TODAY, another_tie, give, held, noticia, receive, state
from tests.house import Home

NOW = datetime(2026, 1, 15, tzinfo=UTC)
QUE = st.sampled_from((VOLTAR, SUSPENDER, ENCERRAR))
MOMENT = st.integers(-4, 4).map(lambda n: NOW + timedelta(days=n))
DITO = st.builds(Dito, QUE, MOMENT, st.sampled_from(("rh", "corregedoria")))
SAID = st.lists(DITO, max_size=6).map(lambda said: sorted(said, key=lambda dito: (dito.quando, dito.fonte)))


@generated(SAID, st.none() | MOMENT)
def test_a_tie_is_in_force_only_while_nothing_said_has_ended_or_suspended_it(
    said: list[Dito], prazo: datetime | None
) -> None:
    estado, ate = do_vinculo(prazo, said, NOW)
    past = [dito for dito in said if dito.quando <= NOW]
    ended = any(dito.que == ENCERRAR for dito in past) or (prazo is not None and prazo <= NOW)
    assert (estado == ENCERRADO) == ended
    assert prazo is None or (ate is not None and ate <= prazo), "no event lengthens a contract"
    cuts = [dito for dito in past if dito.que == SUSPENDER]
    if not ended and cuts and not any(dito.que == VOLTAR and dito.quando >= cuts[-1].quando for dito in past):
        assert estado == SUSPENSO
    for dito in said:
        if dito.quando > NOW and dito.que != VOLTAR and not ended:
            assert ate is not None
            assert ate <= dito.quando, "an end to come bites by its date"


@generated(SAID, st.sampled_from(("rh", "corregedoria")), st.integers(0, 3))
def test_a_suspension_on_the_day_of_a_return_to_a_suspended_tie_holds_under_whatever_number_or_source(
    said: list[Dito], fonte: str, returns: int
) -> None:
    before = [dito for dito in said if dito.quando < NOW and dito.que != ENCERRAR]
    began = Dito(SUSPENDER, NOW - timedelta(hours=1), "rh")
    today = [Dito(VOLTAR, NOW, "rh")] * returns + [Dito(SUSPENDER, NOW, fonte)]
    for order in set(itertools.permutations(today)):
        assert do_vinculo(None, [*before, began, *order], NOW) == (SUSPENSO, None)


@generated(SAID, st.data())
def test_taking_an_event_back_is_as_if_it_had_never_been_told(said: list[Dito], data: st.DataObject) -> None:
    extra = data.draw(DITO)
    told = sorted([*said, extra], key=lambda dito: (dito.quando, dito.fonte))
    told.remove(extra)
    assert do_vinculo(None, told, NOW) == do_vinculo(None, said, NOW)


def test_on_one_day_the_ninety_ninth_act_comes_before_the_hundredth(home: Home) -> None:
    receive(home, noticia(home, "licenca_inicio", numero="98"))
    receive(home, noticia(home, "licenca_inicio", numero="100"))
    receive(home, noticia(home, "licenca_fim", numero="99"))
    assert state(home) == ("desabilitada", ("suspenso",))


def test_a_leave_that_begins_as_another_ends_suspends_under_whatever_number(home: Home) -> None:
    day = home.clock.today()
    receive(home, noticia(home, "licenca_saude", numero="100", day=day - timedelta(days=30)))
    receive(home, noticia(home, "licenca_capacitacao", numero="101", day=day))
    receive(home, noticia(home, "licenca_fim", numero="102", day=day))
    assert state(home) == ("desabilitada", ("suspenso",))
    receive(home, noticia(home, "licenca_fim", numero="103", day=day + timedelta(days=1)))
    home.clock.move(days=2)
    due_events(home.house)
    assert state(home) == ("cadastrada", ("ativo",))


@pytest.mark.parametrize(
    ("tipo", "left"),
    [("afastamento_preventivo", ("desabilitada", ("suspenso",))), ("cancelamento", ("cadastrada", ("ativo",)))],
)
def test_a_cut_on_the_day_of_a_return_is_a_cut_whichever_source_tells_it_and_when(
    home: Home, tipo: str, left: tuple[str, tuple[str, ...]]
) -> None:
    day = home.clock.today()
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, "corregedoria", "Corregedoria", client=None, orgaos=["*"], papeis=OPERADOR)
    receive(home, noticia(home, "licenca_inicio", numero="1", day=day - timedelta(days=30)))
    receive(home, noticia(home, "licenca_fim", numero="2", day=day))
    give(home, "mt-cta", "mt-consulta")
    cpf = home.person("servidora")["cpf"]
    receive(home, Noticia("corregedoria", "77", cpf, "", "", tipo, day, "", "", ""))
    assert (held(home), state(home)) == (set(), left)


def test_a_tie_once_ended_is_not_opened_by_a_return(home: Home) -> None:
    receive(home, noticia(home, "desligamento", numero="1"))
    receive(home, noticia(home, "retorno", numero="2"))
    assert state(home) == ("revogada", ("encerrado",))


def test_with_a_second_tie_the_tokens_of_the_first_die_by_its_own_epoch(home: Home) -> None:
    another_tie(home, "rfb")
    receive(home, noticia(home, "licenca_inicio", numero="1", orgao="sefaz-mt"))
    assert tie_epochs(home) == {"777": 1, "first": 2}
    receive(home, noticia(home, "licenca_fim", numero="2", orgao="sefaz-mt"))
    assert tie_epochs(home) == {"777": 1, "first": 3}


def tie_epochs(home: Home) -> dict[str, int]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        ties = vinculo.todos(db, somebody.id)
        return {"777" if tie.matricula == "777" else "first": tie.epoch for tie in ties}


def test_what_was_given_in_the_new_unit_survives_a_transfer_that_is_told_late(home: Home) -> None:
    past = home.clock.today()
    lotacao = {"orgao_destino": "sefaz-mt-gcad", "matricula": "9"}
    receive(home, noticia(home, "nova_lotacao", numero="2", day=past - timedelta(days=2), **lotacao))
    give(home, "mt-cta", "mt-consulta", "sefaz-mt-gcad")
    first = [orgao for orgao in orgaos(home) if orgao != "sefaz-mt-gcad"]
    receive(home, noticia(home, "remanejamento", numero="1", day=past - timedelta(days=5), orgao=first[0]))
    assert held(home) == {"mt-cta.mt-consulta"}


def orgaos(home: Home) -> list[str]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return [tie.orgao for tie in vinculo.todos(db, somebody.id)]


def test_ties_stand_the_same_in_whatever_order_the_year_is_told(home: Home) -> None:
    roles = ["servidora", "gestor", "chefia", "cadastrador", "cadastrador_setorial", "auditor"]
    past = home.clock.today()
    year = [("licenca_inicio", 30), ("licenca_fim", 20), ("desligamento", 10)]
    ends = set()
    for role, order in zip(roles, itertools.permutations(range(3)), strict=True):
        for i in order:
            tipo, ago = year[i]
            receive(home, noticia(home, tipo, numero=f"{role}-{i}", day=past - timedelta(days=ago), role=role))
        ends.add((state(home, role), frozenset(held(home, role))))
    assert ends == {(("revogada", ("encerrado",)), frozenset())}


def test_a_future_event_that_no_norm_maps_waits_for_a_person_when_its_day_comes(home: Home) -> None:
    event, _ = receive(home, noticia(home, "ferias", day=home.clock.today() + timedelta(days=3)))
    assert event.estado == "aguarda"
    home.clock.move(days=4)
    assert due_events(home.house) == 1
    assert due_events(home.house) == 0
    with home.house.reading() as db:
        told = db.get(type(event), event.id)
        assert told is not None
        assert told.estado == "pendente"
    assert len(held(home)) == 3


def test_a_nova_lotacao_that_could_not_be_applied_is_refused_when_it_is_told(home: Home) -> None:
    day = home.clock.today() + timedelta(days=3)
    with pytest.raises(Invalid, match="órgão e matrícula"):
        receive(home, noticia(home, "nova_lotacao", day=day, orgao_destino="sefaz-mt-gcad"))


def test_a_second_matricula_in_one_orgao_is_a_second_tie(home: Home) -> None:
    for numero, matricula in (("1", "9001"), ("2", "9002"), ("3", "9002")):
        receive(home, noticia(home, "nova_lotacao", numero=numero, orgao_destino="sefaz-mt-gcad", matricula=matricula))
    assert len(orgaos(home)) == 3


def test_who_ceases_to_be_cadastrador_setorial_loses_that_power_and_nothing_else(home: Home) -> None:
    give(home, "mt-cta", "mt-consulta", role="cadastrador_setorial")
    held_before = held(home, "cadastrador_setorial")
    assert "portaria.cadastrador_setorial" in held_before
    receive(home, noticia(home, "setorial_cessa", role="cadastrador_setorial"))
    assert held(home, "cadastrador_setorial") == held_before - {"portaria.cadastrador_setorial"}
    assert state(home, "cadastrador_setorial")[0] == "habilitada"


def test_whoever_holds_nothing_more_is_no_longer_enabled(home: Home) -> None:
    for left in (2, 1, 0):
        with home.house.begin(RH) as ctx:
            somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
            assert somebody is not None
            right = concessao.vigentes(ctx.db, somebody.id, ctx.now)[0]
            revogar(ctx, right, motivo="a pedido", papeis=PAPEIS | OPERADOR)
        assert state(home)[0] == ("habilitada" if left else "cadastrada")


def test_a_cadastrador_of_one_unit_ends_nobodys_tie_elsewhere_though_she_once_worked_there(home: Home) -> None:
    """She left for another unit: its people are no longer his, and a wider source makes them no more so."""
    he = cadastrador_of(home, "sefaz-mt-gipva")
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, "rh-todos", "RH de todos", client=None, orgaos=["*"], papeis=OPERADOR)
    another_tie(home, "rfb")
    receive(home, noticia(home, "remanejamento", numero="1", orgao="sefaz-mt"))
    cpf = home.person("servidora")["cpf"]
    news = Noticia("rh-todos", "2", cpf, "777", "", "desligamento", TODAY, "rfb", "", "")
    with pytest.raises(Refused) as refused, home.house.begin(he) as ctx:
        receber(ctx, news, papeis=papel.of(ctx))
    assert refused.value.decision.act == "pessoa:evento"
    assert state(home)[1] == ("ativo", "encerrado") or state(home)[1] == ("encerrado", "ativo")
    with home.house.reading() as db:
        about = [entry.pessoa for entry, _ in search.find(db, search.Filter(ato="pessoa:evento", allowed=False))]
        somebody = pessoa.by_cpf(db, cpf)
        assert somebody is not None
        assert about == [somebody.id], "the refusal is found under the person it was about"


def cadastrador_of(home: Home, orgao: str) -> Agente:
    with home.house.begin(RH) as ctx:
        who = pessoa.by_cpf(ctx.db, home.person("chefia")["cpf"])
        assert who is not None
        conceder(
            ctx, who.id, "portaria", "cadastrador", vinculo=vinculo.todos(ctx.db, who.id)[0], origem=ORIGEM,
            fundamento=FUNDAMENTO, papeis=PAPEIS, restricao={"orgao": [orgao]},
        )  # fmt: skip
        return Agente("pessoa", who.id, who.nome, address="10.1.1.5")
