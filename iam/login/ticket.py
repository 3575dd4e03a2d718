"""What a browser keeps for us between two steps: sealed by this house for one purpose, good for a while, readable by nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson

from iam.config import Unsafe
from iam.context import House
from iam.errors import Invalid
from iam.keys import b64url, b64url_decode

Body = dict[str, str | int]


def seal(house: House, purpose: str, life: timedelta, **body: str | int) -> str:
    """A new ticket: ASCII, fit for a cookie or a form."""
    exp = int((house.clock() + life).timestamp())
    return b64url(house.vault.seal(orjson.dumps({**body, "exp": exp}), purpose))


def unseal(house: House, purpose: str, ticket: str) -> Body:
    """What :func:`seal` was given. Raises Invalid for a ticket of another purpose, of nobody's making, or too old."""
    try:
        body: Body = orjson.loads(house.vault.open(b64url_decode(ticket), purpose))
    except (ValueError, Unsafe) as error:
        raise Invalid("a entrada venceu; comece de novo", code="entrada_vencida") from error
    if datetime.fromtimestamp(int(body["exp"]), UTC) <= house.clock():
        raise Invalid("a entrada venceu; comece de novo", code="entrada_vencida")
    return body
