"""RFC 6749 §4.1, OpenID Connect Core §3.1.2, RFC 8252, RFC 9207, RFC 9470: the authorization endpoint."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from iam import session
from iam.atos import pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.papel import OPERADOR
from iam.errors import Invalid, NotFound
from iam.http import Response
from iam.oauth import interaction
from tests.oauth.world import CALLBACK, OPERATOR, Browser, World, body, claims, give, header, location, params, request

VERIFIER = "v" * 43


def ask(world: World, browser: Browser | None = None, **more: str) -> Response:
    return world.authorize(browser, **request(VERIFIER, **more))


def resume(world: World, browser: Browser | None, url: str) -> Response:
    return world.authorize(browser, **dict(parse_qsl(urlsplit(url).query)))


def test_a_person_logs_in_consents_once_and_gets_a_code(world: World) -> None:
    answer = ask(world)
    assert answer.status == 303
    assert location(answer).startswith("/entrar?pedido=")
    seen = interaction.pending(world.house, params(answer)["pedido"], None)
    assert (seen.client_id, seen.sistema, seen.acr, seen.options) == ("app", "mt-ipva", "mfa", ())
    browser = world.log_in()
    answer = resume(world, browser, location(answer))
    assert location(answer).startswith("/consentir?pedido=")
    seen = interaction.pending(world.house, params(answer)["pedido"], browser.login)
    (option,) = seen.options
    assert [s.name for s in option.scopes] == ["openid", "mt-ipva:consultar"]
    assert option.capacity.matricula == "123"
    answer = resume(world, browser, interaction.grant(world.house, params(answer)["pedido"], browser.login))
    assert location(answer).startswith(CALLBACK)
    said = params(answer)
    assert (said["state"], said["iss"]) == ("estado", world.house.settings.issuer)
    assert "code" in params(ask(world, browser)), "consent is asked once"


@pytest.mark.parametrize(
    "more",
    [
        {"client_id": "ninguem"},
        {"client_id": "mt"},
        {"client_id": ""},
        {"redirect_uri": "https://app.example/callback/"},
        {"redirect_uri": "https://app.example/callback?x=1"},
        {"redirect_uri": "https://APP.example/callback"},
        {"redirect_uri": "https://evil.example/callback"},
        {"redirect_uri": CALLBACK + "#f"},
        {"redirect_uri": "http://localhost:8765/callback"},
        {"redirect_uri": "http://127.0.0.1:9/other"},
        {"redirect_uri": ""},
        {"redirect_uri": "http://127.0.0.1:99999999/callback"},
        {"redirect_uri": "http://user@127.0.0.1:1/callback"},
    ],
)
def test_a_bad_client_or_redirect_uri_is_shown_and_never_redirected(world: World, more: dict[str, str]) -> None:
    answer = ask(world, world.log_in(), **more)
    assert answer.status == 400
    assert not location(answer)
    text = answer.body.decode()
    assert 'lang="pt-BR"' in text
    assert "evil" not in text
    assert "default-src 'none'" in header(answer, "content-security-policy")
    assert header(answer, "x-content-type-options") == "nosniff"
    assert world.entries()[-1].allowed is False


def test_a_native_application_may_choose_its_loopback_port(world: World) -> None:
    answer = ask(world, world.log_in(), redirect_uri="http://127.0.0.1:51234/callback")
    assert location(answer).startswith("/consentir")


@pytest.mark.parametrize(
    ("more", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": ""}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": ""}, "invalid_request"),
        ({"code_challenge": "x" * 42}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request"),
        ({"scope": "openid inventado"}, "invalid_scope"),
        ({"scope": "openid mt-ipva:consultar mt-nfe:consultar"}, "invalid_target"),
        ({"scope": "mt-nfe:consultar"}, "invalid_scope"),
        ({"login_hint": "x" * 10_000}, "invalid_request"),
        ({"resource": "urn:portaria:sistema:nenhum"}, "invalid_target"),
        ({"request": "a.b.c"}, "request_not_supported"),
        ({"request_uri": "https://evil.example"}, "request_uri_not_supported"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "talvez"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1e3"}, "invalid_request"),
        ({"acr_values": "urn:outro"}, "unmet_authentication_requirements"),
        ({"prompt": "none"}, "login_required"),
    ],
)
def test_errors_go_back_to_the_client_with_state_and_issuer(world: World, more: dict[str, str], error: str) -> None:
    answer = ask(world, None, **more)
    assert answer.status == 303
    assert location(answer).startswith(CALLBACK + "?")
    said = params(answer)
    assert (said["error"], said["state"], said["iss"]) == (error, "estado", world.house.settings.issuer)
    assert "code" not in said
    assert said["error_description"].isascii()


def test_repeated_parameters_are_refused_without_redirect(world: World) -> None:
    from iam.http import Request

    query = b"response_type=code&client_id=app&client_id=outro&redirect_uri=https%3A%2F%2Fapp.example%2Fcallback"
    answer = world.call("/oauth/authorize", Request("GET", "/oauth/authorize", query))
    assert answer.status == 400
    assert not location(answer)


def test_two_resources_are_no_target_and_the_same_one_twice_is_one(world: World) -> None:
    from iam.http import Request

    query = urlencode(request(VERIFIER) | {"resource": "urn:portaria:sistema:mt-ipva"})
    twice = f"{query}&resource=urn:portaria:sistema:mt-ipva"
    answer = world.call("/oauth/authorize", Request("GET", "/oauth/authorize", twice.encode()))
    assert location(answer).startswith("/entrar?pedido=")
    for method in ("GET", "POST"):
        sent = f"{query}&resource=urn:portaria:sistema:mt-nfe".encode()
        form = ((b"content-type", b"application/x-www-form-urlencoded"),)
        asked = Request("GET", "/oauth/authorize", sent)
        if method == "POST":
            asked = Request("POST", "/oauth/authorize", b"", form, sent)
        said = params(world.call("/oauth/authorize", asked))
        assert (said["error"], said["state"]) == ("invalid_target", "estado")


def test_prompt_none_answers_without_a_page(world: World) -> None:
    browser = world.log_in()
    assert params(ask(world, browser, prompt="none"))["error"] == "consent_required"
    world.code(browser)
    assert "code" in params(ask(world, browser, prompt="none"))


def test_prompt_login_and_max_age_ask_for_a_new_login(world: World) -> None:
    browser = world.log_in()
    world.code(browser)
    world.later(minutes=5)
    for more in ({"prompt": "login"}, {"max_age": "60"}):
        answer = ask(world, browser, **more)
        assert location(answer).startswith("/entrar")
        assert location(resume(world, browser, location(answer))).startswith("/entrar"), "the old login does not do"
        answer = ask(world, browser, **more)
        world.later(seconds=5)
        again = world.log_in()
        assert "code" in params(resume(world, again, location(answer)))
    assert "code" in params(ask(world, browser, max_age="3600"))


def test_id_token_hint_is_answered_for_that_person_alone(world: World) -> None:
    ana = world.log_in()
    hint = world.tokens(ana)["id_token"]
    with world.house.begin(OPERATOR) as ctx:
        bia = pessoa.cadastrar(ctx, "11144477735", "Bia", "bia", origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, bia.id, "sefaz-mt", "9", tipo="servidor", de=ctx.now, fonte="t", papeis=OPERADOR)
        give(ctx, bia.id, tie, "mt-ipva", "mt-consulta")
    first, world.pessoa = world.pessoa, bia.id
    other = world.log_in()
    world.code(other)
    assert "code" in params(ask(world, other, prompt="none"))
    assert params(ask(world, other, prompt="none", id_token_hint=hint))["error"] == "login_required"
    answer = ask(world, other, id_token_hint=hint)
    assert location(answer).startswith("/entrar?pedido=")
    world.later(seconds=5)
    assert params(resume(world, world.log_in(), location(answer)))["error"] == "login_required"
    answer, world.pessoa = ask(world, other, id_token_hint=hint), first
    world.later(hours=1)
    assert "code" in params(ask(world, world.log_in(), prompt="none", id_token_hint=hint)), (
        "an expired one is a hint too"
    )
    for forged in ("x", hint + "x", world.tokens()["access_token"]):
        assert params(ask(world, ana, id_token_hint=forged))["error"] == "invalid_request"


def test_prompt_consent_asks_again(world: World) -> None:
    browser = world.log_in()
    world.code(browser)
    answer = ask(world, browser, prompt="consent")
    assert location(answer).startswith("/consentir")
    back = interaction.grant(world.house, params(answer)["pedido"], browser.login)
    assert "code" in params(resume(world, browser, back))


def test_the_minimum_of_the_sistema_asks_for_a_stronger_login(world: World) -> None:
    weak = world.log_in("senha", ("pwd",))
    answer = ask(world, weak)
    assert location(answer).startswith("/entrar")
    assert interaction.pending(world.house, params(answer)["pedido"], weak.login).acr == "mfa"
    world.later(seconds=5)
    still_weak = world.log_in("senha", ("pwd",))
    assert params(resume(world, still_weak, location(answer)))["error"] == "unmet_authentication_requirements"
    assert params(ask(world, weak, prompt="none"))["error"] == "login_required"
    answer = ask(world, weak)
    strong = world.log_in()
    assert location(resume(world, strong, location(answer))).startswith("/consentir")


def test_acr_values_ask_for_more_than_the_minimum(world: World) -> None:
    browser = world.log_in()
    assert location(ask(world, browser, acr_values="icp-brasil")).startswith("/entrar")
    assert location(ask(world, browser, acr_values="senha")).startswith("/consentir")
    certified = world.log_in("icp-brasil", ("swk",))
    assert location(ask(world, certified, acr_values="icp-brasil")).startswith("/consentir")


def test_a_provisional_password_gives_no_code(world: World) -> None:
    browser = world.log_in("provisoria", ("pwd",))
    assert location(ask(world, browser)).startswith("/entrar")
    assert location(ask(world, browser, scope="openid")).startswith("/entrar")


@pytest.mark.requirement("MT128-2-II.1")
def test_an_account_only_cadastrada_gets_no_token(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        pessoa.get(ctx.db, world.pessoa).estado = pessoa.CADASTRADA
    browser = world.log_in()
    for scope in ("openid", "openid mt-ipva:consultar"):
        answer = ask(world, browser, scope=scope)
        assert params(answer)["error"] == "access_denied"
    refusal = world.entries()[-1]
    assert (refusal.allowed, refusal.requirement) == (False, "MT128-2-II.1")
    assert refusal.pessoa == world.pessoa


def test_who_holds_nothing_is_denied_but_may_be_identified(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        client_scopes = ctx.policy.scopes("mt-nfe")
        assert client_scopes
    browser = world.log_in()
    asked = {"client_id": "outro", "scope": "mt-nfe:consultar"}
    assert params(ask(world, browser, **asked))["error"] == "access_denied"
    assert world.entries()[-1].requirement == "MT128-2-II.1"
    code, verifier = world.code(browser, client_id="outro", scope="openid mt-nfe:consultar")
    said = body(world.redeem(code, verifier, client_id="outro"))
    assert said["scope"] == "openid"
    assert claims(str(said["access_token"]))["aud"] == world.house.settings.issuer


def test_somebody_cut_has_no_session_and_no_code(world: World) -> None:
    browser = world.log_in()
    world.cut()
    assert location(ask(world, browser)).startswith("/entrar")
    assert params(ask(world, browser, prompt="none"))["error"] == "login_required"


def test_with_two_perfis_the_person_chooses_one_and_it_alone_decides(world: World) -> None:
    """GAP-COANA-20: the token carries one active profile."""
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        give(ctx, world.pessoa, tie, "mt-ipva", "mt-operacao")
    browser = world.log_in()
    answer = ask(world, browser)
    assert location(answer).startswith("/consentir")
    pedido = params(answer)["pedido"]
    options = {o.capacity.perfil: o for o in interaction.pending(world.house, pedido, browser.login).options}
    assert set(options) == {"mt-consulta", "mt-operacao"}
    with pytest.raises(Invalid):
        interaction.grant(world.house, pedido, browser.login)
    with pytest.raises(Invalid):
        interaction.grant(world.house, pedido, browser.login, "x|mt-manutencao")
    back = interaction.grant(world.house, pedido, browser.login, options["mt-operacao"].capacity.key)
    said = body(world.redeem(params(resume(world, browser, back))["code"], VERIFIER))
    assert said["scope"] == "openid mt-ipva:consultar mt-ipva:alterar"
    assert claims(str(said["access_token"]))["perfil"] == "mt-operacao"
    assert location(ask(world, browser)).startswith("/consentir"), "the choice is made each time"
    assert params(ask(world, browser, prompt="none"))["error"] == "interaction_required"


def test_a_choice_counts_only_in_the_session_that_made_it(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        give(ctx, world.pessoa, tie, "mt-ipva", "mt-operacao")
    browser, other = world.log_in(), world.log_in()
    pedido = params(ask(world, browser))["pedido"]
    back = interaction.grant(world.house, pedido, browser.login, f"{world.vinculo}|mt-operacao")
    assert location(resume(world, other, back)).startswith("/consentir")


def test_the_person_may_say_no(world: World) -> None:
    browser = world.log_in()
    pedido = params(ask(world, browser))["pedido"]
    url = interaction.deny(world.house, pedido, browser.login)
    said = dict(parse_qsl(urlsplit(url).query))
    assert url.startswith(CALLBACK)
    assert (said["error"], said["state"], said["iss"]) == ("access_denied", "estado", world.house.settings.issuer)
    with pytest.raises(NotFound):
        interaction.pending(world.house, pedido, browser.login)
    assert resume(world, browser, f"/oauth/authorize?pedido={pedido}").status == 400


def test_a_pedido_is_good_for_a_quarter_of_an_hour_and_once(world: World) -> None:
    browser = world.log_in()
    pedido = params(ask(world, browser))["pedido"]
    back = interaction.grant(world.house, pedido, browser.login)
    assert "code" in params(resume(world, browser, back))
    assert resume(world, browser, back).status == 400
    assert world.authorize(browser, pedido="x" * 43).status == 400
    world.later(minutes=1)
    old = params(ask(world, browser, prompt="consent"))["pedido"]
    world.clock[0] += timedelta(minutes=15)
    assert world.authorize(world.log_in(), pedido=old).status == 400


def test_a_form_without_the_cookie_is_asked_again_by_get_and_a_bad_one_is_answered_at_once(world: World) -> None:
    """OpenID Connect Core §3.1.2.1: POST is supported; from another site it comes without a ``SameSite=Lax`` cookie."""
    browser = world.log_in()
    world.code(browser)
    asked = request(VERIFIER, prompt="none")
    cookie = {"cookie": f"{session.COOKIE}={browser.cookie}"}
    assert "code" in params(world.post("/oauth/authorize", asked, None, **cookie))

    answer = world.post("/oauth/authorize", asked)
    assert location(answer).startswith("/oauth/authorize?pedido=")
    assert "code" in params(resume(world, browser, location(answer)))
    assert resume(world, browser, location(answer)).status == 400, "it was answered"
    answer = world.post("/oauth/authorize", asked)
    assert params(resume(world, None, location(answer)))["error"] == "login_required"

    assert world.post("/oauth/authorize", asked | {"client_id": "ninguem"}).status == 400
    assert params(world.post("/oauth/authorize", asked | {"scope": "nada"}))["error"] == "invalid_scope"
