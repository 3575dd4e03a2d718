"""Passwords: kept as Argon2id, compared in the same time whether or not the account exists.

Texts: RFC 9106; OWASP's minimum for Argon2id (19 MiB, two passes, one lane); MT128 art. 16 §2 (the password is secret
even from those who administer) and GAP-MT-17 (the provisional one: random, one use, 72 hours).
Nobody here stores, logs or returns a password that was typed.
"""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import cache
from itertools import pairwise
from typing import TypeVar

from argon2 import PasswordHasher, Type
from argon2.exceptions import InvalidHashError, VerificationError

from iam.errors import Invalid, Unavailable

MIN_LENGTH = 12
MAX_LENGTH = 128
PROVISIONAL_LIFETIME = timedelta(hours=72)
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1, type=Type.ID)
_CONCURRENT = 4
_PATIENCE = 10.0
# 19 MiB and some 20 ms each: a crowd at the door must wait in line, not take the machine's memory. In threads of its own, because
# the allocator keeps for each thread what it once took.
_line = ThreadPoolExecutor(_CONCURRENT, "argon2")
T = TypeVar("T")

_COMMON = frozenset(
    (
        *("senha", "password", "mudar", "trocar", "secreta", "acesso", "sistema", "admin", "administrador", "usuario"),
        *("qwerty", "asdfgh", "zxcvbn", "abcdef", "brasil", "fazenda", "sefaz", "receita", "federal", "portaria"),
        *("flamengo", "corinthians", "palmeiras", "vasco", "gremio", "cruzeiro", "santos", "jesus", "deus", "amor"),
        *("iloveyou", "letmein", "welcome", "dragon", "monkey", "futebol", "familia", "felicidade", "saopaulo"),
    )
)
_FILLER = re.compile(r"[^a-z]+")


def normalize(password: str) -> str:
    """The same characters however a keyboard composed them (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def hash(password: str) -> str:
    """The Argon2id hash of a password, with its parameters and salt, as one printable string."""
    return _in_turn(lambda: _HASHER.hash(normalize(password)))


def verify(stored: str | None, password: str) -> bool:
    """Whether `password` is the one `stored` is the hash of; None (no such account) costs the same and is False.

    Unavailable when too many are being checked at once; Invalid never: whatever was typed is only right or wrong.
    """
    plausible = len(password) <= MAX_LENGTH
    try:
        _in_turn(lambda: _HASHER.verify(stored or _nobody(), normalize(password if plausible else "")))
    except (VerificationError, InvalidHashError, UnicodeEncodeError):
        return False
    return plausible and stored is not None


def check(password: str, *, cpf: str = "", login: str = "", nome: str = "") -> None:
    """Refuse a new password that somebody could guess. Invalid, saying what to change; no rule of composition."""
    text = normalize(password)
    if len(text) < MIN_LENGTH:
        raise _weak(f"a senha precisa de pelo menos {MIN_LENGTH} caracteres")
    if len(text) > MAX_LENGTH:
        raise _weak(f"a senha pode ter no máximo {MAX_LENGTH} caracteres")
    if not text.isprintable():
        raise _weak("a senha contém caracteres que não se podem digitar")
    if len(set(text)) < 5:
        raise _weak("a senha repete poucos caracteres; escolha outra")
    folded = _fold(text)
    digits = "".join(character for character in text if character.isdigit())
    if cpf and cpf in digits:
        raise _weak("a senha não pode conter o CPF")
    if any(len(part) > 3 and part in folded for part in (_fold(login), *_fold(nome).split())):
        raise _weak("a senha não pode conter o nome nem o login")
    if _FILLER.sub("", folded) in _COMMON or _sequence(folded):
        raise _weak("esta senha é muito usada; escolha outra")


def provisional() -> str:
    """A new senha provisória: sixteen characters that are not mistaken for others when read aloud, in four groups."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(4)) for _ in range(4))


def _in_turn(work: Callable[[], T]) -> T:
    waiting = _line.submit(work)
    try:
        return waiting.result(_PATIENCE)
    except TimeoutError as error:
        waiting.cancel()
        raise Unavailable("há muitas entradas ao mesmo tempo; tente de novo em alguns segundos") from error


@cache
def _nobody() -> str:
    """The hash of a password that nobody has."""
    return _HASHER.hash(secrets.token_urlsafe(32))


def _fold(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))


def _sequence(text: str) -> bool:
    """Whether the whole is one run such as 123456789012 or abcdefghijkl, or one short piece again and again."""
    steps = {(ord(b) - ord(a)) % 10 if (a + b).isdigit() else ord(b) - ord(a) for a, b in pairwise(text)}
    if steps in ({1}, {9}, {-1}):
        return True
    return any(text == (text[:size] * len(text))[: len(text)] for size in range(1, 5))


def _weak(message: str) -> Invalid:
    return Invalid(message, code="senha_fraca", field="senha")
