"""A perfil of ``keycloak`` is what its role gives, whoever gave the role: seen, and taken away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest

from connectors.keycloak import Keycloak as KeycloakTarget
from iam.conformance import agree
from iam.connector import plan
from tests.connectors.realm import ALL_DEAD, Realm, person, tried


@dataclass(frozen=True)
class Role:
    """The realm role of a perfil, as the rendered realm has it: its group gives it."""

    name: str
    representation: dict[str, Any]


@pytest.fixture
def role(realm: Realm) -> Role:
    name = f"vfr.perfil-{uuid4().hex[:8]}"
    realm.admin.create_realm_role({"name": name})
    sistema = realm.admin.create_group({"name": "vfr"}, skip_exists=True)
    sistema = sistema or realm.admin.get_group_by_path("/vfr")["id"]
    group = realm.admin.create_group({"name": name.removeprefix("vfr.")}, parent=sistema)
    representation = realm.admin.get_realm_role(name)
    realm.admin.assign_group_realm_roles(group, [representation])
    return Role(name, representation)


def by_hand(realm: Realm, user: str, role: Role) -> None:
    realm.admin.assign_realm_roles(user, [role.representation])


def from_a_group_elsewhere(realm: Realm, user: str, role: Role) -> None:
    group = realm.admin.create_group({"name": f"Mutirão de março {uuid4().hex[:8]}"})
    realm.admin.assign_group_realm_roles(group, [role.representation])
    below = realm.admin.create_group({"name": "manhã"}, parent=group)
    realm.admin.group_user_add(user, below)


@pytest.mark.parametrize("given", [by_hand, from_a_group_elsewhere])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_perfil_whose_role_somebody_gave_beside_its_group_is_seen_and_taken_away(
    realm: Realm, target: KeycloakTarget, role: Role, given: Callable[[Realm, str, Role], None], *, enabled: bool
) -> None:
    account = person(perfis=frozenset({"mt-aidf.mt-consulta"}))
    agree(target, account)
    user = realm.admin.get_user_id(account.key)
    other = realm.admin.create_group({"name": f"impressoras-{account.key}"})
    realm.admin.group_user_add(user, other)
    given(realm, user, role)
    tokens = realm.log_in(account.key)
    seen = target.observe(account.key)
    assert seen is not None
    assert seen.perfis == account.perfis | {role.name}
    agree(target, replace(account, enabled=enabled))
    assert role.name not in {r["name"] for r in realm.admin.get_composite_realm_roles_of_user(user)}
    assert tried(tokens) == ALL_DEAD
    assert f"impressoras-{account.key}" in {g["name"] for g in realm.admin.get_user_groups(user)}


def test_a_perfil_held_by_group_and_by_hand_is_one_perfil_and_leaves_by_both(
    realm: Realm, target: KeycloakTarget, role: Role
) -> None:
    account = person(perfis=frozenset({role.name}))
    agree(target, account)
    user = realm.admin.get_user_id(account.key)
    by_hand(realm, user, role)
    assert plan(account, target.observe(account.key)) == ()
    agree(target, replace(account, perfis=frozenset()))
    assert role.name not in {r["name"] for r in realm.admin.get_composite_realm_roles_of_user(user)}
