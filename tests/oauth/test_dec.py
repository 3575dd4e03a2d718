"""IN SEFA-PA 7/2020 at the protocol: DEC opens to an ICP-Brasil login alone and to its own classes; machines serve it."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest

from iam.atos import client, vinculo
from iam.errors import Invalid
from tests.oauth.world import CALLBACK, OPERATOR, PAPEIS, World, body, claims, give, location, params, register, request

READ = ("dec:mensagem.consultar", "dec:documento.ler")
ISSUE = "dec:procuracao.emitir"
SEND, SIMPLE = "dec:comunicacao.expedir", "dec:comunicacao.expedir.simplificado"
CLASSES = {
    "dec-responsavel-comunicacao": {SEND, SIMPLE},
    "dec-sujeito-passivo": {*READ, ISSUE},
    "dec-outorgante": {ISSUE},
    "dec-procurador-digital": {*READ},
    "dec-usuario-migrado": {READ[0]},
}
SERVICE = "dec-sefa"


def hold(world: World, perfil: str) -> None:
    """Ana holds this in DEC; a procurador, for one outorgante."""
    restricao = {"outorgante": ["11222333000181"]} if perfil == "dec-procurador-digital" else None
    with world.house.begin(OPERATOR) as ctx:
        give(ctx, world.pessoa, ctx.db.get(vinculo.Vinculo, world.vinculo), "dec", perfil, restricao=restricao)


@pytest.fixture
def dec(world: World) -> World:
    """The world with DEC in it, an application that asks for everything."""
    with world.house.begin(OPERATOR) as ctx:
        scopes = ["openid", *(s.name for s in ctx.policy.scopes("dec"))]
        client.cadastrar(
            ctx, "dec", "DEC", "aplicacao", sistema="dec", redirect_uris=[CALLBACK], scopes=scopes, papeis=PAPEIS
        )
    return world


def token(world: World, *scopes: str) -> dict[str, object]:
    """The claims of what DEC gets for Ana, who entered with her certificate."""
    browser = world.log_in("icp-brasil", ("x509",))
    answer = world.redeem(*world.code(browser, client_id="dec", scope=" ".join(scopes)), client_id="dec")
    assert answer.status == 200, answer.body
    return claims(str(body(answer)["access_token"]))


def weaker(world: World, acr: str, scope: str) -> str:
    """The error that DEC gets for Ana who entered so, and entered so again when asked for more."""
    asked = request("v" * 43, client_id="dec", scope=scope)
    assert "code" not in params(world.authorize(world.log_in(acr), **asked, prompt="none"))
    answer = world.authorize(world.log_in(acr), **asked)
    assert location(answer).startswith("/entrar"), "another way to enter is asked for"
    world.later(seconds=5)
    again = world.authorize(world.log_in(acr), **dict(parse_qsl(urlsplit(location(answer)).query)))
    assert "code" not in params(again)
    return params(again)["error"]


@pytest.mark.requirement("DEC7-1")
@pytest.mark.parametrize("perfil", CLASSES)
def test_each_class_of_person_gets_the_scopes_of_its_class(dec: World, perfil: str) -> None:
    hold(dec, perfil)
    said = token(dec)
    assert (said["perfil"], said["aud"]) == (perfil, "urn:portaria:sistema:dec")
    assert set(str(said["scope"]).split()) == CLASSES[perfil]


@pytest.mark.requirement("DEC7-1")
def test_dec_has_no_other_class(dec: World) -> None:
    asked = request("v" * 43, client_id="dec", scope=" ".join((*READ, ISSUE, SEND)))
    assert params(dec.authorize(dec.log_in("icp-brasil"), **asked))["error"] == "access_denied"
    assert body(dec.machine("pdp", SIMPLE))["error"] == "invalid_scope"
    for other in dec.house.policy.sistemas():
        for perfil in dec.house.policy.perfis(other.id):
            if other.id != "dec":
                with pytest.raises(Invalid):
                    hold(dec, perfil.id)
    assert {p.id for p in dec.house.policy.perfis("dec")} == {*CLASSES, SERVICE}


@pytest.mark.requirement("DEC7-3.1")
@pytest.mark.parametrize("acr", ["senha", "mfa"])
@pytest.mark.parametrize("perfil", CLASSES)
def test_no_scope_of_dec_is_given_without_a_certificate(dec: World, perfil: str, acr: str) -> None:
    hold(dec, perfil)
    for scope in CLASSES[perfil]:
        assert weaker(dec, acr, scope) == "unmet_authentication_requirements"
    assert [e.requirement for e in dec.entries() if not e.allowed][-1] == "DEC7-3.1"
    assert token(dec)["acr"] == "icp-brasil"


@pytest.mark.requirement("DEC7-7-2.3")
def test_a_sender_without_a_certificate_does_not_send_outside_the_simplified_rite(dec: World) -> None:
    hold(dec, "dec-responsavel-comunicacao")
    for acr in ("senha", "mfa"):
        assert weaker(dec, acr, SEND) == "unmet_authentication_requirements"
    assert token(dec, SEND)["scope"] == SEND


@pytest.mark.requirement("DEC7-7-2.4")
@pytest.mark.parametrize("perfil", ["dec-sujeito-passivo", "dec-procurador-digital", "dec-usuario-migrado"])
def test_a_recipient_is_never_excused_from_the_certificate(dec: World, perfil: str) -> None:
    hold(dec, perfil)
    for acr in ("senha", "mfa"):
        assert weaker(dec, acr, READ[0]) == "unmet_authentication_requirements"
    assert token(dec, READ[0])["scope"] == READ[0]


@pytest.mark.requirement("DEC7-7-1-I")
def test_an_automatic_notice_is_sent_by_a_service_under_its_own_identity(dec: World) -> None:
    with dec.house.begin(OPERATOR) as ctx:
        register(ctx, dec, "dec-servico", "aplicacao", sistema="dec")
        give(ctx, "dec-servico", None, "dec", SERVICE)
    said = claims(str(body(dec.machine("dec-servico", SIMPLE))["access_token"]))
    assert (said["sub"], said["client_id"], said["scope"]) == ("dec-servico", "dec-servico", SIMPLE)
    assert body(dec.machine("dec-servico", SEND))["error"] == "invalid_scope"
