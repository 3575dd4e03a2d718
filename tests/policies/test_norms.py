"""The five norms as data: nothing of them is missing, and the tables say what the norms' own tables say."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from iam.norm import Orgao
from iam.policy import Effect, Policy, build
from iam.table import Row
from tests.policies.conftest import SHIPPED

NORMS = {"cotec62": 38, "dec7": 32, "mt128": 97, "tram": 73, "coana": 56}
UFS = "AC AL AM AP BA CE DF ES GO MA MG MS MT PA PB PE PI PR RJ RN RO RR RS SC SE SP TO".split()

# The matrix of the norm, typed from it: one row per função (F01 to F16), one column per perfil (P01 to P11).
MATRIX = """
.x..x.x....
.xx.xx.....
xxxxxxxxxxx
.xx.xx.....
.xx.xx..x..
xxxxxx.xxxx
.xx.xx.xxx.
xxxxxx.xxxx
xxxxxx.....
xxxxxx.....
xxxxxxx....
xxxxxx.....
xxx...x....
xx.........
......x....
.......x...
""".split()
PERFIS = [
    f"coana-{name}"
    for name in (
        "rfb-administracao rfb-gestao-operacional rfb-verificacao-fisica orgao-administracao orgao-gestao-operacional "
        "orgao-inspecao-fisica recinto-gestao recinto-execucao interveniente-operacao perito outros-intervenientes"
    ).split()
]

# Anexo IV of Portaria 128/2005: item by item, system and gestor.
ANEXO_IV = """
AIDF SIOR/GCAD; Arrecadação SIOR/GRAR; Cadastro SIOR/GCAD; CCED SARP/UISN; CCF SARE/GCCF; CIMT SARE/GCEX;
CND SIOR/GIOR; COE SUCIT/GCIT; COGAR SARE/GCCF; CREDESP SIOR/GCAD; CTA SUIC/GNFS; CTe SUIC/GNFS; DAR1-Aut SIOR/GRAR;
DOSSIÊ SARP/UPTR; ECF SIOR/GCAD; EDI-Fiscal SUFIS/GCOA; EE SEFAZ/ASC; EFD SUIC/GIEF; E-PROCESS SUAC/GSMI;
Estimativa SUIC/GINF; GDCF SUAC/GINO; GIA - ICMS SUIC/GIEF; GNRE SIOR/GRAR; GTM SUCIT/GCIT; IndEcon SARE/GCCF;
IPM SUAC/GIPM; IPVA SIOR/GIPVA; ITCD SIOR/GIOR; LPM SARP/UPEA; MAF SUCIT/GCIT; MEF SARE/GPAR; Nada Consta SUCIT/GCIT;
NAIe SUFIS/GFCE; NFCe SUIC/GNFS; NFe SUIC/GNFS; NFPA SUIC/GNFS; PED-SID SUIC/GPDD; PGF SUFIS/GDAF; PGT SUCIT/GCIT;
PORTAL FISCAL SUCIT/GCIT; QRF SUIC/GIEF; RCP SARP/UPTR; RGCF SUIC/GCCA; RPT SUCIT/GCIT; SAE SUAC/GSMI; SAFE SUFIS/GCDI;
SATC SARP/URFF; SCDF SUCIT/GNFS; SCOJ SUNOR/GCPJ; SDFMT SUCIT/GCIT; SGECF SUIC/GCCA; SIDIR SARP/UPEA; SIGPEX SARP/UNRP;
SINTEGRA SUIC/GPDD; SNE SUIC/GPDD; SNFS SUIC/GNFS; SPL SUNOR/GRFN; SRCO SARE/GEPI; TAD SUCIT/GCIT;
Tela Única SUCIT/GCIT; TI-e SUFIS/GFCE
"""


def rows(policy: Policy, table: str) -> list[Row]:
    return [row for pack in policy.packs.values() for row in pack.tables[table]]


def test_every_requirement_duty_gap_and_role_is_there(policy: Policy) -> None:
    assert {p: len(policy.packs[p].requirements) for p in NORMS} == NORMS
    assert len(policy.requirements()) == 296
    assert all(r.article and r.text for r in policy.requirements())
    assert all(r["acceptance"] for r in rows(policy, "requirements.csv"))
    assert len(rows(policy, "duties.csv")) == 44
    assert len(rows(policy, "gaps.csv")) == 115
    assert len(rows(policy, "roles.csv")) == 86
    assert len(rows(policy, "classes.csv")) == 16
    assert Counter(r["conjunto"] for r in rows(policy, "holders.csv")) == {
        "original": 20,
        "intermediario": 24,
        "vigente": 25,
    }
    assert sum(r["id"].startswith("REV-") for r in rows(policy, "effects.csv")) == 67


def test_a_requirement_is_quoted_in_the_words_of_the_norm(policy: Policy) -> None:
    assert policy.article("MT128-13.2").text.startswith(
        "Art. 13 O usuário sempre terá o acesso desabilitado ou revogado"
    )
    assert policy.article("DEC7-3.1").text.endswith("da Infraestrutura de Chaves Públicas Brasileira - ICP-Brasil.")
    assert (
        policy.article("COTEC62-1-2-II").text
        == "II - Transação - Funcionalidade que pode ser habilitada para cada SEFAZ;"
    )
    assert "de forma sequencial" in policy.article("TRAM-12-IV.2").text
    assert policy.article("COANA-F08").text == "Comunicação por voz e por mensagem."
    with pytest.raises(KeyError):
        policy.article("MT128-99")


@pytest.mark.requirement("COTEC62-AII")
def test_the_catalogue_has_five_transactions_for_each_of_the_27_and_grants_none(policy: Policy) -> None:
    pairs = {(r["transacao"], r["uf"]) for r in rows(policy, "transactions.csv") if r["disponivel"] == "1"}
    codes = {"ANEXANEXAR", "DIMPCONSEF", "DIMPCOSFAZ", "PCCENOTCAL", "PCCENOTCUM"}
    assert pairs == {(code, uf) for code in codes for uf in UFS}
    assert len(rows(policy, "transactions.csv")) == 135
    assert {r["orgao"] for r in rows(policy, "transactions.csv")} <= {o.id for o in policy.orgaos()}
    everybody = {w.word for p in policy.packs.values() for w in p.words} | {"cotec-sefaz", "cotec-sistema-sefaz"}
    for code in codes:
        assert not policy.decide({"client_mtls", "cotec-sefaz", "cotec-sistema-sefaz"}, code, "pucomex").allowed
        assert not any(policy.decide({word}, code, "pucomex").allowed for word in everybody)


def test_the_27_sefaz_have_their_own_legal_time(policy: Policy) -> None:
    sefaz = {o.uf: o for o in policy.orgaos() if o.pack == "cotec62" and o.id != "rfb"}
    assert sorted(sefaz) == UFS
    assert sefaz["MT"].tz == "America/Cuiaba"
    assert sefaz["AC"].tz == "America/Rio_Branco"
    assert sefaz["SP"].tz == "America/Sao_Paulo"


@pytest.mark.requirement("MT128-19A")
def test_the_catalogue_has_the_61_systems_with_their_gestor_and_others_follow_the_same_rules(policy: Policy) -> None:
    given = [entry.strip().rsplit(" ", 1) for entry in ANEXO_IV.replace("\n", " ").split(";")]
    systems = policy.packs["mt128"].sistemas
    assert [[s.nome, f"{s.superior}/{s.gestor}"] for s in systems] == given
    assert len({s.id for s in systems}) == 61
    for s in systems:
        unit = policy.orgao(s.orgao)
        assert unit is not None
        assert unit.nome.split(" ")[0] == s.gestor
    added = replace(systems[0], id="mt-novo", nome="Novo")
    mt128 = replace(policy.packs["mt128"], sistemas=(*systems, added))
    more = build([*(p for p in policy.packs.values() if p.id != "mt128"), mt128])
    for words in ({"mt-consulta"}, {"mt-manutencao", "vinculo_encerrado"}, {"mt-manutencao"}, set()):
        for act in ("consultar", "suprimir", "token:emitir"):
            there, here = more.decide(words, act, "mt-novo"), policy.decide(words, act, "mt-ipva")
            assert (there.allowed, there.source, there.reason_user) == (here.allowed, here.source, here.reason_user)


def test_every_unit_of_mt_is_under_its_sefaz(policy: Policy) -> None:
    for orgao in (o for o in policy.orgaos() if o.pack == "mt128"):
        top: Orgao | None = orgao
        while top is not None and top.superior:
            top = policy.orgao(top.superior)
        assert top is not None
        assert top.id == "sefaz-mt"
    assert {f"sefaz-mt-{u}" for u in ("suic", "gpdd", "coti", "suac", "sarp")} <= {o.id for o in policy.orgaos()}


@pytest.mark.parametrize("row", range(16), ids=lambda r: f"F{r + 1:02d}")
def test_the_matrix_of_coana_is_the_norms_cell_by_cell(policy: Policy, row: int) -> None:
    funcao = f"COANA-F{row + 1:02d}"
    for perfil, cell in zip(PERFIS, MATRIX[row], strict=True):
        decision = policy.decide({perfil}, funcao, "vfr")
        assert decision.allowed == (cell == "x"), perfil
        assert str(decision.source) == f"{funcao} (Matriz de funcionalidades, linha {row + 1})"
        if not decision.allowed:
            others = [p for p, c in zip(PERFIS, MATRIX[row], strict=True) if c == "x"]
            assert len(decision.missing) == len(others)
            assert all(any(f"({p})" in hint for hint in decision.missing) for p in others)


def test_the_matrix_has_87_ticks_and_as_many_lines(policy: Policy) -> None:
    assert "".join(MATRIX).count("x") == 87
    assert sum(r.allow for r in policy.packs["coana"].rules if r.act.startswith("COANA-F")) == 87
    given = {p: set(policy.scopes_of(p, "vfr")) for p in PERFIS}
    assert sum(map(len, given.values())) == 87
    assert given["coana-perito"] == {"vfr:F03", "vfr:F06", "vfr:F07", "vfr:F08"}


@pytest.mark.requirement("COANA-P08")
def test_recinto_execucao_alone_never_sees_or_downloads_recorded_images(policy: Policy) -> None:
    for funcao in ("COANA-F11", "COANA-F13"):
        for more in (set(), {"pessoa_autenticada"}, {"pessoa_autenticada", "o_proprio"}):
            assert not policy.decide({"coana-recinto-execucao"} | more, funcao, "vfr").allowed
    assert policy.scopes_of("coana-recinto-execucao", "vfr").keys() == {
        f"vfr:F{n}" for n in ("03", "06", "07", "08", "16")
    }


def test_a_superseded_perfil_is_not_offered_names_its_successor_and_denies(policy: Policy) -> None:
    old = policy.perfil("coana-rfb-gestao-nacional")
    assert old is not None
    assert old.sucessor == "coana-rfb-administracao"
    assert old not in policy.perfis("vfr")
    assert len(policy.perfis("vfr")) == 11
    both = policy.decide({old.id, old.sucessor}, "COANA-F03", "vfr")
    assert (both.allowed, both.source.requirement) == (False, "COANA-S.1")


@pytest.mark.requirement("MT128-2-II.2")
def test_the_four_actions_of_an_mt_system_are_separate(policy: Policy) -> None:
    for sistema in (s.id for s in policy.packs["mt128"].sistemas):
        assert policy.scopes_of("mt-consulta", sistema).keys() == {f"{sistema}:consultar"}
        for verbo in ("inserir", "alterar", "suprimir"):
            refused = policy.decide({"mt-consulta", "pessoa_autenticada"}, verbo, sistema)
            assert (refused.allowed, refused.source.requirement) == (False, "MT128-2-II.2")
        assert policy.scopes_of("mt-operacao", sistema).keys() == {
            f"{sistema}:{v}" for v in ("consultar", "inserir", "alterar")
        }
    assert [f.id for f in policy.funcoes("mt-ipva")] == ["consultar", "inserir", "alterar", "suprimir"]


@pytest.mark.requirement("DEC7-1-PU.1")
def test_taxpayer_and_procurador_never_start_a_communication(policy: Policy) -> None:
    for perfil in ("dec-sujeito-passivo", "dec-procurador-digital"):
        for funcao in ("comunicacao.expedir", "comunicacao.expedir.simplificado"):
            assert f"dec:{funcao}" not in policy.scopes_of(perfil, "dec")
            # Not even who is also a sender: the prohibition wins.
            refused = policy.decide({perfil, "dec-responsavel-comunicacao"}, funcao, "dec")
            assert (refused.allowed, refused.source.requirement) == (False, "DEC7-1-PU.1")


@pytest.mark.requirement("DEC7-1-PU.2")
def test_no_scope_of_dec_lets_a_taxpayer_or_procurador_answer(policy: Policy) -> None:
    reading = {"dec:mensagem.consultar", "dec:documento.ler"}
    assert policy.scopes_of("dec-procurador-digital", "dec").keys() == reading
    assert policy.scopes_of("dec-sujeito-passivo", "dec").keys() == reading | {"dec:procuracao.emitir"}
    assert {s.name for s in policy.scopes("dec")} - reading - {"dec:procuracao.emitir"} == {
        "dec:comunicacao.expedir",
        "dec:comunicacao.expedir.simplificado",
        "dec:certidao.emitir",
    }


@pytest.mark.requirement("TRAM-10-II")
def test_the_risk_package_is_the_gestors_among_private_classes(policy: Policy) -> None:
    for perfil in ("tram-transportador", "tram-depositario", "tram-importador"):
        assert not policy.decide({perfil, "pessoa_autenticada"}, "pacote_risco", "tram").allowed
        assert "tram:pacote_risco" not in policy.scopes_of(perfil, "tram")
    for perfil in ("tram-gestor", "tram-transportador-gestor"):
        assert "tram:pacote_risco" in policy.scopes_of(perfil, "tram")


def test_every_scope_leads_to_a_perfil_that_gives_it(policy: Policy) -> None:
    for scope in (s for sistema in policy.sistemas() for s in policy.scopes(sistema.id)):
        givers = [p for p in policy.perfis(scope.sistema) if scope.name in policy.scopes_of(p.id, scope.sistema)]
        assert givers, scope.name


def test_the_events_of_the_norms_and_the_personnel_vocabulary_are_known(policy: Policy) -> None:
    known = policy.known_events()
    assert {
        "remanejamento", "cessao", "licenca_inicio", "licenca_fim", "desligamento", "retorno", "nova_lotacao",
        "contrato_terceirizado_fim", "recadastramento_encerrado", "quebra_de_sigilo", "plantao_inicio",
        "nomeacao", "posse", "exercicio", "ferias", "reversao", "posse_em_cargo_inacumulavel", "falecimento",
    } <= known  # fmt: skip
    assert "demitido" not in known


def effects(policy: Policy, event: str, pack: str) -> list[Effect]:
    """What one pack makes of an event."""
    return [e for e in policy.effects(event) if e.pack == pack]


CUT = {
    "remanejamento": ("revogar", "MT128-13.1"),
    "cessao": ("revogar", "MT128-13.2"),
    "licenca_inicio": ("desabilitar", "MT128-13.3"),
    "licenca_maternidade": ("desabilitar", "MT128-13.3"),
    "desligamento": ("revogar", "MT128-13.4"),
    "contrato_terceirizado_fim": ("revogar", "MT128-21"),
}


@pytest.mark.parametrize(("event", "expected"), CUT.items(), ids=CUT)
def test_the_events_of_article_13_cut_the_vinculo_in_mt(policy: Policy, event: str, expected: tuple[str, str]) -> None:
    first = effects(policy, event, "mt128")[0]
    assert (first.alcance, first.effect, first.source.requirement) == ("vinculo", *expected)


def test_the_names_of_article_13_cut_anywhere_by_the_houses_default(policy: Policy) -> None:
    for event in ("remanejamento", "cessao", "licenca_inicio", "desligamento"):
        found = effects(policy, event, "casa")
        assert [(e.alcance, e.source.requirement) for e in found] == [("vinculo", "GAP-ALL-03")]


def test_a_return_gives_nothing_back(policy: Policy) -> None:
    for event in ("licenca_fim", "retorno", "nova_lotacao"):
        assert {(e.alcance, e.effect) for e in policy.effects(event)} == {("nenhum", "nenhum")}
        assert effects(policy, event, "mt128")[0].source.requirement == "MT128-13.3"


def test_death_ends_the_person_and_precaution_suspends(policy: Policy) -> None:
    assert [(e.alcance, e.effect) for e in policy.effects("falecimento")] == [("pessoa", "revogar")]
    assert [(e.alcance, e.effect) for e in policy.effects("afastamento_preventivo")] == [("vinculo", "suspender")]
    assert policy.effects("ferias") == []


def test_every_shipped_pack_passes_its_check(policy: Policy) -> None:
    reports = policy.check()
    assert [c.pack for c in reports] == sorted(SHIPPED)
    assert all(c.counts["cases.csv"] > 30 for c in reports)
    assert not any("fora de vigência" in w or "perfil sem linha" in w for c in reports for w in c.warnings)


def test_the_age_of_a_login_is_the_one_the_house_keeps(policy: Policy) -> None:
    from iam import session

    assert policy.limit("session").duration == session.MAX_AGE
