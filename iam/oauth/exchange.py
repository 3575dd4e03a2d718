"""One request at the token endpoint, as the grants see it (RFC 6749 §3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.context import House
from iam.http import Request
from iam.journal import Line
from iam.oauth import record
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import INVALID_GRANT, Denied


class Replayed(Denied):
    """A code or refresh token was used twice by its rightful client: its authorization must end (RFC 9700)."""

    def __init__(self, authorization: str, description: str, word: str, sistema: str) -> None:
        super().__init__(INVALID_GRANT, description, word, sistema=sistema)
        self.authorization = authorization


@dataclass(slots=True)
class Exchange:
    """The request and its form, when it came, and the transaction of a grant that is used up.

    ``authenticated`` and ``pessoa`` are filled in as they become known, so that a refusal names who was refused.
    """

    house: House
    request: Request
    form: Mapping[str, str]
    now: datetime
    transaction: Session | None = None
    authenticated: Authenticated | None = None
    pessoa: str | None = None

    @property
    def db(self) -> Session:
        """The transaction; only a grant that redeems has one."""
        if self.transaction is None:
            raise LookupError("this grant has no transaction")
        return self.transaction

    def refusal(self, denied: Denied) -> Line:
        """The journal line of a refusal, by whoever is known by now."""
        if self.authenticated is None or (self.authenticated.client.public and self.pessoa is None):
            agente = record.anonymous(self.request, self.form.get("client_id", ""))
        else:
            agente = record.of_client(self.request, self.authenticated)
        return record.refusal(self.house, agente, denied, Ato.TOKEN_EMITIR, self.now, pessoa=self.pessoa)
