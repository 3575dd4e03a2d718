"""Taking an event back: what it alone took comes back, nothing more; what it had opened falls like at any cut."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from iam.atos import concessao, pendencia, pessoa, vinculo
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.atos.sujeito import Sujeito
from iam.errors import Conflict, Invalid, PortariaError, Refused
from iam.worker import due_events
from tests.atos.rh import OTHER, RH, another_tie, give, held, noticia, receive, state, undo
from tests.house import Home


def epochs(home: Home) -> tuple[int, int]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return somebody.login_epoch, db.scalars(select(Sujeito.epoch).where(Sujeito.id == somebody.id)).one()


def ends(home: Home) -> list[datetime | None]:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return [tie.ate for tie in vinculo.todos(db, somebody.id)]


def test_what_another_event_would_have_taken_too_stays_taken_until_that_one_is_undone(home: Home) -> None:
    receive(home, noticia(home, "cancelamento", numero="1"))
    receive(home, noticia(home, "divergencia", numero="2"))
    assert undo(home, "1", by="3") == []
    assert held(home) == set()
    assert len(undo(home, "2", by="4")) == 3


def test_a_right_given_after_an_event_is_not_that_events_to_keep(home: Home) -> None:
    receive(home, noticia(home, "cancelamento", numero="1"))
    give(home, "mt-cta", "mt-consulta")
    receive(home, noticia(home, "divergencia", numero="2"))
    given = undo(home, "2", by="3")
    assert [right.sistema for right in given] == ["mt-cta"]


def test_what_somebody_gave_again_meanwhile_is_not_given_twice(home: Home) -> None:
    give(home, "mt-cta", "mt-consulta")
    receive(home, noticia(home, "cancelamento", numero="1"))
    give(home, "mt-cta", "mt-consulta")
    given = undo(home, "1", by="2")
    assert "mt-cta" not in {right.sistema for right in given}
    assert len(given) == 3
    assert "mt-cta.mt-consulta" in held(home)


def test_nothing_is_given_back_on_a_vinculo_that_is_suspended_so_that_no_return_wakes_it(home: Home) -> None:
    another_tie(home, "sefaz-mt-gcad")
    give(home, "mt-cta", "mt-consulta", "sefaz-mt-gcad")
    receive(home, noticia(home, "remanejamento", numero="1", orgao=home_orgao(home)))
    receive(home, noticia(home, "licenca_inicio", numero="2", orgao="sefaz-mt-gcad", matricula="777"))
    given = undo(home, "1", by="3")
    assert "mt-cta" not in {right.sistema for right in given}
    receive(home, noticia(home, "licenca_fim", numero="4", orgao="sefaz-mt-gcad", matricula="777"))
    assert "mt-cta.mt-consulta" not in held(home)


def home_orgao(home: Home) -> str:
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        return vinculo.todos(db, somebody.id)[0].orgao


def test_undoing_a_return_is_a_cut(home: Home) -> None:
    receive(home, noticia(home, "licenca_inicio", numero="1"))
    receive(home, noticia(home, "licenca_fim", numero="2"))
    give(home, "mt-cta", "mt-consulta")
    before = epochs(home)
    undo(home, "2", by="3")
    assert (held(home), state(home)) == (set(), ("desabilitada", ("suspenso",)))
    assert [now > then for now, then in zip(epochs(home), before, strict=True)] == [True, True]
    receive(home, noticia(home, "licenca_fim", numero="4"))
    assert held(home) == set(), "the real return gives nothing back either"


def test_undoing_a_nova_lotacao_ends_the_vinculo_that_it_opened_and_what_rests_on_it(home: Home) -> None:
    receive(home, noticia(home, "remanejamento", numero="1"))
    receive(home, noticia(home, "nova_lotacao", numero="2", orgao_destino="sefaz-mt-gcad", matricula="9"))
    give(home, "mt-cta", "mt-consulta")
    undo(home, "2", by="3")
    assert (held(home), state(home)) == (set(), ("revogada", ("encerrado", "encerrado")))


def test_a_future_event_taken_back_leaves_the_other_ones_date_as_it_is(home: Home) -> None:
    today = home.clock.today()
    receive(home, noticia(home, "desligamento", numero="1", day=today + timedelta(days=10)))
    receive(home, noticia(home, "licenca_inicio", numero="2", day=today + timedelta(days=5)))
    undo(home, "1", by="3")
    home.clock.move(days=6)
    assert held(home) == set(), "the leave bites by its date, though no worker woke"
    due_events(home.house)
    assert state(home) == ("desabilitada", ("suspenso",))
    assert ends(home) == [None], "nothing is left of the event that was taken back"


def test_the_end_of_a_contract_survives_a_leave_an_event_and_its_undoing(home: Home) -> None:
    end = home.clock() + timedelta(days=90)
    with home.house.begin(RH) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        tie = vinculo.todos(ctx.db, somebody.id)[0]
        tie.prazo = tie.ate = end
    today = home.clock.today()
    receive(home, noticia(home, "licenca_inicio", numero="1", day=today + timedelta(days=5)))
    receive(home, noticia(home, "desligamento", numero="2", day=today + timedelta(days=10)))
    undo(home, "2", by="3")
    home.clock.move(days=6)
    due_events(home.house)
    receive(home, noticia(home, "licenca_fim", numero="4", day=home.clock.today()))
    assert (state(home), ends(home)) == (("cadastrada", ("ativo",)), [end])


def test_a_death_told_by_mistake_can_be_undone(home: Home) -> None:
    receive(home, noticia(home, "falecimento", numero="1"))
    with pytest.raises(Conflict, match="falecida"):
        another_tie(home, "rfb")
    assert len(undo(home, "1", by="2")) == 3
    assert state(home) == ("habilitada", ("ativo",))


def test_a_question_answered_with_a_no_leaves_its_event_decided_and_everything_as_it_is(home: Home) -> None:
    receive(home, noticia(home, "cessao", numero="1"))
    undoing, _ = receive(home, noticia(home, "tornado_sem_efeito", numero="2", observacao="1"))
    with home.house.begin(OTHER) as ctx:
        (question,) = pendencia.abertas(ctx.db)
        pendencia.decidir(ctx, question.id, "a cessão vale", papeis=OPERADOR)
    with home.house.reading() as db:
        told = db.get(type(undoing), undoing.id)
        assert told is not None
        assert told.estado == "decidido"
    assert held(home) == set()


def test_an_undoing_is_not_undone_and_the_event_can_be_told_again(home: Home) -> None:
    receive(home, noticia(home, "desligamento", numero="1"))
    undo(home, "1", by="2")
    with pytest.raises(Invalid, match="informe-o de novo, com outro número"):
        receive(home, noticia(home, "tornado_sem_efeito", numero="3", observacao="2"))
    assert len(held(home)) == 3
    receive(home, noticia(home, "desligamento", numero="4"))
    assert (held(home), state(home)) == (set(), ("revogada", ("encerrado",)))


def test_what_a_later_event_ends_too_stays_ended_though_the_earlier_one_had_taken_it_first(home: Home) -> None:
    past = home.clock.today()
    give(home, "vfr", "coana-perito", restricao={"evento": ["E1"]})
    receive(home, noticia(home, "licenca_inicio", numero="1", day=past - timedelta(days=4)))
    ended, _ = receive(home, noticia(home, "designacao_fim", numero="2", day=past - timedelta(days=2)))
    assert (ended.estado, {e["norma"] for e in ended.efeitos}) == ("aplicado", {"coana"})
    assert len(undo(home, "1", by="3")) == 3
    assert "vfr.coana-perito" not in held(home)


def test_nobody_undoes_what_ended_her_own_access(home: Home) -> None:
    from iam.context import Agente

    receive(home, noticia(home, "cessao", numero="1"))
    receive(home, noticia(home, "tornado_sem_efeito", numero="2", observacao="1"))
    with home.house.reading() as db:
        (question,) = pendencia.abertas(db)
        herself = Agente("sistema", question.pessoa, "Ela mesma", address="10.1.1.7")
    with pytest.raises(Refused) as refused, home.house.begin(herself) as ctx:
        desfazer(ctx, question.id, papeis=OPERADOR)
    assert refused.value.decision.papel == "o_proprio"
    assert held(home) == set()


def test_two_that_undo_the_same_at_once_give_back_once(home: Home) -> None:
    receive(home, noticia(home, "cessao", numero="1"))
    receive(home, noticia(home, "tornado_sem_efeito", numero="2", observacao="1"))
    with home.house.reading() as db:
        (question,) = pendencia.abertas(db)
    both, given, failed = threading.Barrier(2, timeout=60), [], []

    def run() -> None:
        try:
            both.wait()
            with home.house.begin(OTHER) as ctx:
                given.append(len(desfazer(ctx, question.id, papeis=OPERADOR)))
        except PortariaError as error:
            failed.append(error.code)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (given, failed) == ([3], ["pendencia_decidida"])
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        assert len(concessao.vigentes(db, somebody.id, datetime.now(UTC))) == 3
