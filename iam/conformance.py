"""The contract of a target as tests that its author inherits. Our own mechanism; ours pass it against the real servers.

``class TestMine(TargetContract)`` with the fixtures ``connect`` and ``broken``, and for a system with sessions
``sessions = True`` and ``open_session``, is all an author writes. Every test makes accounts under fresh keys, so the
system may be shared and need not be empty; accounts are left behind, because a target never deletes. It must never be
run against a system in use.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from uuid import uuid4

import pytest

from iam.connector import (
    NO_SESSIONS,
    Account,
    AddPerfil,
    Create,
    Disable,
    Enable,
    EndSessions,
    RemovePerfil,
    SetAttribute,
    Target,
    plan,
)
from iam.errors import NotFound, Unavailable

Connect = Callable[[], Target]
UNKNOWN = ("*", ")(uid=*", "' OR 1=1 --", "../../x", "a b", "ação", "x" * 200, "%2e%2e", "a,ou=b", "\u202e")


def agree(target: Target, wanted: Account) -> Account:
    """Applies the plan for the account and looks again. Fails unless nothing is left to do."""
    for change in plan(wanted, target.observe(wanted.key)):
        target.apply(wanted.key, change)
    seen = target.observe(wanted.key)
    assert plan(wanted, seen) == (), "the second look must find agreement"
    assert seen is not None
    return seen


class TargetContract:
    """The contract. ``perfis`` are three names that the system may hold; ``secrets`` must show nowhere."""

    perfis: ClassVar[tuple[str, str, str]] = ("conformance.um", "conformance.dois", "conformance.tres")
    secrets: ClassVar[tuple[str, ...]] = ()
    sessions: ClassVar[bool] = False

    @pytest.fixture
    def connect(self) -> Connect:
        """A function that makes a new instance of the target on the same real system, as a restarted process does."""
        raise NotImplementedError

    @pytest.fixture
    def broken(self) -> Target:
        """An instance whose system does not answer, or not as it should."""
        raise NotImplementedError

    def open_session(self, target: Target, key: str) -> Callable[[], bool]:
        """Logs the account in as its holder would; the function answers whether *any* of what was got still works."""
        raise NotImplementedError

    @pytest.fixture
    def target(self, connect: Connect) -> Target:
        """One instance."""
        return connect()

    @pytest.fixture
    def wanted(self) -> Account:
        """An enabled account under a fresh key, with two perfis."""
        key = uuid4().hex
        attributes = {"nome": "Ana Lúcia da Conceição", "email": f"{key}@sefaz.example"}
        return Account(key, enabled=True, perfis=frozenset(self.perfis[:2]), attributes=attributes)

    def test_check_passes_on_a_system_that_works(self, target: Target) -> None:
        """And may be asked twice."""
        target.check()
        target.check()

    def test_a_system_that_does_not_answer_is_unavailable_with_a_reason(self, broken: Target) -> None:
        """From every method, and never as another exception: the worker retries it."""
        key = uuid4().hex
        calls: tuple[Callable[[], object], ...] = (
            broken.check,
            lambda: broken.observe(key),
            lambda: broken.apply(key, Create({"nome": "Ana"})),
            lambda: broken.apply(key, Disable()),
            lambda: list(broken.keys()),
        )
        for call in calls:
            with pytest.raises(Unavailable) as refusal:
                call()
            assert len(refusal.value.message) > 10

    def test_secrets_show_neither_in_the_name_nor_in_a_reason(self, target: Target, broken: Target) -> None:
        """What is logged about an instance must be safe to log."""
        with pytest.raises(Unavailable) as refusal:
            broken.check()
        for secret in self.secrets:
            assert secret not in repr(target) + str(target) + repr(broken) + str(refusal.value)

    def test_an_unknown_key_observes_nothing(self, target: Target, wanted: Account) -> None:
        """Also when the key reads like a pattern, a path or a statement of the system's language."""
        agree(target, wanted)
        for key in (uuid4().hex, *UNKNOWN):
            assert target.observe(key) is None

    def test_an_account_that_was_seen_is_found_by_its_id(self, target: Target, wanted: Account) -> None:
        """Whatever name it is looked for under: a person's account that somebody renamed is not out. Not for a system
        where a name is for good, which has no ids.
        """
        seen = agree(target, wanted)
        assert target.observe(wanted.key, seen.id) == seen
        if not seen.id:
            return
        other = uuid4().hex
        found = target.observe(other, seen.id)
        assert found is not None
        assert (found.id, found.enabled, found.perfis) == (seen.id, True, wanted.perfis)
        for change in plan(None, found):
            target.apply(other, change, seen.id)
        assert agree(target, replace(wanted, enabled=False)).id == seen.id

    def test_an_id_that_the_system_no_longer_knows_finds_nothing(self, target: Target, wanted: Account) -> None:
        """And hides no account of the same key."""
        assert target.observe(wanted.key, str(uuid4())) is None
        agree(target, wanted)
        assert target.observe(wanted.key, str(uuid4())) == target.observe(wanted.key)

    def test_a_wanted_account_comes_to_be_as_wanted(self, target: Target, wanted: Account) -> None:
        """Every part of it, as seen from outside."""
        seen = agree(target, wanted)
        assert (seen.key, seen.enabled, seen.perfis) == (wanted.key, True, wanted.perfis)
        assert {name: seen.attributes.get(name) for name in wanted.attributes} == wanted.attributes

    def test_a_new_account_is_disabled_and_empty_until_the_end(self, target: Target, wanted: Account) -> None:
        """Whoever ends the worker in between has given nothing away."""
        target.apply(wanted.key, Create(wanted.attributes))
        seen = target.observe(wanted.key)
        assert seen is not None
        assert (seen.enabled, seen.perfis, seen.sessions_after) == (False, frozenset(), NO_SESSIONS)

    def test_every_change_twice_is_the_change_once(self, target: Target, wanted: Account) -> None:
        """A lost answer makes the worker do it again."""
        changes = (
            *plan(wanted, None),
            SetAttribute("nome", "Ana Brito"),
            RemovePerfil(self.perfis[0]),
            Disable(),
            EndSessions(),
        )
        for change in changes:
            target.apply(wanted.key, change)
            once = target.observe(wanted.key)
            target.apply(wanted.key, change)
            assert target.observe(wanted.key) == once, change
        assert list(target.keys()).count(wanted.key) == 1

    def test_an_account_that_is_out_is_disabled_without_perfis_and_sessions_but_still_there(
        self, target: Target, wanted: Account
    ) -> None:
        """Never deleted: the trail must survive."""
        agree(target, wanted)
        seen = agree(target, replace(wanted, enabled=False))
        assert (seen.enabled, seen.perfis, seen.sessions_after) == (False, frozenset(), NO_SESSIONS)
        assert seen.attributes.get("nome") == wanted.attributes["nome"]

    def test_disabling_comes_before_anything_else(self, target: Target, wanted: Account) -> None:
        """After the first change alone the account is already out."""
        seen = agree(target, wanted)
        first, second, *_ = plan(None, seen)
        assert (first, second) == (Disable(), EndSessions())
        target.apply(wanted.key, first)
        after = target.observe(wanted.key)
        assert after is not None
        assert not after.enabled

    def test_no_change_touches_another_account(self, target: Target, wanted: Account) -> None:
        """Every change is applied to one; a neighbour with the same perfis stays as it was."""
        neighbour = replace(
            wanted, key=uuid4().hex, attributes={**wanted.attributes, "email": f"{uuid4().hex}@sefaz.example"}
        )
        before = agree(target, neighbour)
        for change in (
            *plan(wanted, None),
            SetAttribute("nome", "Outra"),
            *plan(None, replace(wanted, sessions_after=None)),
        ):
            target.apply(wanted.key, change)
            assert target.observe(neighbour.key) == before, change

    def test_it_survives_being_killed_between_any_two_changes(self, connect: Connect, wanted: Account) -> None:
        """A new process looks, plans what is left and arrives; on the way in, across and on the way out."""
        changed = replace(
            wanted, perfis=frozenset(self.perfis[1:]), attributes={**wanted.attributes, "nome": "Ana Brito"}
        )
        for goal in (wanted, changed, replace(wanted, enabled=False), changed):
            for _ in range(40):
                target = connect()
                left = plan(goal, target.observe(goal.key))
                if not left:
                    break
                target.apply(goal.key, left[0])
            assert plan(goal, connect().observe(goal.key)) == ()

    def test_what_was_done_is_seen_by_a_new_process(self, connect: Connect, wanted: Account) -> None:
        """Nothing is held back in memory."""
        assert agree(connect(), wanted) == connect().observe(wanted.key)

    def test_an_account_enabled_again_has_just_what_is_wanted_now(self, target: Target, wanted: Account) -> None:
        """A return gives nothing back by itself."""
        agree(target, wanted)
        agree(target, replace(wanted, enabled=False))
        seen = agree(target, replace(wanted, perfis=frozenset({self.perfis[2]})))
        assert (seen.enabled, seen.perfis) == (True, frozenset({self.perfis[2]}))

    def test_perfis_are_taken_and_given_one_by_one(self, target: Target, wanted: Account) -> None:
        """The others stay; removing the last one is possible; one that the system never heard of can be removed."""
        agree(target, wanted)
        seen = agree(target, replace(wanted, perfis=frozenset(self.perfis[1:])))
        assert seen.perfis == frozenset(self.perfis[1:])
        target.apply(wanted.key, RemovePerfil("conformance.jamais"))
        assert agree(target, replace(wanted, perfis=frozenset())).perfis == frozenset()

    def test_an_attribute_changes_alone_and_can_be_cleared(self, target: Target, wanted: Account) -> None:
        """What is not named is left as it is."""
        agree(target, wanted)
        seen = agree(target, replace(wanted, attributes={"nome": "Ana Brito"}))
        assert (seen.attributes["nome"], seen.attributes["email"]) == ("Ana Brito", wanted.attributes["email"])
        seen = agree(target, replace(wanted, attributes={"email": ""}))
        assert (seen.attributes["nome"], seen.attributes.get("email", "")) == ("Ana Brito", "")

    @pytest.mark.parametrize(
        "nome", ["João D'Ávila Ñandú", "Yã Guajá", "Zoë 李小龍", "Ana", "Conceição, Maria (da)"[:14]]
    )
    def test_names_of_people_come_back_as_they_were_given(self, target: Target, wanted: Account, nome: str) -> None:
        """Brazil's names have accents, apostrophes, one word or many."""
        assert agree(target, replace(wanted, attributes={"nome": nome})).attributes["nome"] == nome

    def test_keys_name_every_account_once_also_disabled_ones(self, target: Target, wanted: Account) -> None:
        """The sweep must see those that should be out."""
        other = replace(wanted, key=uuid4().hex, attributes={"nome": "Rui"})
        agree(target, wanted)
        agree(target, other)
        agree(target, replace(other, enabled=False))
        keys = list(target.keys())
        assert (keys.count(wanted.key), keys.count(other.key), len(keys)) == (1, 1, len(set(keys)))

    def test_an_account_that_is_not_there_can_lose_but_not_gain(self, target: Target) -> None:
        """Taking away twice is fine; giving to nobody is an error that is seen."""
        key = uuid4().hex
        for loss in (Disable(), EndSessions(), RemovePerfil(self.perfis[0])):
            target.apply(key, loss)
        for gain in (SetAttribute("nome", "Ana"), AddPerfil(self.perfis[0]), Enable()):
            with pytest.raises(NotFound):
                target.apply(key, gain)
        assert target.observe(key) is None

    def test_sessions_of_before_are_dead_and_stay_dead(self, target: Target, wanted: Account) -> None:
        """Disabled, they die; enabled again, none comes back, and only a new login opens anything."""
        if not self.sessions:
            assert agree(target, wanted).sessions_after == NO_SESSIONS
            return
        agree(target, wanted)
        alive = self.open_session(target, wanted.key)
        assert alive()
        seen = target.observe(wanted.key)
        assert seen is not None
        assert seen.sessions_after != NO_SESSIONS
        agree(target, replace(wanted, enabled=False))
        assert not alive()
        agree(target, wanted)
        assert not alive(), "enabled again, the old session came back"
        assert self.open_session(target, wanted.key)()

    def test_sessions_from_before_a_moment_end_and_later_ones_live(self, target: Target, wanted: Account) -> None:
        """A cut in one vínculo ends what was open, not the account."""
        if not self.sessions:
            assert plan(replace(wanted, sessions_after=datetime.now(UTC)), agree(target, wanted)) == ()
            return
        agree(target, wanted)
        before = self.open_session(target, wanted.key)
        agree(target, replace(wanted, sessions_after=datetime.now(UTC) + timedelta(seconds=2)))
        assert not before()
        after = self.open_session(target, wanted.key)
        agree(target, replace(wanted, sessions_after=datetime.now(UTC) - timedelta(hours=1)))
        assert after()

    def test_a_perfil_taken_away_ends_the_sessions_that_name_it(self, target: Target, wanted: Account) -> None:
        """The token of a living session still says what its holder no longer is."""
        agree(target, wanted)
        alive = self.open_session(target, wanted.key) if self.sessions else None
        agree(target, replace(wanted, perfis=frozenset(self.perfis[:1])))
        if alive is not None:
            assert not alive()
