"""A token by client credentials: ours over mutual TLS, decided by the packs and durable in the journal, beside Node's bare one."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.bench import process
from tests.bench.figure import Absent, Figure, Options, median, ratio
from tests.bench.installation import installed
from tests.bench.load import Ask, Run, load
from tests.bench.peers.node import provider

GOAL = 1.5
OURS = "portaria: mTLS, ES256, decision, durable journal"
TIMES = "portaria ÷ node-oidc-provider"
NODE = "node-oidc-provider 9.13.3: ES256, in memory, no TLS"


def run(options: Options) -> Iterator[Figure]:
    """CPU milliseconds per token of each, and ours as a multiple of Node's within the same rounds."""
    servers: dict[str, tuple[int, Ask]] = {}
    missing = ""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="portaria-bench-")))
        ours = stack.enter_context(installed(worker=options.worker))
        scopes = ours.home.world.clients["sefaz-mt"]["scopes"]
        scope = " ".join(str(s) for s in scopes) if isinstance(scopes, list) else ""
        ask = ours.ask("sefaz-mt", "/oauth/token", b"access_token", grant_type="client_credentials", scope=scope)
        servers[OURS] = ours.pid, ask
        try:
            servers[NODE] = stack.enter_context(provider(folder / "node.log", install=options.install))
            process.pin(servers[NODE][0])
        except Absent as absent:
            missing = str(absent)
        for pid, ask in servers.values():
            load(ask, pid, options.seconds)  # warm: compilers, caches, connections
        runs: dict[str, list[Run]] = {name: [] for name in servers}
        for _ in range(options.rounds):
            for name, (pid, ask) in servers.items():
                runs[name].append(load(ask, pid, options.seconds))
        memory = {name: process.memory(pid) for name, (pid, _) in servers.items()}
    for name, seen in runs.items():
        more = {
            "per second": round(median([r.rate for r in seen])),
            "p99 ms": median([r.p99 for r in seen]),
            "MiB": memory[name],
        }
        yield Figure("token", name, median([r.cpu for r in seen]), "ms CPU/request", None, dict(more))
    if NODE in runs:
        times = ratio([r.cpu for r in runs[OURS]], [r.cpu for r in runs[NODE]])
        yield Figure("token", TIMES, times, "×", GOAL)
    else:
        yield Figure("token", TIMES, None, "×", GOAL, {"why": missing})
