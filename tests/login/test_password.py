"""Passwords: only hashes exist, guessable ones are refused, and an unknown account costs what a known one does."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import argon2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from iam.errors import Invalid, Unavailable
from iam.login import password

GOOD = "três tigres & um prato"


def test_a_hash_is_argon2id_of_the_strength_owasp_asks_and_never_the_same_twice() -> None:
    stored = password.hash(GOOD)
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert GOOD not in stored
    assert stored != password.hash(GOOD)
    assert password.verify(stored, GOOD)
    assert not password.verify(stored, GOOD + " ")


def test_the_same_letters_typed_on_another_keyboard_are_the_same_password() -> None:
    assert password.verify(password.hash("senh\u00e1 comprida"), "senha\u0301 comprida")


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$v=19$m=19456,t=2,p=1$AAAA$AAAA"])
def test_without_a_usable_hash_nobody_enters(stored: str | None) -> None:
    assert not password.verify(stored, GOOD)
    assert not password.verify(stored, "")


def test_an_empty_password_never_matches_by_being_too_long() -> None:
    assert not password.verify(password.hash(""), "x" * 1000)


@given(st.text(max_size=300))
@settings(max_examples=15, deadline=None)
def test_whatever_is_typed_is_only_right_or_wrong(typed: str) -> None:
    assert password.verify(STORED, typed) is (password.normalize(typed) == password.normalize(GOOD))


STORED = password.hash(GOOD)


def test_a_hash_made_with_other_parameters_still_opens() -> None:
    old = argon2.PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(GOOD)
    assert password.verify(old, GOOD)


@pytest.mark.parametrize(
    "text",
    [
        "curta",
        "x" * 129,
        "aaaaaaaaaaaaaa",
        "abababababab",
        "abcdeabcdeabcde"[:4] * 4,
        "123456789012",
        "987654321098",
        "abcdefghijklm",
        "Senha1234567!",
        "brasil2026!!!",
        "Corinthians#1910",
        "x-529.982.247-25",
        "maria.souza!2026",
        "a senha da Joaquina",
        "abcdefg\x00hijklx",
    ],
)
def test_a_password_that_somebody_could_guess_is_refused_and_told_why(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        password.check(text, cpf="52998224725", login="maria.souza", nome="Maria Joaquina de Sousa")
    assert refusal.value.code == "senha_fraca"
    assert "senha" in refusal.value.message
    assert text not in refusal.value.message


@pytest.mark.parametrize("text", [GOOD, "cavalo correto bateria", "7-gatos-e-meio", "ãéîõü çãéîõü"])
def test_a_good_password_needs_no_special_kind_of_character(text: str) -> None:
    password.check(text, cpf="52998224725", login="maria.souza", nome="Maria Joaquina de Sousa")


def test_a_provisional_password_is_random_and_can_be_read_aloud() -> None:
    found = {password.provisional() for _ in range(50)}
    assert len(found) == 50
    assert all(re.fullmatch(r"([a-hjkmnp-z2-9]{4}-){3}[a-hjkmnp-z2-9]{4}", text) for text in found)
    password.check(found.pop())


def test_a_crowd_waits_in_line_and_is_told_when_the_line_is_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(password, "_PATIENCE", 0.05)
    gate = threading.Event()
    for _ in range(password._CONCURRENT):
        password._line.submit(gate.wait)
    try:
        with pytest.raises(Unavailable):
            password.verify(STORED, GOOD)
    finally:
        gate.set()
    monkeypatch.undo()
    answers: list[bool] = []
    threads = [threading.Thread(target=lambda: answers.append(password.verify(STORED, GOOD))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 4


CROWD = """
import resource, threading
from iam.login import password

stored = password.hash("a chuva lava as pedras")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

def guess() -> None:
    for _ in range(8):
        assert not password.verify(stored, "o vento leva as folhas")

threads = [threading.Thread(target=guess) for _ in range(16)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_a_crowd_takes_no_more_memory_than_those_whose_turn_it_is() -> None:
    """RFC 9106 makes each guess cost 19 MiB, and the allocator keeps for a thread what it once took."""
    took = subprocess.run([sys.executable, "-c", CROWD], check=True, capture_output=True, text=True, timeout=120).stdout
    assert int(took) < (password._CONCURRENT + 2) * 19 * 1024
