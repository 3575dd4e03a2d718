"""The form of an HR event proposes nothing that somebody could register without having chosen it."""

from __future__ import annotations

from collections.abc import Callable

from tests.admin_ui.conftest import Tab


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
