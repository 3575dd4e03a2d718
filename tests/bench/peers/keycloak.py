"""A real Keycloak, in memory and without TLS, as fast as it gets: the compiler is not held back as it is in the tests."""

from __future__ import annotations

import base64
import json
import shutil
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

from tests.bench.figure import Absent, started
from tests.bench.load import Ask
from tests.servers import CACHE, KEYCLOAK_VERSION, _ready, free_port, running

SECRET = uuid4().hex
BASIC = "Basic " + base64.b64encode(f"bench:{SECRET}".encode()).decode()
REALM = {
    "realm": "bench",
    "enabled": True,
    "sslRequired": "none",
    "defaultSignatureAlgorithm": "ES256",
    "accessTokenLifespan": 300,
    "clients": [
        {
            "clientId": "bench",
            "secret": SECRET,
            "serviceAccountsEnabled": True,
            "directAccessGrantsEnabled": True,
            "attributes": {"access.token.signed.response.alg": "ES256"},
            "protocolMappers": [
                {
                    "name": "aud",
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-audience-mapper",
                    "config": {
                        "included.client.audience": "bench",
                        "access.token.claim": "true",
                        "introspection.token.claim": "true",
                    },
                }
            ],
        }
    ],
    "users": [
        {
            "username": "bench",
            "enabled": True,
            "email": "bench@example.org",
            "emailVerified": True,
            "firstName": "A",
            "lastName": "B",
            "credentials": [{"type": "password", "value": SECRET}],
        }
    ],
}


@dataclass(frozen=True)
class Keycloak:
    """A running server with the realm ``bench``."""

    pid: int
    url: str

    def token(self, kind: str) -> str:
        """An access token of the client itself or of a person."""
        grants = {
            "client": {"grant_type": "client_credentials"},
            "person": {"grant_type": "password", "username": "bench", "password": SECRET, "scope": "openid"},
        }
        return str(_post(f"{self._protocol}/token", grants[kind], {"Authorization": BASIC})["access_token"])

    def introspection(self, kind: str) -> Ask:
        """The question about a fresh token."""
        form = {"token": self.token(kind)}
        return Ask(f"{self._protocol}/token/introspect", form, b'"active":true', {"Authorization": BASIC})

    @property
    def _protocol(self) -> str:
        return f"{self.url}/realms/bench/protocol/openid-connect"


@contextmanager
def server(folder: Path) -> Iterator[Keycloak]:
    """Started for the block; Absent when the distribution is not on this machine."""
    home = CACHE / f"keycloak-{KEYCLOAK_VERSION}"
    if not (home / ".built").is_file() or shutil.which("java") is None:
        raise Absent(f"without the peer Keycloak {KEYCLOAK_VERSION}: not on this machine; run `make test-servers`")
    port, management, password, log = free_port(), free_port(), uuid4().hex, folder / "keycloak.log"
    command = [
        str(home / "bin" / "kc.sh"), "start", "--optimized", "--cache=local", "--hostname-strict=false", "--http-enabled=true",
        f"--http-port={port}", "--http-host=127.0.0.1", f"--http-management-port={management}",
        "--http-management-scheme=http", "--log-level=warn",
    ]  # fmt: skip
    env = {"KC_BOOTSTRAP_ADMIN_USERNAME": "admin", "KC_BOOTSTRAP_ADMIN_PASSWORD": password}
    with running(command, log, env=env) as peer:
        started(peer, lambda: _ready(f"http://127.0.0.1:{management}/health/ready"), 180, log)
        keycloak = Keycloak(peer.pid, f"http://127.0.0.1:{port}")
        login = {"grant_type": "password", "client_id": "admin-cli", "username": "admin", "password": password}
        admin = _post(f"{keycloak.url}/realms/master/protocol/openid-connect/token", login, {})["access_token"]
        _send(
            f"{keycloak.url}/admin/realms",
            json.dumps(REALM).encode(),
            "application/json",
            {"Authorization": f"Bearer {admin}"},
        )
        yield keycloak


def _post(url: str, form: Mapping[str, str], headers: Mapping[str, str]) -> dict[str, object]:
    answer = _send(url, urlencode(form).encode(), "application/x-www-form-urlencoded", headers)
    value = json.loads(answer)
    return value if isinstance(value, dict) else {}


def _send(url: str, body: bytes, kind: str, headers: Mapping[str, str]) -> bytes:
    request = urllib.request.Request(url, body, {"Content-Type": kind, **headers})
    with urllib.request.urlopen(request, timeout=60) as answer:
        content: bytes = answer.read()
        return content
