"""A browser holds one login: a new one has a new cookie and ends the former, with everything that one gave."""

from __future__ import annotations

import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from iam import search, session
from iam.context import Agente
from iam.demo.outsider import Outsider, Pkce
from iam.login import enter, leave, totp
from tests.house import Account, Home, Served, code_of, introspect, redeem, refresh
from tests.login.test_step_up import asked
from tests.login.test_step_up import enter as enter_pages

BROWSER = Agente("anonimo", "", address="203.0.113.7", user_agent="Firefox")
COOKIE = session.COOKIE


def live(home: Home, cookie: str) -> session.Login | None:
    with home.house.reading() as db:
        return session.find(
            db, cookie, home.clock(), home.house.policy.limit("session_idle").duration, home.house.trust
        )


def ends(home: Home) -> list[tuple[str | None, str]]:
    """Whose session the journal says ended, and at whose hand."""
    with home.house.reading() as db:
        return [(e.pessoa, e.agente) for e, _ in search.find(db, search.Filter(ato="sessao:encerrar", allowed=True))]


def entered(home: Home, role: str, former: session.Login | None = None) -> enter.Entered:
    who = home.person(role)
    step = enter.with_password(home.house, BROWSER, who["login"], who["password"])
    assert isinstance(step, enter.Next)
    home.clock.move(seconds=31)
    code = totp.code(who["totp"], home.clock())
    return enter.with_code(home.house, BROWSER, step.ticket, code, former=former)


def test_a_new_login_ends_the_former_session_once_and_the_journal_says_so(home: Home) -> None:
    one = entered(home, "servidora")
    former = live(home, one.cookie)
    other = entered(home, "servidora", former)
    assert live(home, one.cookie) is None
    assert live(home, other.cookie) is not None
    me = f"pessoa:{one.pessoa.id}"
    assert ends(home) == [(one.pessoa.id, me)]
    entered(home, "servidora", former)
    assert former is not None
    leave.end(home.house, BROWSER, former)
    assert len(ends(home)) == 1, "a session ends once"


def test_somebody_else_at_the_same_browser_ends_the_session_that_was_left_open_there(home: Home) -> None:
    hers = entered(home, "servidora")
    his = entered(home, "gestor", live(home, hers.cookie))
    assert live(home, hers.cookie) is None
    assert ends(home) == [(hers.pessoa.id, f"pessoa:{his.pessoa.id}")]


def test_a_certificate_carried_back_ends_the_session_of_the_browser_where_it_arrives(home: Home) -> None:
    one = entered(home, "servidora")
    leaf = x509.load_pem_x509_certificates(Path(home.person("servidora")["cert"]).read_bytes())[0]
    by_certificate = enter.with_certificate(home.house, BROWSER, leaf.public_bytes(Encoding.DER))
    assert live(home, one.cookie) is not None, "at the mTLS address nobody knows that browser"
    ticket = enter.ticket_for(home.house, by_certificate)
    cookie = enter.cookie_of(home.house, Agente("anonimo", ""), ticket, live(home, one.cookie))
    assert live(home, one.cookie) is None
    found = live(home, cookie)
    assert found is not None
    assert found.session.acr == "icp-brasil"
    enter.cookie_of(home.house, Agente("anonimo", ""), ticket, found)
    assert live(home, cookie) is not None, "the way back, gone twice, ends nothing"


def tokens(served: Served, browser: Outsider, scope: str) -> dict[str, str]:
    pkce = Pkce.new()
    answer = redeem(
        served, "mt-ipva", code_of(served, "servidora", "mt-ipva", pkce, browser, scope=scope), pkce, browser
    )
    assert answer.status == 200
    return {name: str(value) for name, value in answer.json().items()}


def test_the_tokens_of_the_former_session_end_as_by_leaving(served: Served) -> None:
    she = served.outsider()
    given = tokens(served, she, "openid mt-ipva:consultar")
    assert introspect(served, given["access_token"])["active"] is True
    enter_pages(served, she, page=asked(served, she, prompt="login"))
    assert introspect(served, given["access_token"])["active"] is False


def test_what_may_go_on_without_the_person_goes_on_as_after_leaving(served: Served) -> None:
    she = served.outsider()
    given = tokens(served, she, "openid mt-ipva:consultar offline_access")
    enter_pages(served, she, page=asked(served, she, prompt="login"))
    assert introspect(served, given["access_token"])["active"] is True
    answer = refresh(served, Account(she, given))
    assert answer.status == 200


def test_no_value_a_browser_held_before_the_login_is_worth_anything_after_it(shared: Served) -> None:
    she = shared.outsider()
    planted = secrets.token_urlsafe(32)
    she.cookies[COOKIE] = planted
    before = she.ask("GET", f"{shared.issuer}/entrar")
    assert b'id="senha"' in before.body
    assert enter_pages(shared, she).url.endswith("/minhas")
    cookie = she.cookies[COOKIE]
    assert cookie != planted
    assert COOKIE + "-visita" not in she.cookies
    assert COOKIE + "-entrada" not in she.cookies
    thief = Outsider(shared.home.data / "ca.pem", cookies={COOKIE: planted})
    shared.met.append(thief)
    assert b'id="senha"' in thief.browse(thief.ask("GET", f"{shared.issuer}/minhas"), "never").body
    shared.home.clock.move(seconds=31)
    enter_pages(shared, she, page=asked(shared, she, prompt="login"))
    assert she.cookies[COOKIE] != cookie, "new at every login"


def test_the_cookies_of_a_login_are_host_bound_secure_and_out_of_reach_of_scripts_and_other_sites(
    shared: Served,
) -> None:
    she, who = shared.outsider(), shared.home.person("gestor")
    page = she.ask("GET", f"{shared.issuer}/entrar")
    step = she.submit(page, "entrar", {"login": who["login"], "senha": who["password"]})
    for answer, strict in ((page, False), (step, True)):
        sent = answer.headers["set-cookie"]
        assert sent.startswith("__Host-")
        assert all(f"; {word}" in sent for word in ("Path=/", "Secure", "HttpOnly"))
        assert "Domain" not in sent
        assert ("SameSite=Strict" if strict else "SameSite=Lax") in sent
