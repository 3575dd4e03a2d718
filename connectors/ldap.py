"""``ldap``: a directory over LDAPv3 (RFC 4511) as a target; people under one base, perfis as groups under another.

An account is the entry, of whatever class, whose key attribute is the key as the directory compares it; once it was seen
it is known by its ``id_attribute`` (RFC 4530), and found by that wherever under the directory's ``suffix`` it was moved.
A perfil is the group named ``<sistema>.<perfil>``; whoever is in it through other groups has it too, and only people can
take that from them: the directory is then said to differ. Other groups are read for that alone, and attributes that are
not mapped never. Always TLS (``ldaps``, or ``ldap`` with
STARTTLS) with the server's certificate and name verified: ldap3 verifies nothing unless told.

Disabling writes ``disabled_value`` into ``disabled_attribute``. The default is the permanent lock of the password
policy overlay of OpenLDAP (slapo-ppolicy: it needs a policy with ``pwdLockout TRUE``, else slapd ignores the lock).
Without the overlay any attribute does that an ACL of the directory or a filter of its applications looks at, such as
``employeeType``; 389 DS has ``nsAccountLock`` with ``true``. For Active Directory:
``disabled_attribute=userAccountControl`` (the bit ACCOUNTDISABLE is set and cleared, the others stay),
``id_attribute=objectGUID``, ``key_attribute=sAMAccountName``, ``rdn_attribute=cn``, ``person_class=user``, ``group_class=group``,
``attribute_nome=displayName``. LDAP knows no sessions. The service account needs to write under the two bases, to read
keys, ids and group members under the whole suffix, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, assert_never

from ldap3 import BASE, MODIFY_ADD, MODIFY_DELETE, MODIFY_REPLACE
from ldap3.core import exceptions as ldap_error
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn

from connectors.ldap_wire import BINARY, Entry, Wire, values_of
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
from iam.errors import Conflict, Invalid, NotFound, Unavailable

REQUIRED: Final = ("url", "bind_dn", "password", "people", "groups")
OPTIONAL: Final = {
    "ca_file": "",
    "suffix": "",
    "key_attribute": "uid",
    "id_attribute": "entryUUID",
    "rdn_attribute": "",
    "person_class": "inetOrgPerson",
    "group_class": "groupOfNames",
    "attribute_nome": "cn",
    "attribute_email": "mail",
    "disabled_attribute": "pwdAccountLockedTime",
    "disabled_value": "000001010000Z",
    "timeout": "10",
}
PERFIL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(\.[A-Za-z0-9][A-Za-z0-9_-]*)+")
AT_ONCE: Final = 100  # names in one filter
ACCOUNTDISABLE, NORMAL_ACCOUNT = 0x2, 0x200  # [MS-ADTS] 2.2.16


Existing = Disable | EndSessions | RemovePerfil | SetAttribute | AddPerfil | Enable
"""The changes of an account that is there."""


class Ldap:
    """One directory. Settings: ``REQUIRED`` and ``OPTIONAL`` above, as the module's text explains them."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        self._set = settings("ldap", given, REQUIRED, OPTIONAL)
        self._wire = Wire(self._set, data)
        self._key, self._disabled = self._set["key_attribute"], self._set["disabled_attribute"]
        self._id = self._set["id_attribute"]
        self._mapped = {"nome": self._set["attribute_nome"], "email": self._set["attribute_email"]}

    def __repr__(self) -> str:
        return f"Ldap({self._set['url']!r}, people={self._set['people']!r})"

    def _entry(self, key: str, id: str) -> Entry | None:
        """The account's entry: under its key as the directory compares names, else wherever its id is now."""
        attributes = [self._key, self._id, self._disabled, *self._mapped.values()]
        found = self._wire.search(self._set["people"], f"({self._key}={escape_filter_chars(key)})", attributes)
        if len(found) > 1:
            raise Conflict(f"o diretório LDAP tem {len(found)} entradas com a chave `{key}`")
        if not id or (found and self._id_of(found[0]) == id):
            return found[0] if found else None
        octets = "".join(f"\\{id[n : n + 2]}" for n in range(0, len(id), 2))
        value = octets if self._id.lower() in BINARY else escape_filter_chars(id)
        known = self._wire.search(self._wire.suffix(self._set["people"]), f"({self._id}={value})", attributes)
        if known and found:
            raise Conflict(f"a chave `{key}` é agora de {found[0][0]}, e a conta conhecida é {known[0][0]}")
        return next(iter(known or found), None)

    def _id_of(self, entry: Entry) -> str:
        values = values_of(entry, self._id)
        if not values:
            raise Unavailable(f"o diretório LDAP não mostra {self._id} de {entry[0]}; a conta de serviço precisa lê-lo")
        return values[0]

    def check(self) -> None:
        """Raises ``Unavailable`` when the directory does not answer, or lacks a base or an attribute that we need."""
        for base in (self._wire.suffix(self._set["people"]), self._set["people"], self._set["groups"]):
            try:
                self._wire.call(lambda connection, base=base: connection.search(base, "(objectClass=*)", BASE))  # type: ignore[misc]
            except Unavailable as error:
                if isinstance(error.__cause__, ldap_error.LDAPNoSuchObjectResult):
                    raise Unavailable(f"o diretório LDAP não tem a base {base}") from error
                raise
        known = self._wire.attribute_types()
        for name in (self._key, self._id, self._disabled, *self._mapped.values()):
            if known is not None and name not in known:
                raise Unavailable(f"o esquema do diretório LDAP não conhece o atributo {name}")

    def keys(self) -> Iterator[str]:
        """The key of every person's entry under the base."""
        for entry in self._wire.search(
            self._set["people"], f"(&(objectClass={self._set['person_class']})({self._key}=*))", [self._key]
        ):
            yield values_of(entry, self._key)[0]

    def observe(self, key: str, id: str = "") -> Account | None:
        """The entry and the groups that hold it, themselves or through other groups."""
        entry = self._entry(key, id)
        if entry is None:
            return None
        attributes = {ours: (values_of(entry, theirs) or [""])[0] for ours, theirs in self._mapped.items()}
        if attributes["nome"] == key:  # `cn` is mandatory: a nameless account carries its key
            attributes["nome"] = ""
        return Account(key, self._enabled(entry), self._perfis(entry[0]), attributes, NO_SESSIONS, self._id_of(entry))

    def _perfis(self, dn: str) -> frozenset[str]:
        """The perfil groups of an entry. A group may hold groups, also from elsewhere under the suffix: all are walked."""
        holders, newest = {dn}, [dn]
        while newest:
            above = [group[0] for group in self._holding(self._wire.suffix(self._set["people"]), newest)]
            newest = [name for name in dict.fromkeys(above) if name not in holders]
            holders.update(newest)
        groups = self._holding(self._set["groups"], sorted(holders), self._set["group_class"])
        return frozenset(name for group in groups for name in values_of(group, "cn") if PERFIL.fullmatch(name))

    def _holding(self, base: str, members: Sequence[str], kind: str = "*") -> list[Entry]:
        """The groups under a base that name any of these as a member."""
        found: list[Entry] = []
        for first in range(0, len(members), AT_ONCE):
            any_of = "".join(f"(member={escape_filter_chars(dn)})" for dn in members[first : first + AT_ONCE])
            found += self._wire.search(base, f"(&(objectClass={kind})(|{any_of}))", ["cn"])
        return found

    def apply(self, key: str, change: Change, id: str = "") -> None:
        """One change of the entry or of the groups of one perfil."""
        entry = self._entry(key, id)
        if isinstance(change, Create):
            if entry is None:
                self._create(key, change.attributes)
        elif entry is not None:
            self._change(key, entry, change)
        elif isinstance(change, SetAttribute | AddPerfil | Enable):
            raise NotFound(f"a conta `{key}` não existe no diretório LDAP")

    def _change(self, key: str, entry: Entry, change: Existing) -> None:
        match change:
            case Disable():
                self._wire.modify(entry[0], {self._disabled: [(MODIFY_REPLACE, [self._lock(entry, disabled=True)])]})
            case EndSessions():
                pass
            case RemovePerfil(perfil):
                for group in self._groups(perfil, entry[0]):
                    self._leave(group, entry[0])
            case SetAttribute(name, value):
                ours = self._attributes(key, {name: value})
                self._wire.modify(entry[0], {theirs: [(MODIFY_REPLACE, texts)] for theirs, texts in ours.items()})
            case AddPerfil(perfil):
                self._join(perfil, entry[0])
            case Enable():
                if not self._enabled(entry):
                    lock = self._lock(entry, disabled=False)
                    self._wire.modify(entry[0], {self._disabled: [(MODIFY_REPLACE, [lock] if lock else [])]})
            case _:
                assert_never(change)

    def _enabled(self, entry: Entry) -> bool:
        if self._disabled == "userAccountControl":
            return not self._flags(entry) & ACCOUNTDISABLE
        return self._set["disabled_value"] not in values_of(entry, self._disabled)

    def _lock(self, entry: Entry | None, *, disabled: bool) -> str:
        if self._disabled != "userAccountControl":
            return self._set["disabled_value"] if disabled else ""
        flags = self._flags(entry) if entry else NORMAL_ACCOUNT
        return str(flags | ACCOUNTDISABLE if disabled else flags & ~ACCOUNTDISABLE)

    def _flags(self, entry: Entry) -> int:
        """Every user of Active Directory has them: one that is not there is one that may not be read."""
        try:
            return int(values_of(entry, self._disabled)[0])
        except (IndexError, ValueError) as error:
            reason = f"o diretório LDAP não mostra {self._disabled} de {entry[0]}"
            raise Unavailable(f"{reason}; a conta de serviço precisa lê-lo") from error

    def _attributes(self, key: str, given: Mapping[str, str]) -> dict[str, list[str]]:
        """Our attributes as the directory's. ``sn``, mandatory for a person, follows a ``cn``."""
        found: dict[str, list[str]] = {}
        for ours, value in given.items():
            theirs = self._mapped.get(ours)
            if theirs is None:
                raise Invalid(f"o conector ldap não guarda o atributo `{ours}`", field=ours)
            text = " ".join(value.split()) or (key if ours == "nome" else "")
            found[theirs] = [text] if text else []
            if theirs == "cn":
                found["sn"] = [text.split()[-1]]
        return found

    def _create(self, key: str, given: Mapping[str, str]) -> None:
        rdn = self._set["rdn_attribute"] or self._key
        attributes = {
            "cn": [key],
            "sn": [key],
            **{name: values for name, values in self._attributes(key, given).items() if values},
            self._key: [key],
            rdn: [key],
            self._disabled: [self._lock(None, disabled=True)],
        }
        dn = f"{rdn}={escape_rdn(key)},{self._set['people']}"
        try:
            self._wire.call(lambda connection: connection.add(dn, [self._set["person_class"]], attributes))
        except Unavailable as error:
            if isinstance(error.__cause__, ldap_error.LDAPEntryAlreadyExistsResult):
                raise Conflict(f"o diretório LDAP já tem {dn} com outra chave") from error
            raise

    def _groups(self, perfil: str, member: str = "*") -> list[str]:
        """The groups of a perfil, wherever under their base somebody has put them; of one member, those that name it."""
        if not PERFIL.fullmatch(perfil):
            raise Invalid(
                f"`{perfil}` não é nome de perfil num diretório LDAP: espera-se <sistema>.<perfil>", field="perfil"
            )
        whose = member if member == "*" else escape_filter_chars(member)
        query = f"(&(objectClass={self._set['group_class']})(cn={escape_filter_chars(perfil)})(member={whose}))"
        return [dn for dn, _ in self._wire.search(self._set["groups"], query, ["cn"])]

    def _join(self, perfil: str, dn: str) -> None:
        if self._groups(perfil, dn):
            return
        groups = self._groups(perfil)
        if groups:
            self._wire.modify(groups[0], {"member": [(MODIFY_ADD, [dn])]})
        else:
            group, attributes = f"cn={escape_rdn(perfil)},{self._set['groups']}", {"cn": [perfil], "member": [dn]}
            self._wire.call(lambda connection: connection.add(group, [self._set["group_class"]], attributes))

    def _leave(self, group: str, dn: str) -> None:
        """A groupOfNames may not be empty (RFC 4519 §3.5): the groups' base takes the place of its last member."""
        try:
            self._wire.modify(group, {"member": [(MODIFY_DELETE, [dn])]})
        except Invalid as error:
            if not isinstance(error.__cause__, ldap_error.LDAPObjectClassViolationResult):
                raise
            self._wire.modify(group, {"member": [(MODIFY_ADD, [self._set["groups"]]), (MODIFY_DELETE, [dn])]})
        except Unavailable as error:
            if not isinstance(
                error.__cause__, ldap_error.LDAPNoSuchObjectResult | ldap_error.LDAPNoSuchAttributeResult
            ):
                raise
