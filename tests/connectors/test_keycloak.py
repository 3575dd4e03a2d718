"""``keycloak`` keeps the contract on the real server, and no token of before comes back with a return."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from keycloak import KeycloakAdmin

from connectors.keycloak import CLOCK_AHEAD
from connectors.keycloak import Keycloak as KeycloakTarget
from iam.conformance import Connect, TargetContract, agree
from iam.connector import NO_SESSIONS, Disable, Enable, EndSessions, Target, plan
from iam.errors import Conflict, Invalid, Unavailable
from tests.connectors.realm import ALL_DEAD, ALL_WORK, SECRET, Realm, person, tried
from tests.servers import free_port


class TestKeycloak(TargetContract):
    sessions = True
    secrets = (SECRET, "segredo-errado")

    @pytest.fixture(autouse=True)
    def _realm(self, realm: Realm) -> None:
        self.realm = realm

    @pytest.fixture
    def connect(self, realm: Realm, tmp_path: Path) -> Connect:
        return lambda: KeycloakTarget(realm.settings(), tmp_path)

    @pytest.fixture
    def broken(self, realm: Realm, tmp_path: Path) -> Target:
        return KeycloakTarget(realm.settings(url=f"https://localhost:{free_port()}", timeout="2"), tmp_path)

    def open_session(self, target: Target, key: str) -> Callable[[], bool]:
        online, offline = self.realm.log_in(key), self.realm.log_in(key, "openid offline_access")
        return lambda: any(tried(online).values()) or any(tried(offline).values())


@pytest.mark.parametrize("scope", ["openid", "openid offline_access"])
def test_a_return_brings_no_old_token_back(realm: Realm, target: KeycloakTarget, scope: str) -> None:
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key, scope)
    assert tried(tokens) == ALL_WORK
    agree(target, replace(account, enabled=False))
    assert tried(tokens) == ALL_DEAD
    agree(target, account)
    assert tried(tokens) == ALL_DEAD
    assert tried(realm.log_in(account.key, scope)) == ALL_WORK


def test_keycloak_alone_would_bring_them_back(realm: Realm, target: KeycloakTarget) -> None:
    """The fact that the connector is made for; when a version of Keycloak no longer does this, we learn it here."""
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key)
    target.apply(account.key, Disable())
    assert tried(tokens) == ALL_DEAD
    realm.admin.enable_user(realm.admin.get_user_id(account.key))
    assert tried(tokens) == ALL_WORK


def test_sessions_end_also_when_an_administrator_had_disabled_by_hand(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key)
    realm.admin.disable_user(realm.admin.get_user_id(account.key))
    seen = target.observe(account.key)
    assert plan(replace(account, enabled=False), seen)[0] == EndSessions()
    target.apply(account.key, Enable())
    assert tried(tokens) == ALL_DEAD


def test_a_worker_killed_after_disable_ends_the_sessions_when_it_comes_back(
    realm: Realm, target: KeycloakTarget
) -> None:
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key)
    out = replace(account, enabled=False)
    target.apply(account.key, plan(out, target.observe(account.key))[0])
    assert agree(KeycloakTarget(realm.settings(), Path()), out).sessions_after == NO_SESSIONS
    agree(target, account)
    assert tried(tokens) == ALL_DEAD


def test_the_token_of_a_perfil_carries_it_no_more_once_taken_away(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key)
    agree(target, replace(account, perfis=frozenset({"vfr.coana-perito"})))
    assert tried(tokens) == ALL_DEAD


def test_an_offline_session_younger_than_the_cut_lives_on(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    old = realm.log_in(account.key, "openid offline_access")
    cut = replace(account, sessions_after=datetime.now(UTC))
    time.sleep(CLOCK_AHEAD.total_seconds() + 1.1)  # Keycloak tells the end of sessions in whole seconds
    agree(target, cut)
    assert tried(old) == ALL_DEAD
    new = realm.log_in(account.key, "openid offline_access")
    agree(target, cut)
    assert tried(new) == ALL_WORK


def test_an_offline_session_of_the_very_second_of_the_cut_is_ended(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    old = realm.log_in(account.key, "openid offline_access")
    agree(target, replace(account, sessions_after=datetime.now(UTC)))
    assert tried(old) == ALL_DEAD


def test_what_others_wrote_on_the_user_stays(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    user = realm.admin.get_user_id(account.key)
    own = realm.admin.get_user(user)
    realm.admin.update_user(user, {**own, "attributes": {"ramal": ["2000"]}, "requiredActions": ["UPDATE_PASSWORD"]})
    group = realm.admin.create_group({"name": f"impressoras-{account.key}"})
    realm.admin.group_user_add(user, group)
    agree(target, replace(account, attributes={"nome": "Ana Souza", "lotacao": "GCAD"}))
    agree(target, replace(account, enabled=False))
    kept = realm.admin.get_user(user)
    assert kept["attributes"] == {"ramal": ["2000"], "lotacao": ["GCAD"]}
    assert (kept["requiredActions"], kept["email"], kept["lastName"]) == (
        ["UPDATE_PASSWORD"],
        account.attributes["email"],
        "Souza",
    )
    assert [g["name"] for g in realm.admin.get_user_groups(user)] == [f"impressoras-{account.key}"]


def test_a_session_that_a_clock_ahead_calls_too_young_is_ended(realm: Realm, target: KeycloakTarget) -> None:
    """Its server's clock says it began just after; by ours it may have begun before."""
    account = person()
    agree(target, account)
    tokens = realm.log_in(account.key)
    agree(target, replace(account, sessions_after=datetime.now(UTC) - timedelta(seconds=3)))
    assert tried(tokens) == ALL_DEAD


