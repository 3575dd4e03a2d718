"""The client credentials grant (RFC 6749 §4.4): a machine speaking for itself, over mutual TLS (RFC 8705).

COTEC62: the transactions are the SEFAZ's and its client acts for it; ``sefaz_uf`` comes from the register, never from
the request.
"""

from __future__ import annotations

from iam.atos.client import NORMA
from iam.journal import JSON
from iam.oauth import subject
from iam.oauth.client import Snapshot
from iam.oauth.client_auth import Authenticated
from iam.oauth.exchange import Exchange
from iam.oauth.token import Issued, Subject


class ClientCredentialsGrant:
    """``grant_type=client_credentials``."""

    grant_type = "client_credentials"
    redeems = False

    def identify(self, exchange: Exchange, who: Authenticated) -> Subject:
        """The client itself, with what it and its órgão hold now."""
        return of_client(who, exchange)

    def accompany(self, exchange: Exchange, who: Authenticated, subject: Subject, issued: Issued) -> dict[str, JSON]:
        """Nothing: a client that can authenticate again needs no refresh token (RFC 6749 §4.4.3)."""
        return {}


def of_client(who: Authenticated, exchange: Exchange) -> Subject:
    """The client as a subject: ``sub`` is the client_id (RFC 9068 §2.2)."""
    program = who.client
    return Subject(
        sub=subject.sub(program.id),
        words=frozenset({"client_mtls"}),
        held=program.held(exchange.now),
        claims=claims(program),
    )


def claims(program: Snapshot) -> dict[str, JSON]:
    """What the token says of the client: its órgão, the State of a SEFAZ, and the epoch it was born under."""
    said: dict[str, JSON] = {"epoch": program.epoch}
    if program.orgao:
        said["orgao"] = program.orgao
    if program.uf and program.kind == NORMA:
        said["sefaz_uf"] = program.uf
    return said
