"""What time has ended is removed, and nothing whose reuse must still be noticed (RFC 9700 §2.1.1 and §4.14.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import pytest
from sqlalchemy import event, func, select, text

from iam import journal, session
from iam.oauth import expiry, interaction
from iam.oauth.expiry import expire
from iam.oauth.tables import Authorization, AuthorizationCode, Consent, Interaction, RefreshToken, RevokedToken
from tests.oauth.world import World, body, params, request

OFFLINE = "openid offline_access mt-ipva:consultar"
EVIDENCE = (Authorization, Consent, session.LoginSession, journal.Entry)


def kept(world: World, *tables: type) -> list[int]:
    with world.house.reading() as db:
        return [db.scalar(select(func.count()).select_from(table)) or 0 for table in tables]


def all_of_it(world: World) -> int:
    gone = 0
    while more := expire(world.house):
        gone += more
    return gone


def renewed(world: World, said: Mapping[str, str]) -> dict[str, str]:
    answer = world.refresh(said["refresh_token"])
    assert answer.status == 200, answer.body
    return {name: str(value) for name, value in body(answer).items()}


def test_interactions_go_when_nobody_can_answer_them(world: World) -> None:
    def consent() -> str:
        browser = world.log_in()
        pedido = params(world.authorize(browser, **request("v" * 43)))["pedido"]
        interaction.grant(world.house, pedido, browser.login)
        return pedido

    consent()
    world.later(minutes=14)
    pedido = consent()
    world.later(minutes=8)
    assert all_of_it(world) == 1
    assert kept(world, Interaction) == [1]
    assert world.authorize(pedido=pedido).status == 303


def test_a_revoked_token_is_remembered_for_as_long_as_it_could_live(world: World) -> None:
    said = world.tokens(scope=OFFLINE)
    assert world.post("/oauth/revoke", {"client_id": "app", "token": said["access_token"]}).status == 200
    world.later(seconds=299)
    all_of_it(world)
    assert world.introspect(said["access_token"]) == {"active": False}
    assert kept(world, RevokedToken) == [1]
    world.later(minutes=7)
    all_of_it(world)
    assert kept(world, RevokedToken) == [0]
    assert world.introspect(said["access_token"]) == {"active": False}


def test_a_code_replayed_after_a_removal_still_ends_what_it_gave(world: World) -> None:
    code, verifier = world.code(world.log_in(), scope=OFFLINE)
    said = body(world.redeem(code, verifier))
    for _ in range(3):
        world.later(hours=4)
        assert all_of_it(world) >= 0
        said = body(world.refresh(str(said["refresh_token"])))
    assert world.introspect(str(said["access_token"]))["active"] is True
    assert world.redeem(code, verifier).status == 400
    assert world.introspect(str(said["access_token"])) == {"active": False}
    assert world.refresh(str(said["refresh_token"])).status == 400


def test_the_reuse_of_a_rotated_refresh_token_is_noticed_while_its_family_lives(world: World) -> None:
    first = world.tokens(scope=OFFLINE)
    said = first
    for _ in range(5):
        world.later(hours=7)
        said = renewed(world, said)
        all_of_it(world)
    assert kept(world, RefreshToken) == [6]
    assert world.refresh(first["refresh_token"]).status == 400
    assert world.entries()[-1].requirement == "CASA-16"
    assert b"refresh_reapresentado" in (world.entries()[-1].payload or b"")
    assert world.introspect(said["access_token"]) == {"active": False}


@pytest.mark.parametrize("batch", [500, 2])
def test_a_family_goes_whole_when_none_of_it_can_live_and_what_proves_stays(
    world: World, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry, "BATCH", batch)
    gone, lives = world.tokens(scope=OFFLINE), world.tokens(scope=OFFLINE)
    for _ in range(4):
        gone = renewed(world, gone)
    unused, _ = world.code(world.log_in())
    world.later(hours=7)
    lives = renewed(world, lives)
    before = kept(world, *EVIDENCE)
    world.later(hours=1, minutes=6)
    assert all_of_it(world) == 5 + 1 + 1 + 1, "five refresh tokens, their code, the code never used, an interaction"
    assert kept(world, RefreshToken, AuthorizationCode) == [2, 1]
    assert kept(world, *EVIDENCE) == before
    assert world.refresh(lives["refresh_token"]).status == 200
    assert world.refresh(gone["refresh_token"]).status == 400
    assert world.redeem(unused, "v" * 43).status == 400


def test_an_access_token_of_a_family_about_to_go_is_still_ended_by_the_replay_of_its_code(world: World) -> None:
    with world.house.database.write() as db:
        db.execute(text("UPDATE client SET grant_types = '[\"authorization_code\"]' WHERE id = 'app'"))
    code, verifier = world.code(world.log_in())
    world.later(seconds=59)
    said = body(world.redeem(code, verifier))
    assert "refresh_token" not in said
    world.later(seconds=299)
    all_of_it(world)
    assert world.introspect(str(said["access_token"]))["active"] is True
    assert world.redeem(code, verifier).status == 400
    assert world.introspect(str(said["access_token"])) == {"active": False}
    world.later(minutes=7)
    all_of_it(world)
    assert kept(world, AuthorizationCode) == [0]


def test_a_removal_finds_its_rows_by_an_index(world: World) -> None:
    if not world.house.database.sqlite:
        pytest.skip("SQLite tells its plan whatever the tables hold; PostgreSQL chooses by their size")
    asked: list[tuple[str, Sequence[object]]] = []

    @event.listens_for(world.house.database.engine, "before_cursor_execute")
    def _asked(_c: object, _cursor: object, statement: str, parameters: Sequence[object], *_: object) -> None:
        asked.append((statement, parameters))

    expire(world.house)
    event.remove(world.house.database.engine, "before_cursor_execute", _asked)
    with world.house.database.engine.connect() as connection:
        plans = [
            str(step)
            for statement, parameters in asked
            for step in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", tuple(parameters))
        ]
    assert len(plans) >= 7
    assert not [plan for plan in plans if re.search("SCAN (interaction|revoked|authorization|refresh)", plan)]
