"""One-time codes: RFC 6238's own vectors, an independent implementation, and no code twice."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam.login import totp

SECRET = base64.b32encode(b"12345678901234567890").decode()
NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_vectors_of_rfc_6238(seconds: int, expected: str) -> None:
    assert totp.code(SECRET, datetime.fromtimestamp(seconds, UTC)) == expected


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)))
def test_an_authenticator_shows_the_same(moment: datetime) -> None:
    moment = moment.replace(tzinfo=UTC)
    secret = totp.new_secret()
    assert pyotp.TOTP(secret).at(moment) == totp.code(secret, moment)


@pytest.mark.parametrize(("seconds", "right"), [(-61, False), (-30, True), (0, True), (30, True), (61, False)])
def test_one_step_of_drift_is_forgiven(seconds: int, right: bool) -> None:
    typed = totp.code(SECRET, NOW + timedelta(seconds=seconds))
    assert (totp.verify(SECRET, typed, NOW) is not None) is right


def test_a_code_opens_once() -> None:
    typed = totp.code(SECRET, NOW)
    used = totp.verify(SECRET, typed, NOW)
    assert used == totp.step(NOW)
    assert totp.verify(SECRET, typed, NOW + timedelta(seconds=10), used) is None
    assert totp.verify(SECRET, totp.code(SECRET, NOW - timedelta(seconds=30)), NOW, used) is None
    later = NOW + timedelta(seconds=30)
    assert totp.verify(SECRET, totp.code(SECRET, later), later, used) == used + 1


def test_a_code_may_be_typed_with_a_space() -> None:
    typed = totp.code(SECRET, NOW)
    assert totp.verify(SECRET, f" {typed[:3]} {typed[3:]}", NOW) is not None


@given(st.text(max_size=20))
def test_nothing_else_opens(typed: str) -> None:
    valid = {totp.code(SECRET, NOW + timedelta(seconds=30 * drift)) for drift in (-1, 0, 1)}
    assert totp.verify(SECRET, typed, NOW) is None or "".join(typed.split()) in valid


def test_secrets_are_new_each_time_and_long_enough() -> None:
    assert len({totp.new_secret() for _ in range(50)}) == 50
    assert len(base64.b32decode(totp.new_secret())) == 20


def test_a_secret_that_is_none_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="base32"):
        totp.code("not base32!", NOW)


def test_the_uri_is_what_authenticators_read() -> None:
    parsed = pyotp.parse_uri(totp.uri(SECRET, "maria.souza@sefaz"))
    assert (parsed.secret, parsed.name, parsed.issuer) == (SECRET, "maria.souza@sefaz", "Portaria")
    assert parse_qs(urlsplit(totp.uri(SECRET, "a")).query)["digits"] == ["6"]
