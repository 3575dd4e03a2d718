"""Questions as a lawyer puts them: each no cites its article, says what is missing and who could; slips of the pen are told."""

from __future__ import annotations

import pytest

from iam.policy import Policy

ASKED = [
    # words, act, object, allowed, requirement, and a word of what is missing
    ("mt-consulta", "consultar", "mt-ipva", True, "MT128-2-II.2", ""),
    ("mt-consulta", "suprimir", "mt-ipva", False, "MT128-2-II.2", "Manutenção"),
    ("mt-consulta pessoa_fora", "consultar", "mt-ipva", False, "MT128-13.5", "vínculo ativo"),
    ("cadastrador", "concessao:conceder", "mt-ipva", True, "MT128-2-IV", ""),
    ("cadastrador sem_autorizacao_do_gestor", "concessao:conceder", "mt-ipva", False, "MT128-2-IV", "autorização"),
    ("cadastrador o_proprio", "concessao:conceder", "mt-ipva", False, "GAP-MT-15", "outro"),
    ("senha_provisoria", "sessao:abrir", "sefaz-mt", False, "MT128-10-2.3", "senha definitiva"),
    ("senha_provisoria", "sessao:abrir", "sefaz-mt-gcad", False, "MT128-10-2.3", "senha definitiva"),
    ("ANEXANEXAR", "ANEXANEXAR", "pucomex", True, "COTEC62-1-1.2", ""),
    ("", "ANEXANEXAR", "pucomex", False, "COTEC62-1-1.2", "Transação ANEXANEXAR"),
    ("ANEXANEXAR entidade_alheia", "ANEXANEXAR", "pucomex", False, "COTEC62-1-2-II", "própria unidade"),
    ("sem_certificado", "token:emitir", "pucomex", False, "COTEC62-1-2-III.2", "TLS mútuo"),
    ("dec-procurador-digital", "comunicacao.expedir", "dec", False, "DEC7-1-PU.1", "outro"),
    ("dec-sujeito-passivo sem_certidao", "documento.ler", "dec", False, "DEC7-5-III.1", "certidão"),
    ("dec-procurador-digital sem_procuracao", "documento.ler", "dec", False, "DEC7-2-I.1", "procuração digital"),
    ("tram-gestor", "pacote_risco", "tram", True, "TRAM-10-II", ""),
    ("tram-transportador", "pacote_risco", "tram", False, "TRAM-16", "gestora do aplicativo"),
    ("tram-transportador viagem_alheia", "viagem.ler", "tram", False, "TRAM-11-I.2", "relação com a viagem"),
    ("coana-orgao-administracao", "COANA-F13", "vfr", False, "COANA-F13", "RFB - Administração"),
    ("coana-recinto-execucao abertura_nao_autorizada", "COANA-F16", "vfr", False, "COANA-F16", "autorização de abertura"),
    ("coana-perito evento_alheio", "COANA-F06", "vfr", False, "COANA-P09.2", "evento específico"),
    ("coana-rfb-gestao-nacional", "COANA-F03", "vfr", False, "COANA-S.1", "RFB - Administração"),
    ("auditor", "diario:ler", "portaria", True, "CASA-07", ""),
    ("", "diario:ler", "portaria", False, "CASA-01", "auditor"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "act", "obj", "allowed", "requirement", "missing"), ASKED)
def test_an_answer_cites_its_article_and_a_no_says_what_is_missing(
    policy: Policy, words: str, act: str, obj: str, allowed: bool, requirement: str, missing: str
) -> None:
    told = policy.explain(frozenset(words.split()), act, obj)
    assert (told.decision.allowed, told.decision.source.requirement) == (allowed, requirement)
    assert told.article.text
    assert told.decision.source.article in told.decision.reason_user
    assert told.doubts == ()
    if not allowed:
        assert missing in " ".join(told.decision.missing)


@pytest.mark.parametrize("obj", ["mt-nao-ha", "mt-*", "mt-", "mt-ipva ", "MT-IPVA"])
def test_a_glob_gives_nothing_on_a_system_that_no_norm_lists(policy: Policy, obj: str) -> None:
    told = policy.explain(frozenset({"mt-manutencao"}), "consultar", obj)
    assert not told.decision.allowed
    assert told.decision.missing == ("perguntar por um sistema que conste das normas em vigor",)
    assert told.could == ()
    assert told.doubts == (f"`{obj}` não é sistema nem órgão de norma alguma em vigor",)


@pytest.mark.parametrize(
    ("word", "act", "obj", "doubts"),
    [
        ("perfil-inventado", "consultar", "mt-ipva", 1),
        ("mt-consulta", "voar", "mt-ipva", 1),
        ("mt-consulta", "voar", "lugar-nenhum", 2),
        ("<script>", "'; drop table entry", "../../etc/passwd", 3),
        ("", "", "", 3),
        ("á\n" * 1000, "x" * 5000, "\x00", 3),
    ],
)
def test_what_nobody_knows_is_a_no_that_says_so(policy: Policy, word: str, act: str, obj: str, doubts: int) -> None:
    told = policy.explain(frozenset({word}), act, obj)
    assert not told.decision.allowed
    assert told.decision.missing
    assert len(told.doubts) == doubts
