"""RFC 7009: a client gives back its own tokens, and nobody else's."""

from __future__ import annotations

import threading

import pytest

from tests.oauth.world import World, body, refused


def test_revoking_a_refresh_token_ends_the_authorization_and_an_access_token_only_itself(world: World) -> None:
    said = world.tokens()
    other = body(world.refresh(said["refresh_token"]))
    mine = {"client_id": "app", "token": said["access_token"]}
    assert world.post("/oauth/revoke", mine).status == 200
    assert world.introspect(said["access_token"]) == {"active": False}
    assert world.introspect(str(other["access_token"]))["active"] is True
    assert world.post("/oauth/revoke", mine | {"token": str(other["refresh_token"])}).status == 200
    assert world.introspect(str(other["access_token"])) == {"active": False}
    refused(world.refresh(str(other["refresh_token"])))


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
def test_a_token_revoked_by_many_at_once_is_revoked_and_nobody_hears_of_an_error(world: World, kind: str) -> None:
    said = world.tokens(scope="openid offline_access mt-ipva:consultar")
    together = threading.Barrier(8, timeout=60)
    answers: list[int] = []

    def ask() -> None:
        together.wait()
        answers.append(world.post("/oauth/revoke", {"client_id": "app", "token": said[kind]}).status)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [200] * 8
    assert [e.allowed for e in world.entries() if e.ato == "token:revogar"] == [True], "what ended, ended once"
    assert world.introspect(said["access_token"]) == {"active": False}


def test_revocation_touches_only_the_callers_tokens_and_answers_200_for_unknown_ones(world: World) -> None:
    said = world.tokens()
    machine = str(body(world.machine("mt"))["access_token"])
    for value in (said["access_token"], said["refresh_token"], machine, "x", "é.é.é"):
        assert world.post("/oauth/revoke", {"client_id": "outro", "token": value}).status == 200
    assert world.introspect(said["access_token"])["active"] is True
    assert world.refresh(said["refresh_token"]).status == 200
    assert world.post("/oauth/revoke", {"client_id": "mt", "token": machine}).status == 401
    assert world.post("/oauth/revoke", {"client_id": "mt", "token": machine}, world.certs["mt"]).status == 200
    assert world.introspect(machine) == {"active": False}
    assert world.post("/oauth/revoke", {"client_id": "app"}).status == 400
    assert world.post("/oauth/revoke", {"client_id": "ninguem", "token": "x"}).status == 401
