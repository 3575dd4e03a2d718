"""The clients of the realm: each sistema, the órgãos whose systems call one, and Portaria itself. None has a secret here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from iam.norm import Sistema
from iam.policy import Policy


def clients(policy: Policy, sistemas: Sequence[Sistema]) -> dict[str, object]:
    """The clients, and the account by which our own connector acts."""
    machines = _machines(policy)
    return {
        "clients": [
            *(_application(policy, s, machine=s.id in machines.values()) for s in sistemas),
            *(_machine(client, scopes) for client, scopes in _grouped(machines)),
            _provisioner(),
        ],
        "users": [_service_account()],
    }


def _application(policy: Policy, sistema: Sistema, *, machine: bool) -> dict[str, object]:
    """The sistema: where people log in (with PKCE), or what machines call, which then only asks about tokens."""
    attributes = {"norma": sistema.pack, "exigencia": sistema.source.requirement}
    if machine:
        x509 = {**attributes, **_certificate()}
        return _client(sistema.id, sistema.nome, enabled=False, clientAuthenticatorType="client-x509", attributes=x509)
    return _client(
        sistema.id,
        sistema.nome,
        publicClient=True,
        standardFlowEnabled=True,
        consentRequired=False,
        optionalClientScopes=["email", "offline_access", "profile", *(s.name for s in policy.scopes(sistema.id))],
        attributes={**attributes, "pkce.code.challenge.method": "S256", "post.logout.redirect.uris": "+"},
    )


def _machine(client: str, scopes: Sequence[str]) -> dict[str, object]:
    """An órgão's own client (RFC 8705): its certificate authenticates it and binds its tokens."""
    return _client(
        client,
        client,
        enabled=False,
        clientAuthenticatorType="client-x509",
        serviceAccountsEnabled=True,
        optionalClientScopes=list(scopes),
        attributes={**_certificate(), "tls.client.certificate.bound.access.tokens": "true"},
    )


def _certificate() -> dict[str, str]:
    return {"x509.subjectdn": "", "x509.allow.regex.pattern.comparison": "false"}


def _client(id: str, name: str, **more: object) -> dict[str, object]:
    """A client that can do nothing yet."""
    return {
        "clientId": id,
        "name": name,
        "protocol": "openid-connect",
        "publicClient": False,
        "standardFlowEnabled": False,
        "implicitFlowEnabled": False,
        "directAccessGrantsEnabled": False,
        "serviceAccountsEnabled": False,
        "fullScopeAllowed": False,
        "redirectUris": [],
        "webOrigins": [],
        "defaultClientScopes": ["acr", "basic", "roles"],
        "optionalClientScopes": [],
        **more,
    }


def _provisioner() -> dict[str, object]:
    """Our own connector, which keeps the accounts in agreement."""
    return _client(
        "portaria",
        "Portaria",
        clientAuthenticatorType="client-secret",
        serviceAccountsEnabled=True,
        fullScopeAllowed=True,
    )


def _service_account() -> dict[str, object]:
    return {
        "username": "service-account-portaria",
        "enabled": True,
        "serviceAccountClientId": "portaria",
        "clientRoles": {"realm-management": ["manage-users", "query-groups", "view-users"]},
    }


def _machines(policy: Policy) -> dict[tuple[str, str], str]:
    """Which órgão may call which transação of which sistema: (órgão, scope) → sistema."""
    found: dict[tuple[str, str], str] = {}
    for pack in policy.packs.values():
        for row in pack.tables["transactions.csv"]:
            for scope in pack.scopes:
                if scope.funcao == row["transacao"] and row["disponivel"] == "1":
                    found[row["orgao"], scope.name] = scope.sistema
    return found


def _grouped(machines: Mapping[tuple[str, str], str]) -> Iterator[tuple[str, list[str]]]:
    for client in sorted({client for client, _ in machines}):
        yield client, sorted(scope for holder, scope in machines if holder == client)
