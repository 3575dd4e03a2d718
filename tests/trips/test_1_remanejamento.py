"""Trip 1: HR tells that somebody left; from that commit nothing answers for her, anywhere, and it can be proved."""

from __future__ import annotations

import json
import socket
import ssl
import threading

import pytest

from iam import sealer, search
from iam.atos import pessoa, vinculo
from iam.atos.conceder import conceder
from iam.demo.outsider import Pkce
from iam.demo.world import OPERATOR, PAPEIS
from iam.keys import b64url_decode, verify_jws
from iam.verification import verify
from tests.house import (
    Served,
    code_of,
    decide,
    introspect,
    login,
    provisioned,
    receipt,
    redeem,
    refresh,
    report,
    userinfo,
)


@pytest.mark.parametrize(
    ("tipo", "requirement"),
    [
        pytest.param("remanejamento", "MT128-13.1", marks=pytest.mark.requirement("MT128-13.1")),
        pytest.param("cessao", "MT128-13.2", marks=pytest.mark.requirement("MT128-13.2")),
        pytest.param("licenca_inicio", "MT128-13.3", marks=pytest.mark.requirement("MT128-13.3")),
        pytest.param("desligamento", "MT128-13.4", marks=pytest.mark.requirement("MT128-13.4")),
    ],
)
def test_code_refresh_introspection_userinfo_decision_and_session_all_end_at_once(
    served: Served, tipo: str, requirement: str
) -> None:
    she = login(served)
    pkce = Pkce.new()
    code = code_of(served, "servidora", "mt-nfe", pkce, she.browser)
    assert introspect(served, she.access)["active"] is True
    assert userinfo(served, she.access).status == 200
    assert decide(served, "servidora", "consultar", "mt-ipva")["decision"] is True
    provisioned(served)

    answer = report(served, tipo, "1")

    assert answer.status == 202
    assert introspect(served, she.access) == {"active": False}
    assert userinfo(served, she.access).status == 401
    assert refresh(served, she).json()["error"] == "invalid_grant"
    assert redeem(served, "mt-nfe", code, pkce, she.browser).json()["error"] == "invalid_grant"
    decision = decide(served, "servidora", "consultar", "mt-ipva")
    assert decision["decision"] is False
    assert "MT128-13" in json.dumps(decision["context"])
    page = she.browser.browse(she.browser.ask("GET", f"{served.issuer}/minhas"), "never")
    assert b'id="senha"' in page.body, "her session must be dead"
    who = served.home.person("servidora")
    again = served.outsider()
    page = again.submit(
        again.ask("GET", f"{served.issuer}/entrar"), "entrar", {"login": who["login"], "senha": who["password"]}
    )
    assert 400 <= page.status < 500
    assert "Art. 13" in page.body.decode()

    seen = receipt(served, str(answer.json()["recibo"]))
    target = served.house.targets["diretorio"]
    account = target.observe(who["login"])
    assert account is not None
    assert (account.enabled, account.perfis) == (False, frozenset())
    jws = str(seen["jws"])
    kid = json.loads(b64url_decode(jws.split(".", maxsplit=1)[0]))["kid"]
    keys = served.outsider().ask("GET", f"{served.issuer}/oauth/jwks").json()["keys"]
    assert isinstance(keys, list)
    signed = verify_jws(jws, next(k for k in keys if k["kid"] == kid))
    assert signed is not None
    assert json.loads(signed)["destinos"] == seen["destinos"]

    sealer.seal(served.house.database, served.house.keys, served.home.clock())
    lines = list(sealer.export(served.house.database, served.house.keys))
    assert verify(lines).whole
    assert any(line.get("requirement") == requirement for line in lines)


@pytest.mark.requirement("MT128-13.3")
@pytest.mark.parametrize(
    ("tipo", "volta"),
    [("licenca_inicio", "licenca_fim"), ("licenca_inicio", "retorno"), ("remanejamento", "nova_lotacao")],
)
def test_a_return_brings_back_no_access_and_above_all_no_old_token(served: Served, tipo: str, volta: str) -> None:
    she = login(served)
    assert report(served, tipo, "1").status == 202
    more = {"orgao_destino": "sefaz-mt-gcad", "matricula": "9001"} if volta == "nova_lotacao" else {}
    assert report(served, volta, "2", **more).status == 202
    assert introspect(served, she.access) == {"active": False}
    assert userinfo(served, she.access).status == 401
    assert refresh(served, she).json()["error"] == "invalid_grant"
    assert decide(served, "servidora", "consultar", "mt-ipva")["decision"] is False
    page = she.browser.browse(she.browser.ask("GET", f"{served.issuer}/minhas"), "never")
    assert b'id="senha"' in page.body


def test_no_token_is_born_after_the_cut_however_many_are_being_asked_for(served: Served) -> None:
    accounts = [login(served, app=app) for app in ("mt-ipva", "mt-nfe", "mt-itcd")]
    born: list[str] = []
    cut = threading.Event()
    after: list[str] = []

    def ask(i: int) -> None:
        account, app = accounts[i], ("mt-ipva", "mt-nfe", "mt-itcd")[i]
        while True:
            was_cut = cut.is_set()
            answer = refresh(served, account, app)
            if answer.status != 200:
                return
            account.tokens = {k: str(v) for k, v in answer.json().items()}
            (after if was_cut else born).append(account.access)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    assert report(served, "desligamento", "1").status == 202
    cut.set()
    for thread in threads:
        thread.join(120)
    assert after == []
    assert all(introspect(served, token) == {"active": False} for token in born)


def test_the_same_event_told_many_times_at_once_is_told_once(served: Served) -> None:
    answers: list[tuple[int, bytes]] = []

    def tell() -> None:
        answer = report(served, "cessao", "7")
        answers.append((answer.status, answer.body))

    threads = [threading.Thread(target=tell) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert {status for status, _ in answers} == {202}
    assert len({body for _, body in answers}) == 1
    with served.house.reading() as db:
        found = search.find(db, search.Filter(ato="pessoa:evento", requirement="MT128-13.2"))
    assert len(found) == 1


def test_an_offline_token_of_before_does_not_live_again_with_a_new_concessao(served: Served) -> None:
    she = login(served)
    assert report(served, "cancelamento", "1").status == 202
    assert introspect(served, she.access) == {"active": False}
    with served.house.begin(OPERATOR) as ctx:
        somebody = pessoa.by_cpf(ctx.db, served.home.person("servidora")["cpf"])
        assert somebody is not None
        tie = vinculo.vigentes(ctx.db, somebody.id, ctx.now)[0]
        conceder(
            ctx, somebody.id, "mt-ipva", "mt-operacao", vinculo=tie, origem="teste", fundamento="teste", papeis=PAPEIS
        )
    assert introspect(served, she.access) == {"active": False}
    assert refresh(served, she).json()["error"] == "invalid_grant"


def test_who_dawdles_over_a_body_keeps_nobody_waiting(served: Served) -> None:
    context = ssl.create_default_context(cafile=str(served.home.data / "ca.pem"))
    head = b"POST /api/pessoa/evento HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{"
    slow = []
    for _ in range(24):
        raw = socket.create_connection(("localhost", served.house.settings.port))
        slow.append(context.wrap_socket(raw, server_hostname="localhost"))
        slow[-1].sendall(head)
    try:
        assert served.outsider().ask("GET", f"{served.issuer}/").status == 200
    finally:
        for connection in slow:
            connection.close()
