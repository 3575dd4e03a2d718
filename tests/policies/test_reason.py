"""A no by silence says what is wanting to this subject, for this ação, on this sistema; and tells the person in her own terms."""

from __future__ import annotations

import pytest

from iam.policy import Policy
from tests.policies.conftest import ACME, Build, Write

ONLY_THERE = ("linha de comando", "cliente", "client ", "worker", "próprio sistema", "/admin")
"""What only a program or the installation can be or do, and addresses of pages."""


def test_who_holds_another_perfil_is_told_the_one_that_would_do_with_its_article(policy: Policy) -> None:
    no = policy.decide({"mt-consulta"}, "suprimir", "mt-ipva")
    assert no.missing == ("ter em vigor o perfil Manutenção (mt-manutencao), por MT128-2-II.2 (Art. 2 II)",)
    assert no.reason_user == "Isto cabe ao perfil “Manutenção” (Portaria nº 128/2005-SEFAZ/MT, Art. 2 II)."


@pytest.mark.parametrize(
    ("act", "sistema", "perfis"),
    [
        ("alterar", "mt-nfe", {"mt-manutencao", "mt-operacao"}),
        ("DIMPCONSEF", "pucomex", {"DIMPCONSEF"}),
        ("COANA-F13", "vfr", {
            "coana-rfb-administracao", "coana-rfb-gestao-operacional", "coana-rfb-verificacao-fisica", "coana-recinto-gestao",
        }),
        ("decisao", "tram", {"tram-autoridade-origem", "tram-autoridade-controle"}),
        ("comunicacao.expedir", "dec", {"dec-responsavel-comunicacao"}),
    ],
)  # fmt: skip
def test_who_holds_nothing_lacks_one_of_the_perfis_that_this_very_sistema_gives(
    policy: Policy, act: str, sistema: str, perfis: set[str]
) -> None:
    no = policy.decide({"sem_concessao"}, act, sistema)
    assert not no.allowed
    if sistema == "pucomex":
        assert no.source.requirement == "COTEC62-1"
    assert len(no.missing) == len(perfis)
    assert all(any(f"({perfil}), por {no.source.pack.upper()}" in m for m in no.missing) for perfil in perfis)
    assert perfis <= {p.id for p in policy.perfis(sistema)}


@pytest.mark.parametrize(
    ("word", "act", "sistema", "said", "missing"),
    [
        ("pessoa_fora", "viagem.ler", "tram", "Pessoa sem vínculo ativo: recusado", "ter um vínculo ativo e nova habilitação"),
        ("pessoa_fora", "COANA-F01", "vfr", "Pessoa sem vínculo ativo: recusado", "ter um vínculo ativo e nova habilitação"),
        ("client_suspenso", "gestao", "tram", "Client suspenso: recusado", "ter o client reativado por quem o suspendeu"),
        ("restricao_alheia", "gestao", "tram", "Fora daquilo a que", "agir naquilo a que a concessão se restringe"),
        ("sem_procuracao", "certidao.emitir", "dec", "Acesso em nome de outro", "ter procuração digital em vigor, emitida no próprio DEC"),
    ],
)  # fmt: skip
def test_what_bars_the_subject_is_what_is_missing_and_no_perfil_beside_it(
    policy: Policy, word: str, act: str, sistema: str, said: str, missing: str
) -> None:
    no = policy.decide({word}, act, sistema)
    assert (no.allowed, no.papel, no.missing) == (False, "", (missing,))
    assert no.reason_user.startswith(said)


def test_an_action_or_a_sistema_that_no_norm_knows_is_told_as_such(policy: Policy) -> None:
    for words in (set[str](), {"mt-consulta"}, {"sem_concessao"}, {"pessoa_fora"}):
        for act in ("voar", "COANA-F01", "viagem.ler"):
            no = policy.decide(words, act, "mt-ipva")
            assert no.missing == ("pedir uma ação que o sistema tenha: consultar, inserir, alterar, suprimir",)
            assert no.reason_user.startswith("Esta ação não existe no sistema IPVA (")
        for act in ("voar", "consultar"):
            no = policy.decide(words, act, "mt-lua")
            assert no.missing == ("perguntar por um sistema que conste das normas em vigor",)
            assert no.reason_user.startswith("Este sistema não consta das normas em vigor (")


@pytest.mark.parametrize(
    "act", ["diario:ler", "pessoa:consultar", "recibo:ler", "evento:desfazer", "pendencia:decidir"]
)
def test_a_person_is_told_what_a_person_can_come_to_be(policy: Policy, act: str) -> None:
    no = policy.decide({"pessoa_autenticada"}, act, "portaria")
    assert "agir como cadastrador, por " in " ".join(no.missing)
    for text in (*no.missing, no.reason_user):
        assert not any(word in text for word in ONLY_THERE), text
        assert "própria pessoa" not in text


def test_a_program_is_told_what_a_program_can_come_to_be(policy: Policy) -> None:
    no = policy.decide({"client:rh"}, "diario:ler", "portaria")
    assert no.missing == ("usar um client com o escopo diario, por CASA-07 (regra da casa)",)
    no = policy.decide({"client:rh"}, "orgao:cadastrar", "portaria")
    assert no.missing == ("que o ato seja de outro: cadastrador, operador da instalação",)


def test_only_a_perfil_that_the_sistema_grants_is_offered(acme: Write, with_house: Build) -> None:
    """A line may name a family of sistemas that is wider than the perfil's own."""
    systems = ACME["systems.csv"] + "acme-2,Acme 2,acme-rh,RH,,Sistema,,ACME-1\n"
    profiles = ACME["profiles.csv"] + "acme-geral,Geral,acme*,,,ACME-1\n"
    functions = ACME["functions.csv"].replace("acme.ler,acme,", "acme.ler,acme*,")
    rules = "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme*,allow,ACME-1\nacme-geral,acme.ler,acme*,allow,ACME-1\n"
    rules += "de_ferias,acme.ler,acme*,deny,ACME-2\n"
    toml = ACME["pack.toml"].replace('["acme", "acme-*"]', '["acme", "acme-*", "acme*"]')
    given = {"systems.csv": systems, "profiles.csv": profiles, "functions.csv": functions, "rules.csv": rules}
    policy = with_house(acme(given | {"pack.toml": toml}))
    assert len(policy.decide(set(), "acme.ler", "acme").missing) == 2
    assert policy.decide({"sem_concessao"}, "acme.ler", "acme-2").missing == (
        "ter em vigor o perfil Geral (acme-geral), por ACME-1 (Art. 1)",
    )


def test_no_reason_for_a_person_names_a_page_of_administrators_nor_repeats_what_was_asked(policy: Policy) -> None:
    for words in (set[str](), {"pessoa_autenticada"}, {"sem_concessao"}, {"<b>"}):
        for act in ("diario:ler", "consultar", "<i>voar"):
            for obj in ("portaria", "mt-ipva", "<script>"):
                said = policy.decide(words, act, obj).reason_user
                assert "/" not in said.replace("128/2005-SEFAZ/MT", "")
                assert "<" not in said


def test_a_rule_of_the_house_is_named_once_and_by_its_number(policy: Policy) -> None:
    said = policy.decide({"pessoa_autenticada", "senha_incorreta"}, "sessao:abrir", "*").reason_user
    assert said == "Senha ou usuário incorretos: recusado (regra da casa, CASA-03)."
