"""What is good once: a code or refresh token is presented by its client, used up, and never good again.

Texts: RFC 6749 §4.1.2 and §10.5, RFC 9700 §2.1.1 and §4.14.2. Everything happens in one transaction that holds the row, so
of many at once one wins; the others, like any later one, are a replay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from iam.oauth import authorization
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import INVALID_GRANT, INVALID_REQUEST, Denied
from iam.oauth.exchange import Exchange, Replayed
from iam.oauth.resource_owner import subject_of
from iam.oauth.tables import AuthorizationCode, RefreshToken, digest
from iam.oauth.token import Subject

Row = TypeVar("Row", AuthorizationCode, RefreshToken)


@dataclass(frozen=True, slots=True)
class Redemption(Generic[Row]):
    """How one kind is redeemed: the parameter that carries it, where it is kept, and the word for each way to be no good."""

    parameter: str
    table: type[Row]
    unknown: str
    expired: str
    replayed: str

    @property
    def said(self) -> str:
        """What an error description calls it."""
        return self.parameter.replace("_", " ")

    def presented(self, exchange: Exchange, who: Authenticated) -> Row:
        """The row of what this client presents, held until the transaction ends; Denied when there is none of its own."""
        given = exchange.form.get(self.parameter)
        if not given:
            raise Denied(INVALID_REQUEST, f"{self.parameter} is required", "pedido_malformado")
        row = exchange.db.get(self.table, digest(given), with_for_update=True)
        if row is None or row.client != who.client.id:
            raise Denied(INVALID_GRANT, f"{self.said} is not known", self.unknown, sistema=who.client.sistema)
        return row

    def use_up(self, exchange: Exchange, who: Authenticated, row: Row) -> Subject:
        """The person whose authorization the row continues, and its only use; Replayed when it had one, Denied when late."""
        about = who.client.sistema
        if row.used_at is not None:
            raise Replayed(row.authorization, f"{self.said} was already used", self.replayed, about)
        if row.expires_at <= exchange.now:
            raise Denied(INVALID_GRANT, f"{self.said} has expired", self.expired, sistema=about)
        row.used_at = exchange.now
        authorization.lock(exchange.db, row.authorization)
        return subject_of(exchange, who, row.authorization, row.epoch)
