"""The refresh token grant (RFC 6749 §6): each is good once, without grace; its reuse ends the whole family.

Texts: RFC 9700 §4.14.2, OpenID Connect Core §11 and §12. A refresh token rests on the login session, or with
``offline_access`` on the authorization alone; in both cases on person, vínculo, client and concessões. Scope may only
narrow; what is narrowed once is still authorized the next time.
"""

from __future__ import annotations

from typing import Final

from iam.journal import JSON
from iam.oauth.client_auth import Authenticated
from iam.oauth.exchange import Exchange
from iam.oauth.redemption import Redemption
from iam.oauth.resource_owner import accompany
from iam.oauth.tables import RefreshToken
from iam.oauth.token import Issued, Subject

REFRESH: Final = Redemption(
    "refresh_token", RefreshToken, "refresh_invalido", "refresh_expirado", "refresh_reapresentado"
)


class RefreshTokenGrant:
    """``grant_type=refresh_token``."""

    grant_type = "refresh_token"
    redeems = True

    def identify(self, exchange: Exchange, who: Authenticated) -> Subject:
        """Uses the refresh token up and answers the person whose authorization it continues."""
        return REFRESH.use_up(exchange, who, REFRESH.presented(exchange, who))

    def accompany(self, exchange: Exchange, who: Authenticated, subject: Subject, issued: Issued) -> dict[str, JSON]:
        """The next refresh token, and a renewed ID token for ``openid``."""
        return accompany(exchange, who, subject, issued, nonce=False)
