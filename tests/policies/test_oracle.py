"""The compiled index answers what casbin answers over the same model and lines: the outcome and a line it accepts."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam.decision import Source
from iam.norm import Article, Pack, Rule, Word
from iam.policy import Policy, oracle

WORDS = ["ana", "bia", "gestor", "auditor", "o_proprio"]
ACTS = ["diario:ler", "token:emitir"]
OBJS = ["a", "ab", "abc", "mt-ipva", "mt-", "*", ""]
GLOBS = ["a", "ab", "a*", "ab*", "mt-*", "mt-ipva", "*"]
HOUSE = Source("casa", "R-0", "Art. 0")


def policy_of(lines: list[tuple[str, str, str, bool, int]]) -> Policy:
    """A house pack with exactly these lines, the source of each telling which it is."""
    rules = tuple(
        Rule(sub, act, obj, allow, Source("casa", f"R-{n}", f"Art. {n}"), f"casa/rules.csv:{i}")
        for i, (sub, act, obj, allow, n) in enumerate(lines, 2)
    )
    articles = {f"R-{n}": Article(f"R-{n}", "casa", f"Art. {n}", "…") for n in range(10)}
    none: tuple[()] = ()
    words = tuple(Word(w, w, "…", "", i) for i, w in enumerate(WORDS))
    pack = Pack(
        id="casa", title="", short="", code="", issuer="", url="", in_force=date(2026, 1, 1), until=None,
        sistemas_glob=("*",), orgaos_glob=("*",), tz="", silence=HOUSE, articles=articles, requirements=none,
        sistemas=none, perfis=none, funcoes=none, scopes=none, rules=rules, words=words, effects=none, events={},
        limits=none, restrictions=none, orgaos=none, cases=none, roles=frozenset(), tables={"approvals.csv": none, "conflicts.csv": none},
    )  # fmt: skip
    return Policy([pack])


line = st.tuples(
    st.sampled_from(WORDS), st.sampled_from(ACTS), st.sampled_from(GLOBS), st.booleans(), st.integers(1, 9)
)
question = st.tuples(st.sets(st.sampled_from(WORDS)), st.sampled_from(ACTS), st.sampled_from(OBJS))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(lines=st.lists(line, max_size=14, unique=True), questions=st.lists(question, min_size=1, max_size=8))
def test_the_index_and_casbin_agree_on_outcome_and_source(
    lines: list[tuple[str, str, str, bool, int]], questions: list[tuple[set[str], str, str]]
) -> None:
    policy = policy_of(lines)
    ask = policy.oracle()
    rules = policy.packs["casa"].rules
    for words, act, obj in questions:
        decision = policy.decide(words, act, obj)
        allowed, cited = ask(words, act, obj)
        assert decision.allowed == allowed
        if not decision.papel:
            assert not cited or cited == ("",)
            continue
        eft = "allow" if allowed else "deny"
        # The line casbin cites is among those we say agreed ...
        assert cited[3] == eft
        assert cited[4] in {s.requirement for s in decision.sources}
        # ... and casbin, given only the lines that we cite first, decides the same by them.
        ours = [r for r in rules if r.source == decision.source and r.sub == decision.papel and r.allow == allowed]
        alone, again = oracle(ours)(words, act, obj)
        assert again[4] == decision.source.requirement
        assert alone == allowed


@pytest.mark.parametrize("pack", ["cotec62", "dec7", "mt128", "tram", "coana", "casa"])
def test_casbin_passes_every_case_of_every_pack(policy: Policy, pack: str) -> None:
    ask = policy.oracle()
    for case in policy.packs[pack].cases[::7]:
        decision = policy.decide(case.words, case.act, case.obj)
        allowed, cited = ask(case.words, case.act, case.obj)
        assert allowed == decision.allowed == case.allow
        if decision.papel:
            assert cited[4] in {s.requirement for s in decision.sources}
