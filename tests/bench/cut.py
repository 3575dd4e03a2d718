"""From an HR event to "no token answers", with ten thousand people logged in: what an application sees, from outside."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

from iam.demo.outsider import Outsider
from tests.bench.figure import Figure, Options, median, percentile
from tests.bench.installation import UNIT, Installation, Somebody, installed

GOAL = 100.0
SESSIONS, EVENTS = 10_000, 200


def run(options: Options) -> Iterator[Figure]:
    """p99 milliseconds from sending the event to the first introspection that says inactive, asked without pause."""
    with installed(people=SESSIONS, worker=options.worker) as ours:
        told, silent = [], []
        watcher, rh, browser = ours.outsider("pdp"), ours.outsider("rh"), ours.outsider()
        for n, who in enumerate(ours.people[: EVENTS + 5]):
            if n % 50 == 0:
                bearer = ours.client_token("rh")
            answered, inactive = _cut(ours, who, n, bearer, (watcher, rh, browser))
            if n >= 5:
                told.append(answered)
                silent.append(inactive)
    more = {"p50 ms": median(silent), "events": len(silent), "live sessions": SESSIONS}
    yield Figure("cut", "HR event → no token answers, p99", round(percentile(silent, 0.99), 2), "ms", GOAL, dict(more))
    yield Figure("cut", "HR event → 202, p99", round(percentile(told, 0.99), 2), "ms", None, {"p50 ms": median(told)})


def _cut(
    ours: Installation, who: Somebody, n: int, bearer: str, via: tuple[Outsider, Outsider, Outsider]
) -> tuple[float, float]:
    watcher, rh, browser = via
    token = ours.person_token(browser, who)
    if not _active(ours, watcher, token):
        raise RuntimeError("the token was not active before the event")
    seen: list[float] = []

    def watch() -> None:
        while _active(ours, watcher, token):
            pass
        seen.append(time.perf_counter())

    event = {
        "fonte": "rh-sefaz-mt", "numero": f"bench-{n}", "cpf": who.cpf, "tipo": "desligamento",
        "data_efeito": "2026-01-02", "orgao": UNIT, "matricula": who.matricula,
    }  # fmt: skip
    thread = threading.Thread(target=watch)
    thread.start()
    begun = time.perf_counter()
    answer = rh.send(f"{ours.mtls}/api/pessoa/evento", event, {"Authorization": f"Bearer {bearer}"})
    answered = time.perf_counter()
    if answer.status != 202:
        raise RuntimeError(answer.body.decode())
    thread.join(30)
    if not seen:
        raise RuntimeError("the token still answers")
    return (answered - begun) * 1000, (seen[0] - begun) * 1000


def _active(ours: Installation, watcher: Outsider, token: str) -> bool:
    named = str(ours.home.world.clients["pdp"]["client_id"])
    answer = watcher.form(f"{ours.mtls}/oauth/introspect", {"client_id": named, "token": token})
    if answer.status != 200:
        raise RuntimeError(answer.body.decode())
    return answer.json()["active"] is True