def test_a_key_in_another_case_is_the_same_person(realm: Realm, target: KeycloakTarget) -> None:
    """Keycloak lets her log in under any of them."""
    account = person(key=f"a{uuid4().hex}")
    agree(target, account)
    tokens = realm.log_in(account.key)
    agree(target, replace(account, key=account.key.upper(), enabled=False))
    assert tried(tokens) == ALL_DEAD


def test_a_renamed_user_is_found_and_cut(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    known = agree(target, account).id
    new = f"{account.key}.silva"
    realm.admin.update_user(known, {**realm.admin.get_user(known), "username": new})
    tokens = realm.log_in(new)
    assert target.observe(account.key) is None
    out = replace(account, enabled=False)
    for change in plan(out, target.observe(account.key, known)):
        target.apply(account.key, change, known)
    assert plan(out, target.observe(account.key, known)) == ()
    assert tried(tokens) == ALL_DEAD


def test_a_deleted_user_is_gone_and_one_made_anew_is_another(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    known = agree(target, account).id
    realm.admin.delete_user(known)
    assert target.observe(account.key, known) is None
    realm.admin.create_user({"username": account.key, "enabled": True})
    seen = target.observe(account.key, known)
    assert seen is not None
    assert seen.id not in ("", known)


def test_a_name_that_now_is_of_another_user_is_for_people_to_decide(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    known = agree(target, account).id
    realm.admin.update_user(known, {**realm.admin.get_user(known), "username": f"{account.key}.silva"})
    realm.admin.create_user({"username": account.key, "enabled": True})
    with pytest.raises(Conflict):
        target.observe(account.key, known)


def test_a_subgroup_gives_the_perfil_above_it_and_is_left_with_it(realm: Realm, target: KeycloakTarget) -> None:
    account = person()
    agree(target, account)
    user, perfil = realm.admin.get_user_id(account.key), realm.admin.get_group_by_path("/vfr/coana-perito")
    below = realm.admin.create_group({"name": f"turno-{account.key}"}, parent=perfil["id"])
    realm.admin.group_user_remove(user, perfil["id"])
    realm.admin.group_user_add(user, below)
    seen = target.observe(account.key)
    assert seen is not None
    assert "vfr.coana-perito" in seen.perfis
    agree(target, replace(account, enabled=False))
    assert realm.admin.get_user_groups(user) == []


def test_many_threads_may_use_one_instance(target: KeycloakTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its library's connection is not made for two at once."""
    real, inside, most = KeycloakAdmin.users_count, [], []

    def slow(admin: KeycloakAdmin) -> int:
        inside.append(admin)
        time.sleep(0.05)
        most.append(len(inside))
        inside.pop()
        return int(real(admin))

    monkeypatch.setattr(KeycloakAdmin, "users_count", slow)
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda _: target.check(), range(12)))
    assert most == [1] * 12


@pytest.mark.parametrize("perfil", ["semponto", "../admin.x", "a/b.c", "a.b/c", "a.?x=1", ".x"])
def test_a_perfil_that_could_be_read_as_something_else_is_refused(target: KeycloakTarget, perfil: str) -> None:
    account = person(perfis=frozenset())
    agree(target, account)
    with pytest.raises(Invalid):
        agree(target, replace(account, perfis=frozenset({perfil})))


def test_more_users_than_a_page_are_all_named(realm: Realm, target: KeycloakTarget) -> None:
    keys = {uuid4().hex for _ in range(230)}
    realm.admin.partial_import_realm(
        realm.name, {"ifResourceExists": "FAIL", "users": [{"username": key} for key in keys]}
    )
    named = list(target.keys())
    assert keys <= set(named)
    assert len(named) == len(set(named))


class TestRefusals:
    @pytest.mark.parametrize(
        "wrong",
        [{"client_secret": "segredo-errado"}, {"client_id": "app", "client_secret": "app"}, {"realm": "nenhum"}],
    )
    def test_a_service_account_that_may_not_is_unavailable(
        self, realm: Realm, tmp_path: Path, wrong: dict[str, str]
    ) -> None:
        target = KeycloakTarget(realm.settings(**wrong), tmp_path)
        calls: tuple[Callable[[], object], ...] = (
            target.check,
            lambda: target.observe("x"),
            lambda: target.apply("x", Disable()),
        )
        for call in calls:
            with pytest.raises(Unavailable) as refusal:
                call()
            assert "segredo" not in refusal.value.message

    def test_a_server_of_an_unknown_authority_is_not_spoken_to(self, realm: Realm, tmp_path: Path) -> None:
        with pytest.raises(Unavailable):
            KeycloakTarget(realm.settings(ca_file=""), tmp_path).check()

    def test_it_goes_on_after_the_service_account_was_logged_out(self, realm: Realm, target: KeycloakTarget) -> None:
        target.check()
        realm.admin.user_logout(realm.admin.get_user_id("service-account-portaria"))
        time.sleep(1)
        target.check()

    @pytest.mark.parametrize("name", ["url", "realm", "client_secret"])
    def test_a_missing_setting_is_named(self, realm: Realm, tmp_path: Path, name: str) -> None:
        given = realm.settings()
        del given[name]
        with pytest.raises(Invalid, match=name):
            KeycloakTarget(given, tmp_path)

    @pytest.mark.parametrize(
        ("name", "value"), [("url", "http://sso.example"), ("timeout", "0"), ("ca_file", "nada.pem"), ("senha", "x")]
    )
    def test_a_wrong_setting_is_named(self, realm: Realm, tmp_path: Path, name: str, value: str) -> None:
        with pytest.raises(Invalid) as refusal:
            KeycloakTarget(realm.settings(**{name: value}), tmp_path)
        assert refusal.value.field == name
