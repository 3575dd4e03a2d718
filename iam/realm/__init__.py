"""``keycloak-realm.json``: a realm of Keycloak 26 rendered from the packs in force, in Keycloak's own words.

What a norm defines becomes the server's own: sistema a client, perfil a realm role with its group, scope a client
scope that only the holders of an allowed perfil get, limits the life of sessions and tokens. Nobody holds anything
because a file was imported: there are no people in it and no secrets, machine clients are disabled until their
certificate's subject is entered, and applications have no redirect URI until the administrator gives one. It must
never be edited by hand: ``check`` finds that.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from iam.atos.papel import CASA
from iam.connector import Target
from iam.errors import Invalid
from iam.policy import Policy
from iam.realm import client, login, role
from iam.realm.difference import differences

NAME: Final = "portaria"


@runtime_checkable
class RealmTarget(Protocol):
    """A target that a realm can be imported into."""

    def import_realm(self, user: str, password: str, content: Mapping[str, object]) -> None:
        """Makes the realm that the target is configured for, as this administrator of the server."""


def text(policy: Policy) -> str:
    """The file: the same for the same packs, byte for byte."""
    return json.dumps(render(policy), ensure_ascii=False, indent=1, sort_keys=True) + "\n"


def check(policy: Policy, path: Path) -> Sequence[str]:
    """Where the file differs from the packs; empty when it does not. Raises ``Invalid`` when it cannot be read."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Invalid(f"{path} não pode ser lido: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise Invalid(f"{path} não é um realm em JSON") from error
    return list(differences("", json.loads(text(policy)), found))


def import_(policy: Policy, target: Target, user: str, password: str) -> None:
    """Makes the realm on the server of a configured target, with its client's secret. Never overwrites one that exists.

    Raises ``Invalid`` for a target that has no realms, ``Conflict`` when the realm exists, ``Unavailable`` when the
    server does not answer.
    """
    if not isinstance(target, RealmTarget):
        raise Invalid(f"{target!r} não recebe um realm; só um destino do tipo keycloak", field="target")
    target.import_realm(user, password, render(policy))


def render(policy: Policy) -> dict[str, object]:
    """The realm of the packs in force, as Keycloak's ``POST /admin/realms`` takes it."""
    # Our own sistema is left out: its perfis are ours alone.
    sistemas = [sistema for sistema in policy.sistemas() if sistema.id != CASA]
    return {
        "realm": NAME,
        "displayName": "Portaria",
        "enabled": True,
        **login.proof(policy),
        **login.lifetimes(policy),
        **login.flows(),
        **role.roles(policy, sistemas),
        **role.scopes(policy, sistemas),
        **client.clients(policy, sistemas),
    }
