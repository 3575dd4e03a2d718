"""Logging in and out, as a person with a keyboard does it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from playwright.sync_api import Error

from iam.atos import pessoa
from iam.atos.abrir import abrir
from iam.atos.papel import OPERADOR
from iam.demo.outsider import Pkce
from iam.demo.world import OPERATOR
from iam.login import activation, totp
from tests.admin_ui.conftest import Tab
from tests.house import Served, request_of

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]


def test_a_person_logs_in_with_both_factors_by_keyboard_alone_and_sees_what_she_holds_and_why(tab: Tabs) -> None:
    she = tab().log_in("servidora")

    assert she.page.url.endswith("/minhas")
    said = she.text()
    assert "IPVA" in said
    assert "mt-ipva:alterar" in said
    assert "Art. 2" in said, "the article that gives it is quoted"
    assert "senha e código" in said


def test_a_wrong_password_answers_403_with_the_reason_and_the_article_and_does_not_tell_who_exists(tab: Tabs) -> None:
    said = []
    for login in ("ana.moreira", "ninguem.daqui"):
        she = tab()
        she.open("/entrar")
        she.page.fill("#login", login)
        she.page.fill("#senha", "esta não é a senha")
        with she.page.expect_navigation() as moved:
            she.page.click("#entrar")
        assert moved.value.status == 403
        alert = she.page.locator("[role=alert]").inner_text()
        assert "CASA-03" in alert
        said.append(alert)
    assert said[0] == said[1]


def test_a_wrong_code_keeps_the_second_step_open_and_says_why(tab: Tabs, shared: Served) -> None:
    she, who = tab(), shared.home.person("chefia")
    she.open("/entrar")
    she.page.fill("#login", who["login"])
    she.page.fill("#senha", who["password"])
    she.page.click("#entrar")
    she.page.fill("#codigo", "000000")
    with she.page.expect_navigation() as moved:
        she.page.click("#entrar")
    assert moved.value.status == 403
    assert "CASA-03" in she.page.locator("[role=alert]").inner_text()

    shared.home.clock.move(seconds=31)
    she.page.fill("#codigo", totp.code(who["totp"], shared.home.clock()))
    she.page.click("#entrar")
    assert she.page.url.endswith("/minhas")


def test_nobody_reaches_the_second_step_without_the_first(tab: Tabs) -> None:
    she = tab()
    she.open("/entrar?passo=codigo")
    assert she.page.locator("#senha").count() == 1
    assert she.page.locator("#codigo").count() == 0


def test_password_managers_and_paste_work(tab: Tabs) -> None:
    she = tab()
    she.open("/entrar")
    assert she.page.get_attribute("#login", "autocomplete") == "username"
    assert she.page.get_attribute("#senha", "autocomplete") == "current-password"
    assert she.page.get_attribute("#senha", "type") == "password"


def test_leaving_ends_the_session_and_not_only_the_cookie(tab: Tabs) -> None:
    she = tab().log_in("gestor")
    kept = she.page.context.cookies()
    she.page.click("#sair")
    assert she.page.url.endswith("/sair?feito=sair")
    she.page.context.add_cookies(kept)  # type: ignore[arg-type]
    she.open("/minhas")
    assert she.page.locator("#senha").count() == 1


@pytest.mark.requirement("MT128-16-2.2")
def test_an_idle_session_needs_a_new_login_and_a_person_ends_all_her_sessions(tab: Tabs, shared: Served) -> None:
    one, other = tab().log_in("cadastrador_setorial"), tab().log_in("cadastrador_setorial")
    one.open("/minhas")
    one.page.click("#sair-todas")
    other.open("/minhas")
    assert other.page.locator("#senha").count() == 1, "the other browser is out too"

    other.log_in("cadastrador_setorial")
    shared.home.clock.move(minutes=14)
    assert other.open("/minhas") == 200
    assert other.page.locator("#senha").count() == 0
    shared.home.clock.move(minutes=16)
    other.open("/minhas")
    assert other.page.locator("#senha").count() == 1


def test_another_of_my_sessions_can_be_ended_alone(tab: Tabs) -> None:
    one, other = tab().log_in("perito"), tab().log_in("perito")
    one.open("/minhas")
    one.page.locator("form[action='/minhas/sessao'] button").first.click()
    other.open("/minhas")
    assert other.page.locator("#senha").count() == 1
    assert one.open("/minhas") == 200
    assert one.page.locator("#senha").count() == 0


def test_an_application_gets_its_code_after_login_and_consent_within_the_content_security_policy(
    tab: Tabs, shared: Served
) -> None:
    she, app, pkce = tab(), shared.world.apps["mt-nfe"], Pkce.new()
    arrived = she.asked(str(app["redirect_uri"]))
    she.open(f"/oauth/authorize?{urlencode(request_of(app, pkce))}")
    assert "Para continuar em" in she.text()
    she.log_in("servidora", go=False)
    said = she.text()
    assert "pede acesso" in said
    assert "mt-nfe:consultar" in said
    with contextlib.suppress(Error), she.page.expect_navigation():
        she.page.click("#consentir")
    answer = parse_qs(urlsplit(arrived[0]).query)
    assert answer["state"] == ["estado"]
    assert "code" in answer


def test_who_does_not_consent_goes_back_with_access_denied(tab: Tabs, shared: Served) -> None:
    she, app, pkce = tab(), shared.world.apps["mt-itcd"], Pkce.new()
    arrived = she.asked(str(app["redirect_uri"]))
    she.open(f"/oauth/authorize?{urlencode(request_of(app, pkce))}")
    she.log_in("gestor", go=False)
    with contextlib.suppress(Error), she.page.expect_navigation():
        she.page.click("#negar")
    assert parse_qs(urlsplit(arrived[0]).query)["error"] == ["access_denied"]


def test_a_certificate_logs_in_at_the_mtls_address_and_comes_back_to_the_ordinary_one(
    chromium: object, tab: Tabs, shared: Served
) -> None:
    who = shared.home.person("servidora")
    proof = {"origin": shared.mtls, "certPath": who["cert"], "keyPath": who["key"]}
    she = tab(client_certificates=[proof])
    she.open("/entrar")
    she.page.click("#certificado")
    assert she.page.url == f"{shared.issuer}/minhas"
    assert "certificado ICP-Brasil" in she.text()


def test_a_login_begun_in_another_browser_is_not_taken_over_by_its_link(tab: Tabs, shared: Served) -> None:
    who = shared.home.person("servidora")
    proof = {"origin": shared.mtls, "certPath": who["cert"], "keyPath": who["key"]}
    attacker, victim = tab(client_certificates=[proof]), tab()
    links = attacker.asked(f"{shared.issuer}/entrar/certificado/volta")
    attacker.open("/entrar")
    attacker.page.click("#certificado")
    victim.open("/entrar")
    answer = victim.page.goto(links[0])
    assert answer is not None
    assert answer.status == 422
    victim.open("/minhas")
    assert victim.page.locator("#senha").count() == 1


def test_a_one_time_link_lets_somebody_choose_password_and_authenticator_and_then_enter(
    tab: Tabs, shared: Served
) -> None:
    with shared.house.begin(OPERATOR) as ctx:
        who = pessoa.cadastrar(ctx, "52998224725", "Joana Prates", "joana.prates", origem="teste", papeis=OPERADOR)
        abrir(ctx, who.id, "sefaz-mt-gipva", "9", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        path = activation.create(ctx, who, papeis=OPERADOR)
    she, senha = tab(), "o vento leva as folhas"
    assert she.open(path) == 200
    seed = she.page.locator("#chave").inner_text()
    she.page.fill("#nova_senha", senha)
    she.page.fill("#repetida", senha)
    she.page.fill("#codigo", "000000")
    she.page.click("#ativar")
    assert "não confere" in she.page.locator("#codigo-erro").inner_text()
    she.page.fill("#nova_senha", senha)
    she.page.fill("#repetida", senha)
    she.page.fill("#codigo", totp.code(seed, shared.home.clock()))
    she.page.click("#ativar")
    assert "Entre com eles" in she.text()
    she.page.fill("#login", "529.982.247-25")
    she.page.fill("#senha", senha)
    she.page.click("#entrar")
    shared.home.clock.move(seconds=31)
    she.page.fill("#codigo", totp.code(seed, shared.home.clock()))
    she.page.click("#entrar")
    assert she.page.url.endswith("/minhas")
    again = tab()
    assert again.open(path) == 404, "good once"
    assert "Este link não vale mais" in again.page.locator("h1").inner_text()
    assert "peça outro link ao cadastrador" in again.text()
    again.page.locator("#main-content").get_by_role("link", name="Entrar").click()
    assert again.page.url.endswith("/entrar")


def test_a_new_authenticator_replaces_the_old_one_and_ends_every_session(tab: Tabs, shared: Served) -> None:
    he, who = tab().log_in("procurador"), shared.home.person("procurador")
    he.open("/minhas/codigo")
    seed = he.page.locator("#chave").inner_text()
    he.page.fill("#codigo", totp.code(seed, shared.home.clock()))
    he.page.click("#cadastrar")
    assert "Entre com a senha e o código" in he.text()
    he.open("/minhas")
    assert he.page.locator("#senha").count() == 1
    shared.home.clock.move(seconds=31)
    for secret, inside in ((who["totp"], False), (seed, True)):
        he.open("/entrar")
        he.page.fill("#login", who["login"])
        he.page.fill("#senha", who["password"])
        he.page.click("#entrar")
        he.page.fill("#codigo", totp.code(secret, shared.home.clock()))
        he.page.click("#entrar")
        assert he.page.url.endswith("/minhas") is inside
