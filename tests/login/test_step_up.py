"""What is offered is what leads in: the certificate where it is demanded, enrolment to who has no second factor."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from iam.atos import credencial, pessoa
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.papel import OPERADOR
from iam.demo.outsider import Answer, Outsider, Pkce, query
from iam.demo.world import OPERATOR, PAPEIS
from iam.login import password, totp
from tests.house import Served, redeem, request_of

SENHA = "o vento leva as folhas"


def asked(served: Served, browser: Outsider, pkce: Pkce | None = None, **more: str) -> Answer:
    """Where an application sends its person."""
    app = served.world.apps["mt-ipva"]
    start = f"{served.issuer}/oauth/authorize?{urlencode(request_of(app, pkce or Pkce.new(), **more))}"
    return browser.browse(browser.ask("GET", start), str(app["redirect_uri"]))


def enter(served: Served, browser: Outsider, role: str = "servidora", page: Answer | None = None) -> Answer:
    """Both factors, on the page given or on our own; answers the page after."""
    who, stop = served.home.person(role), str(served.world.apps["mt-ipva"]["redirect_uri"])
    page = page or browser.ask("GET", f"{served.issuer}/entrar")
    page = browser.browse(browser.submit(page, "entrar", {"login": who["login"], "senha": who["password"]}), stop)
    served.home.clock.move(seconds=31)
    code = totp.code(who["totp"], served.home.clock())
    return browser.browse(browser.submit(page, "entrar", {"codigo": code}), stop)


def arrived(page: Answer) -> bool:
    """Whether the login is over for the application: its code, or the question what it may have."""
    return "code" in query(page.url) or b'id="consentir"' in page.body


def newcomer(served: Served, cpf: str, login: str) -> None:
    """Somebody with a password of her own and no authenticator, who holds the application's perfil."""
    with served.house.begin(OPERATOR) as ctx:
        who = pessoa.cadastrar(ctx, cpf, "Nova Pessoa", login, origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, who.id, "sefaz-mt-gipva", "7", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        conceder(
            ctx, who.id, "mt-ipva", "mt-consulta", vinculo=tie, origem="teste", fundamento="MT128-8.1", papeis=PAPEIS
        )
        hashed = password.hash(SENHA).encode()
        credencial.cadastrar(ctx, who.id, credencial.SENHA, segredo=hashed, papeis=OPERADOR)


def test_where_a_certificate_is_demanded_no_password_is_asked_for_and_the_reason_names_who_demands_it(
    shared: Served,
) -> None:
    page = asked(shared, shared.outsider(), acr_values="icp-brasil")
    said = page.body.decode()
    assert page.status == 200
    assert 'id="certificado"' in said
    assert 'id="senha"' not in said
    assert "<strong>IPVA" in said
    assert "do sistema <strong>IPVA</strong>, pede certificado ICP-Brasil: senha e código não bastam" in said


def test_a_sistema_whose_minimum_is_the_certificate_is_named_as_the_one_that_demands_it(
    shared: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = shared.house.policy.limit

    monkeypatch.setattr(
        type(shared.house.policy),
        "limit",
        lambda _, name, obj="*": limit(name, "pucomex" if (name, obj) == ("acr", "mt-ipva") else obj),
    )
    said = asked(shared, shared.outsider()).body.decode()
    sistema = shared.house.policy.sistema("mt-ipva")
    assert sistema is not None
    assert f"O sistema <strong>{sistema.nome}</strong> exige certificado ICP-Brasil" in said
    assert 'id="senha"' not in said


def test_a_password_sent_anyway_is_not_even_tried(shared: Served) -> None:
    she, who = shared.outsider(), shared.home.person("servidora")
    page = asked(shared, she, acr_values="icp-brasil")
    form = she.ask("GET", f"{shared.issuer}/entrar")
    fields = {"login": who["login"], "senha": who["password"], "pedido": query(page.url)["pedido"]}
    answer = she.submit(form, "entrar", fields)
    assert answer.status == 422
    assert "Aqui não se entra com senha" in answer.body.decode()
    assert 'id="certificado"' in answer.body.decode()
    assert "__Host-portaria" not in she.cookies


def test_who_entered_with_password_and_code_is_told_to_step_up_and_the_certificate_carries_the_request_on(
    shared: Served,
) -> None:
    who, stop, pkce = shared.home.person("servidora"), str(shared.world.apps["mt-ipva"]["redirect_uri"]), Pkce.new()
    she = Outsider(shared.home.data / "ca.pem", who["cert"], who["key"])
    shared.met.append(she)
    assert enter(shared, she).url.endswith("/minhas")
    before = she.cookies["__Host-portaria"]
    page = asked(shared, she, pkce, acr_values="icp-brasil")
    assert "você entrou com senha e código, e isso não basta" in page.body.decode()
    assert 'id="senha"' not in page.body.decode()
    link = page.body.decode().split('id="certificado" href="')[1].split('"')[0].replace("&amp;", "&")
    page = she.browse(she.ask("GET", link), stop)
    if b'id="consentir"' in page.body:
        page = she.browse(she.submit(page, "consentir", {}), stop)
    assert "code" in query(page.url), page
    assert she.cookies["__Host-portaria"] != before
    assert redeem(shared, "mt-ipva", query(page.url)["code"], pkce, she).status == 200


def test_who_has_no_second_factor_is_led_to_enrol_one_and_then_arrives(shared: Served) -> None:
    newcomer(shared, "52998224725", "nova.pessoa")
    she, stop = shared.outsider(), str(shared.world.apps["mt-ipva"]["redirect_uri"])
    page = asked(shared, she)
    page = she.browse(she.submit(page, "entrar", {"login": "nova.pessoa", "senha": SENHA}), stop)
    said = page.body.decode()
    assert page.status == 200, "not a refusal"
    assert "exige dois fatores, e você entrou somente com a senha" in said
    assert 'id="certificado"' in said
    again = asked(shared, she).body.decode()
    assert "exige dois fatores" in again, "and so whenever the application asks again"

    seed = said.split('<code id="chave">')[1].split("<")[0]
    wrong = she.submit(page, "cadastrar", {"codigo": "000000"})
    assert "exige dois fatores" in wrong.body.decode(), "a mistyped code does not forget where she was going"
    code = totp.code(seed, shared.home.clock())
    page = she.browse(she.submit(wrong, "cadastrar", {"codigo": code}), stop)
    assert "Entre com a senha e o código" in page.body.decode()
    page = she.browse(she.submit(page, "entrar", {"login": "nova.pessoa", "senha": SENHA}), stop)
    shared.home.clock.move(seconds=31)
    code = totp.code(seed, shared.home.clock())
    page = she.browse(she.submit(page, "entrar", {"codigo": code}), stop)
    assert b'id="consentir"' in page.body, page


def test_our_own_pages_lead_to_enrolment_too_and_back_to_where_she_was_going(shared: Served) -> None:
    newcomer(shared, "11144477735", "outra.pessoa")
    she = shared.outsider()
    page = she.browse(she.ask("GET", f"{shared.issuer}/admin/diario?pagina=2"), "never")
    page = she.browse(she.submit(page, "entrar", {"login": "outra.pessoa", "senha": SENHA}), "never")
    said = page.body.decode()
    assert "aqui se exigem dois fatores" in said
    assert 'name="volta" value="/admin/diario?pagina=2"' in said


def test_a_second_tab_that_waited_for_the_login_goes_on_with_it_instead_of_asking_again(shared: Served) -> None:
    she = shared.outsider()
    one, other = asked(shared, she), asked(shared, she)
    assert arrived(enter(shared, she, page=one))
    cookie = she.cookies["__Host-portaria"]
    assert arrived(she.browse(she.ask("GET", other.url), str(shared.world.apps["mt-ipva"]["redirect_uri"])))
    assert she.cookies["__Host-portaria"] == cookie


def test_an_application_that_wants_a_new_login_gets_one(shared: Served) -> None:
    she = shared.outsider()
    enter(shared, she)
    shared.home.clock.move(seconds=1)
    page = asked(shared, she, prompt="login")
    assert b'id="senha"' in page.body
    assert arrived(enter(shared, she, page=page))


def test_a_certificate_that_is_refused_says_why_and_leads_back_to_the_request(shared: Served) -> None:
    she = shared.outsider()
    page = asked(shared, she)
    link = page.body.decode().split('id="certificado" href="')[1].split('"')[0].replace("&amp;", "&")
    answer = she.browse(she.ask("GET", link), "never")
    said = answer.body.decode()
    assert answer.status == 403
    assert "CASA-03" in said
    back = said.split('class="br-button primary" href="')[1].split('"')[0]
    assert back == page.url
    assert b'id="senha"' in she.ask("GET", back).body
