"""What WCAG 2.2 AA, NBR 17225 and eMAG want of every page, asked of every page."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib.resources import files

import pytest

from iam.atos import pessoa
from iam.demo.world import OPERATOR
from tests.admin_ui.conftest import Tab
from tests.admin_ui.test_admin import event
from tests.house import Served

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]

PUBLIC = ("/", "/?busca=nada-disso", "/norma", "/norma/mt128", "/acessibilidade", "/entrar", "/sair", "/nao-existe")
PRIVATE = (
    "/minhas",
    "/minhas/senha",
    "/minhas/codigo",
    "/admin/pessoa",
    "/admin/evento",
    "/admin/evento/novo",
    "/admin/diario",
    "/sair",
)

AUDIT = r"""() => {
  const found = [], visible = e => e.getClientRects().length > 0;
  const name = e => (e.getAttribute('aria-label') || e.textContent || e.value || '').trim();
  if (document.documentElement.lang !== 'pt-BR') found.push('lang');
  if (!document.title.trim()) found.push('title');
  if (document.querySelectorAll('h1').length !== 1) found.push('h1: ' + document.querySelectorAll('h1').length);
  let level = 0;
  for (const h of document.querySelectorAll('main h1, main h2, main h3, main h4')) {
    const n = +h.tagName[1];
    if (level && n > level + 1) found.push('heading jumps: ' + h.innerText);
    level = n;
  }
  for (const f of document.querySelectorAll('input:not([type=hidden]), select, textarea'))
    if (!f.labels.length || !f.labels[0].textContent.trim()) found.push('no label: ' + f.outerHTML);
  for (const e of document.querySelectorAll('[aria-describedby], [aria-labelledby]'))
    for (const a of ['aria-describedby', 'aria-labelledby'])
      for (const id of (e.getAttribute(a) || '').split(' ').filter(Boolean))
        if (!document.getElementById(id)) found.push('dangling ' + a + ': ' + id);
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  ids.filter((id, i) => ids.indexOf(id) !== i).forEach(id => found.push('id twice: ' + id));
  for (const e of document.querySelectorAll('a[href], button')) if (!name(e)) found.push('no name: ' + e.outerHTML);
  for (const i of document.querySelectorAll('img')) if (!i.hasAttribute('alt')) found.push('no alt: ' + i.src);
  for (const t of document.querySelectorAll('table'))
    if (!t.querySelector('th[scope]')) found.push('table without headers');
  for (const l of ['header', 'main', 'footer', 'nav'])
    if (!document.querySelector(l)) found.push('no landmark: ' + l);
  for (const n of document.querySelectorAll('nav')) if (!n.getAttribute('aria-label')) found.push('nav without name');
  const targets = 'button, .br-button, .br-sign-in, .menu-item, .page, select, input:not([type=hidden])';
  for (const e of [...document.querySelectorAll(targets)].filter(visible)) {
    const r = e.getBoundingClientRect();
    if (r.height < 24 || r.width < 24) found.push('small: ' + e.outerHTML);
  }
  for (const a of document.querySelectorAll('.br-skiplink a'))
    if (!document.querySelector(a.getAttribute('href'))) found.push('skip link to nowhere: ' + a.getAttribute('href'));
  const keys = [...document.querySelectorAll('.br-skiplink a')].map(a => a.accessKey).join('');
  if (keys !== '1234') found.push('access keys: ' + keys);
  if (document.querySelector('script, [style], [onclick]')) found.push('script or inline style');
  const width = document.documentElement.scrollWidth;
  if (width > innerWidth + 1) found.push('scrolls sideways: ' + width);
  return found;
}"""

CONTRAST = r"""() => {
  const parse = c => c.match(/[\d.]+/g).map(Number);
  const lin = v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const lum = c => .2126 * lin(c[0]) + .7152 * lin(c[1]) + .0722 * lin(c[2]);
  const over = (top, under) => { const a = top[3] ?? 1; return [0, 1, 2].map(i => top[i] * a + under[i] * (1 - a)); };
  const ground = e => {
    const chain = []; for (let n = e; n; n = n.parentElement) chain.push(parse(getComputedStyle(n).backgroundColor));
    return chain.reverse().reduce((under, c) => over(c, under), [255, 255, 255]);
  };
  const found = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const e = walker.currentNode.parentElement;
    const said = walker.currentNode.textContent.trim();
    if (!said || !e.getClientRects().length || e.closest('svg, .sr-only, option')) continue;
    const style = getComputedStyle(e), back = ground(e), text = over(parse(style.color), back);
    const [a, b] = [lum(text), lum(back)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    if ((a + .05) / (b + .05) < (large ? 3 : 4.5))
      found.add(`${e.tagName}.${e.className} ${style.color} on ${back.map(Math.round)}: ${said.slice(0, 30)}`);
  }
  return [...found];
}"""


@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_has_names_labels_headings_landmarks_targets_and_no_script(tab: Tabs, width: int) -> None:
    # The audit is a script of the test's, so here scripts run; the pages have none.
    options = {"java_script_enabled": True, "bypass_csp": False, "viewport": {"width": width, "height": 900}}
    visitor, he = tab(**options), tab(**options).log_in("cadastrador")
    found = {}
    for who, paths in ((visitor, PUBLIC), (he, PRIVATE)):
        for path in paths:
            who.open(path)
            found[path] = who.page.evaluate(AUDIT)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_of_every_page_has_the_contrast_of_level_aa(tab: Tabs, scheme: str) -> None:
    options = {"java_script_enabled": True, "color_scheme": scheme}
    visitor, he = tab(**options), tab(**options).log_in("cadastrador")
    found = {}
    for who, paths in ((visitor, PUBLIC), (he, PRIVATE)):
        for path in paths:
            who.open(path)
            found[path] = who.page.evaluate(CONTRAST)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}


def test_focus_is_a_dashed_line_of_four_pixels_and_the_first_stop_is_the_skip_link(tab: Tabs) -> None:
    she = tab(java_script_enabled=True)
    she.open("/entrar")
    she.page.keyboard.press("Tab")
    focused = she.page.evaluate("() => document.activeElement.getAttribute('href')")
    assert focused == "#main-content"
    for _ in range(6):
        she.page.keyboard.press("Tab")
    style = she.page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
    )
    assert style == ["dashed", "4px"]


def test_without_the_style_sheet_an_icon_is_no_larger_than_a_line_of_text(tab: Tabs) -> None:
    she = tab(java_script_enabled=True)
    she.page.route("**/*.css", lambda route: route.abort())
    she.open("/entrar")
    heights = she.page.evaluate(
        "() => [...document.querySelectorAll('svg')].map(e => e.getBoundingClientRect().height)"
    )
    assert heights
    assert max(heights) <= 24


def test_paper_shows_the_article_that_the_screen_keeps_folded(tab: Tabs) -> None:
    he = tab().log_in("cadastrador")
    he.open("/minhas")
    folded = he.page.locator("details .norma").first
    assert folded.is_hidden()
    he.page.emulate_media(media="print")
    assert folded.is_visible()


def test_the_style_sheet_names_no_other_host() -> None:
    sheet = files("admin_ui").joinpath("static", "portaria.css").read_text("utf-8")
    assert not re.search(r"https?://|//[a-z]", sheet)
    assert "@import" not in sheet


def test_each_page_has_a_title_of_its_own_and_a_name_for_every_table(tab: Tabs) -> None:
    visitor, he = tab(), tab().log_in("cadastrador")
    titles = []
    for who, paths in ((visitor, PUBLIC), (he, PRIVATE[:-1])):
        for path in paths:
            who.open(path)
            titles.append(who.page.title())
            assert who.page.locator("table:not(:has(caption))").count() == 0, path
    assert len(set(titles)) == len(titles), titles


@pytest.mark.parametrize(
    "nome", ["Semespaço" * 20, "Maria de Vasconcellos " * 9 + "Filha", "יוסף אבו חסן", "Zé 🦜 “Ó”"]
)
def test_any_name_fits_a_narrow_screen(tab: Tabs, shared: Served, nome: str) -> None:
    with shared.house.begin(OPERATOR) as ctx:
        who = pessoa.by_cpf(ctx.db, shared.home.person("perito")["cpf"])
        assert who is not None
        who.nome = nome
        id = who.id
    she = tab(viewport={"width": 320, "height": 640}, java_script_enabled=True).log_in("cadastrador")
    for path in (f"/admin/pessoa/{id}", "/admin/pessoa"):
        she.open(path)
        assert she.page.evaluate("() => document.documentElement.scrollWidth") <= 320, path
        assert nome.strip() in she.page.locator("bdi", has_text=nome.strip()).first.inner_text()


def test_the_current_page_is_told_without_colour_where_the_reader_chose_the_colours(tab: Tabs) -> None:
    he = tab(forced_colors="active", java_script_enabled=True).log_in("cadastrador")
    borders = he.page.evaluate(
        "() => [...document.querySelectorAll('.menu-item')].map(e => getComputedStyle(e).borderBottomColor)"
    )
    assert borders.count(borders[1]) == 1, borders
    assert len(set(borders)) == 2


def test_the_printed_receipt_says_what_it_is_and_carries_no_form(tab: Tabs, shared: Served) -> None:
    she = tab().log_in("cadastrador")
    event(she, shared.home.person("chefia")["cpf"], "cessao", "PORT 14/2026")
    she.page.click("#confirmar")
    number = she.page.locator("dt:text('Recibo') + dd").first.inner_text()
    assert she.page.locator(".only-print").is_hidden()
    she.page.emulate_media(media="print")
    assert number in she.page.locator(".only-print").inner_text()
    assert she.page.locator("header").is_hidden()
    assert she.page.locator("#recibo").is_hidden()
