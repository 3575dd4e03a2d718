"""A request that waits is carried by the browser, sealed: a stranger leaves nothing here, and it is answered once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from iam import session
from iam.db import Database
from iam.errors import NotFound
from iam.keys import b64url, b64url_decode
from iam.oauth import interaction
from iam.oauth.expiry import expire
from iam.oauth.tables import AuthorizationCode, Interaction
from tests.oauth.world import World, location, params, request

VERIFIER = "v" * 43


def rows(world: World, table: type) -> int:
    with world.house.reading() as db:
        return db.scalar(select(func.count()).select_from(table)) or 0


def test_a_stranger_who_asks_writes_nothing_and_waits_for_no_writer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(_: Database) -> None:
        raise AssertionError("a transaction that writes")

    with monkeypatch.context() as patched:
        patched.setattr(Database, "write", write)
        for cookie in ("", "x" * 43):
            asked = request(VERIFIER, state="segredo")
            answer = world.get("/oauth/authorize", asked, cookie=f"{session.COOKIE}={cookie}")
            pedido = params(answer)["pedido"]
            assert location(world.authorize(None, pedido=pedido)).startswith("/entrar?pedido=")
            assert interaction.pending(world.house, pedido, None).client_id == "app"
    assert rows(world, Interaction) == 0
    assert b"segredo" not in b64url_decode(pedido)


def test_a_pedido_that_was_changed_or_made_elsewhere_is_none(world: World) -> None:
    browser = world.log_in()
    pedido = params(world.authorize(browser, **request(VERIFIER)))["pedido"]
    raw = bytearray(b64url_decode(pedido))
    raw[-1] ^= 1
    other = b64url(world.house.vault.seal(b"{}", "login codigo"))
    for bad in (b64url(bytes(raw)), other, pedido[:-8], "x", "A" * 60, "\u00e9"):
        assert world.authorize(browser, pedido=bad).status == 400
        with pytest.raises(NotFound):
            interaction.pending(world.house, bad, browser.login)


def test_each_of_two_tabs_is_answered_and_neither_twice(world: World) -> None:
    one, two = (params(world.authorize(None, **request(VERIFIER)))["pedido"] for _ in range(2))
    world.later(seconds=5)
    browser = world.log_in()
    asked = params(world.authorize(browser, pedido=one))["pedido"]
    interaction.grant(world.house, asked, browser.login)
    assert "code" in params(world.authorize(browser, pedido=asked))
    assert "code" in params(world.authorize(browser, pedido=two))
    for pedido in (one, asked, two):
        assert world.authorize(browser, pedido=pedido).status == 400
        assert world.authorize(None, pedido=pedido).status == 400
        with pytest.raises(NotFound):
            interaction.pending(world.house, pedido, browser.login)
        with pytest.raises(NotFound):
            interaction.grant(world.house, pedido, browser.login)


def test_of_many_at_once_one_gets_the_code(world: World) -> None:
    browser = world.log_in()
    world.code(browser)
    codes = rows(world, AuthorizationCode)
    pedido = params(world.authorize(None, **request(VERIFIER)))["pedido"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: world.authorize(browser, pedido=pedido), range(4)))
    assert sorted(answer.status for answer in answers) == [303, 400, 400, 400]
    assert rows(world, AuthorizationCode) == codes + 1


def test_a_pedido_sealed_anew_while_it_waits_keeps_its_age(world: World) -> None:
    browser = world.log_in()
    world.later(seconds=5)
    pedido = params(world.authorize(browser, **request(VERIFIER, prompt="login")))["pedido"]
    for _ in range(3):
        world.later(minutes=14)
        pedido = params(world.authorize(None, pedido=pedido))["pedido"]
    since = interaction.pending(world.house, pedido, None).since
    assert (world.now - since).total_seconds() == 42 * 60
    world.later(minutes=15)
    assert world.authorize(None, pedido=pedido).status == 400


def test_that_a_request_was_answered_is_known_for_as_long_as_any_pedido_of_it(world: World) -> None:
    browser = world.log_in()
    pedido = params(world.authorize(browser, **request(VERIFIER)))["pedido"]
    pedido = params(world.authorize(browser, pedido=pedido))["pedido"]
    world.later(minutes=14)
    pedido = params(world.authorize(browser, pedido=pedido))["pedido"]
    interaction.grant(world.house, pedido, browser.login)
    assert "code" in params(world.authorize(browser, pedido=pedido))
    world.later(minutes=8)
    expire(world.house)
    assert world.authorize(browser, pedido=pedido).status == 400
