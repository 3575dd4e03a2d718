"""Forms as people really send them: late, twice, corrected, from two tabs, with a session that ended meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from iam.atos import pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.papel import OPERADOR
from iam.demo.world import OPERATOR, PAPEIS
from tests.admin_ui.conftest import Tab
from tests.house import Served

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]
TYPED = {"#numero": "PORT 77/2026", "#data_efeito": "2026-01-05", "#observacao": "“aspas”, <b> e 🦜"}


def somebody(shared: Served, cpf: str, nome: str, login: str) -> str:
    """A person with a vínculo and a right of IPVA; answers the id."""
    with shared.house.begin(OPERATOR) as ctx:
        who = pessoa.cadastrar(ctx, cpf, nome, login, origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, who.id, "sefaz-mt-gipva", login, tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        conceder(ctx, who.id, "mt-ipva", "mt-consulta", vinculo=tie, origem="teste", fundamento="teste", papeis=PAPEIS)
        return who.id


def fill(she: Tab, cpf: str, **other: str) -> None:
    """The form of an event, filled as :data:`TYPED` says but for `other`."""
    she.open("/admin/evento/novo")
    for field, value in {**TYPED, "#cpf": cpf, **{f"#{name}": value for name, value in other.items()}}.items():
        she.page.fill(field, value)
    she.page.select_option("#tipo", "remanejamento")


def test_what_was_typed_when_the_session_ended_is_there_after_the_login_and_only_for_who_typed_it(
    tab: Tabs, shared: Served
) -> None:
    cpf = shared.home.person("servidora")["cpf"]
    she = tab().log_in("cadastrador")
    fill(she, cpf)
    shared.home.clock.move(minutes=31)
    she.page.click("#ver-efeito")
    assert "/entrar?volta=" in she.page.url
    kept = she.page.context.cookies()

    with shared.house.begin(OPERATOR) as ctx:
        other = pessoa.by_cpf(ctx.db, shared.home.person("chefia")["cpf"])
        assert other is not None
        tie = vinculo.vigentes(ctx.db, other.id, ctx.now)[0]
        conceder(
            ctx, other.id, "portaria", "cadastrador", vinculo=tie, origem="teste", fundamento="teste", papeis=OPERADOR
        )
    he = tab()
    he.page.context.add_cookies(kept)  # type: ignore[arg-type]
    he.log_in("chefia")
    he.open("/admin/evento/novo")
    assert he.page.input_value("#numero") == "", "another person at the same browser sees nothing of it"

    she.log_in("cadastrador", go=False)
    assert she.page.url.endswith("/admin/evento/novo")
    assert "O que você tinha digitado está aqui" in she.text()
    assert {field: she.page.input_value(field) for field in TYPED} == TYPED
    assert she.page.input_value("#cpf") == cpf
    assert she.page.input_value("#tipo") == "remanejamento"
    she.page.click("#ver-efeito")
    assert "Confirme o efeito" in she.text(), "the form has the token of the new session"
    she.open("/admin/evento/novo")
    assert she.page.input_value("#numero") == "", "shown once"


def test_the_reason_of_a_decision_outlives_the_session_too(tab: Tabs, shared: Served) -> None:
    id = somebody(shared, "16899535009", "Lia Prado", "lia.prado")
    she = tab().log_in("cadastrador")
    fill(she, "16899535009", numero="PORT 90/2026")
    she.page.select_option("#tipo", "ferias")
    she.page.click("#ver-efeito")
    she.page.click("#confirmar")
    she.open("/admin/evento")
    field = she.page.locator(f"article:has(a[href='/admin/pessoa/{id}']) input[name=decisao]")
    field.fill("férias não mexem em acesso")
    shared.home.clock.move(minutes=31)
    field.press("Enter")
    she.log_in("cadastrador", go=False)
    assert she.page.url.endswith("/admin/evento")
    assert field.input_value() == "férias não mexem em acesso"


def test_a_form_without_a_place_to_begin_again_says_that_the_session_ended_and_leads_back(
    tab: Tabs, shared: Served
) -> None:
    she = tab().log_in("gestor")
    she.open("/minhas")
    shared.home.clock.move(minutes=31)
    with she.page.expect_navigation() as moved:
        she.page.click("#sair-todas")
    assert moved.value.status == 403
    assert "A sua sessão terminou antes do envio. Nada foi feito" in she.text()
    she.page.click("main >> text=Entrar")
    she.log_in("gestor", go=False)
    assert she.page.url.endswith("/minhas")


def test_an_effect_is_corrected_without_typing_again_and_sent_twice_it_happens_once(tab: Tabs, shared: Served) -> None:
    id = somebody(shared, "39053344705", "Inês Braga", "ines.braga")
    she = tab().log_in("cadastrador")
    fill(she, "39053344705", numero="PORT 78/2026")
    she.page.click("#ver-efeito")
    she.page.click("#corrigir")
    assert she.page.input_value("#observacao") == TYPED["#observacao"]
    assert she.page.input_value("#data_efeito") == TYPED["#data_efeito"]
    she.page.click("#ver-efeito")

    second = she.beside()
    fill(second, "39053344705", numero="PORT 78/2026")
    second.page.click("#ver-efeito")
    she.page.click("#confirmar")
    second.page.click("#confirmar")
    assert second.page.url.split("?")[0] == she.page.url.split("?")[0], "both tabs end at the one event"
    fill(she, "39053344705", numero="PORT 78/2026")
    she.page.click("#ver-efeito")
    assert "já estava registrado. Nada foi feito outra vez" in she.text()
    event = she.page.url.split("?")[0]

    fill(she, "39053344705", numero="PORT 78/2026", data_efeito="2026-01-06")
    with she.page.expect_navigation() as moved:
        she.page.click("#ver-efeito")
    assert moved.value.status == 409
    assert she.page.input_value("#data_efeito") == "2026-01-06", "nothing typed is lost"
    she.page.click("text=Veja o evento registrado")
    assert she.page.url == event
    she.open(f"/admin/pessoa/{id}")
    assert she.page.locator("table:has(caption:text('Eventos de pessoal')) tbody tr").count() == 1


def test_an_event_of_a_day_to_come_shows_what_it_would_take_and_takes_nothing(tab: Tabs, shared: Served) -> None:
    id = somebody(shared, "86288366757", "Nilo Farias", "nilo.farias")
    she = tab().log_in("cadastrador")
    she.open(f"/admin/pessoa/{id}")
    she.page.click("text=Registrar evento de pessoal")
    assert she.page.input_value("#cpf") == "86288366757"
    fill(she, "86288366757", numero="PORT 79/2026", data_efeito="2099-03-01")
    she.page.click("#ver-efeito")
    said = she.text()
    assert "Este evento espera" in said
    assert "01/03/2099 00:00:00 (Cuiabá)" in said
    assert she.page.locator("table tbody tr th").all_inner_texts() == ["IPVA"]
    assert "Ficariam" not in said
    she.page.click("#confirmar")
    assert "aguarda a data de efeito" in she.text()
    she.open(f"/admin/pessoa/{id}")
    assert "IPVA" in she.page.locator("article.br-card h3").first.inner_text(), "still held"


def test_who_sends_an_error_is_led_from_the_summary_to_the_field(tab: Tabs) -> None:
    she = tab().log_in("cadastrador")
    fill(she, "123")
    she.page.click("#ver-efeito")
    assert she.page.title().startswith("Erro: ")
    assert she.page.locator("#erros:focus").count() == 1, "the summary has the focus, without a script"
    she.page.keyboard.press("Tab")
    she.page.keyboard.press("Enter")
    she.page.keyboard.press("Tab")
    she.page.keyboard.press("Shift+Tab")
    assert she.page.locator("#cpf:focus").count() == 1
    assert "cpf-erro" in (she.page.get_attribute("#cpf", "aria-describedby") or "").split()
    assert "onze números" in she.page.locator("#cpf-erro").inner_text()
