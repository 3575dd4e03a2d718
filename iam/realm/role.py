"""What a perfil is in the realm: a role with its group, and the client scopes that only its holders get."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iam.norm import Perfil, Scope, Sistema
from iam.policy import Policy


def roles(policy: Policy, sistemas: Sequence[Sistema]) -> dict[str, object]:
    """One realm role for each perfil of these sistemas, and the group whose members have it."""
    held = [(sistema, policy.perfis(sistema.id)) for sistema in sistemas]
    return {
        "roles": {"realm": [_role(policy, sistema, perfil) for sistema, perfis in held for perfil in perfis]},
        "groups": [_group(sistema, perfis) for sistema, perfis in held],
    }


def _role(policy: Policy, sistema: Sistema, perfil: Perfil) -> dict[str, object]:
    article = policy.article(perfil.source.requirement)
    return {
        "name": f"{sistema.id}.{perfil.id}",
        "description": f"{perfil.nome} em {sistema.nome}"[:255],
        "attributes": {"norma": [perfil.pack], "exigencia": [article.id], "artigo": [article.article]},
    }


def _group(sistema: Sistema, perfis: Sequence[Perfil]) -> dict[str, object]:
    groups = [{"name": perfil.id, "realmRoles": [f"{sistema.id}.{perfil.id}"]} for perfil in perfis]
    return {"name": sistema.id, "attributes": {"nome": [sistema.nome]}, "subGroups": groups}


def scopes(policy: Policy, sistemas: Sequence[Sistema]) -> dict[str, object]:
    """The standard scopes and those of these sistemas, each with the roles that may get it."""
    named = [scope for sistema in sistemas for scope in policy.scopes(sistema.id)]
    return {
        "clientScopes": [*_standard_scopes(), *map(_scope, named)],
        "scopeMappings": [_mapping(policy, scope) for scope in named],
        "defaultDefaultClientScopes": ["acr", "basic", "roles"],
        "defaultOptionalClientScopes": ["email", "offline_access", "profile"],
    }


def _scope(scope: Scope) -> dict[str, object]:
    audience = {"included.custom.audience": f"urn:portaria:sistema:{scope.sistema}", "access.token.claim": "true"}
    return {
        "name": scope.name,
        "description": f"{scope.source.pack}, {scope.source.article}",
        "protocol": "openid-connect",
        "attributes": {"include.in.token.scope": "true", "display.on.consent.screen": "true"},
        "protocolMappers": [_mapper("audience", "oidc-audience-mapper", **audience)],
    }


def _mapping(policy: Policy, scope: Scope) -> dict[str, object]:
    """Who may get the scope: Keycloak gives one with roles only to who holds one of them."""
    given = [p.id for p in policy.perfis(scope.sistema) if scope.name in policy.scopes_of(p.id, scope.sistema)]
    return {"clientScope": scope.name, "roles": [f"{scope.sistema}.{perfil}" for perfil in given]}


def _standard_scopes() -> Iterator[dict[str, object]]:
    """OpenID Connect's own, without personal data in access tokens."""
    token = {"access.token.claim": "true", "introspection.token.claim": "true"}
    both = {**token, "id.token.claim": "true"}
    person = {"access.token.claim": "false", "id.token.claim": "false", "userinfo.token.claim": "true"}
    roles = {**token, "claim.name": "realm_access.roles", "jsonType.label": "String", "multivalued": "true"}
    name = {**person, "user.attribute": "username", "claim.name": "preferred_username", "jsonType.label": "String"}
    email = {**person, "user.attribute": "email", "claim.name": "email", "jsonType.label": "String"}
    time = {**both, "user.session.note": "AUTH_TIME", "claim.name": "auth_time", "jsonType.label": "long"}
    mappers = {
        "acr": [_mapper("acr", "oidc-acr-mapper", **both)],
        "basic": [
            _mapper("sub", "oidc-sub-mapper", **token),
            _mapper("auth_time", "oidc-usersessionmodel-note-mapper", **time),
        ],
        "email": [_mapper("email", "oidc-usermodel-attribute-mapper", **email)],
        "offline_access": [],
        "profile": [
            _mapper("name", "oidc-full-name-mapper", **person),
            _mapper("preferred_username", "oidc-usermodel-attribute-mapper", **name),
        ],
        "roles": [_mapper("realm roles", "oidc-usermodel-realm-role-mapper", **roles)],
    }
    for scope, known in mappers.items():
        shown = str(scope in ("email", "offline_access", "profile")).lower()
        attributes = {"include.in.token.scope": shown, "display.on.consent.screen": shown}
        yield {"name": scope, "protocol": "openid-connect", "attributes": attributes, "protocolMappers": known}


def _mapper(name: str, mapper: str, **config: str) -> dict[str, object]:
    return {"name": name, "protocol": "openid-connect", "protocolMapper": mapper, "config": config}
