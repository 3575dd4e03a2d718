"""Leaving, by the own hand or because an application asked; and who was left logged in at a browser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Error

from iam.atos import pessoa
from iam.atos.abrir import abrir
from iam.atos.papel import OPERADOR
from iam.demo.outsider import Pkce
from iam.demo.world import OPERATOR
from iam.login import activation, totp
from tests.admin_ui.conftest import Tab
from tests.admin_ui.test_app import enter, provisional
from tests.house import Served, code_of, redeem

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]


def test_who_leaves_after_the_session_ended_is_told_so(tab: Tabs, shared: Served) -> None:
    she = tab().log_in("gestor")
    she.open("/minhas")
    shared.home.clock.move(minutes=31)
    with she.page.expect_navigation() as moved:
        she.page.click("#sair")
    assert moved.value.status == 200
    assert "Você já saiu" in she.text()


def test_leaving_twice_in_two_tabs_is_leaving_once(tab: Tabs) -> None:
    one = tab().log_in("chefia")
    other = one.beside()
    one.open("/sair")
    other.open("/minhas")
    one.page.click("main button.primary")
    assert "Você saiu" in one.text()
    other.page.click("#sair")
    assert "Você já saiu" in other.text()


def test_an_application_asks_and_the_person_leaves_and_is_back_there(tab: Tabs, shared: Served) -> None:
    app = shared.world.apps["mt-ipva"]
    out = str(app["post_logout_redirect_uri"])
    asked = {"client_id": str(app["client_id"]), "post_logout_redirect_uri": out, "state": "fim"}
    she = tab().log_in("servidora")
    arrived = she.asked(out)
    she.open(f"/oauth/logout?{urlencode(asked)}")
    assert "IPVA — Lançamento e cobrança pediu que você saia" in she.text()
    with contextlib.suppress(Error), she.page.expect_navigation():
        she.page.click("#sair")
    assert arrived == [f"{out}?state=fim"]
    other = she.beside()
    other.open("/minhas")
    assert other.page.locator("#senha").count() == 1, "the session ended"


def test_the_demonstration_app_ends_the_session_by_its_id_token(shared: Served) -> None:
    she, app, pkce = shared.outsider(), shared.world.apps["mt-ipva"], Pkce.new()
    given = redeem(shared, "mt-ipva", code_of(shared, "servidora", "mt-ipva", pkce, she), pkce, she).json()
    out = str(app["post_logout_redirect_uri"])
    asked = urlencode({"id_token_hint": str(given["id_token"]), "post_logout_redirect_uri": out})
    answer = she.ask("GET", f"{shared.issuer}/oauth/logout?{asked}")
    assert (answer.status, answer.headers["location"]) == (303, out)
    assert b'id="senha"' in she.browse(she.ask("GET", f"{shared.issuer}/minhas"), "never").body


def test_activation_ends_whoever_was_logged_in_in_that_browser(tab: Tabs, shared: Served) -> None:
    with shared.house.begin(OPERATOR) as ctx:
        who = pessoa.cadastrar(ctx, "52998224725", "Joana Prates", "joana.prates", origem="teste", papeis=OPERADOR)
        abrir(ctx, who.id, "sefaz-mt-gipva", "9", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        path = activation.create(ctx, who, papeis=OPERADOR)
    him = tab().log_in("cadastrador")
    kept = him.page.context.cookies()
    him.open(path)
    assert "Primeiro acesso de Joana Prates" in him.text()
    seed = him.page.locator("#chave").inner_text()
    him.page.fill("#nova_senha", "o vento leva as folhas")
    him.page.fill("#repetida", "o vento leva as folhas")
    him.page.fill("#codigo", totp.code(seed, shared.home.clock()))
    him.page.click("#ativar")
    assert "Bruno" not in him.text()
    him.page.context.add_cookies(kept)  # type: ignore[arg-type]
    him.open("/minhas")
    assert him.page.locator("#senha").count() == 1, "the session ended, not only its cookie"


def test_an_expired_provisional_senha_says_so_and_what_to_do(shared: Served) -> None:
    late = provisional(shared, "iris.tarde", "11144477735", hours=0)
    _, body, status = enter(shared, "iris.tarde", late)
    assert status == 403
    page = body.decode()
    assert "A senha provisória venceu. Peça outra ao cadastrador do seu órgão." in page
    assert b'id="nova_senha"' not in body
    _, body, status = enter(shared, "iris.tarde", "esta não é a senha")
    assert status == 403
    assert "venceu" not in body.decode(), "only who had it learns that it expired"


def test_the_administration_opens_at_the_first_page_she_may_see(tab: Tabs) -> None:
    for role, path in (("cadastrador", "/admin/pessoa"), ("auditor", "/admin/pessoa")):
        she = tab().log_in(role)
        assert she.open("/admin") == 200
        assert she.page.url.endswith(path)


def test_who_administers_nothing_learns_what_would_be_needed(tab: Tabs) -> None:
    she = tab().log_in("servidora")
    assert she.open("/admin") == 403
    said = she.text()
    assert "Para que fosse permitido" in said
    assert "agir como cadastrador" in said
    stranger = tab()
    stranger.open("/admin")
    assert stranger.page.url.endswith("/entrar?volta=%2Fadmin")
