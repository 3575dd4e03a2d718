"""Whether a token is active (RFC 7662 §2.2): everything it rests on, recomputed at the moment of the question.

Used wherever a token of ours comes back: introspection, userinfo, our own interfaces. A concessão that ended makes the
token inactive; so does any epoch that grew since it was born.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy.orm import Session

from iam.context import House
from iam.icp_brasil.chain import WORDS
from iam.journal import JSON
from iam.oauth import mtls
from iam.oauth.authorization import standing
from iam.oauth.client import Moment

PAST = "token_de_epoca_passada"


def ended(house: House, db: Session, claims: Mapping[str, JSON], now: datetime, moment: Moment | None = None) -> str:
    """The word for what ended a token, "" while everything it rests on stands: a certificate's (REV-COTEC-05), else :data:`PAST`.

    ``moment`` when the caller has looked up its ``jti`` already. The token's own signature and time were checked by its
    reader.
    """
    jti, epoch = claims.get("jti"), claims.get("epoch")
    if not isinstance(jti, str) or not isinstance(epoch, int):
        return PAST
    word = house.trust.recheck(str(claims.get("certificate")), now) if mtls.bound_to(claims) else ""
    if word:
        return word
    scopes, link = str(claims.get("scope", "")).split(), claims.get("authorization")
    if isinstance(link, str):
        found = standing(house, db, link, now, epoch=epoch, jti=jti)
        if found is None or found.word:
            return found.word if found is not None and found.word in WORDS else PAST
        return "" if all(name in found.held or house.policy.scope(name) is None for name in scopes) else PAST
    named = str(claims.get("client_id"))
    seen = moment or Moment(house, db, (named,), jti)
    program = seen.client(named)
    if seen.revoked or program is None or not program.active or program.epoch != epoch:
        return PAST
    iat = claims.get("iat")
    held = program.held(now, iat if isinstance(iat, int) else 0)
    return "" if all(name in held for name in scopes) else PAST
