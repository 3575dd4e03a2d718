"""Opening a session: what is wrong is counted, what is right is good once, and who is out learns why only after proving who she is."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from iam import search, session
from iam.atos import credencial, pessoa
from iam.atos.papel import OPERADOR
from iam.context import Agente
from iam.demo.world import OPERATOR
from iam.errors import Invalid, Refused
from iam.login import enter, password, totp
from tests.atos.rh import noticia, receive
from tests.house import Home

BROWSER = Agente("anonimo", "", address="203.0.113.7", user_agent="Firefox")


def first(home: Home, role: str = "servidora", senha: str = "") -> enter.Entered | enter.Next:
    who = home.person(role)
    return enter.with_password(home.house, BROWSER, who["login"], senha or who["password"])


def code(home: Home, role: str = "servidora") -> str:
    return totp.code(home.person(role)["totp"], home.clock())


def refused(home: Home, role: str = "servidora", senha: str = "errada") -> str:
    with pytest.raises(Refused) as caught:
        first(home, role, senha)
    return caught.value.decision.papel


def test_both_factors_open_a_session_with_acr_mfa_and_a_cpf_names_the_person_too(home: Home) -> None:
    who = home.person("servidora")
    cpf = f"{who['cpf'][:3]}.{who['cpf'][3:6]}.{who['cpf'][6:9]}-{who['cpf'][9:]}"
    step = enter.with_password(home.house, BROWSER, cpf, who["password"])
    assert isinstance(step, enter.Next)
    assert step.step == enter.CODIGO
    entered = enter.with_code(home.house, BROWSER, step.ticket, code(home))
    assert (entered.session.acr, entered.pessoa.login) == ("mfa", who["login"])
    with home.house.reading() as db:
        found = session.find(db, entered.cookie, home.clock(), timedelta(minutes=15), home.house.trust)
        assert found is not None
        assert (
            session.find(db, entered.cookie[:-1] + "x", home.clock(), timedelta(minutes=15), home.house.trust) is None
        )
        assert entered.cookie not in str(found.session)


def test_a_code_is_good_once_even_for_two_at_the_same_moment(home: Home) -> None:
    steps = [first(home), first(home)]
    typed = code(home)

    def use(step: object) -> bool:
        assert isinstance(step, enter.Next)
        try:
            enter.with_code(home.house, BROWSER, step.ticket, typed)
        except Refused:
            return False
        return True

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(use, steps)) == [False, True]


def test_guesses_are_throttled_one_after_the_other_and_all_at_once(home: Home) -> None:
    with ThreadPoolExecutor(8) as pool:
        words = list(pool.map(lambda _: refused(home), range(16)))
    assert words.count("senha_incorreta") <= 5
    assert words.count("tentativas_demais") >= 11
    assert refused(home, senha=home.person("servidora")["password"]) == "tentativas_demais"
    home.clock.move(minutes=16)
    assert isinstance(first(home), enter.Next)


def test_wrong_person_and_wrong_password_look_the_same(home: Home) -> None:
    with pytest.raises(Refused) as nobody:
        enter.with_password(home.house, BROWSER, "ninguem", "qualquer coisa")
    with pytest.raises(Refused) as wrong:
        first(home, senha="errada")
    assert nobody.value.message == wrong.value.message


@pytest.mark.requirement("MT128-10-2.3")
def test_a_provisional_password_serves_once_to_choose_another_expires_and_opens_no_session(home: Home) -> None:
    def provide(role: str) -> str:
        senha = password.provisional()
        with home.house.begin(OPERATOR) as ctx:
            somebody = pessoa.by_cpf(ctx.db, home.person(role)["cpf"])
            assert somebody is not None
            credencial.cadastrar(
                ctx,
                somebody.id,
                credencial.SENHA,
                segredo=password.hash(senha).encode(),
                provisoria=True,
                expira_em=ctx.now + password.PROVISIONAL_LIFETIME,
                papeis=OPERADOR,
            )
        return senha

    senha = provide("servidora")
    step = first(home, senha=senha)
    assert isinstance(step, enter.Next)
    assert step.step == enter.NOVA_SENHA
    assert refused(home, senha=senha) == "senha_incorreta", "it was used"
    with pytest.raises(Invalid):
        enter.with_code(home.house, BROWSER, step.ticket, code(home))
    with pytest.raises(Invalid, match="pelo menos"):
        enter.choose_password(home.house, BROWSER, step.ticket, "curta")
    enter.choose_password(home.house, BROWSER, step.ticket, "uma frase bem comprida")
    with pytest.raises(Invalid, match="venceu"):
        enter.choose_password(home.house, BROWSER, step.ticket, "outra frase bem comprida")
    assert isinstance(first(home, senha="uma frase bem comprida"), enter.Next)

    late = provide("gestor")
    home.clock.move(hours=73)
    assert refused(home, "gestor", late) == "senha_provisoria"
    with home.house.reading() as db:
        assert not search.find(db, search.Filter(ato="sessao:abrir", allowed=True))


def test_who_is_out_learns_the_article_only_with_the_right_password(home: Home) -> None:
    receive(home, noticia(home, "cessao"))
    assert refused(home) == "senha_incorreta"
    with pytest.raises(Refused) as caught:
        first(home)
    assert caught.value.decision.source.requirement == "MT128-13.5"


def test_a_cut_between_the_two_steps_stops_the_second(home: Home) -> None:
    step = first(home)
    assert isinstance(step, enter.Next)
    receive(home, noticia(home, "licenca_inicio"))
    with pytest.raises((Refused, Invalid)):
        enter.with_code(home.house, BROWSER, step.ticket, code(home))


@pytest.mark.parametrize("ticket", ["", "x", "A" * 80, "é"])
def test_a_made_up_ticket_opens_nothing(home: Home, ticket: str) -> None:
    with pytest.raises(Invalid):
        enter.with_code(home.house, BROWSER, ticket, "123456")
    with pytest.raises(Invalid):
        enter.cookie_of(home.house, BROWSER, ticket)


def test_an_idle_session_and_an_old_one_are_dead(home: Home) -> None:
    step = first(home)
    assert isinstance(step, enter.Next)
    entered = enter.with_code(home.house, BROWSER, step.ticket, code(home))
    idle = timedelta(minutes=15)
    home.clock.move(minutes=14)
    with home.house.database.write() as db:
        found = session.find(db, entered.cookie, home.clock(), idle, home.house.trust)
        assert found is not None
        session.touch(db, found.session, home.clock())
    home.clock.move(minutes=14)
    with home.house.reading() as db:
        assert session.find(db, entered.cookie, home.clock(), idle, home.house.trust) is not None
    home.clock.move(minutes=2)
    with home.house.reading() as db:
        assert session.find(db, entered.cookie, home.clock(), idle, home.house.trust) is None
