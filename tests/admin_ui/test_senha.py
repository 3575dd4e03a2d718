"""CASA-15 in the browser: a person changes her own senha and authenticator, and proves once more who she is."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Response

from iam.login import totp
from tests.admin_ui.conftest import Tab
from tests.house import Served

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]
NOVA = "o vento leva as folhas"


def fill(page: Page, senha: str, nova: str, repetida: str = "") -> None:
    page.fill("#senha", senha)
    page.fill("#nova_senha", nova)
    page.fill("#repetida", repetida or nova)


def press(she: Tab, button: str) -> Response:
    with she.page.expect_navigation() as moved:
        she.page.click(button)
    answer: Response = moved.value
    return answer


def test_she_changes_her_senha_stays_in_and_every_other_browser_is_out(tab: Tabs, shared: Served) -> None:
    who = shared.home.person("chefia")
    here, elsewhere = tab().log_in("chefia"), tab().log_in("chefia")
    here.open("/minhas")
    here.page.click("text=Trocar a senha")
    assert here.page.input_value("#login") == who["login"], "a password manager files it under the right name"
    assert here.page.get_attribute("#senha", "autocomplete") == "current-password"
    assert here.page.get_attribute("#nova_senha", "autocomplete") == "new-password"
    before = {c["name"]: c["value"] for c in here.page.context.cookies()}
    fill(here.page, who["password"], NOVA)
    press(here, "#trocar")
    assert here.page.url.endswith("/minhas?feito=troca")
    assert "A senha foi trocada" in here.text()
    after = {c["name"]: c["value"] for c in here.page.context.cookies()}
    assert after["__Host-portaria"] != before["__Host-portaria"]
    assert here.page.locator("text=esta sessão").count() == 1
    elsewhere.open("/minhas")
    assert elsewhere.page.locator("#entrar").count() == 1
    for senha, status in ((who["password"], 403), (NOVA, 200)):
        elsewhere.open("/entrar")
        elsewhere.page.fill("#login", who["login"])
        elsewhere.page.fill("#senha", senha)
        assert press(elsewhere, "#entrar").status == status


def test_what_is_wrong_is_said_with_its_article_and_nothing_is_shown_again(tab: Tabs, shared: Served) -> None:
    who = shared.home.person("gestor")
    she = tab().log_in("gestor")
    she.open("/minhas/senha")
    fill(she.page, "esta não é a senha", NOVA)
    assert press(she, "#trocar").status == 403
    said = she.page.locator("[role=alert]").inner_text()
    assert "CASA-03" in said
    assert "A senha não mudou" in said
    assert she.page.input_value("#senha") == she.page.input_value("#nova_senha") == ""
    for nova, repetida, wrong in (
        ("curta", "", "pelo menos 12 caracteres"),
        (NOVA, f"{NOVA}!", "As duas senhas não são iguais."),
        (who["password"], "", "A nova senha é igual à atual."),
    ):
        fill(she.page, who["password"], nova, repetida)
        assert press(she, "#trocar").status == 422
        assert wrong in she.page.locator("#nova_senha-erro").inner_text()
    assert she.open("/minhas") == 200
    assert she.page.locator("#senha").count() == 0, "still in"


def test_who_forgot_it_enters_by_certificate_and_is_not_asked(tab: Tabs, shared: Served) -> None:
    who = shared.home.person("auditor")
    proof = {"origin": shared.mtls, "certPath": who["cert"], "keyPath": who["key"]}
    she = tab(client_certificates=[proof]).log_in("auditor")
    she.open("/minhas/senha")
    she.page.click("#certificado")
    assert she.page.url == f"{shared.issuer}/minhas/senha"
    assert she.page.locator("#senha").count() == 0
    she.page.fill("#nova_senha", NOVA)
    she.page.fill("#repetida", NOVA)
    press(she, "#trocar")
    assert "A senha foi trocada" in she.text()
    assert "certificado ICP-Brasil" in she.text(), "as strong as it was"
    shared.home.clock.move(minutes=6)
    she.open("/minhas/senha")
    assert she.page.locator("#senha").count() == 1, "the certificate was proved too long ago"


def test_the_authenticator_is_replaced_by_a_code_of_the_present_one(tab: Tabs, shared: Served) -> None:
    who, clock = shared.home.person("perito"), shared.home.clock
    she = tab().log_in("perito")
    clock.move(minutes=6)
    she.open("/minhas")
    she.page.click("text=Trocar o aplicativo autenticador")
    seed = she.page.locator("#chave").inner_text()
    she.page.fill("#codigo_atual", "000000")
    she.page.fill("#codigo", totp.code(seed, clock()))
    assert press(she, "#cadastrar").status == 403
    assert "CASA-03" in she.page.locator("[role=alert]").inner_text()
    assert she.page.locator("#chave").inner_text() == seed, "the same picture, already read"
    she.page.fill("#codigo_atual", totp.code(who["totp"], clock()))
    she.page.fill("#codigo", "000000")
    assert press(she, "#cadastrar").status == 422
    assert "não confere" in she.page.locator("#codigo-erro").inner_text()
    she.page.fill("#codigo_atual", totp.code(who["totp"], clock()))
    she.page.fill("#codigo", totp.code(seed, clock()))
    press(she, "#cadastrar")
    assert "Entre com a senha e o código" in she.text()
    clock.move(seconds=31)
    she.page.fill("#login", who["login"])
    she.page.fill("#senha", who["password"])
    she.page.click("#entrar")
    she.page.fill("#codigo", totp.code(seed, clock()))
    she.page.click("#entrar")
    assert she.page.url.endswith("/minhas")
