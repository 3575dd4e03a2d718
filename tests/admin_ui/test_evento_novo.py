"""The form of an HR event proposes nothing that somebody could register without having chosen it."""

from __future__ import annotations

from collections.abc import Callable

from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Evento as Noticia
from iam.demo.world import OPERATOR
from tests.admin_ui.conftest import Tab
from tests.house import Served


def test_no_kind_of_event_is_chosen_beforehand(tab: Callable[..., Tab]) -> None:
    she = tab().log_in("cadastrador")
    she.open("/admin/evento/novo")
    assert she.page.locator("#tipo").input_value() == ""
    she.page.fill("#numero", "sem-tipo")
    she.page.fill("#cpf", she.served.home.person("servidora")["cpf"])
    she.page.fill("#data_efeito", "2026-01-05")
    with she.page.expect_navigation() as navigation:
        she.page.click("#ver-efeito")
    assert navigation.value.status == 422
    assert she.page.locator("#tipo").get_attribute("aria-invalid") == "true"
    assert she.page.locator("#numero").input_value() == "sem-tipo"
    assert "preencha o campo Tipo de evento" in she.text().replace("Preencha", "preencha")


def test_a_refused_event_shows_the_rule_and_keeps_what_was_typed(tab: Callable[..., Tab]) -> None:
    """The CPF of another órgão's person, most often a slip: one digit is put right, not nine fields."""
    she = tab().log_in("cadastrador")
    other = she.served.home.person("perito")["cpf"]
    she.open("/admin/evento/novo")
    she.page.fill("#numero", "de-outro-orgao")
    she.page.fill("#cpf", other)
    she.page.select_option("#tipo", "cessao")
    she.page.fill("#data_efeito", "2026-01-05")
    she.page.fill("#observacao", "vista no boletim")
    with she.page.expect_navigation() as navigation:
        she.page.click("#ver-efeito")
    assert navigation.value.status == 403
    assert "CASA-06" in she.page.locator("[role=alert]").inner_text()
    assert she.page.title().startswith("Erro: ")
    kept = {name: she.page.locator(f"#{name}").input_value() for name in ("numero", "cpf", "tipo", "observacao")}
    assert kept == {"numero": "de-outro-orgao", "cpf": other, "tipo": "cessao", "observacao": "vista no boletim"}


def test_who_may_tell_no_event_is_refused_without_the_form(tab: Callable[..., Tab]) -> None:
    he = tab(java_script_enabled=True).log_in("gestor")
    he.open("/minhas/senha")
    he.page.evaluate("""() => {
        const form = document.querySelector('#trocar').form;
        const told = {fonte: 'rh-sefaz-mt', numero: 'x', cpf: '52998224725', tipo: 'cessao', data_efeito: '2026-01-05'};
        for (const [name, value] of Object.entries(told))
            form.append(Object.assign(document.createElement('input'), {name, value, type: 'hidden'}));
        form.action = '/admin/evento/efeito';
        form.noValidate = true;
    }""")
    with he.page.expect_navigation() as navigation:
        he.page.click("#trocar")
    assert navigation.value.status == 403
    assert he.page.locator("#fonte").count() == 0


def test_a_question_is_shown_to_all_who_see_the_event_and_its_answers_offered_to_who_may_give_them(
    tab: Callable[..., Tab], shared: Served
) -> None:
    cpf = shared.home.person("chefia")["cpf"]
    for numero, tipo, about in (("P1", "afastamento_estudo_exterior", ""), ("P2", "tornado_sem_efeito", "P1")):
        with shared.house.begin(OPERATOR) as ctx:
            news = Noticia("rh-sefaz-mt", numero, cpf, "", "", tipo, shared.home.clock.today(), "", "", about)
            receber(ctx, news, papeis=OPERADOR)
    he, she = tab().log_in("auditor"), tab().log_in("cadastrador")
    answers = "form[action^='/admin/pendencia/']"
    for who, offered in ((he, 0), (she, 3)):
        who.open("/admin/evento")
        assert "tornar sem efeito o evento P1" in who.text()
        assert who.page.locator(answers).count() == offered
