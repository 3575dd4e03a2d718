"""The pages of those who care for the accesses: people, events, journal; refusals show their article."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from iam.atos import pessoa
from iam.atos.abrir import abrir
from iam.atos.papel import OPERADOR
from iam.demo.world import OPERATOR, new_cpf
from tests.admin_ui.conftest import Tab
from tests.house import Served

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]


def event(she: Tab, cpf: str, tipo: str, numero: str, day: str = "2026-01-05") -> None:
    """Fills the form and asks for its effect."""
    she.open("/admin/evento/novo")
    she.page.fill("#cpf", cpf)
    she.page.fill("#numero", numero)
    she.page.select_option("#tipo", tipo)
    she.page.fill("#data_efeito", day)
    she.page.click("#ver-efeito")


def test_an_event_by_hand_shows_its_whole_effect_before_and_where_it_was_seen_after(tab: Tabs, shared: Served) -> None:
    who = shared.home.person("gestor")
    he = tab().log_in("gestor")
    she = tab().log_in("cadastrador")

    event(she, who["cpf"], "remanejamento", "PORT 1/2026")
    assert "Confirme o efeito" in she.text()
    fall = she.page.locator("table tbody tr").all_inner_texts()
    assert [row.split("\t")[0].strip() for row in fall] == ["IPVA", "ITCD", "NFe", "Portaria"]
    assert "O usuário sempre terá o acesso desabilitado ou revogado" in she.text()
    assert "diretorio" in she.text()
    assert he.open("/minhas") == 200
    assert "IPVA" in he.text(), "nothing was done yet"

    she.page.click("#confirmar")
    assert "aplicado" in she.text()
    he.open("/minhas")
    assert he.page.locator("#senha").count() == 1, "the session died with the event"
    for _ in range(900):
        if "visto" in she.page.locator("table").last.locator("tr").last.inner_text():
            break
        time.sleep(0.1)
        she.page.reload()
    assert "visto" in she.page.locator("table").last.locator("tr").last.inner_text()
    with she.page.expect_download() as download:
        she.page.click("#recibo")
    assert download.value.path().read_text().count(".") == 2, "a compact JWS"


def test_an_event_that_cannot_be_is_told_beside_its_field_and_nothing_typed_is_lost(tab: Tabs, shared: Served) -> None:
    she = tab().log_in("cadastrador")
    event(she, "52998224725", "desligamento", "X-9")
    assert she.page.locator("#cpf-erro").inner_text().strip() == "Não há pessoa cadastrada com este CPF."
    assert she.page.get_attribute("#cpf", "aria-invalid") == "true"
    assert she.page.input_value("#numero") == "X-9"


def test_a_cadastrador_setorial_sees_the_people_of_the_designated_orgaos_and_nobody_else(
    tab: Tabs, shared: Served
) -> None:
    she = tab().log_in("cadastrador_setorial")
    she.open("/admin/pessoa")
    said = she.text()
    assert "Ana Beatriz Moreira" in said
    assert "Fábio Lins Barreto" not in said

    with shared.house.reading() as db:
        from iam.atos.pessoa import by_cpf

        foreign = by_cpf(db, shared.home.person("procurador")["cpf"])
    assert foreign is not None
    assert she.open(f"/admin/pessoa/{foreign.id}") == 403
    assert "CASA-" in she.text()


def test_a_person_without_any_such_role_is_refused_with_the_article_and_what_would_be_needed(tab: Tabs) -> None:
    she = tab().log_in("servidora")
    for path in ("/admin/pessoa", "/admin/evento", "/admin/diario"):
        assert she.open(path) == 403
        said = she.text()
        assert "Acesso recusado" in said
        assert "O que nenhuma norma em vigor permite não é permitido." in said
        assert "agir como cadastrador" in said or "auditor" in said


def test_the_journal_is_filtered_by_article_and_person_and_the_reading_is_in_it(tab: Tabs, shared: Served) -> None:
    he = tab().log_in("auditor")
    he.open("/admin/diario")
    he.page.fill("#requisito", "MT128-99")
    he.page.click("text=Filtrar")
    he.page.wait_for_url("**requisito=**")
    assert "Nenhum lançamento" in he.text()

    he.open(f"/admin/diario?pessoa={shared.home.person('auditor')['cpf']}&como=agente&ato=diario:ler")
    he.open(f"/admin/diario?pessoa={shared.home.person('auditor')['cpf']}&como=agente&ato=diario:ler")
    rows = he.page.locator("table.journal tbody tr")
    assert rows.count() >= 2
    first = rows.first.inner_text()
    assert "Heitor Vasques Lima" in first
    assert "127.0.0.1" in first, "the workstation"
    assert "UTC" in first
    assert "Cuiabá" in first
    rows.first.locator("summary").last.click()
    assert "a própria leitura fica registrada" in rows.first.inner_text()


def test_the_journal_is_paged_without_losing_or_doubling_a_line(tab: Tabs) -> None:
    he = tab().log_in("auditor")
    he.open("/admin/diario")
    seen = he.page.locator("table.journal tbody tr td:first-child").all_inner_texts()
    he.page.click("text=Próxima")
    he.page.wait_for_url("**antes=**")
    older = he.page.locator("table.journal tbody tr td:first-child").all_inner_texts()
    assert [int(n) for n in seen + older] == list(range(int(seen[0]), int(older[-1]) - 1, -1))


def test_people_are_found_by_part_of_their_name_and_their_file_shows_what_they_hold_and_why(tab: Tabs) -> None:
    she = tab().log_in("cadastrador")
    she.open("/admin/pessoa")
    she.page.fill("#busca-pessoa", "beatriz")
    she.page.keyboard.press("Enter")
    she.page.wait_for_url("**busca=**")
    assert she.page.locator("table tbody tr").count() == 1
    she.page.click("text=Ana Beatriz Moreira")
    said = she.text()
    assert "carga inicial da demonstração" in said
    assert "mt-operacao" in said
    assert "Art. 2" in said


def test_the_menu_offers_what_a_person_may_do_and_her_page_says_what_a_perfil_of_the_house_can(tab: Tabs) -> None:
    menu = "#header-navigation a"
    she, he = tab().log_in("servidora"), tab().log_in("auditor")
    assert she.page.locator(menu).all_inner_texts() == ["Sistemas", "Meus acessos"]
    assert "Diário" in he.page.locator(menu).all_inner_texts()
    card = he.page.locator("article.br-card").first.inner_text()
    assert "ler o diário" in card
    assert "CASA-07" in card, "with its article"
    assert "Decidida por\nO próprio serviço (operador)" in card
    he.open("/admin/evento")
    assert "Registrar evento" not in he.text(), "an auditor looks and does not act"


def test_the_list_of_people_goes_on_in_order_of_the_alphabet_and_finds_words_without_their_accents(
    tab: Tabs, shared: Served
) -> None:
    names = [f"{first} Quirino {n:03d}" for first in ("Élcio", "Zélia", "ÁTILA", "Émile") for n in range(32)]
    dice, taken = random.Random(5), set[str]()
    with shared.house.begin(OPERATOR) as ctx:
        for n, nome in enumerate(names):
            who = pessoa.cadastrar(ctx, new_cpf(dice, taken), nome, f"quirino.{n}", origem="teste", papeis=OPERADOR)
            orgao = "sefaz-mt-gipva" if n % 8 == 0 else "sefa-pa"
            abrir(ctx, who.id, orgao, f"q{n}", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
    in_order = [n for first in ("ÁTILA", "Élcio", "Émile", "Zélia") for n in names if n.startswith(first)]
    she, near = tab().log_in("cadastrador"), tab().log_in("cadastrador_setorial")
    for by, wanted in ((she, in_order), (near, [n for n in in_order if names.index(n) % 8 == 0])):
        by.open("/admin/pessoa?busca=quirino")
        seen = by.page.locator("tbody th").all_inner_texts()
        while (follow := by.page.locator("a[rel=next]")).count():
            assert "quirino." not in (follow.get_attribute("href") or ""), "no personal data in an address"
            follow.click()
            by.page.wait_for_load_state()
            seen += by.page.locator("tbody th").all_inner_texts()
        assert seen == wanted
    she.open("/admin/pessoa?busca=007+ATILA")
    assert she.page.locator("tbody th").all_inner_texts() == ["ÁTILA Quirino 007"]
    she.open("/admin/pessoa?busca=%25")
    assert "Ninguém encontrado com “%”" in she.text(), "a sign of the database is a letter like others"


def test_an_auditor_finds_lines_by_sistema_article_in_the_words_of_the_norm_and_result(
    tab: Tabs, shared: Served
) -> None:
    she = tab().log_in("cadastrador")
    event(she, shared.home.person("chefia")["cpf"], "cessao", "PORT 13/2026")
    she.page.click("#confirmar")
    he = tab().log_in("auditor")
    he.open("/admin/diario")
    he.page.select_option("#sistema", label="IPVA (mt-ipva)")
    he.page.click("text=Filtrar")
    he.page.wait_for_url("**sistema=mt-ipva**")
    assert he.page.input_value("#sistema") == "mt-ipva"

    for written in ("art. 13", "Artigo 13", "13"):
        he.open("/admin/diario")
        he.page.fill("#requisito", written)
        he.page.select_option("#resultado", "permitido")
        he.page.click("text=Filtrar")
        he.page.wait_for_url("**requisito=**")
        rows = he.page.locator("table.journal tbody tr")
        assert "registrar evento de pessoal" in rows.first.inner_text()
        assert all("Art. 13" in row for row in rows.all_inner_texts())


def test_a_filter_that_cannot_be_is_told_beside_its_fields_and_only_to_who_may_read(tab: Tabs, shared: Served) -> None:
    he, she = tab().log_in("auditor"), tab().log_in("servidora")
    wrong = "/admin/diario?pessoa=ninguem&de=2026-02-02&ate=2026-01-01"
    assert he.open(wrong) == 422
    assert "Não há pessoa" in he.page.locator("#pessoa-erro").inner_text()
    assert "antes do começo" in he.page.locator("#ate-erro").inner_text()
    assert she.open(wrong) == 403, "who is known here is not told to others"
