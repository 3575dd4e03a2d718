"""What people read is Portuguese: quotes of the norms, defaults of the gaps, duties of the applications, words of a refusal."""

from __future__ import annotations

import re

import pytest

from iam.policy import Policy
from tests.policies.conftest import SHIPPED

ENGLISH = re.compile(
    r"\b(?:the|and|of|are|not|with|from|by|only|which|when|who|an|to|on|at|access|user|users|grant|grants|"
    r"default|stated|default:|same|both|each|end|date|request|requests|term|holder|law|profile)\b",
    re.IGNORECASE,
)


def foreign(text: str) -> list[str]:
    return ENGLISH.findall(text)


@pytest.mark.parametrize("name", SHIPPED)
def test_every_text_that_a_page_or_an_answer_may_show_is_portuguese(policy: Policy, name: str) -> None:
    pack = policy.packs[name]
    shown = {a.id: a.text for a in pack.articles.values()} | {f"{a.id} §": a.article for a in pack.articles.values()}
    shown |= {r["id"]: r["gives"] for r in pack.tables["duties.csv"]}
    shown |= {f"{r['id']}: o dever": r["duty"] for r in pack.tables["duties.csv"]}
    shown |= {f"{r['id']}: a lacuna": r["issue"] for r in pack.tables["gaps.csv"]}
    shown |= {e.id: f"{e.description} {e.basis}" for e in pack.effects}
    shown |= {w.word: f"{w.nome}; {w.remedio}" for w in pack.words}
    shown |= {p.id: p.nome for p in pack.perfis} | {f.id: f.nome for f in pack.funcoes}
    shown |= {s.id: f"{s.nome} {s.descricao} {s.nota}" for s in pack.sistemas} | {o.id: o.nome for o in pack.orgaos}
    assert {id: found for id, text in shown.items() if (found := foreign(text))} == {}
    assert all(text.strip() for id, text in shown.items() if not id.endswith("§"))


@pytest.mark.parametrize(
    ("requirement", "says"),
    [
        ("COANA-P10.2", "Perito designado pela RFB, com acesso restrito ao evento de verificação física remota específico."),
        ("COANA-P01.1", "Coordenador-Geral de Administração Aduaneira ou seu substituto."),
        ("COTEC62-AII", "TODAS SECRETARIAS DE FINANÇAS OU FAZENDAS DOS ESTADOS OU DO DISTRITO FEDERAL"),
        ("GAP-MT-15", "ninguém assina, autoriza ou executa para si mesmo."),
        ("GAP-ALL-03", "O evento atinge um vínculo"),
    ],
)  # fmt: skip
def test_the_words_that_decide_are_in_the_quote(policy: Policy, requirement: str, says: str) -> None:
    assert says in policy.article(requirement).text
