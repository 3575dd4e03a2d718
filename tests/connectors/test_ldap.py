"""``ldap`` keeps the contract on a real slapd, over TLS that is verified, and touches nothing that is not its own."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import ldap3
import pytest

from connectors.ldap import Ldap
from iam.conformance import Connect, TargetContract, agree
from iam.connector import Account, Disable, Enable, RemovePerfil, Target, plan
from iam.errors import Conflict, Invalid, Unavailable
from tests.servers import Slapd, free_port, make_slapd
from tests.tls import Authority, make_authority


class TestLdap(TargetContract):
    secrets = ("segredo-do-contrato",)

    @pytest.fixture
    def connect(self, slapd: Slapd, tmp_path: Path) -> Connect:
        return lambda: Ldap(slapd.settings(), tmp_path)

    @pytest.fixture
    def broken(self, slapd: Slapd, tmp_path: Path) -> Target:
        dead = {"url": f"ldaps://localhost:{free_port()}", "password": "segredo-do-contrato", "timeout": "2"}
        return Ldap(slapd.settings(**dead), tmp_path)


class TestLdapWithUserAccountControl(TargetContract):
    """Active Directory's way of disabling, on slapd with that attribute."""

    @pytest.fixture
    def connect(self, slapd: Slapd, tmp_path: Path) -> Connect:
        return lambda: Ldap(slapd.settings(disabled_attribute="userAccountControl", person_class="adPerson"), tmp_path)

    @pytest.fixture
    def broken(self, slapd: Slapd, tmp_path: Path) -> Target:
        return Ldap(slapd.settings(password="errada"), tmp_path)


class TestLdapWithAnyAttribute(TargetContract):
    """A directory without the password policy overlay: an attribute that its ACLs look at."""

    @pytest.fixture
    def connect(self, slapd: Slapd, tmp_path: Path) -> Connect:
        return lambda: Ldap(slapd.settings(disabled_attribute="employeeType", disabled_value="desabilitado"), tmp_path)

    @pytest.fixture
    def broken(self, slapd: Slapd, tmp_path: Path) -> Target:
        return Ldap(slapd.settings(people="ou=nada,dc=sefaz,dc=example"), tmp_path)


