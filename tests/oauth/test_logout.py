"""OpenID Connect RP-Initiated Logout 1.0 §2 and §3: an application ends the session it knows, and gets the person back."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import select

from iam import session
from iam.atos import client
from iam.http import Response
from iam.oauth import logout
from tests.oauth.world import OPERATOR, Browser, World, header, location, params

OUT = "https://app.example/signed-out"
THERE = "https://nfe.example/signed-out"
HINT = "id_token_hint"
BACK = "post_logout_redirect_uri"


@pytest.fixture
def apps(world: World) -> World:
    """The world's two applications, each with an address for after leaving."""
    with world.house.begin(OPERATOR) as ctx:
        for id, uri in (("app", OUT), ("outro", THERE)):
            ctx.db.get_one(client.Client, id).post_logout_redirect_uris = [uri]
    return world


def ask(world: World, sent: Mapping[str, str], browser: Browser | None = None) -> Response:
    cookie = {"cookie": f"{session.COOKIE}={browser.cookie}"} if browser else {}
    return world.get(logout.PATH, sent, None, **cookie)


def ended(world: World) -> list[str | None]:
    with world.house.reading() as db:
        return [row.ended_by for row in db.scalars(select(session.LoginSession))]


def lines(world: World, *, allowed: bool) -> list[tuple[str, str]]:
    """Who ended a session, or tried, and under which article."""
    found = [e for e in world.entries() if e.ato == "sessao:encerrar" and e.allowed is allowed]
    return [(e.agente, e.requirement) for e in found]


def test_an_application_ends_the_session_and_gets_the_person_back_with_its_state(apps: World) -> None:
    browser = apps.log_in()
    hint = apps.tokens(browser)["id_token"]
    answer = ask(apps, {HINT: hint, BACK: OUT, "state": "a b&c"}, browser)
    assert location(answer).startswith(f"{OUT}?")
    assert params(answer) == {"state": "a b&c"}
    assert "Max-Age=0" in header(answer, "set-cookie")
    assert ended(apps) == ["client:app"]
    assert lines(apps, allowed=True) == [(f"pessoa:{apps.pessoa}", "CASA-15")]


def test_an_id_token_is_a_hint_however_old_it_is(apps: World) -> None:
    browser = apps.log_in()
    hint = apps.tokens(browser)["id_token"]
    apps.later(minutes=14)
    assert location(ask(apps, {HINT: hint, BACK: OUT}, browser)) == OUT
    assert ended(apps) == ["client:app"]
    apps.later(days=3)
    assert location(ask(apps, {HINT: hint, BACK: OUT}, browser)) == OUT, "without a session too"


def test_without_a_session_the_person_goes_back_and_nothing_is_recorded(apps: World) -> None:
    browser = apps.log_in()
    hint = apps.tokens(browser)["id_token"]
    for sent in ({HINT: hint, BACK: OUT}, {"client_id": "app", BACK: OUT}):
        assert location(ask(apps, sent)) == OUT
    assert location(ask(apps, {HINT: hint})) == "/"
    assert ended(apps) == [None], "the session of another browser stands"
    assert lines(apps, allowed=True) == []


def test_two_at_once_end_it_once(apps: World, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = apps.log_in()
    hint = apps.tokens(browser)["id_token"]
    with apps.house.reading() as db:
        held = session.find(
            db, browser.cookie, apps.now, apps.house.policy.limit("session_idle").duration, apps.house.trust
        )
    monkeypatch.setattr(session, "find", lambda *_: held)
    assert [location(ask(apps, {HINT: hint, BACK: OUT}, browser)) for _ in range(2)] == [OUT, OUT]
    assert len(lines(apps, allowed=True)) == 1


def test_the_id_token_of_another_session_or_none_at_all_leaves_the_decision_to_the_person(apps: World) -> None:
    hers, other = apps.log_in(), apps.log_in()
    hint = apps.tokens(other)["id_token"]
    for sent in ({HINT: hint, BACK: OUT, "state": "x"}, {"client_id": "app", BACK: OUT, "state": "x"}):
        answer = ask(apps, sent, hers)
        assert location(answer).startswith("/sair?retorno=")
        back = logout.returning(apps.house, params(answer)["retorno"])
        assert back == logout.Back(f"{OUT}?state=x", "IPVA")
    assert location(ask(apps, {HINT: hint}, hers)) == "/sair"
    assert ended(apps) == [None, None]
    apps.later(minutes=16)
    assert logout.returning(apps.house, params(answer)["retorno"]) is None
    assert logout.returning(apps.house, "https://evil.example") is None


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({HINT: "own", BACK: "https://evil.example/"}, "Endereço de volta que o aplicativo não registrou"),
        ({HINT: "own", BACK: f"{OUT}/"}, "Endereço de volta que o aplicativo não registrou"),
        ({HINT: "own", BACK: THERE}, "Endereço de volta que o aplicativo não registrou"),
        (
            {HINT: "own", "client_id": "outro", BACK: THERE},
            "ID token que não é deste servidor ou é de outro aplicativo",
        ),
        ({HINT: "access"}, "ID token que não é deste servidor ou é de outro aplicativo"),
        ({HINT: "x.y.z"}, "ID token que não é deste servidor ou é de outro aplicativo"),
        ({"client_id": "nenhum", BACK: OUT}, "Client desconhecido"),
        ({BACK: OUT}, "Pedido fora do protocolo"),
    ],
)
def test_what_is_refused_is_told_in_portuguese_ends_nothing_and_is_recorded(
    apps: World, sent: dict[str, str], said: str
) -> None:
    browser = apps.log_in()
    given = apps.tokens(browser)
    known = {"own": given["id_token"], "access": given["access_token"]}
    answer = ask(apps, {name: known.get(value, value) for name, value in sent.items()}, browser)
    assert answer.status == 400
    page = answer.body.decode()
    assert said in page
    assert "CASA-16" in page
    assert ended(apps) == [None]
    assert lines(apps, allowed=False) == [(f"pessoa:{apps.pessoa}", "CASA-16")]


def test_a_stranger_is_refused_in_the_same_words(apps: World) -> None:
    answer = ask(apps, {"client_id": "app", BACK: "https://evil.example/"})
    assert answer.status == 400
    assert "Endereço de volta que o aplicativo não registrou" in answer.body.decode()
    assert lines(apps, allowed=False) == [("anonimo:", "CASA-16")]


def test_a_form_of_the_application_comes_without_the_cookie_and_is_asked_again(apps: World) -> None:
    browser = apps.log_in()
    sent = {HINT: apps.tokens(browser)["id_token"], BACK: OUT, "state": "x y"}
    answer = apps.post(logout.PATH, sent)
    assert answer.status == 303
    assert location(answer).startswith(f"{logout.PATH}?")
    again = ask(apps, params(answer), browser)
    assert location(again).startswith(OUT)
    assert params(again) == {"state": "x y"}
    assert ended(apps) == ["client:app"]
