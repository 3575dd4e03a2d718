"""What time has ended and nobody can use any more is removed: the worker asks for it, never a request.

Texts: RFC 9700 §2.1.1 and §4.14.2 (what was used must be known for as long as its reuse could mean something), RFC 7009,
LGPD art. 15 (data go when their purpose is fulfilled). Journal, authorizations, consents and login sessions are evidence and
stay. An interaction or a revoked ``jti`` goes once its own time is over. A code and its refresh tokens are one family, and go
together when the last of them can no longer have a living token: until then a replay of any ends them all. The code goes last,
because by it the family is found.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, exists, select
from sqlalchemy.orm import Session

from iam.context import House
from iam.oauth.tables import AuthorizationCode, Interaction, RefreshToken, RevokedToken
from iam.oauth.token import OUTLIVED

BATCH = 500
"""Rows of a table that one transaction removes: a few milliseconds, between which others write."""


def expire(house: House) -> int:
    """Removes at most a batch of each kind, each in a transaction of its own; answers how many rows, 0 when none is left."""
    before = house.clock() - OUTLIVED
    gone = 0
    for remove in (_interactions, _revoked_tokens, _families):
        with house.database.write() as db:
            gone += remove(db, before)
    return gone


def _interactions(db: Session, before: datetime) -> int:
    past = select(Interaction.digest).where(Interaction.expires_at <= before).limit(BATCH)
    ended = db.scalars(past.with_for_update(skip_locked=True)).all()
    db.execute(delete(Interaction).where(Interaction.digest.in_(ended)))
    return len(ended)


def _revoked_tokens(db: Session, before: datetime) -> int:
    past = select(RevokedToken.jti).where(RevokedToken.expires_at <= before).limit(BATCH)
    ended = db.scalars(past.with_for_update(skip_locked=True)).all()
    db.execute(delete(RevokedToken).where(RevokedToken.jti.in_(ended)))
    return len(ended)


def _families(db: Session, before: datetime) -> int:
    """An access token outlives the code or refresh token it came with by less than :data:`OUTLIVED`."""
    lives = exists().where(
        RefreshToken.authorization == AuthorizationCode.authorization, RefreshToken.expires_at > before
    )
    past = select(AuthorizationCode.authorization).where(AuthorizationCode.expires_at <= before, ~lives).limit(BATCH)
    families = db.scalars(past.with_for_update(skip_locked=True, of=AuthorizationCode)).all()
    used = db.scalars(select(RefreshToken.digest).where(RefreshToken.authorization.in_(families)).limit(BATCH)).all()
    db.execute(delete(RefreshToken).where(RefreshToken.digest.in_(used)))
    if len(used) == BATCH:
        return len(used)
    db.execute(delete(AuthorizationCode).where(AuthorizationCode.authorization.in_(families)))
    return len(used) + len(families)
