"""One-time codes by time: six digits every thirty seconds, each good once.

Texts: RFC 6238 with SHA-1 (what the authenticator applications do) and section 5.2 (one step of drift, no code twice);
the `otpauth` URI of those applications.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import secrets
from datetime import datetime
from urllib.parse import quote, urlencode

PERIOD = 30
DIGITS = 6
DRIFT = 1


def new_secret() -> str:
    """A new shared secret: 160 bits in base32 without padding."""
    return base64.b32encode(secrets.token_bytes(20)).decode("ascii")


def step(now: datetime) -> int:
    """The number of the thirty-second step that `now` (aware) falls in."""
    return int(now.timestamp()) // PERIOD


def code(secret: str, now: datetime) -> str:
    """The six digits that an authenticator shows at `now`. ValueError when `secret` is not base32."""
    return _code(_key(secret), step(now))


def verify(secret: str, typed: str, now: datetime, last_step: int = 0) -> int | None:
    """The step whose code was typed, to be kept as the new `last_step`; None when wrong, late or used before.

    One step before and one after are accepted; whoever calls must store the answer so that no two use it.
    """
    digits = "".join(typed.split())
    if len(digits) != DIGITS or not digits.isascii() or not digits.isdigit():
        return None
    key, here = _key(secret), step(now)
    found: int | None = None
    for candidate in range(here - DRIFT, here + DRIFT + 1):
        if hmac.compare_digest(_code(key, candidate), digits) and candidate > last_step:
            found = candidate
    return found


def uri(secret: str, account: str, issuer: str = "Portaria") -> str:
    """The `otpauth` URI that an authenticator reads from a QR code."""
    query = urlencode({"secret": secret, "issuer": issuer, "algorithm": "SHA1", "digits": DIGITS, "period": PERIOD})
    return f"otpauth://totp/{quote(issuer)}:{quote(account)}?{query}"


def _key(secret: str) -> bytes:
    plain = "".join(secret.split()).upper().rstrip("=")
    try:
        return base64.b32decode(plain + "=" * (-len(plain) % 8))
    except binascii.Error:
        raise ValueError("the secret is not base32") from None


def _code(key: bytes, counter: int) -> str:
    digest = hmac.digest(key, counter.to_bytes(8), "sha1")
    offset = digest[-1] & 0x0F
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFFFFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"
