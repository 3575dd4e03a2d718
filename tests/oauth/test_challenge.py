"""``WWW-Authenticate``: in the scheme that was tried, with an error only for a token that was brought."""

from __future__ import annotations

import asyncio

import pytest

from iam import authzen
from iam.http import Request, Response
from tests.oauth.world import World, body, header

BASIC = "Basic bXQ6c2VncmVkbw=="
TOKENLESS = 'Bearer realm="portaria"'


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_a_client_that_tried_basic_is_answered_in_basic(world: World, path: str) -> None:
    form = {"grant_type": "client_credentials", "client_id": "mt", "token": "x"}
    for tried in (BASIC, BASIC.lower(), "Basic"):
        answer = world.post(path, form, world.certs["mt"], authorization=tried)
        assert (answer.status, body(answer)["error"]) == (401, "invalid_client")
        assert header(answer, "www-authenticate") == 'Basic realm="portaria"'
    answer = world.post(path, form)
    assert answer.status == 401
    assert header(answer, "www-authenticate") == TOKENLESS, "invalid_client is no code of RFC 6750"


def test_a_question_without_a_token_to_look_at_is_no_failed_authentication(world: World) -> None:
    mine = str(body(world.machine("pdp"))["access_token"])
    for form, more in (({"client_id": "pdp"}, {}), ({}, {"authorization": f"Bearer {mine}"})):
        answer = world.post("/oauth/introspect", form, world.certs["pdp"], **more)
        assert (answer.status, body(answer)["error"]) == (400, "invalid_request")
        assert not header(answer, "www-authenticate")


def test_a_request_without_any_token_is_asked_for_one_and_told_of_no_error(world: World) -> None:
    for tried in ({}, {"authorization": BASIC}, {"authorization": "DPoP x"}):
        answer = world.get("/oauth/userinfo", **tried)
        assert (answer.status, header(answer, "www-authenticate")) == (401, TOKENLESS)

    async def evaluation() -> Response:
        answered = authzen.ROUTES["/access/v1/evaluation"](world.house, Request("POST", "/access/v1/evaluation"))
        return answered if isinstance(answered, Response) else await answered

    answer = asyncio.run(evaluation())
    assert (answer.status, header(answer, "www-authenticate")) == (401, TOKENLESS)
    assert 'error="invalid_token"' in header(world.get("/oauth/userinfo", authorization="Bearer x"), "www-authenticate")


def test_a_bound_token_says_what_is_missing(world: World) -> None:
    bearer = f"Bearer {body(world.machine('pdp'))['access_token']}"
    without = body(world.post("/oauth/introspect", {"token": "x"}, authorization=bearer))
    assert "none came with it over mutual TLS" in str(without["error_description"])
    another = body(world.post("/oauth/introspect", {"token": "x"}, world.certs["mt"], authorization=bearer))
    assert another["error_description"] == "the token is bound to another certificate"
    facts = [str(e.payload) for e in world.entries() if e.ato == "token:introspectar"]
    assert ["sem_certificado" in facts[0], "token_de_outro_certificado" in facts[1]] == [True, True]
