"""CASA-15: changing the own senha takes more than a session that was left open, and leaves no other one open."""

from __future__ import annotations

import pytest

from iam import journal, search, session
from iam.atos import pessoa
from iam.context import Agente
from iam.errors import Invalid, Refused
from iam.login import change, enter, leave
from iam.session import Login, LoginSession
from tests.house import Account, Home, Served, introspect, refresh
from tests.login.test_former_session import tokens

BROWSER = Agente("anonimo", "", address="203.0.113.7", user_agent="Firefox")
NOVA = "o vento leva as folhas"


def logged_in(home: Home, acr: str = "mfa") -> tuple[Login, str]:
    with home.house.begin(BROWSER) as ctx:
        who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert who is not None
        row, cookie = session.start(ctx.db, who, acr, ["pwd"], ctx.now, address="203.0.113.7", user_agent="Firefox")
    return Login(row, who), cookie


def herself(login: Login) -> Agente:
    return Agente("pessoa", login.pessoa.id, "", "203.0.113.7", "Firefox", session=login.session.id)


def found(home: Home, cookie: str) -> Login | None:
    with home.house.reading() as db:
        return session.find(
            db, cookie, home.clock(), home.house.policy.limit("session_idle").duration, home.house.trust
        )


def enters(home: Home, senha: str) -> bool:
    try:
        enter.with_password(home.house, BROWSER, home.person("servidora")["login"], senha)
    except Refused:
        return False
    return True


def refused(home: Home, login: Login, senha: str, nova: str = NOVA) -> str:
    with pytest.raises(Refused) as no:
        change.change(home.house, herself(login), login, senha, nova)
    return no.value.decision.papel


def acts(home: Home, ato: str, *, allowed: bool) -> list[journal.Entry]:
    with home.house.reading() as db:
        return [entry for entry, _ in search.find(db, search.Filter(ato=ato, allowed=allowed))]


def test_a_new_senha_takes_the_present_one_and_only_it_enters_afterwards(home: Home) -> None:
    login, _ = logged_in(home)
    present = home.person("servidora")["password"]
    assert refused(home, login, "esta não é a senha") == "senha_incorreta"
    assert enters(home, present)
    change.change(home.house, herself(login), login, present, NOVA)
    assert enters(home, NOVA)
    assert not enters(home, present)


def test_this_session_goes_on_under_a_new_cookie_as_old_as_it_was_and_every_other_ends(home: Home) -> None:
    login, cookie = logged_in(home)
    _, other = logged_in(home)
    home.clock.move(minutes=7)
    new = change.change(home.house, herself(login), login, home.person("servidora")["password"], NOVA)
    now = found(home, new)
    assert now is not None
    assert (now.session.acr, now.session.auth_time) == ("mfa", login.session.auth_time)
    assert now.session.id != login.session.id
    assert now.session.csrf != login.session.csrf
    assert found(home, cookie) is None
    assert found(home, other) is None


def test_the_journal_says_who_changed_it_and_who_tried(home: Home) -> None:
    login, _ = logged_in(home)
    before = len(acts(home, "credencial:cadastrar", allowed=True))
    refused(home, login, "esta não é a senha")
    change.change(home.house, herself(login), login, home.person("servidora")["password"], NOVA)
    home.house.recorder.flush()
    me = f"pessoa:{login.pessoa.id}"
    wrong = acts(home, "credencial:cadastrar", allowed=False)
    assert [(e.agente, e.pessoa, e.requirement) for e in wrong] == [(me, login.pessoa.id, "CASA-03")]
    done = acts(home, "credencial:cadastrar", allowed=True)
    assert len(done) == before + 1
    assert {(e.agente, e.requirement) for e in done if e.agente == me} == {(me, "CASA-15")}
    assert [e.pessoa for e in acts(home, "sessao:encerrar", allowed=True)] == [login.pessoa.id]


