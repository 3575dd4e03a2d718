"""node-oidc-provider on Node 22, from npm, in a cache outside the repository: the bare minimum, in memory, without TLS."""

from __future__ import annotations

import base64
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.bench.figure import Absent, started
from tests.bench.load import Ask
from tests.servers import CACHE, free_port, listening, running

NODE, PROVIDER = "22.23.3", "9.13.3"
HOME = CACHE / "peers"
SCRIPT = Path(__file__).with_name("oidc_provider.mjs")
FORM = {"grant_type": "client_credentials", "scope": "api:read"}


@contextmanager
def provider(log: Path, *, install: bool) -> Iterator[tuple[int, Ask]]:
    """Its process and the request for a token; Absent when it is not installed and may not be."""
    node = HOME / "node_modules" / "node" / "bin" / "node"
    if not node.exists() or not (HOME / "node_modules" / "oidc-provider").exists():
        _install(install)
    port = free_port()
    with running([str(node), str(SCRIPT), str(HOME), str(port)], log) as peer:
        started(peer, lambda: listening(port), 30, log)
        basic = base64.b64encode(b"bench:bench-secret").decode()
        ask = Ask(f"http://127.0.0.1:{port}/token", FORM, b"access_token", {"Authorization": f"Basic {basic}"})
        yield peer.pid, ask


def _install(allowed: bool) -> None:
    what = f"node-oidc-provider {PROVIDER}"
    npm = shutil.which("npm")
    if not allowed:
        raise Absent(f"without the peer {what}: not installed; --peers installs it with npm into {HOME}")
    if npm is None:
        raise Absent(f"without the peer {what}: there is no npm on this machine")
    HOME.mkdir(parents=True, exist_ok=True)
    print(f"installing {what} and Node {NODE}", file=sys.stderr, flush=True)
    command = [npm, "install", "--no-audit", "--no-fund", "--silent", "--prefix", str(HOME), f"node@{NODE}"]
    if subprocess.run([*command, f"oidc-provider@{PROVIDER}"], check=False, cwd=HOME, stdout=sys.stderr).returncode:
        raise Absent(f"without the peer {what}: npm could not install it")
