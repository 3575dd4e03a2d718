"""Replacing the second factor takes the second factor, in a session that still stands."""

from __future__ import annotations

import pytest

from iam import session
from iam.atos import credencial, pessoa
from iam.atos.credencial import TOTP
from iam.context import Agente
from iam.errors import Invalid, Refused
from iam.login import enrol, leave, totp
from iam.session import Login
from tests.house import Home

BROWSER = Agente("anonimo", "", address="203.0.113.7", user_agent="Firefox")


def logged_in(home: Home, acr: str) -> Login:
    with home.house.begin(BROWSER) as ctx:
        who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert who is not None
        row, _ = session.start(ctx.db, who, acr, ["pwd"], ctx.now, address="203.0.113.7", user_agent="Firefox")
    return Login(row, who)


def enrolled(home: Home, login: Login, atual: str = "") -> None:
    offered = enrol.offer(home.house, login)
    enrol.enrol(home.house, BROWSER, login, offered.sealed, totp.code(offered.seed, home.clock()), atual=atual)


def factor(home: Home, login: Login) -> str:
    with home.house.reading() as db:
        found = credencial.vigente(db, login.pessoa.id, TOTP)
    assert found is not None
    return found.id


def test_who_has_only_the_password_does_not_replace_the_second_factor(home: Home) -> None:
    weak, strong = logged_in(home, "senha"), logged_in(home, "mfa")
    before = factor(home, weak)
    with pytest.raises(Invalid, match="já há um segundo fator"):
        enrolled(home, weak)
    assert factor(home, weak) == before
    enrolled(home, strong)
    assert factor(home, weak) != before


def test_a_session_that_ended_while_the_page_was_open_enrols_nothing(home: Home) -> None:
    login = logged_in(home, "mfa")
    before = factor(home, login)
    leave.end_all(home.house, BROWSER, login)
    with pytest.raises(Invalid, match="entre de novo"):
        enrolled(home, login)
    assert factor(home, login) == before


@pytest.mark.parametrize("acr", ["mfa", "icp-brasil"])
def test_an_older_session_takes_a_code_of_the_present_authenticator_counted_as_at_the_door(
    home: Home, acr: str
) -> None:
    login = logged_in(home, acr)
    before, seed = factor(home, login), home.person("servidora")["totp"]
    assert not enrol.offer(home.house, login).asks
    home.clock.move(minutes=6)
    assert enrol.offer(home.house, login).asks
    words = []
    for _ in range(6):
        with pytest.raises(Refused) as no:
            enrolled(home, login, "000000")
        words.append(no.value.decision.papel)
    assert words == ["codigo_incorreto"] * 5 + ["tentativas_demais"]
    assert factor(home, login) == before
    home.clock.move(minutes=1)
    enrolled(home, login, totp.code(seed, home.clock()))
    assert factor(home, login) != before


def test_a_mistyped_code_of_the_new_one_does_not_use_up_that_of_the_present_one(home: Home) -> None:
    login = logged_in(home, "mfa")
    home.clock.move(minutes=6)
    offered, atual = enrol.offer(home.house, login), totp.code(home.person("servidora")["totp"], home.clock())
    with pytest.raises(Invalid, match="não confere"):
        enrol.enrol(home.house, BROWSER, login, offered.sealed, "000000", atual=atual)
    before = factor(home, login)
    enrolled(home, login, atual)
    assert factor(home, login) != before


def test_the_first_authenticator_needs_no_other(home: Home) -> None:
    login = logged_in(home, "senha")
    with home.house.begin(BROWSER) as ctx:
        held = credencial.vigente(ctx.db, login.pessoa.id, TOTP)
        assert held is not None
        held.encerrada_em = ctx.now
    home.clock.move(minutes=6)
    assert not enrol.offer(home.house, login).asks
    enrolled(home, login)
    assert factor(home, login) != held.id
