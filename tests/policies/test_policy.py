"""Deny wins, silence is no, the strictest of several norms decides, and everything says why."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

from iam.ato import Ato
from iam.policy import PackError, Policy, load
from tests.policies.conftest import ACME, SHIPPED, Build, Write

BAD_CERTIFICATES = {
    "sem_certificado": "COTEC62-1-2-III.2",
    "certificado_expirado": "COTEC62-1-2-III.1",
    "certificado_ainda_nao_valido": "COTEC62-1-2-III.1",
    "certificado_revogado": "COTEC62-1-2-III.1",
    "certificado_desconhecido": "COTEC62-1-2-III.1",
    "certificado_nao_cadastrado": "COTEC62-4-II.2",
    "certificado_de_outro_client": "COTEC62-4-II.2",
    "estado_do_certificado_indisponivel": "COTEC62-1-2-III.1",
    "client_desconhecido": "COTEC62-1-1.1",
    "escopo_nao_concedido": "COTEC62-1-1.2",
}


@pytest.mark.parametrize(("word", "source"), BAD_CERTIFICATES.items(), ids=BAD_CERTIFICATES)
def test_one_bad_fact_refuses_whatever_else_is_good(policy: Policy, word: str, source: str) -> None:
    assert policy.decide({"client_mtls"}, Ato.TOKEN_EMITIR, "pucomex").allowed
    refused = policy.decide({"client_mtls", word}, Ato.TOKEN_EMITIR, "pucomex")
    assert (refused.allowed, refused.source.requirement, refused.papel) == (False, source, word)
    assert refused.missing
    assert "Portaria Cotec nº 62/2020" in refused.reason_user
    elsewhere = policy.decide({"client_mtls", word}, Ato.TOKEN_EMITIR, "portaria")
    assert (elsewhere.allowed, elsewhere.source.pack) == (False, "casa")


def test_reasons_are_portuguese_and_name_the_article(policy: Policy) -> None:
    refused = policy.decide({"client_mtls", "certificado_expirado"}, "token:emitir", "pucomex")
    assert refused.reason_user == "Certificado vencido: recusado (Portaria Cotec nº 62/2020, Art. 1 §2 III)."
    assert refused.missing == ("apresentar um certificado dentro da validade",)
    assert "cotec62/rules.csv:" in refused.reason_admin
    assert "Certificado Digital emitido pelas autoridades certificadoras" in refused.reason_admin
    assert {s.pack for s in refused.sources} == {"cotec62", "casa"}


def test_a_person_out_is_refused_by_article_13_in_every_mt_system(policy: Policy) -> None:
    for word in ("pessoa_fora", "vinculo_encerrado"):
        for act in ("token:emitir", "consultar", "suprimir"):
            refused = policy.decide({"pessoa_autenticada", "mt-manutencao", word}, act, "mt-nfe")
            assert (refused.allowed, refused.source.article) == (False, "Art. 13")


@pytest.mark.parametrize("sistema", ["mt-ipva", "tram", "vfr", "dec"])
def test_a_weak_login_is_refused_and_told_what_is_missing(policy: Policy, sistema: str) -> None:
    refused = policy.decide({"pessoa_autenticada", "acr_insuficiente"}, "token:emitir", sistema)
    assert refused.source.requirement == ("DEC7-3.1" if sistema == "dec" else "GAP-ALL-01")
    factors = "certificado ICP-Brasil" if sistema == "dec" else "senha e segundo fator, ou com certificado ICP-Brasil"
    assert refused.missing == (f"entrar de novo com {factors}",)


def test_silence_is_no_and_still_has_a_source(policy: Policy) -> None:
    asked = [
        (set(), "COANA-F05", "vfr", "COANA-F05"),
        ({"auditor"}, "alterar", "mt-ipva", "MT128-2-II.2"),
        ({"anonimo"}, "token:emitir", "mt-ipva", "MT128-2-II.1"),
        ({"anonimo"}, "token:emitir", "pucomex", "COTEC62-1"),
        ({"cadastrador"}, "voar", "lua", "CASA-01"),
        ({"pessoa_autenticada"}, "diario:ler", "*", "CASA-01"),
    ]
    for words, act, obj, source in asked:
        decision = policy.decide(words, act, obj)
        assert (decision.allowed, decision.source.requirement, decision.papel) == (False, source, "")
        assert decision.missing
        assert decision.source.article in decision.reason_user
        assert decision.sources == (decision.source,)


def test_who_could_is_said_when_nobody_was_allowed(policy: Policy) -> None:
    assert "agir como auditor, por CASA-07 (regra da casa)" in policy.decide({"chefia"}, "diario:ler", "*").missing
    perito = policy.decide({"coana-perito"}, "COANA-F15", "vfr")
    gestao = "Local ou Recinto Alfandegado - Gestão (coana-recinto-gestao)"
    source = "COANA-F15 (Matriz de funcionalidades, linha 15)"
    assert perito.missing == (f"ter em vigor o perfil {gestao}, por {source}",)


def test_the_right_machine_for_each_interface(policy: Policy) -> None:
    allowed = {
        ("client:rh", Ato.PESSOA_EVENTO),
        ("client:auditoria", Ato.DIARIO_LER),
        ("client:decisoes", Ato.DECISAO_CONSULTAR),
        ("client:decisoes", Ato.TOKEN_INTROSPECTAR),
    }
    machines = ("client:rh", "client:auditoria", "client:decisoes")
    acts = (Ato.PESSOA_EVENTO, Ato.DIARIO_LER, Ato.DECISAO_CONSULTAR, Ato.TOKEN_INTROSPECTAR)
    for word, act in itertools.product(machines, acts):
        assert policy.decide({word}, act, "portaria").allowed == ((word, act) in allowed)
    assert policy.decide({"client:rh", "fonte_alheia"}, Ato.PESSOA_EVENTO, "portaria").source.requirement == "CASA-06"
    assert policy.scopes_of("client:rh", "portaria").keys() == {"pessoa:evento"}


def test_nobody_acts_for_oneself(policy: Policy) -> None:
    refused = policy.decide({"cadastrador", "o_proprio"}, Ato.CONCESSAO_CONCEDER, "mt-ipva")
    assert (refused.allowed, refused.source.requirement) == (False, "GAP-MT-15")
    assert refused.missing == ("que o ato caiba a outro que não a própria pessoa",)
    assert not policy.decide({"cadastrador", "sem_autorizacao_do_gestor"}, Ato.CONCESSAO_CONCEDER, "mt-ipva").allowed
    assert not policy.decide({"operador"}, Ato.CONCESSAO_CONCEDER, "mt-ipva").allowed


def test_every_act_has_who_may_do_it(policy: Policy) -> None:
    for ato in Ato:
        words = {r.sub for p in policy.packs.values() for r in p.rules if r.act == ato and r.allow}
        assert words, ato


def test_limits_are_the_strictest_of_those_who_speak(policy: Policy) -> None:
    assert policy.limit("access_token").value == "PT5M"
    assert policy.limit("access_token", "mt-ipva").duration.total_seconds() == 300
    assert str(policy.limit("session_idle").source) == "MT128-16-2.2 (Art. 16 §2)"
    assert policy.limit("guarda", "tram").value == "P5Y"
    assert policy.limit("tentativas").number == 5
    with pytest.raises(KeyError):
        policy.limit("nada")


@pytest.mark.parametrize(
    ("sistema", "acr"),
    [
        ("pucomex", "icp-brasil"),
        ("dec", "icp-brasil"),
        ("mt-ipva", "mfa"),
        ("tram", "mfa"),
        ("vfr", "mfa"),
        ("novo", "mfa"),
    ],
)
def test_each_sistema_has_its_weakest_login(policy: Policy, sistema: str, acr: str) -> None:
    assert policy.acr(sistema).value == acr
    assert policy.limit("acr", "dec:comunicacao.expedir.simplificado").value == "mfa"


@pytest.mark.requirement("MT128-1.2")
def test_between_norms_about_one_access_the_stricter_decides_in_any_order(acme: Write, with_house: Build) -> None:
    toml = ACME["pack.toml"].replace('["acme", "acme-*"]', '["acme", "mt-ipva"]')
    rules = ACME["rules.csv"] + "de_ferias,token:emitir,mt-ipva,deny,ACME-2\n"
    limits = (
        ACME["limits.csv"]
        + "mt-ipva,session_idle,PT5M,ACME-1\nmt-ipva,acr,senha,ACME-1\nmt-ipva,access_token,PT1H,ACME-1\n"
    )
    stricter = acme({"pack.toml": toml, "rules.csv": rules, "limits.csv": limits})
    for names in (("mt128",), ("mt128", "coana"), ("coana", "mt128")):
        policy = with_house(stricter, names=names)
        assert policy.decide({"pessoa_autenticada"}, "token:emitir", "mt-ipva").source.pack == "mt128"
        refused = policy.decide({"pessoa_autenticada", "de_ferias"}, "token:emitir", "mt-ipva")
        assert (refused.allowed, refused.source.requirement) == (False, "ACME-2")
        assert policy.decide({"pessoa_autenticada", "de_ferias"}, "token:emitir", "mt-nfe").allowed
        assert policy.limit("session_idle", "mt-ipva").value == "PT5M"
        assert policy.limit("session_idle", "mt-nfe").value == "PT15M"
        # What is laxer than another norm changes nothing.
        assert policy.acr("mt-ipva").value == "mfa"
        assert policy.limit("access_token", "mt-ipva").value == "PT5M"


def test_a_norm_allows_nothing_on_an_orgao_of_another(acme: Write, with_house: Build) -> None:
    toml = ACME["pack.toml"].replace('["acme-rh"]', '["acme-rh", "sefaz-mt*"]')
    rules = ACME["rules.csv"] + "acme-leitor,pessoa:evento,sefaz-mt-gcad,allow,ACME-1\n"
    with pytest.raises(PackError, match="`sefaz-mt-gcad` is of pack `mt128`: another may only deny"):
        with_house(acme({"pack.toml": toml, "rules.csv": rules}), names=("mt128",))


def test_the_order_of_the_configuration_changes_nothing() -> None:
    one, other = load(SHIPPED), load(reversed(SHIPPED))
    for pack in one.packs.values():
        for case in pack.cases:
            assert one.decide(case.words, case.act, case.obj) == other.decide(case.words, case.act, case.obj)
    assert one.effects("desligamento") == other.effects("desligamento")
    assert one.limit("guarda") == other.limit("guarda")


def test_a_norm_decides_only_while_it_is_in_force() -> None:
    before = load(SHIPPED, date(2024, 4, 14))
    assert "tram" not in before.packs
    assert not before.decide({"tram-gestor"}, "gestao", "tram").allowed
    assert before.sistema("tram") is None
    assert "fora de vigência: é lido, mas não decide" in next(c for c in before.check() if c.pack == "tram").warnings
    assert before.article("TRAM-12-IV.3").pack == "tram"
    assert load(SHIPPED, date(2024, 4, 15)).decide({"tram-gestor"}, "gestao", "tram").allowed


def test_the_old_norm_stays_readable_after_its_last_day(acme: Write, with_house: Build) -> None:
    from iam.pack import find, read
    from iam.policy import build

    folder = acme({"pack.toml": ACME["pack.toml"].replace("sistemas", "until = 2025-12-31\nsistemas", 1)})
    packs = [read(find("casa")), read(folder)]
    assert build(packs, date(2025, 12, 31)).decide({"acme-leitor"}, "acme.ler", "acme").allowed
    after = build(packs, date(2026, 1, 1))
    assert not after.decide(set(), "acme.ler", "acme").allowed
    assert after.article("ACME-2").article == "Art. 2"


def test_explain_shows_every_line_with_its_place_and_who_could(policy: Policy) -> None:
    told = policy.explain({"coana-perito", "sem_termo"}, "COANA-F07", "vfr")
    assert not told.decision.allowed
    assert len(told.lines) == 2
    assert all("coana/rules.csv:" in line for line in told.lines)
    assert "sem_termo, COANA-F07, vfr, deny, COANA-T.1" in told.lines[0]
    assert any("coana-recinto-execucao" in who for who in told.could)
    assert told.article.text.startswith("Termo de Responsabilidade e Confidencialidade")


def test_the_effect_of_an_event_is_a_decision_with_its_article(policy: Policy) -> None:
    decision = policy.decide_effect(policy.effects("cessao")[0])
    assert decision.allowed
    assert str(decision.source) == "MT128-13.2 (Art. 13)"
