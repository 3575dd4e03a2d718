"""``keycloak``: a realm of a Keycloak server as a target, by its Admin REST API; users are accounts, groups perfis.

The user name, which Keycloak compares without regard to case, is the key, and the user's id finds one who was renamed.
The perfil ``<sistema>.<perfil>`` is the group ``/<sistema>/<perfil>`` with all that is under it, since whoever is in a
subgroup has the roles of those above, and the realm role ``<sistema>.<perfil>``, which the group gives: whoever has it by
hand, or from a group elsewhere, has the perfil, and loses it with it. Other groups and roles are never touched. The realm
that ``portaria realm render`` writes has these groups and roles, and the client ``portaria``, whose service account holds
just what this connector needs: ``manage-users``, ``query-groups``, ``view-users`` of ``realm-management``.

Keycloak 26.7 revives access and refresh tokens when a disabled user is enabled again. So the sessions end, online and
offline, whenever somebody is disabled, and once more before somebody is enabled: the user's not-before then lies
after every token of before.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, NotRequired, TypedDict, assert_never, cast

from connectors.keycloak_wire import Wire
from iam.connector import (
    NO_SESSIONS,
    Account,
    AddPerfil,
    Change,
    Create,
    Disable,
    Enable,
    EndSessions,
    RemovePerfil,
    SetAttribute,
    settings,
)
from iam.errors import Conflict, Invalid, NotFound

REQUIRED: Final = ("url", "realm", "client_secret")
OPTIONAL: Final = {"client_id": "portaria", "ca_file": "", "timeout": "10"}
PERFIL: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9_-]*)\.([A-Za-z0-9][A-Za-z0-9._-]*)")
OFFLINE: Final = "Offline Token"
PAGE: Final = 200
CLOCK_AHEAD: Final = timedelta(seconds=5)  # by how much the server's clock may be ahead of ours


class User(TypedDict):
    """What this connector reads of a UserRepresentation."""

    id: str
    username: str
    enabled: bool
    firstName: NotRequired[str]
    lastName: NotRequired[str]
    email: NotRequired[str]
    attributes: NotRequired[dict[str, list[str]]]
    notBefore: NotRequired[int]


class Keycloak:
    """A realm. Settings: ``url`` (https), ``realm``, ``client_id`` and ``client_secret``, ``ca_file``, ``timeout``."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        self._set = settings("keycloak", given, REQUIRED, OPTIONAL)
        self._wire = Wire(self._set, data)

    def __repr__(self) -> str:
        return f"Keycloak({self._set['url']!r}, realm={self._set['realm']!r})"

    def _user(self, key: str, id: str) -> User | None:
        """The user of this name as Keycloak compares names, else whatever the user of this id is called now."""
        found = self._wire.call(lambda admin: admin.get_users({"username": key, "exact": True, "max": 2}))
        users = [cast("User", user) for user in found]
        if not id or any(user["id"] == id for user in users):
            return users[0] if users else None
        known = cast("User | None", self._wire.user(id))
        if known and users:
            raise Conflict(f"o nome `{key}` é agora de outro usuário, e o conhecido se chama `{known['username']}`")
        return next(iter(users), known)

    def check(self) -> None:
        """Raises ``Unavailable`` when the server does not answer or the service account may not do its work."""
        self._wire.call(lambda admin: (admin.users_count(), admin.get_groups({"max": 1})))

    def keys(self) -> Iterator[str]:
        """Every user's name but those of service accounts, page by page."""
        first = 0
        while True:
            query = {"first": first, "max": PAGE, "briefRepresentation": True}
            users = self._wire.call(lambda admin, query=query: admin.get_users(query))  # type: ignore[misc]
            yield from (user["username"] for user in users)
            if len(users) < PAGE:
                return
            first += PAGE

    def observe(self, key: str, id: str = "") -> Account | None:
        """The user, the groups and roles, and what lives of sessions, read anew."""
        user = self._user(key, id)
        if user is None:
            return None
        names = {_perfil(path) for path in self._groups_of(user["id"])} | self._roles_of(user["id"])
        attributes = {name: values[0] for name, values in user.get("attributes", {}).items() if values}
        attributes["nome"] = f"{user.get('firstName', '')} {user.get('lastName', '')}".strip()
        attributes["email"] = user.get("email", "")
        perfis = frozenset(filter(PERFIL.fullmatch, names))
        return Account(key, user["enabled"], perfis, attributes, self._oldest_session(user), user["id"])

    def _groups_of(self, id: str) -> Mapping[str, str]:
        """The user's groups: path and id."""
        return {group["path"]: group["id"] for group in self._wire.call(lambda admin: admin.get_user_groups(id))}

    def _roles_of(self, id: str) -> set[str]:
        """The names of all realm roles that the user has, whatever gives them, but the one that everybody has."""
        roles = self._wire.call(lambda admin: admin.get_composite_realm_roles_of_user(id))
        return {role["name"] for role in roles} - {f"default-roles-{self._set['realm'].lower()}"}

    def apply(self, key: str, change: Change, id: str = "") -> None:
        """One change of the user."""
        user = self._user(key, id)
        if isinstance(change, Create):
            if user is None:
                content = {"username": key, "enabled": False, **_fields({}, change.attributes)}
                self._wire.call(lambda admin: admin.create_user(content))
            return
        if user is None:
            if isinstance(change, SetAttribute | AddPerfil | Enable):
                raise NotFound(f"a conta `{key}` não existe no Keycloak")
            return
        id = user["id"]
        match change:
            case Disable():
                self._update(user, {"enabled": False})
            case EndSessions():
                self._end_sessions(id)
            case RemovePerfil(perfil):
                self._leave(id, perfil)
            case SetAttribute(name, value):
                self._update(user, _fields(user.get("attributes", {}), {name: value}))
            case AddPerfil(perfil):
                group = self._group(perfil)
                self._wire.call(lambda admin: admin.group_user_add(id, group))
            case Enable():
                self._enable(user)
            case _:
                assert_never(change)

    def _update(self, user: User, fields: Mapping[str, object]) -> None:
        """Writes the whole user: what a PUT leaves out of the profile, Keycloak would clear."""
        profile = {name: user[name] for name in ("firstName", "lastName", "email", "attributes") if name in user}
        self._wire.call(
            lambda admin: admin.update_user(user["id"], {"username": user["username"], **profile, **fields})
        )

    def _enable(self, user: User) -> None:
        if not user["enabled"]:
            self._end_sessions(user["id"])
            self._update(user, {"enabled": True})

    def _oldest_session(self, user: User) -> datetime | None:
        """When the oldest live session began.

        An offline token does not say; but it is no older than the second of the last end of all sessions, which is the
        user's not-before. So one born in the very second of a cut is ended with the rest. When there never was an end its
        age is unknown. The moments are the server's: each is taken to be a little earlier, so that none from before a cut
        passes for a later one.
        """
        started = [
            datetime.fromtimestamp(session["start"] / 1000, UTC)
            for session in self._wire.call(lambda admin: admin.get_sessions(user["id"]))
        ]
        if any(
            OFFLINE in _grants(consent) for consent in self._wire.call(lambda admin: admin.user_consents(user["id"]))
        ):
            if not user.get("notBefore"):
                return None
            started.append(datetime.fromtimestamp(user["notBefore"], UTC))
        return min(started) - CLOCK_AHEAD if started else NO_SESSIONS

    def _end_sessions(self, id: str) -> None:
        """Logs out everywhere, which moves the user's not-before, and revokes offline tokens with their consents."""
        self._wire.call(lambda admin: admin.user_logout(id))
        for consent in self._wire.call(lambda admin: admin.user_consents(id)):
            client = consent["clientId"]
            self._wire.call(lambda admin, client=client: admin.revoke_consent(id, client), missing={})  # type: ignore[misc]

    def import_realm(self, user: str, password: str, content: Mapping[str, object]) -> None:
        """Makes the realm that this instance is configured for, its client's secret being ours.

        Raises ``Conflict`` when it exists (a live realm is never overwritten), ``Invalid`` when Keycloak does not
        accept the content, ``Unavailable`` when it does not answer or does not accept the administrator.
        """
        realm = json.loads(json.dumps(content)) | {"realm": self._set["realm"]}
        for client in realm.get("clients", ()):
            if client.get("clientId") == self._set["client_id"]:
                client["secret"] = self._set["client_secret"]
        self._wire.import_realm(user, password, realm)

    def _leave(self, id: str, perfil: str) -> None:
        """Also what is under the perfil's group, the role held by hand, and a group that stands for no perfil but gives the role.

        A composite role that gives it is left: it gives more, and the second look tells what is still held.
        """
        for path, group in self._groups_of(id).items():
            if _perfil(path) == perfil or (not PERFIL.fullmatch(_perfil(path)) and self._gives(path, perfil)):
                self._wire.call(lambda admin, group=group: admin.group_user_remove(id, group), missing={})  # type: ignore[misc]
        held = self._wire.call(lambda admin: admin.get_realm_roles_of_user(id))
        role = [role for role in held if role["name"] == perfil]
        if role:
            self._wire.call(lambda admin: admin.delete_realm_roles_of_user(id, role), missing={})

    def _gives(self, path: str, perfil: str) -> bool:
        """Whether who is in the group of this path has the perfil's role, from it or from one above."""
        names = path.strip("/").split("/")
        groups = [self._group_id("/" + "/".join(names[: n + 1])) for n in range(len(names))]
        return any(
            role["name"] == perfil
            for group in groups
            for role in self._wire.call(lambda admin, group=group: admin.get_group_realm_roles(group))  # type: ignore[misc]
        )

    def _group(self, perfil: str) -> str:
        """The id of the perfil's group, made when it is not there."""
        parts = PERFIL.fullmatch(perfil)
        if parts is None:
            raise Invalid(f"`{perfil}` não é nome de perfil no Keycloak: espera-se <sistema>.<perfil>", field="perfil")
        id = self._group_id(f"/{parts[1]}/{parts[2]}")
        if not id:
            sistema = self._group_id(f"/{parts[1]}") or self._make_group(parts[1], None, f"/{parts[1]}")
            id = self._make_group(parts[2], sistema, f"/{parts[1]}/{parts[2]}")
        return id

    def _group_id(self, path: str) -> str:
        group = self._wire.call(lambda admin: admin.get_group_by_path(path), missing={"id": ""})
        return str(group["id"])

    def _make_group(self, name: str, parent: str | None, path: str) -> str:
        try:
            return self._wire.call(lambda admin: admin.create_group({"name": name}, parent)) or self._group_id(path)
        except Conflict:  # somebody else made it at the same time
            return self._group_id(path)


def _perfil(path: str) -> str:
    """The perfil that a group, or one above it, stands for."""
    return ".".join(path.strip("/").split("/")[:2])


def _fields(kept: Mapping[str, list[str]], given: Mapping[str, str]) -> dict[str, object]:
    """Our attributes as fields of a user. Keycloak wants a name in two parts: the first word and the rest."""
    fields: dict[str, object] = {}
    attributes = dict(kept)
    for name, value in given.items():
        if name == "nome":
            fields["firstName"], _, fields["lastName"] = " ".join(value.split()).partition(" ")
        elif name == "email":
            fields["email"] = value.strip()
        else:
            attributes[name] = [value] if value else []
    return {**fields, "attributes": attributes} if attributes else fields


def _grants(consent: Mapping[str, object]) -> set[str]:
    grants = consent.get("additionalGrants")
    return {str(grant.get("key")) for grant in grants} if isinstance(grants, list) else set()
