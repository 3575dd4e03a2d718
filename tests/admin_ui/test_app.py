"""The edge of the screens: headers, forged forms, methods, sizes, hostile input, a provisional password."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import quote

import orjson
import pytest
from sqlalchemy import select

from admin_ui import app
from admin_ui.visit import Screen, Visit
from iam.atos import credencial, pessoa
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.fonte import Fonte
from iam.atos.papel import OPERADOR
from iam.demo.outsider import Outsider
from iam.demo.world import OPERATOR, PAPEIS
from iam.http import Response
from iam.login import password
from iam.search import Filter, find
from tests.admin_ui.conftest import Tab
from tests.house import Home, Served, login

Tabs = Callable[..., Tab]
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def provisional(shared: Served, login: str, cpf: str, *, hours: int = 72) -> str:
    """Somebody new, with a provisional password."""
    senha = password.provisional()
    with shared.house.begin(OPERATOR) as ctx:
        who = pessoa.cadastrar(ctx, cpf, "Íris <b>Nova</b>", login, origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, who.id, "sefaz-mt-gipva", "77", tipo="externo", de=ctx.now, fonte="teste", papeis=OPERADOR)
        conceder(
            ctx,
            who.id,
            "mt-ipva",
            "mt-consulta",
            vinculo=tie,
            origem="<script>alert(1)</script>",
            fundamento="MT128-8.1",
            papeis=PAPEIS,
        )
        credencial.cadastrar(
            ctx,
            who.id,
            credencial.SENHA,
            segredo=password.hash(senha).encode(),
            provisoria=True,
            expira_em=ctx.now + timedelta(hours=hours),
            papeis=OPERADOR,
        )
    return senha


def enter(shared: Served, login: str, senha: str) -> tuple[Outsider, bytes, int]:
    """The first step of a login without a browser."""
    she = shared.outsider()
    page = she.ask("GET", f"{shared.issuer}/entrar")
    page = she.browse(she.submit(page, "entrar", {"login": login, "senha": senha}), "never")
    return she, page.body, page.status


@pytest.mark.parametrize("path", ["/", "/entrar", "/acessibilidade", "/nao-existe", "/static/portaria.css"])
def test_every_answer_forbids_scripts_sniffing_framing_and_other_hosts(shared: Served, path: str) -> None:
    sent = shared.outsider().ask("GET", f"{shared.issuer}{path}").headers
    policy = dict(part.strip().split(" ", 1) for part in sent["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert "unsafe-inline" not in sent["content-security-policy"]
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert "script-src" not in policy
    assert sent["x-content-type-options"] == "nosniff"
    assert "max-age" in sent["strict-transport-security"]
    assert "server" not in sent or "werkzeug" not in sent["server"].lower()


def test_private_pages_are_never_stored(shared: Served) -> None:
    for path in ("/entrar", "/minhas", "/admin/diario"):
        assert shared.outsider().ask("GET", f"{shared.issuer}{path}").headers["cache-control"] == "no-store"


@pytest.mark.parametrize("token", ["", "csrf=", "csrf=" + "0" * 64])
def test_a_form_without_the_token_of_its_browser_is_refused_and_nothing_is_done(shared: Served, token: str) -> None:
    she, who = shared.outsider(), shared.home.person("servidora")
    she.ask("GET", f"{shared.issuer}/entrar")
    body = f"{token}&login={who['login']}&senha={who['password']}"
    answer = she.ask("POST", f"{shared.issuer}/entrar", body.encode(), FORM)
    assert answer.status == 403
    assert "Nada foi feito" in answer.body.decode()


def test_the_token_of_one_browser_is_worth_nothing_in_another(shared: Served) -> None:
    one, other = shared.outsider(), shared.outsider()
    token = re.search(rb'name="csrf" value="(\w+)"', one.ask("GET", f"{shared.issuer}/entrar").body)
    other.ask("GET", f"{shared.issuer}/entrar")
    assert token is not None
    answer = other.form(f"{shared.issuer}/entrar", {"csrf": token[1].decode(), "login": "a", "senha": "b"})
    assert answer.status == 403
    assert b"Nada foi feito" in answer.body


def test_a_form_posted_from_another_site_is_refused_even_with_the_token(shared: Served) -> None:
    she = shared.outsider()
    token = re.search(rb'name="csrf" value="(\w+)"', she.ask("GET", f"{shared.issuer}/entrar").body)
    assert token is not None
    fields = {"csrf": token[1].decode(), "login": "a", "senha": "b"}
    for header in ({"Origin": "https://outro.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert b"Nada foi feito" in she.form(f"{shared.issuer}/entrar", fields, header).body


def test_a_forged_form_is_in_the_journal_under_the_name_of_whose_browser_sent_it(home: Home, served: Served) -> None:
    she, stranger = login(served).browser, served.outsider()
    for who, path in ((she, "/sair"), (stranger, "/entrar")):
        answer = who.form(f"{served.issuer}{path}", {"csrf": "0" * 64}, {"User-Agent": "navegador"})
        assert answer.status == 403
    home.house.recorder.flush()
    with home.house.reading() as db:
        found = [entry for entry, _ in find(db, Filter(requirement="CASA-16"))]
        her = pessoa.by_cpf(db, home.person("servidora")["cpf"])
    assert her is not None
    assert {(e.ato, e.agente) for e in found} == {
        ("sessao:encerrar", f"pessoa:{her.id}"),
        ("sessao:abrir", "anonimo:"),
    }
    assert not any(e.allowed for e in found)
    stations = [orjson.loads(e.payload or b"{}")["estacao"] for e in found]
    assert {(s["address"], s["user_agent"]) for s in stations} == {("127.0.0.1", "navegador")}
    assert she.ask("GET", f"{served.issuer}/minhas").status == 200, "the session goes on"


def test_every_form_says_what_it_asks_for() -> None:
    assert [s.path for s in app.SCREENS if (s.method == "POST") != (s.ato is not None)] == []


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/", 405),
        ("DELETE", "/entrar", 405),
        ("PUT", "/minhas", 405),
        ("GET", "/admin/pendencia/x", 405),
        ("GET", "/nao/existe", 404),
        ("GET", "/norma/inexistente", 404),
        ("GET", "/consentir?pedido=x", 303),
        ("GET", "/entrar?pedido=inexistente", 404),
        ("GET", "/entrar?a=1&a=2", 400),
        ("GET", "/entrar?a=%ff", 400),
    ],
)
def test_what_cannot_be_answered_says_so_with_the_right_status_and_in_the_same_look(
    shared: Served, method: str, path: str, status: int
) -> None:
    answer = shared.outsider().ask(method, f"{shared.issuer}{path}", b"" if method != "GET" else None, FORM)
    assert answer.status == status
    if status != 303:
        assert 'lang="pt-BR"' in answer.body.decode()
        assert "br-header" in answer.body.decode()


def test_a_body_that_is_too_large_or_no_form_is_refused(shared: Served) -> None:
    she = shared.outsider()
    she.ask("GET", f"{shared.issuer}/entrar")
    assert she.ask("POST", f"{shared.issuer}/entrar", b"login=" + b"a" * 100_000, FORM).status == 413
    assert she.ask("POST", f"{shared.issuer}/entrar", b"{}", {"Content-Type": "application/json"}).status == 400


@pytest.mark.parametrize(
    "volta", ["https://mal.example/", "//mal.example", "/\\mal.example", "javascript:alert(1)", "/\r\nx"]
)
def test_login_never_leads_out_of_this_server(shared: Served, volta: str) -> None:
    page = shared.outsider().ask("GET", f"{shared.issuer}/entrar?volta={quote(volta)}").body.decode()
    assert 'name="volta"' not in page


def test_hostile_text_is_shown_as_text_everywhere(shared: Served) -> None:
    she = shared.outsider()
    attack = '"><script>alert(1)</script>'
    for path in ("/?busca=", "/entrar?volta=", "/entrar?passo=", "/norma/"):
        assert b"<script" not in she.ask("GET", f"{shared.issuer}{path}{quote(attack)}").body
    page = she.ask("GET", f"{shared.issuer}/entrar")
    answer = she.submit(page, "entrar", {"login": attack, "senha": "x"})
    assert answer.status == 403
    assert b"<script" not in answer.body
    assert b"&lt;script&gt;" in answer.body


@pytest.mark.requirement("MT128-10-2.3")
def test_a_provisional_password_serves_once_and_only_to_choose_another(shared: Served) -> None:
    senha = provisional(shared, "iris.nova", "52998224725")
    she, body, status = enter(shared, "iris.nova", senha)
    assert status == 200
    assert b'id="nova_senha"' in body
    assert b'id="sair"' not in body, "nobody is in yet"
    out = she.browse(she.ask("GET", f"{shared.issuer}/minhas"), "never")
    assert b'id="senha"' in out.body, "no page opens with it"
    page = she.ask("GET", f"{shared.issuer}/entrar?passo=nova_senha")
    weak = she.submit(page, "entrar", {"nova_senha": "123456", "repetida": "123456"})
    assert weak.status == 422
    assert "pelo menos 12 caracteres" in weak.body.decode()
    nova = "o rio corre para o mar"
    chosen = she.browse(she.submit(page, "entrar", {"nova_senha": nova, "repetida": nova}), "never")
    assert "A nova senha foi gravada" in chosen.body.decode()

    assert enter(shared, "iris.nova", senha)[2] == 403, "used up"
    _, body, status = enter(shared, "iris.nova", nova)
    assert status == 200
    assert b"autenticador" in body, "the second factor is enrolled before anything else"

    late = provisional(shared, "iris.tarde", "11144477735", hours=0)
    assert enter(shared, "iris.tarde", late)[2] == 403, "expired"


@pytest.mark.real("chromium")
def test_hostile_names_in_the_database_are_shown_as_text(tab: Tabs, shared: Served) -> None:
    provisional(shared, "iris.hostil", "12345678909")
    she = tab().log_in("cadastrador")
    she.open("/admin/pessoa?busca=iris.hostil")
    she.page.locator("tbody a").first.click()
    assert "Íris <b>Nova</b>" in she.text()
    assert "<script>alert(1)</script>" in she.text()
    assert "MT128-8.1" in she.text(), "the ground is quoted from the norm"


def test_a_defect_shows_nothing_of_itself_undoes_its_work_and_leaves_the_database_free(
    home: Home, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(visit: Visit) -> Response:
        with visit.begin() as ctx:
            ctx.db.add(Fonte(id="nunca", nome="nunca"))
            ctx.db.flush()
            ctx.db.execute(select(Fonte.id))
            raise RuntimeError("segredo interno")

    monkeypatch.setattr(app, "SCREENS", (*app.SCREENS, Screen("GET", "/quebrada", broken, public=True)))
    answer = app.create_app(home.house).test_client().get("/quebrada", base_url=home.house.settings.issuer)
    assert answer.status_code == 500
    assert "Erro interno" in answer.text
    assert "segredo interno" not in answer.text
    assert "segredo interno" in caplog.text, "whoever runs the server can find it"
    with home.house.begin(OPERATOR) as ctx:
        assert ctx.db.get(Fonte, "nunca") is None
