"""Introspection of active tokens: ours over mutual TLS beside a real Keycloak, which answers without TLS and in memory."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import process
from tests.bench.figure import Absent, Figure, Options, median, ratio
from tests.bench.installation import installed
from tests.bench.load import Ask, Run, load
from tests.bench.peers.keycloak import server

GOAL = 0.5
ACTIVE = b'"active":true'
KINDS = ("client", "person")


def run(options: Options) -> Iterator[Figure]:
    """CPU milliseconds per question, for a machine client's token and a person's; ours as a multiple of Keycloak's."""
    asks: dict[str, tuple[int, Callable[[], Ask]]] = {}
    missing = ""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portaria-bench-")))
        ours = stack.enter_context(installed(people=(options.rounds + 1) * 2, worker=options.worker))
        people = iter(ours.people)

        def question(token: Callable[[], str]) -> Callable[[], Ask]:
            return lambda: ours.ask("pdp", "/oauth/introspect", ACTIVE, token=token())

        asks["portaria, client"] = ours.pid, question(lambda: ours.client_token("sefaz-mt"))
        asks["portaria, person"] = ours.pid, question(lambda: ours.person_token(ours.outsider(), next(people)))
        try:
            keycloak = stack.enter_context(server(folder))
            process.pin(keycloak.pid)
            asks["keycloak, client"] = keycloak.pid, lambda: keycloak.introspection("client")
            asks["keycloak, person"] = keycloak.pid, lambda: keycloak.introspection("person")
        except Absent as absent:
            missing = str(absent)
        for name, (pid, ask) in asks.items():
            load(
                ask(), pid, 30 if name.startswith("keycloak") else options.seconds
            )  # warm: above all the Java compiler
        runs: dict[str, list[Run]] = {name: [] for name in asks}
        for _ in range(options.rounds):
            for name, (pid, ask) in asks.items():
                runs[name].append(load(ask(), pid, options.seconds))
    for name, seen in runs.items():
        more = {"per second": round(median([r.rate for r in seen])), "p99 ms": median([r.p99 for r in seen])}
        yield Figure("introspection", name, median([r.cpu for r in seen]), "ms CPU/request", None, dict(more))
    for kind in KINDS:
        case, theirs = f"portaria ÷ keycloak, {kind}", runs.get(f"keycloak, {kind}")
        if theirs is None:
            yield Figure("introspection", case, None, "×", GOAL, {"why": missing})
        else:
            times = ratio([r.cpu for r in runs[f"portaria, {kind}"]], [r.cpu for r in theirs])
            yield Figure("introspection", case, times, "×", GOAL)