@pytest.fixture
def root(slapd: Slapd) -> Iterator[Any]:
    """The directory's own administrator, to look behind the connector."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(slapd.ca))
    server = ldap3.Server("localhost", port=slapd.port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    with ldap3.Connection(server, slapd.root_dn, slapd.root_password, raise_exceptions=True) as connection:
        yield connection


@pytest.fixture
def target(slapd: Slapd, tmp_path: Path) -> Ldap:
    return Ldap(slapd.settings(), tmp_path)


def person(**more: Any) -> Account:
    perfis = frozenset({"mt-aidf.mt-consulta"})
    return replace(Account(uuid4().hex, enabled=True, perfis=perfis, attributes={"nome": "Ana Brito"}), **more)


def dn(slapd: Slapd, account: Account) -> str:
    return f"uid={account.key},ou=pessoas,{slapd.suffix}"


def can_log_in(slapd: Slapd, account: Account, password: str) -> bool:
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(slapd.ca))
    server = ldap3.Server("localhost", port=slapd.port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    connection = ldap3.Connection(server, dn(slapd, account), password)
    try:
        return bool(connection.bind())
    finally:
        connection.unbind()


def test_who_is_disabled_cannot_log_in_and_who_returns_can(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    agree(target, account)
    root.modify(dn(slapd, account), {"userPassword": [(ldap3.MODIFY_REPLACE, ["uma senha boa"])]})
    assert can_log_in(slapd, account, "uma senha boa")
    agree(target, replace(account, enabled=False))
    assert not can_log_in(slapd, account, "uma senha boa")
    agree(target, account)
    assert can_log_in(slapd, account, "uma senha boa")


def test_attributes_and_groups_of_others_are_never_touched(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    agree(target, account)
    root.modify(dn(slapd, account), {"telephoneNumber": [(ldap3.MODIFY_REPLACE, ["+55 65 3617 2000"])]})
    group = f"cn=impressoras-{account.key},ou=grupos,{slapd.suffix}"
    root.add(group, ["groupOfNames"], {"member": dn(slapd, account)})
    assert agree(target, replace(account, attributes={"nome": "Ana Souza"})).perfis == account.perfis
    agree(target, replace(account, enabled=False))
    root.search(dn(slapd, account), "(objectClass=*)", ldap3.BASE, attributes=["telephoneNumber", "sn"])
    assert root.response[0]["raw_attributes"] == {"telephoneNumber": [b"+55 65 3617 2000"], "sn": [b"Souza"]}
    root.search(group, "(objectClass=*)", ldap3.BASE, attributes=["member"])
    assert root.response[0]["raw_attributes"]["member"] == [dn(slapd, account).encode()]


def test_the_last_member_leaves_a_group_that_stays(slapd: Slapd, target: Ldap, root: Any) -> None:
    perfil = f"tram.t-{uuid4().hex}"
    account = person(perfis=frozenset({perfil}))
    agree(target, account)
    agree(target, replace(account, perfis=frozenset()))
    root.search(f"cn={perfil},ou=grupos,{slapd.suffix}", "(objectClass=*)", ldap3.BASE, attributes=["member"])
    assert root.response[0]["raw_attributes"]["member"] == [f"ou=grupos,{slapd.suffix}".encode()]
    assert agree(target, account).perfis == {perfil}


def test_a_key_in_another_case_is_the_same_person(slapd: Slapd, target: Ldap, root: Any) -> None:
    """The directory lets her log in under any of them."""
    account = person(key=f"a{uuid4().hex}", attributes={"nome": "Ana Brito"})
    agree(target, replace(account, key=account.key.upper()))
    root.modify(dn(slapd, account), {"userPassword": [(ldap3.MODIFY_REPLACE, ["uma senha boa"])]})
    assert can_log_in(slapd, account, "uma senha boa")
    agree(target, replace(account, enabled=False))
    assert not can_log_in(slapd, account, "uma senha boa")


def test_an_entry_of_another_class_is_cut_too(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    root.add(dn(slapd, account), ["account", "simpleSecurityObject"], {"userPassword": "uma senha boa"})
    assert can_log_in(slapd, account, "uma senha boa")
    agree(target, replace(account, enabled=False))
    assert not can_log_in(slapd, account, "uma senha boa")


def test_a_renamed_entry_is_found_and_cut(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    known = agree(target, account).id
    root.modify_dn(dn(slapd, account), f"uid={account.key}.silva")
    assert target.observe(account.key) is None
    out = replace(account, enabled=False)
    for change in plan(out, target.observe(account.key, known)):
        target.apply(account.key, change, known)
    cut = target.observe(f"{account.key}.silva")
    assert cut is not None
    assert (cut.enabled, cut.perfis) == (False, frozenset())


def test_an_entry_moved_out_of_reach_is_never_called_absent(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    known = agree(target, account).id
    elsewhere = f"ou=outra-{account.key},{slapd.suffix}"
    root.add(elsewhere, ["organizationalUnit"])
    root.modify_dn(dn(slapd, account), f"uid={account.key}", new_superior=elsewhere)
    first, *_ = plan(replace(account, enabled=False), target.observe(account.key, known))
    assert first == Disable()
    with pytest.raises(Unavailable, match="insufficientAccess"):
        target.apply(account.key, first, known)


def test_an_entry_that_somebody_deleted_is_gone(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    known = agree(target, account).id
    root.delete(dn(slapd, account))
    assert target.observe(account.key, known) is None


def test_a_key_that_now_names_another_entry_is_for_people_to_decide(slapd: Slapd, target: Ldap, root: Any) -> None:
    account = person()
    known = agree(target, account).id
    root.modify_dn(dn(slapd, account), f"uid={account.key}.silva")
    root.add(dn(slapd, account), ["inetOrgPerson"], {"cn": "Outra", "sn": "Outra"})
    with pytest.raises(Conflict):
        target.observe(account.key, known)
    root.delete(f"uid={account.key}.silva,ou=pessoas,{slapd.suffix}")
    made_anew = target.observe(account.key, known)
    assert made_anew is not None
    assert made_anew.id not in ("", known)


def test_an_id_of_octets_finds_too(slapd: Slapd, root: Any, tmp_path: Path) -> None:
    """Active Directory's objectGUID; some octets mean something in a filter."""
    account, guid = person(), b"*()\\\0\xff" + uuid4().bytes[:10]
    root.add(dn(slapd, account), ["adPerson"], {"cn": "Ana", "sn": "Ana", "objectGUID": guid})
    target = Ldap(slapd.settings(id_attribute="objectGUID"), tmp_path)
    seen = target.observe(account.key)
    assert seen is not None
    assert seen.id == guid.hex()
    root.modify_dn(dn(slapd, account), f"uid={account.key}.silva")
    assert target.observe(account.key, seen.id) == seen