@pytest.mark.parametrize(
    ("nova", "said"), [("curta", "pelo menos"), ("ana.moreira 2026", "nome nem o login"), ("", "pelo menos")]
)
def test_a_weak_one_is_refused_as_at_activation_and_changes_nothing(home: Home, nova: str, said: str) -> None:
    login, cookie = logged_in(home)
    present = home.person("servidora")["password"]
    with pytest.raises(Invalid, match=said):
        change.change(home.house, herself(login), login, present, nova)
    assert enters(home, present)
    assert found(home, cookie) is not None


def test_the_same_senha_again_is_no_change(home: Home) -> None:
    login, _ = logged_in(home)
    present = home.person("servidora")["password"]
    with pytest.raises(Invalid, match="igual à atual"):
        change.change(home.house, herself(login), login, present, present)


def test_guessing_the_present_senha_in_an_open_session_counts_with_guessing_it_at_the_door(home: Home) -> None:
    login, _ = logged_in(home)
    present = home.person("servidora")["password"]
    assert [refused(home, login, f"palpite número {n}") for n in range(5)] == ["senha_incorreta"] * 5
    assert refused(home, login, present) == "tentativas_demais"
    assert not enters(home, present), "the door closes too"
    home.clock.move(minutes=1)
    with home.house.begin(BROWSER) as ctx:  # nobody was at the keyboard meanwhile, but the session stands
        ctx.db.get_one(LoginSession, login.session.id).seen_at = ctx.now
    change.change(home.house, herself(login), login, present, NOVA)


def test_who_entered_by_certificate_a_moment_ago_may_have_forgotten_it(home: Home) -> None:
    login, _ = logged_in(home, "icp-brasil")
    assert not change.asks(home.house, login)
    change.change(home.house, herself(login), login, "", NOVA)
    assert enters(home, NOVA)
    late, _ = logged_in(home, "icp-brasil")
    home.clock.move(minutes=6)
    assert change.asks(home.house, late)
    assert refused(home, late, "", "outra frase bem comprida") == "senha_incorreta"


def test_a_session_by_the_senha_alone_or_ended_changes_nothing(home: Home) -> None:
    present = home.person("servidora")["password"]
    weak, _ = logged_in(home, "senha")
    with pytest.raises(Invalid, match="dois fatores"):
        change.change(home.house, herself(weak), weak, present, NOVA)
    gone, _ = logged_in(home)
    leave.end(home.house, herself(gone), gone)
    with pytest.raises(Invalid, match="entre de novo"):
        change.change(home.house, herself(gone), gone, present, NOVA)
    assert enters(home, present)


def test_of_two_changes_at_once_one_is_done(home: Home) -> None:
    login, _ = logged_in(home)
    present = home.person("servidora")["password"]
    change.change(home.house, herself(login), login, present, NOVA)
    with pytest.raises(Invalid, match="entre de novo"):
        change.change(home.house, herself(login), login, NOVA, "outra frase bem comprida")
    assert enters(home, NOVA)


def test_what_a_session_gave_ends_with_the_senha_and_what_was_given_for_longer_stands(served: Served) -> None:
    here, elsewhere, present = served.outsider(), served.outsider(), served.home.person("servidora")["password"]
    given = [tokens(served, she, "openid mt-ipva:consultar") for she in (elsewhere, here)]
    long = tokens(served, elsewhere, "openid mt-ipva:consultar offline_access")
    assert [introspect(served, each["access_token"])["active"] for each in given] == [True, True]
    page = here.ask("GET", f"{served.issuer}/minhas/senha")
    typed = {"senha": present, "nova_senha": NOVA, "repetida": NOVA}
    answer = here.browse(here.submit(page, "trocar", typed), "never")
    assert answer.url.endswith("/minhas?feito=troca")
    assert [introspect(served, each["access_token"])["active"] for each in given] == [False, False]
    assert [refresh(served, Account(elsewhere, each)).status for each in given] == [400, 400]
    assert introspect(served, long["access_token"])["active"] is True
    assert refresh(served, Account(elsewhere, long)).status == 200
