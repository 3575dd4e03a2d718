"""A realm of the real Keycloak with the least that the connector needs, and an application to log in to."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from connectors.keycloak import Keycloak as KeycloakTarget
from iam.connector import Account
from tests.servers import Keycloak

SECRET = "segredo-do-contrato"
PROFILE = {
    "attributes": [
        {"name": name, "permissions": {"view": ["admin"], "edit": ["admin"]}}
        for name in ("username", "email", "firstName", "lastName")
    ],
    "unmanagedAttributePolicy": "ADMIN_EDIT",
}

# Introspection answers only to a caller whom the token is for.
AUDIENCE = {
    "name": "audience",
    "protocol": "openid-connect",
    "protocolMapper": "oidc-audience-mapper",
    "config": {"included.client.audience": "app", "access.token.claim": "true", "introspection.token.claim": "true"},
}


def realm_content(name: str) -> dict[str, object]:
    """The least that the connector needs, and an application to log in to."""
    profile = {"providerId": "declarative-user-profile", "config": {"kc.user.profile.config": [json.dumps(PROFILE)]}}
    roles = {"realm-management": ["manage-users", "query-groups", "view-users"]}
    return {
        "realm": name,
        "enabled": True,
        "editUsernameAllowed": True,
        "components": {"org.keycloak.userprofile.UserProfileProvider": [profile]},
        "clients": [
            {
                "clientId": "portaria",
                "secret": SECRET,
                "serviceAccountsEnabled": True,
                "standardFlowEnabled": False,
                "directAccessGrantsEnabled": False,
            },
            {"clientId": "app", "secret": "app", "directAccessGrantsEnabled": True, "protocolMappers": [AUDIENCE]},
        ],
        "users": [
            {
                "username": "service-account-portaria",
                "enabled": True,
                "serviceAccountClientId": "portaria",
                "clientRoles": roles,
            }
        ],
    }


@dataclass(frozen=True)
class Realm:
    """The realm of this module, and what its users do there."""

    server: Keycloak
    name: str
    admin: Any

    def settings(self, **more: str) -> dict[str, str]:
        return {
            "url": self.server.url, "realm": self.name, "client_secret": SECRET, "ca_file": str(self.server.ca), **more
        }  # fmt: skip

    def post(self, path: str, bearer: str = "", **form: str) -> tuple[int, dict[str, Any]]:
        url = f"{self.server.url}/realms/{self.name}/protocol/openid-connect/{path}"
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        request = urllib.request.Request(url, urllib.parse.urlencode(form).encode(), headers)
        try:
            with urllib.request.urlopen(request, context=self.server.context, timeout=30) as answer:
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")

    def log_in(self, key: str, scope: str = "openid") -> dict[str, Callable[[], bool]]:
        """Logs in with a password; each function tries one thing with what was got."""
        password = uuid4().hex
        user = self.admin.get_user_id(key)
        self.admin.set_user_password(user, password, temporary=False)
        app = {"client_id": "app", "client_secret": "app"}
        status, got = self.post("token", grant_type="password", username=key, password=password, scope=scope, **app)
        assert status == 200, got
        access, refresh = got["access_token"], got["refresh_token"]
        return {
            "introspection": lambda: bool(self.post("token/introspect", token=access, **app)[1].get("active")),
            "userinfo": lambda: self.post("userinfo", access)[0] == 200,
            "refresh": lambda: self.post("token", grant_type="refresh_token", refresh_token=refresh, **app)[0] == 200,
        }


@pytest.fixture(scope="module")
def realm(keycloak: Keycloak) -> Iterator[Realm]:
    name = f"contrato-{uuid4().hex[:8]}"
    with keycloak.realm(realm_content(name)) as admin:
        yield Realm(keycloak, name, admin)


@pytest.fixture
def target(realm: Realm, tmp_path: Path) -> KeycloakTarget:
    return KeycloakTarget(realm.settings(), tmp_path)


def person(**more: Any) -> Account:
    key = uuid4().hex
    perfis = frozenset({"mt-aidf.mt-consulta", "vfr.coana-perito"})
    attributes = {"nome": "Ana Brito", "email": f"{key}@sefaz.example"}
    return replace(Account(key, enabled=True, perfis=perfis, attributes=attributes), **more)


def tried(tokens: dict[str, Callable[[], bool]]) -> dict[str, bool]:
    return {name: works() for name, works in tokens.items()}


ALL_WORK = {"introspection": True, "userinfo": True, "refresh": True}
ALL_DEAD = dict.fromkeys(ALL_WORK, False)