def test_an_id_that_may_not_be_read_is_no_agreement(slapd: Slapd, target: Ldap, tmp_path: Path) -> None:
    account = person()
    agree(target, account)
    with pytest.raises(Unavailable, match="departmentNumber"):
        Ldap(slapd.settings(id_attribute="departmentNumber"), tmp_path).observe(account.key)


def test_flags_of_active_directory_that_may_not_be_read_are_no_agreement(
    slapd: Slapd, target: Ldap, tmp_path: Path
) -> None:
    account = person()
    agree(target, account)
    blind = Ldap(slapd.settings(disabled_attribute="userAccountControl"), tmp_path)
    with pytest.raises(Unavailable, match="userAccountControl"):
        blind.observe(account.key)
    for change in (Disable(), Enable()):
        with pytest.raises(Unavailable, match="userAccountControl"):
            blind.apply(account.key, change)


def test_a_perfil_whose_group_was_moved_is_left_and_joined_where_it_is(slapd: Slapd, target: Ldap, root: Any) -> None:
    perfil, account = f"tram.t-{uuid4().hex}", person()
    agree(target, replace(account, perfis=frozenset({perfil})))
    elsewhere = f"ou=sub-{account.key},ou=grupos,{slapd.suffix}"
    root.add(elsewhere, ["organizationalUnit"])
    root.modify_dn(f"cn={perfil},ou=grupos,{slapd.suffix}", f"cn={perfil}", new_superior=elsewhere)
    assert agree(target, replace(account, perfis=frozenset())).perfis == frozenset()
    agree(target, replace(account, perfis=frozenset({perfil})))
    root.search(f"ou=grupos,{slapd.suffix}", f"(cn={perfil})", attributes=["cn"])
    assert [entry["dn"] for entry in root.response] == [f"cn={perfil},{elsewhere}"]


def test_a_perfil_held_through_other_groups_is_seen_and_not_called_left(slapd: Slapd, target: Ldap, root: Any) -> None:
    """Across two groups, one of them out of the groups' base; and groups that hold each other end the walk."""
    account, perfil = person(perfis=frozenset()), f"tram.t-{uuid4().hex}"
    agree(target, account)
    team, unit = f"cn=equipe-{account.key},{slapd.suffix}", f"cn=unidade-{account.key},ou=grupos,{slapd.suffix}"
    root.add(team, ["groupOfNames"], {"member": [dn(slapd, account), unit]})
    root.add(unit, ["groupOfNames"], {"member": team})
    root.add(f"cn={perfil},ou=grupos,{slapd.suffix}", ["groupOfNames"], {"member": unit})
    seen = target.observe(account.key)
    assert seen is not None
    assert seen.perfis == {perfil}
    with pytest.raises(AssertionError, match="agreement"):
        agree(target, replace(account, enabled=False))
    assert plan(replace(account, enabled=False), target.observe(account.key)) == (RemovePerfil(perfil),)


def test_more_accounts_than_a_page_are_all_named(slapd: Slapd, target: Ldap, root: Any) -> None:
    keys = {uuid4().hex for _ in range(600)}
    for key in keys:
        root.add(f"uid={key},ou=pessoas,{slapd.suffix}", ["inetOrgPerson"], {"cn": "x", "sn": "x", "uid": key})
    swept = set(filter(target.observe, target.keys()))  # one by one, while others are looked at
    assert keys <= swept


