"""A policy decision, in microseconds, at 110,000 lines and at 100: the same questions to two generated norms, in turn."""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Iterator
from datetime import date

from iam.decision import Source
from iam.norm import Article, Funcao, Pack, Perfil, Rule, Sistema
from iam.policy import Policy
from tests.bench.figure import Figure, Options, median, percentile

SMALL, LARGE = 100, 110_000
SLICE = 5_000
FUNCOES = 10
Question = tuple[frozenset[str], str, str]


def run(options: Options) -> Iterator[Figure]:
    """Median and p99 microseconds of one decision, and how much the size of the policy matters."""
    policies, questions, built = {}, {}, {}
    for lines in (SMALL, LARGE):
        rules = _rules(lines)
        begun = time.perf_counter()
        policies[lines] = Policy([_pack(rules)])
        built[lines] = round(time.perf_counter() - begun, 2)
        questions[lines] = _questions(rules)
    means: dict[int, list[float]] = {SMALL: [], LARGE: []}
    singles: dict[int, list[float]] = {SMALL: [], LARGE: []}
    gc.collect()
    for _ in range(max(options.rounds, 3) * 3):
        for lines, policy in policies.items():
            decide, asked = policy.decide, questions[lines]
            begun = time.perf_counter()
            for words, act, obj in asked:
                decide(words, act, obj)
            means[lines].append((time.perf_counter() - begun) / len(asked) * 1e6)
            singles[lines] += _each(policy, asked[:500])
    for lines, policy in policies.items():
        allowed = sum(policy.decide(*question).allowed for question in questions[lines]) / SLICE
        more: dict[str, float | str] = {
            "p99 µs": round(percentile(singles[lines], 0.99), 2),
            "allowed": f"{allowed:.0%}",
            "compiled in s": built[lines],
        }
        yield Figure("decision", f"{lines:,} lines".replace(",", "."), median(means[lines]), "µs", None, more)
    yield Figure("decision", "110.000 ÷ 100 lines", round(median(means[LARGE]) / median(means[SMALL]), 2), "×", None)


def _each(policy: Policy, asked: list[Question]) -> list[float]:
    taken = []
    for words, act, obj in asked:
        begun = time.perf_counter_ns()
        policy.decide(words, act, obj)
        taken.append((time.perf_counter_ns() - begun) / 1000)
    return taken


def _rules(lines: int) -> list[Rule]:
    """Perfis that may do some functions of their sistema; one line in twenty forbids, one in ten is about a family of sistemas."""
    dice = random.Random(lines)
    found: dict[tuple[str, str, str], Rule] = {}
    sistemas = max(lines // 300, 2)
    while len(found) < lines:
        n = dice.randrange(sistemas)
        obj = f"s-{n // 10:04d}-*" if dice.random() < 0.1 else f"s-{n // 10:04d}-{n % 10}"
        key = (f"perfil-{dice.randrange(max(lines // 15, 10))}", f"f{dice.randrange(FUNCOES)}", obj)
        requirement = f"CASA-{dice.randrange(50)}"
        source = Source("casa", requirement, f"Art. {requirement[5:]}")
        found[key] = Rule(*key, dice.random() > 0.05, source, f"casa/rules.csv:{len(found)}")
    return list(found.values())


def _questions(rules: list[Rule]) -> list[Question]:
    """Two in three about something that a line speaks of, by somebody with four words; the rest meet silence."""
    dice, words, asked = random.Random(1), sorted({rule.sub for rule in rules}), []
    for _ in range(SLICE):
        rule = dice.choice(rules)
        who = {*dice.sample(words, 3), rule.sub if dice.random() < 2 / 3 else "ninguem"}
        asked.append((frozenset(who), rule.act, rule.obj.replace("*", "3")))
    return asked


def _pack(rules: list[Rule]) -> Pack:
    articles = {f"CASA-{n}": Article(f"CASA-{n}", "casa", f"Art. {n}", "…") for n in range(50)}
    source = Source("casa", "CASA-0", "Art. 0")
    perfis = {rule.sub: Perfil(rule.sub, rule.sub, "*", "", "", "casa", source) for rule in rules}
    sistemas = {
        s: Sistema(s, s, "", "", "", "", "", "casa", source) for s in (r.obj for r in rules) if not s.endswith("*")
    }
    none: tuple[()] = ()
    return Pack(
        id="casa", title="", short="", code="", issuer="", url="", in_force=date(2026, 1, 1), until=None,
        sistemas_glob=("*",), orgaos_glob=("*",), tz="", silence=source, articles=articles, requirements=none,
        sistemas=tuple(sistemas.values()), perfis=tuple(perfis.values()),
        funcoes=tuple(Funcao(f"f{n}", "*", f"f{n}", "casa", source) for n in range(FUNCOES)),
        scopes=none, rules=tuple(rules), words=none, effects=none, events={}, limits=none,
        restrictions=none, orgaos=none, cases=none, roles=frozenset(),
        tables={"approvals.csv": none, "conflicts.csv": none},
    )  # fmt: skip
