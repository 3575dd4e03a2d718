"""The HR event and the cut it makes: what falls, what stays, what waits, and what never comes back."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from iam import search
from iam.atos import fonte, pendencia, pessoa, recibo, vinculo
from iam.atos.conceder import conceder
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.atos.sujeito import Sujeito
from iam.connector import Evento as Noticia
from iam.context import Agente
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import Conflict, Invalid, Refused
from iam.worker import due_events
from tests.atos.rh import OTHER, RH, TODAY, another_tie, give, held, noticia, receive, state
from tests.house import Home


@pytest.mark.parametrize(
    ("tipo", "article", "estado", "tie"),
    [
        ("remanejamento", "MT128-13.1", "revogada", "encerrado"),
        ("cessao", "MT128-13.2", "revogada", "encerrado"),
        ("licenca_inicio", "MT128-13.3", "desabilitada", "suspenso"),
        ("desligamento", "MT128-13.4", "revogada", "encerrado"),
    ],
)
def test_each_event_of_article_13_cuts_everything_that_rests_on_the_vinculo(
    home: Home, tipo: str, article: str, estado: str, tie: str
) -> None:
    assert len(held(home)) == 3
    event, receipt = receive(home, noticia(home, tipo))
    assert held(home) == set()
    assert state(home) == (estado, (tie,))
    assert article in {e["requisito"] for e in event.efeitos}
    assert event.efeitos[0]["norma"] == "mt128"
    with home.house.reading() as db:
        somebody = pessoa.get(db, event.pessoa)
        epoch = db.scalars(select(Sujeito.epoch).where(Sujeito.id == event.pessoa)).one()
        assert (somebody.login_epoch, epoch) == (2, 2)
        assert [d.estado for d in recibo.destinos(db, receipt.id)] == ["pendente"]


def test_the_same_event_again_answers_the_same_and_changes_nothing(home: Home) -> None:
    first = receive(home, noticia(home, "cessao"))
    again = receive(home, noticia(home, "cessao"))
    assert (again[0].id, again[1].id) == (first[0].id, first[1].id)
    with home.house.reading() as db:
        assert pessoa.get(db, first[0].pessoa).login_epoch == 2


def test_the_same_number_with_other_content_is_a_conflict(home: Home) -> None:
    receive(home, noticia(home, "cessao"))
    with pytest.raises(Conflict, match="outro conteúdo"):
        receive(home, noticia(home, "desligamento"))


def test_a_future_event_waits_and_ends_the_vinculo_by_its_date_even_if_no_worker_wakes(home: Home) -> None:
    day = home.clock.today() + timedelta(days=3)
    event, _ = receive(home, noticia(home, "desligamento", day=day))
    assert (event.estado, len(held(home))) == ("aguarda", 3)
    home.clock.move(days=4)
    assert held(home) == set()
    assert due_events(home.house) == 1
    assert state(home) == ("revogada", ("encerrado",))
    assert due_events(home.house) == 0


def test_the_day_begins_in_the_legal_time_of_cuiaba(home: Home) -> None:
    event, _ = receive(home, noticia(home, "desligamento", day=date(2030, 6, 1)))
    assert event.efetivo_em == datetime(2030, 6, 1, 4, tzinfo=UTC)


def test_a_return_opens_the_vinculo_and_gives_nothing_back(home: Home) -> None:
    receive(home, noticia(home, "licenca_inicio", numero="1"))
    receive(home, noticia(home, "licenca_fim", numero="2"))
    assert state(home) == ("cadastrada", ("ativo",))
    assert held(home) == set()
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        assert somebody.login_epoch == 3, "nor does anything of before the leave, or of during it, live on"
        assert db.scalars(select(Sujeito.epoch).where(Sujeito.id == somebody.id)).one() == 3


def test_events_in_any_order_fold_to_the_same_end(home: Home) -> None:
    roles = ["servidora", "gestor", "chefia", "cadastrador", "cadastrador_setorial", "auditor"]
    ends = set()
    days = [TODAY - timedelta(days=n) for n in (30, 20, 10)]
    for role, order in zip(roles, itertools.permutations(range(3)), strict=True):
        tipos = ["licenca_inicio", "licenca_fim", "licenca_inicio"]
        for i in order:
            receive(home, noticia(home, tipos[i], numero=f"{role}-{i}", day=days[i], role=role))
        ends.add((state(home, role), frozenset(held(home, role))))
    assert ends == {(("desabilitada", ("suspenso",)), frozenset())}


def test_in_mt_systems_every_grant_ends_whatever_the_vinculo_and_elsewhere_it_is_reviewed(home: Home) -> None:
    another_tie(home, "rfb")
    give(home, "mt-cta", "mt-consulta", "rfb")
    give(home, "vfr", "coana-rfb-administracao", "rfb")
    receive(home, noticia(home, "remanejamento", orgao="sefaz-mt"))
    assert held(home) == {"vfr.coana-rfb-administracao"}
    with home.house.reading() as db:
        open_ = pendencia.abertas(db)
        assert [p.kind for p in open_] == ["rever"]
        somebody = pessoa.get(db, open_[0].pessoa)
        assert (somebody.estado, somebody.login_epoch) == ("habilitada", 2)
        assert db.scalars(select(Sujeito.epoch).where(Sujeito.id == somebody.id)).one() == 1


@pytest.mark.requirement("MT128-13.4")
def test_an_external_user_is_cut_by_the_tie_with_the_outside_entity(home: Home) -> None:
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, "rh-rfb", "RH da RFB", client=None, orgaos=["rfb"], papeis=OPERADOR)
    give(home, "mt-cta", "mt-consulta", role="perito")
    assert "mt-cta.mt-consulta" in held(home, "perito")
    news = told_by("rh-rfb", home, "desligamento", "perito")
    event, _ = receive(home, news)
    assert held(home, "perito") == set()
    assert "MT128-13.4" in {e["requisito"] for e in event.efeitos}
    assert state(home, "perito") == ("revogada", ("encerrado",))


def told_by(source: str, home: Home, tipo: str, role: str) -> Noticia:
    return Noticia(source, "1", home.person(role)["cpf"], "", "", tipo, TODAY, "", "", "")


def test_two_vinculos_that_fit_are_not_guessed_between(home: Home) -> None:
    another_tie(home, "sefaz-mt-gcad")
    with pytest.raises(Invalid, match="mais de um vínculo"):
        receive(home, noticia(home, "cessao"))
    assert len(held(home)) == 3


def test_a_source_may_not_report_about_others_people(home: Home) -> None:
    with pytest.raises(Refused) as refused:
        receive(home, noticia(home, "desligamento", role="perito"))
    assert refused.value.decision.source.requirement == "CASA-06"
    assert state(home, "perito")[1] == ("ativo",)


def test_who_may_not_report_is_refused_and_the_refusal_is_recorded(home: Home) -> None:
    with pytest.raises(Refused):
        receive(home, noticia(home, "desligamento"), papeis=frozenset({"pessoa_autenticada"}))

    with home.house.reading() as db:
        entries = search.find(db, search.Filter(ato="pessoa:evento", allowed=False))
        assert len(entries) == 1
        assert entries[0][0].requirement


def test_an_unknown_type_is_refused_with_the_list_of_those_known(home: Home) -> None:
    with pytest.raises(Invalid, match="remanejamento"):
        receive(home, noticia(home, "sumiu"))


def test_an_event_of_the_vocabulary_that_no_norm_maps_waits_for_a_person(home: Home) -> None:
    event, _ = receive(home, noticia(home, "ferias"))
    assert event.estado == "pendente"
    assert len(held(home)) == 3
    with home.house.reading() as db:
        (question,) = pendencia.abertas(db)
    with home.house.begin(RH) as ctx:
        pendencia.decidir(ctx, question.id, "sem efeito sobre o acesso", papeis=OPERADOR)
    with home.house.reading() as db:
        assert pendencia.abertas(db) == []


def test_death_ends_the_pessoa_every_vinculo_and_every_credential(home: Home) -> None:
    another_tie(home, "rfb")
    event, _ = receive(home, noticia(home, "falecimento", orgao="sefaz-mt"))
    assert state(home) == ("falecida", ("encerrado", "encerrado"))
    from iam.atos import credencial

    with home.house.reading() as db:
        assert all(c.encerrada_em for c in credencial.todas(db, event.pessoa))
    receive(home, noticia(home, "retorno", numero="2", orgao="sefaz-mt"))
    assert state(home)[0] == "falecida"


def test_what_one_event_took_is_given_back_only_by_a_second_person_and_no_epoch_goes_back(home: Home) -> None:
    receive(home, noticia(home, "remanejamento", numero="10"))
    receive(home, noticia(home, "tornado_sem_efeito", numero="11", observacao="10"))
    assert held(home) == set()
    with home.house.reading() as db:
        (question,) = pendencia.abertas(db)
    with pytest.raises(Refused) as refused, home.house.begin(RH) as ctx:
        desfazer(ctx, question.id, papeis=OPERADOR)
    assert refused.value.decision.source.requirement == "CASA-14"
    with home.house.begin(OTHER) as ctx:
        given = desfazer(ctx, question.id, papeis=OPERADOR)
    assert len(given) == len(held(home)) == 3
    assert state(home) == ("habilitada", ("ativo",))
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        assert somebody.login_epoch == 2
    with pytest.raises(Conflict), home.house.begin(OTHER) as ctx:
        desfazer(ctx, question.id, papeis=OPERADOR)


def test_what_was_given_after_a_return_survives_a_leave_that_is_told_late(home: Home) -> None:
    past = home.clock.today()
    receive(home, noticia(home, "licenca_inicio", numero="1", day=past - timedelta(days=9)))
    receive(home, noticia(home, "licenca_fim", numero="3", day=past - timedelta(days=2)))
    give(home, "mt-cta", "mt-consulta")
    receive(home, noticia(home, "licenca_inicio", numero="2", day=past - timedelta(days=5)))
    assert held(home) == {"mt-cta.mt-consulta"}
    assert state(home) == ("habilitada", ("ativo",))


def test_a_source_may_not_end_somebody_by_naming_an_orgao_of_its_own(home: Home) -> None:
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, "rh-sp", "RH da SEFAZ-SP", client=None, orgaos=["sefaz-sp"], papeis=OPERADOR)
    cpf = home.person("servidora")["cpf"]
    news = Noticia("rh-sp", "1", cpf, "", "", "falecimento", TODAY, "sefaz-sp", "", "")
    with pytest.raises(Refused):
        receive(home, news)
    assert state(home)[0] == "habilitada"


def test_a_client_may_not_speak_for_a_source_that_is_not_its_own(home: Home) -> None:
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, "rh-arquivo", "RH por arquivo", client=None, orgaos=["sefaz-mt"], papeis=OPERADOR)
    news = Noticia("rh-arquivo", "1", home.person("servidora")["cpf"], "", "", "cessao", TODAY, "", "", "")
    with pytest.raises(Refused), home.house.begin(Agente("client", "rh", "RH")) as ctx:
        receber(ctx, news, papeis=frozenset({"client:rh"}))
    assert len(held(home)) == 3


def test_undoing_an_event_puts_the_end_of_the_contract_back(home: Home) -> None:
    end = home.clock() + timedelta(days=30)
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        vinculo.todos(ctx.db, somebody.id)[0].prazo = end
    receive(home, noticia(home, "desligamento", numero="20"))
    receive(home, noticia(home, "tornado_sem_efeito", numero="21", observacao="20"))
    with home.house.begin(OTHER) as ctx:
        (question,) = pendencia.abertas(ctx.db)
        desfazer(ctx, question.id, papeis=OPERADOR)
        assert [v.ate for v in vinculo.todos(ctx.db, question.pessoa)] == [end]


def test_a_future_event_that_ends_only_some_rights_ends_them_by_their_date_too(home: Home) -> None:
    day = home.clock.today() + timedelta(days=3)
    receive(home, noticia(home, "cancelamento", day=day))
    assert len(held(home)) == 3
    home.clock.move(days=4)
    assert held(home) == set()


def test_no_right_is_given_on_a_vinculo_that_ended_meanwhile(home: Home) -> None:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        tie = vinculo.todos(db, somebody.id)[0]
    receive(home, noticia(home, "licenca_inicio"))
    with pytest.raises(Invalid, match="não está em vigor"):
        give_on(home, somebody.id, tie.id)


def give_on(home: Home, pessoa_id: str, tie: str) -> None:
    with home.house.begin(RH) as ctx:
        old = ctx.db.get(vinculo.Vinculo, tie)
        conceder(
            ctx, pessoa_id, "mt-cta", "mt-consulta", vinculo=old, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS
        )
