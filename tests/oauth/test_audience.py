"""Whose token it is: no scope and no resource that a client may not ask chooses audience, perfil or strength of login."""

from __future__ import annotations

import pytest

from iam.atos import client, vinculo
from iam.oauth import interaction
from tests.oauth.world import (
    CALLBACK,
    OPERATOR,
    PAPEIS,
    Browser,
    World,
    body,
    claims,
    give,
    location,
    params,
    refused,
    request,
)

VERIFIER = "v" * 43
NFE = "urn:portaria:sistema:mt-nfe"
BOTH = "openid mt-ipva:consultar pucomex:ANEXANEXAR"


@pytest.fixture
def wide(world: World) -> World:
    """The person holds rights of two more sistemas, and one application is registered for scopes of two."""
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        give(ctx, world.pessoa, tie, "mt-nfe", "mt-operacao")
        client.cadastrar(
            ctx,
            "dois",
            "Dois",
            "aplicacao",
            redirect_uris=[CALLBACK],
            scopes=["openid", "mt-ipva:consultar", "pucomex:ANEXANEXAR"],
            papeis=PAPEIS,
        )
    return world


def ask(world: World, browser: Browser | None, **more: str) -> dict[str, str]:
    return params(world.authorize(browser, **request(VERIFIER, **more)))


def got(world: World, **more: str) -> dict[str, object]:
    """The claims of the access token that a person's login gives."""
    code, verifier = world.code(world.log_in(), **more)
    answer = world.redeem(code, verifier, client_id=more.get("client_id", "app"))
    assert answer.status == 200, answer.body
    return claims(str(body(answer)["access_token"]))


@pytest.mark.requirement("MT128-2-VIII")
def test_a_scope_of_a_sistema_that_is_not_the_clients_chooses_no_audience(wide: World) -> None:
    token = got(wide, scope="openid mt-nfe:consultar")
    assert (token["aud"], token["scope"]) == (wide.house.settings.issuer, "openid")
    assert not token.keys() & {"perfil", "norma", "categoria_sigilo"}
    both = "openid mt-nfe:consultar mt-ipva:consultar"
    token = got(wide, scope=both, resource="urn:portaria:sistema:mt-ipva")
    assert (token["aud"], token["scope"]) == ("urn:portaria:sistema:mt-ipva", "openid mt-ipva:consultar")
    assert token["perfil"] == "mt-consulta"
    assert ask(wide, wide.log_in(), scope=both)["error"] == "invalid_target", "two sistemas need a resource"


def test_the_clients_own_sistema_may_be_named_with_openid_alone(wide: World) -> None:
    token = got(wide, scope="openid", resource=NFE, client_id="outro")
    assert (token["aud"], token["scope"], token["perfil"]) == (NFE, "openid", "mt-operacao")


@pytest.mark.parametrize("scope", ["openid", "openid mt-ipva:consultar", "openid mt-nfe:consultar", ""])
def test_a_resource_the_client_is_not_registered_for_is_no_target_even_for_who_holds_it(
    wide: World, scope: str
) -> None:
    for browser in (None, wide.log_in()):
        said = ask(wide, browser, scope=scope, resource=NFE)
        assert (said["error"], said["state"]) == ("invalid_target", "estado")
    assert wide.entries()[-1].requirement == "CASA-16"


def test_a_code_is_redeemed_for_no_other_resource(wide: World) -> None:
    code, verifier = wide.code(wide.log_in())
    refused(wide.redeem(code, verifier, resource=NFE), "invalid_target")


def test_a_machine_names_only_a_resource_it_holds_something_of(wide: World) -> None:
    refused(wide.machine("mt", resource=NFE), "invalid_target")
    refused(wide.machine("mt", "pucomex:ANEXANEXAR", resource=NFE), "invalid_target")
    refused(wide.machine("mt", "mt-nfe:consultar", resource=NFE), "invalid_scope")


def test_scopes_of_two_sistemas_that_the_client_may_both_ask_need_a_resource(wide: World) -> None:
    said = ask(wide, wide.log_in(), client_id="dois", scope=BOTH)
    assert said["error"] == "invalid_target"
    token = got(wide, client_id="dois", scope=BOTH, resource="urn:portaria:sistema:mt-ipva")
    assert (token["aud"], token["scope"]) == ("urn:portaria:sistema:mt-ipva", "openid mt-ipva:consultar")


def test_what_the_client_may_never_have_asks_for_no_stronger_login(world: World) -> None:
    """PUCOMEX demands ``icp-brasil``; the application is not its."""
    browser = world.log_in()
    answer = world.authorize(browser, **request(VERIFIER, scope="openid pucomex:ANEXANEXAR"))
    assert location(answer).startswith("/consentir")
    answer = world.authorize(None, **request(VERIFIER, scope="openid pucomex:ANEXANEXAR"))
    assert interaction.pending(world.house, params(answer)["pedido"], None).acr == "mfa"


def test_what_the_person_does_not_hold_asks_for_no_stronger_login(wide: World) -> None:
    token = got(wide, client_id="dois", scope="openid pucomex:ANEXANEXAR")
    assert (token["aud"], token["scope"], token["acr"]) == (wide.house.settings.issuer, "openid", "mfa")
    assert ask(wide, wide.log_in(), client_id="dois", scope="pucomex:ANEXANEXAR")["error"] == "access_denied"


def test_what_she_holds_still_asks_for_the_login_its_sistema_demands(wide: World) -> None:
    with wide.house.begin(OPERATOR) as ctx:
        give(ctx, wide.pessoa, ctx.db.get(vinculo.Vinculo, wide.vinculo), "pucomex", "ANEXANEXAR")
    asked = request(VERIFIER, client_id="dois", scope="openid pucomex:ANEXANEXAR")
    assert location(wide.authorize(wide.log_in(), **asked)).startswith("/entrar")
    assert location(wide.authorize(wide.log_in("icp-brasil", ("x509",)), **asked)).startswith("/consentir")


def test_a_perfil_that_gives_nothing_of_what_is_asked_is_not_offered(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        give(ctx, world.pessoa, ctx.db.get(vinculo.Vinculo, world.vinculo), "mt-ipva", "mt-operacao")
    said = world.tokens(scope="mt-ipva:alterar")
    assert claims(said["access_token"])["perfil"] == "mt-operacao"
