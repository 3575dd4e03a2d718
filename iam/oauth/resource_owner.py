"""The resource owner behind a code or refresh token (RFC 6749 §1.1): a person, as their authorization stands now.

Shared by the grants that redeem something a person authorized. Nothing is issued for somebody who is out
(MT128-2-II.1, MT128-13).
"""

from __future__ import annotations

from iam.journal import JSON
from iam.oauth import acr, id_token
from iam.oauth import subject as subjects
from iam.oauth.authorization import Standing, standing
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import INVALID_GRANT, Denied
from iam.oauth.exchange import Exchange
from iam.oauth.lifetime import limit
from iam.oauth.tables import RefreshToken, digest, secret
from iam.oauth.token import Issued, Subject
from iam.policy import Policy


def subject_of(exchange: Exchange, who: Authenticated, authorization: str, epoch: int) -> Subject:
    """The person of an authorization that stands, for its own client; Denied with the fact that ended it."""
    policy = exchange.house.policy
    found = standing(exchange.house, exchange.db, authorization, exchange.now, epoch=epoch)
    if found is None or found.client != who.client.id:
        raise Denied(INVALID_GRANT, "authorization is not known", "codigo_invalido", sistema=who.client.sistema)
    exchange.pessoa = found.sujeito
    about = found.sistema or who.client.sistema
    if found.word:
        raise Denied(INVALID_GRANT, "the authorization has ended", found.word, sistema=about)
    if not acr.enough(found.acr, acr.minimum(policy, about)):
        raise Denied(INVALID_GRANT, "the login is too weak for this resource", "acr_insuficiente", sistema=about)
    return Subject(
        sub=subjects.sub(found.sujeito, who.client.id),
        words=frozenset({"pessoa_autenticada"}),
        held=found.held,
        claims=claims(policy, found),
        until=found.until,
        authorized=found.scope,
        sistema=found.sistema,
        pessoa=found.sujeito,
        authorization=found.id,
        nonce=found.nonce,
        session=found.session,
        amr=found.amr,
        offline=found.offline,
    )


def claims(policy: Policy, found: Standing) -> dict[str, JSON]:
    """What the access token says of the person: whom they act as and how they logged in, nothing personal."""
    said: dict[str, JSON] = {
        "acr": found.acr,
        "auth_time": int(found.auth_time.timestamp()),
        "authorization": found.id,
        "epoch": found.epoch,
    }
    if found.orgao:
        said["orgao"] = found.orgao
    if found.perfil:
        said["perfil"] = found.perfil
        perfil = policy.perfil(found.perfil)
        if perfil is not None and perfil.sigilo:
            said["categoria_sigilo"] = perfil.sigilo
    return said


def accompany(
    exchange: Exchange, who: Authenticated, subject: Subject, issued: Issued, *, nonce: bool
) -> dict[str, JSON]:
    """The ID token and the next refresh token; ``nonce`` is the first ID token's alone (OpenID Connect Core §12.2)."""
    body: dict[str, JSON] = {}
    names = issued.scope.split()
    if "openid" in names:
        body["id_token"] = id_token.issue(
            exchange.house, who.client.id, subject if nonce else subject.without_nonce(), issued, exchange.now
        )
    if "refresh_token" in who.client.grant_types:
        body["refresh_token"] = _refresh_token(exchange, who, subject)
    return body


def _refresh_token(exchange: Exchange, who: Authenticated, subject: Subject) -> str:
    value = secret()
    exchange.db.add(
        RefreshToken(
            digest=digest(value),
            authorization=subject.authorization,
            client=who.client.id,
            epoch=int(str(subject.claims["epoch"])),
            created_at=exchange.now,
            expires_at=exchange.now + limit(exchange.house, "refresh_token", subject.sistema),
        )
    )
    return value
