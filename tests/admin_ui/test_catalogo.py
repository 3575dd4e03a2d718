"""The public catalogue: what MT128 art. 11 wants published, for anybody."""

from __future__ import annotations

import csv
from collections.abc import Callable
from importlib.resources import files

import pytest

from iam.pack import find
from tests.admin_ui.conftest import Tab

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]


@pytest.mark.requirement("MT128-11.1")
def test_the_61_systems_stand_on_one_page_with_gestor_functions_groups_and_profiles_for_anybody(tab: Tabs) -> None:
    she = tab()
    assert she.open("/") == 200
    with (find("mt128") / "systems.csv").open(encoding="utf-8") as file:
        wanted = list(csv.DictReader(file))
    assert len(wanted) == 61
    for system in wanted:
        row = she.page.locator(f"tr[id='{system['id']}']")
        name, gestor, functions, profiles = (row.locator("th, td").nth(n).inner_text() for n in range(4))
        assert system["nome"] in name
        assert system["descricao"] in name
        assert system["gestor"] in gestor
        assert functions.split("\n") == ["Consultar", "Inserir", "Alterar", "Suprimir"]
        assert [line.split(":")[0] for line in profiles.split("\n")] == ["Consulta", "Operação", "Manutenção"]
    assert she.page.context.cookies() == [], "a public page leaves nothing in the browser"


def test_the_matrix_of_coana_shows_sixteen_functions_and_what_each_profile_may(tab: Tabs) -> None:
    she = tab()
    she.open("/?norma=coana")
    for summary in she.page.locator("tr[id='vfr'] summary").all():
        summary.click()
    row = she.page.locator("tr[id='vfr']")
    assert row.locator("td").nth(1).locator("li").count() == 16
    assert "perito" in row.inner_text().lower()


def test_a_search_ignores_accents_and_case_and_says_how_many_were_found(tab: Tabs) -> None:
    she = tab()
    she.open("/")
    she.page.fill("#main-searchbox", "TRANSMISSAO causa MORTIS")
    she.page.keyboard.press("Enter")
    she.page.wait_for_url("**busca=**")
    assert she.page.locator("table.catalog tbody tr").count() == 1
    assert "1 sistema encontrado" in she.text()
    assert she.page.input_value("#main-searchbox") == "TRANSMISSAO causa MORTIS"


def test_the_gestor_filter_shows_only_the_systems_of_that_unit(tab: Tabs) -> None:
    she = tab()
    she.open("/")
    she.page.select_option("#gestor", "GPDD")
    she.page.click("text=Filtrar")
    she.page.wait_for_url("**gestor=GPDD**")
    names = she.page.locator(".system").all_inner_texts()
    assert names == ["PED-SID", "SINTEGRA", "SNE"]


def test_an_anchor_leads_to_one_system(tab: Tabs) -> None:
    she = tab()
    she.open("/#mt-ipva")
    assert she.page.locator("tr:target .system").inner_text() == "IPVA"


def test_every_norm_can_be_read_article_by_article_with_the_lines_that_carry_it_out(tab: Tabs) -> None:
    she = tab()
    she.open("/norma")
    she.page.click("text=Portaria nº 128/2005")
    row = she.page.locator("tr[id='MT128-13.1']")
    assert "O usuário sempre terá o acesso desabilitado ou revogado" in row.inner_text()
    row.locator("summary").first.click()
    assert "remanejamento" in row.inner_text()
    assert files("admin_ui").joinpath("static", "portaria.css").is_file()