def test_a_directory_that_cuts_the_answer_short_is_not_taken_for_a_small_one(
    tmp_path: Path, authority: Authority
) -> None:
    server = make_slapd(tmp_path, authority)
    configuration = tmp_path / "slapd.conf"
    configuration.write_text(configuration.read_text().replace("size=unlimited", "size=3"))
    target = Ldap(server.settings(), tmp_path)
    with server.started():
        for _ in range(4):
            agree(target, person())
        with pytest.raises(Unavailable, match="sem limite"):
            list(target.keys())


@pytest.mark.parametrize("perfil", ["semponto", "a.b,ou=x", "*.x", ".x", "x.", "a.b\0"])
def test_a_perfil_that_could_be_read_as_something_else_is_refused(target: Ldap, perfil: str) -> None:
    account = person()
    agree(target, account)
    with pytest.raises(Invalid):
        agree(target, replace(account, perfis=frozenset({perfil})))


def test_it_goes_on_when_the_directory_was_started_anew(tmp_path: Path, authority: Authority) -> None:
    folder = tmp_path / "slapd"
    folder.mkdir()
    server = make_slapd(folder, authority)
    target, account = Ldap(server.settings(timeout="3"), tmp_path), person()
    with server.started():
        seen = agree(target, account)
    with pytest.raises(Unavailable):
        target.observe(account.key)
    with server.started():
        assert target.observe(account.key) == seen


def test_many_threads_may_use_one_instance(target: Ldap) -> None:
    accounts = [person() for _ in range(24)]
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda account: agree(target, account), accounts))
    assert [account.key for account in seen] == [account.key for account in accounts]


class TestTls:
    def test_a_server_of_an_unknown_authority_is_not_spoken_to(self, slapd: Slapd, tmp_path: Path) -> None:
        other = make_authority(tmp_path)
        with pytest.raises(Unavailable):
            Ldap(slapd.settings(ca_file=str(other.ca)), tmp_path).check()

    def test_the_authorities_of_the_system_do_not_know_it_either(self, slapd: Slapd, tmp_path: Path) -> None:
        with pytest.raises(Unavailable):
            Ldap(slapd.settings(ca_file=""), tmp_path).check()

    def test_a_server_of_another_name_is_not_spoken_to(self, slapd: Slapd, tmp_path: Path) -> None:
        with pytest.raises(Unavailable):
            Ldap(slapd.settings(url=f"ldaps://127.0.0.2:{slapd.port}"), tmp_path).check()

    def test_a_server_that_offers_no_tls_gets_no_password(self, slapd: Slapd, tmp_path: Path) -> None:
        import socket
        import threading

        heard = bytearray()
        with socket.create_server(("127.0.0.1", 0)) as listener:

            def listen() -> None:
                client, _ = listener.accept()
                with client:
                    heard.extend(client.recv(4096))

            thread = threading.Thread(target=listen)
            thread.start()
            with pytest.raises(Unavailable):
                Ldap(slapd.settings(url=f"ldap://localhost:{listener.getsockname()[1]}", timeout="2"), tmp_path).check()
            thread.join()
        assert b"1.3.6.1.4.1.1466.20037" in heard  # it asked for STARTTLS
        assert slapd.password.encode() not in heard


class TestSettings:
    @pytest.mark.parametrize("name", ["url", "bind_dn", "password", "people", "groups"])
    def test_a_missing_one_is_named(self, slapd: Slapd, tmp_path: Path, name: str) -> None:
        given = slapd.settings()
        del given[name]
        with pytest.raises(Invalid, match=name):
            Ldap(given, tmp_path)

    @pytest.mark.parametrize(
        ("name", "value"),
        [("url", "http://x"), ("url", "ldaps://"), ("timeout", "já"), ("ca_file", "nada.pem"), ("ca", "x")],
    )
    def test_a_wrong_one_is_named(self, slapd: Slapd, tmp_path: Path, name: str, value: str) -> None:
        with pytest.raises(Invalid) as refusal:
            Ldap(slapd.settings(**{name: value}), tmp_path)
        assert refusal.value.field == name

    def test_an_attribute_that_disables_and_the_schema_does_not_know_fails_the_check(
        self, slapd: Slapd, tmp_path: Path
    ) -> None:
        with pytest.raises(Unavailable, match="nsAccountLock"):
            Ldap(slapd.settings(disabled_attribute="nsAccountLock", disabled_value="true"), tmp_path).check()
