"""``plan`` takes away first, gives last, never deletes, and once applied leaves nothing to do; also cut short."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import assert_never

import hypothesis.strategies as st
import pytest
from hypothesis import given

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
    plan,
)

NOW = datetime(2026, 1, 5, 9, tzinfo=UTC)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))
perfis = st.frozensets(st.sampled_from(["vfr.perito", "dec.dec-procurador", "mt-aidf.mt-consulta", "tram.tram-gestor"]))
attributes = st.dictionaries(st.sampled_from(["nome", "email"]), st.sampled_from(["", "Ana", "Ana Brito", "ana@x"]))
wanted_accounts = st.builds(Account, st.just("k"), st.booleans(), perfis, attributes, st.none() | moments)
sessions = st.sampled_from([NO_SESSIONS, None]) | moments
actual_accounts = st.builds(Account, st.just("k"), st.booleans(), perfis, attributes, sessions)


def applied(account: Account | None, change: Change) -> Account | None:
    """What an honest target looks like after the change."""
    if isinstance(change, Create):
        return account or Account("k", enabled=False, attributes=dict(change.attributes), sessions_after=NO_SESSIONS)
    assert account is not None
    match change:
        case Disable():
            return replace(account, enabled=False)
        case EndSessions():
            return replace(account, sessions_after=NO_SESSIONS)
        case RemovePerfil(perfil):
            return replace(account, perfis=account.perfis - {perfil})
        case SetAttribute(name, value):
            return replace(account, attributes={**account.attributes, name: value})
        case AddPerfil(perfil):
            return replace(account, perfis=account.perfis | {perfil})
        case Enable():
            return replace(account, enabled=True)
        case _:
            assert_never(change)


@given(wanted_accounts, st.none() | actual_accounts)
def test_after_the_plan_nothing_is_left(wanted: Account, actual: Account | None) -> None:
    for change in plan(wanted, actual):
        actual = applied(actual, change)
    assert plan(wanted, actual) == ()


@given(wanted_accounts, st.none() | actual_accounts)
def test_cut_short_anywhere_and_planned_anew_it_arrives(wanted: Account, actual: Account | None) -> None:
    for _ in range(30):
        left = plan(wanted, actual)
        if not left:
            return
        actual = applied(actual, left[0])
    pytest.fail("it never arrives")


@given(wanted_accounts, actual_accounts)
def test_taking_away_comes_before_giving_and_disable_before_all(wanted: Account, actual: Account) -> None:
    changes = plan(wanted, actual)
    gives = [isinstance(change, SetAttribute | AddPerfil | Enable | Create) for change in changes]
    assert gives == sorted(gives)
    assert Disable() not in changes[1:]
    if Disable() in changes:
        assert changes[1] == EndSessions()
    assert Enable() not in changes[:-1]


@given(wanted_accounts, actual_accounts)
def test_nobody_is_enabled_while_an_old_session_lives(wanted: Account, actual: Account) -> None:
    seen: Account | None = actual
    for change in plan(wanted, actual):
        assert seen is not None
        if change == Enable():
            assert seen.sessions_after == NO_SESSIONS
        seen = applied(seen, change)


@given(actual_accounts)
def test_who_is_out_keeps_no_perfil_and_no_session_and_is_given_nothing(actual: Account) -> None:
    for wanted in (None, Account("k", enabled=False, perfis=frozenset({"vfr.perito"}), attributes={"nome": "Nova"})):
        seen: Account | None = actual
        for change in plan(wanted, actual):
            assert not isinstance(change, SetAttribute | AddPerfil | Enable | Create)
            seen = applied(seen, change)
        assert seen is not None
        assert (seen.enabled, seen.perfis, seen.sessions_after) == (False, frozenset(), NO_SESSIONS)


def test_who_is_out_and_does_not_exist_needs_nothing() -> None:
    assert plan(Account("k", enabled=False, perfis=frozenset({"a.b"})), None) == ()
    assert plan(None, None) == ()


def test_a_session_older_than_wanted_ends_and_a_later_one_lives() -> None:
    wanted = Account("k", enabled=True, sessions_after=NOW)
    assert plan(wanted, Account("k", enabled=True, sessions_after=NOW.replace(hour=8))) == (EndSessions(),)
    assert plan(wanted, Account("k", enabled=True, sessions_after=None)) == (EndSessions(),)
    assert plan(wanted, Account("k", enabled=True, sessions_after=NOW.replace(hour=10))) == ()
    assert plan(wanted, Account("k", enabled=True, sessions_after=NO_SESSIONS)) == ()


def test_the_case_of_an_address_and_the_blanks_of_a_name_are_no_difference() -> None:
    wanted = Account("k", enabled=True, attributes={"email": "Ana@Sefaz.example", "nome": "Ana  Brito "})
    actual = Account("k", enabled=True, attributes={"email": "ana@sefaz.example", "nome": "Ana Brito"})
    assert plan(wanted, actual) == ()
