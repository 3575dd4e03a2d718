"""The authorization code grant (RFC 6749 §4.1.3): a code is good once, for a minute, for its client alone.

RFC 9700 §2.1.1: a second use by the rightful client, proven by the verifier, ends what the first gave; anybody else's
replay changes nothing, or whoever saw a used code could log people out.
"""

from __future__ import annotations

from typing import Final

from iam.journal import JSON
from iam.oauth import pkce
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import INVALID_GRANT, Denied
from iam.oauth.exchange import Exchange
from iam.oauth.redemption import Redemption
from iam.oauth.resource_owner import accompany
from iam.oauth.tables import AuthorizationCode
from iam.oauth.token import Issued, Subject

CODE: Final = Redemption("code", AuthorizationCode, "codigo_invalido", "codigo_expirado", "codigo_reapresentado")


class AuthorizationCodeGrant:
    """``grant_type=authorization_code``."""

    grant_type = "authorization_code"
    redeems = True

    def identify(self, exchange: Exchange, who: Authenticated) -> Subject:
        """Uses the code up and answers the person who authorized it; a wrong redirect URI or verifier leaves it as it is."""
        row = CODE.presented(exchange, who)
        if row.redirect_uri and exchange.form.get("redirect_uri") != row.redirect_uri:
            said = "redirect_uri is not the one of the request"
            raise Denied(INVALID_GRANT, said, CODE.unknown, sistema=who.client.sistema)
        pkce.check(exchange.form.get("code_verifier", ""), row.code_challenge)
        return CODE.use_up(exchange, who, row)

    def accompany(self, exchange: Exchange, who: Authenticated, subject: Subject, issued: Issued) -> dict[str, JSON]:
        """An ID token for ``openid``; a refresh token where the client may have one."""
        return accompany(exchange, who, subject, issued, nonce=True)
