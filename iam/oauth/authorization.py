"""What an authorization rests on, asked anew each time a token of it is made, used or shown.

Texts: RFC 6749 §1.3, RFC 7662 §2.2 (``active``). One statement answers for everything: the authorization's own epoch,
the epochs of person, vínculo and client, the login session (unless ``offline_access``), the certificate that logged
in, the dates of the vínculo (of any, where none was chosen), and a concessão in force for the active perfil. The end
of each is in ``until``, beyond which no token says that it lives. The revocation lists are asked about that certificate.
MT128 art. 13: from the commit of the cut nothing here stands any more, and no job has to run for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import JSON, Boolean, Row, bindparam, column, select, text, update
from sqlalchemy.orm import Session
from sqlalchemy.types import TypeEngine

from iam.atos.pessoa import HABILITADA
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import ATIVO
from iam.context import House
from iam.db import Instant
from iam.oauth.scope import Held
from iam.oauth.tables import Authorization
from iam.session import MAX_AGE

EVER = datetime(9999, 12, 31, tzinfo=UTC)
# Written out, because it is asked at every introspection, userinfo and refresh; and every column is named in its order, so
# that SQLAlchemy works out once what an answer looks like.
_SELECTED = """
  a.id, a.epoch, a.sujeito, a.client, a.session, a.vinculo, a.sistema, a.perfil, a.scope, a.resource, a.acr, a.amr,
  a.auth_time, a.nonce, a.offline, a.sujeito_epoch, a.vinculo_epoch, a.client_epoch, a.ended_at,
  s.epoch AS now_sujeito_epoch, p.estado AS pessoa_estado, p.login_epoch,
  v.orgao, v.estado AS vinculo_estado, v.de AS vinculo_de, v.ate AS vinculo_ate, v.epoch AS now_vinculo_epoch,
  cs.epoch AS now_client_epoch, c.estado AS client_estado,
  l.ended_at AS session_ended_at, l.seen_at AS session_seen_at, l.auth_time AS session_auth_time, l.epoch AS session_epoch,
  l.not_after AS login_not_after, l.listed AS login_listed, r.id AS concessao, r.vigente_ate"""
_NAMES = (*(one.split()[-1].rpartition(".")[2] for one in _SELECTED.split(",")), "tied_until", "revoked")
_TYPES: Mapping[str, type[TypeEngine[Any]]] = {
    "amr": JSON, "offline": Boolean, "revoked": Boolean,
    **dict.fromkeys(("auth_time", "ended_at", "vinculo_de", "vinculo_ate", "vigente_ate", "tied_until"), Instant),
    **dict.fromkeys(("session_ended_at", "session_seen_at", "session_auth_time", "login_not_after"), Instant),
}  # fmt: skip
_STANDING = (
    text(
        f"""
SELECT {_SELECTED},
  (SELECT MAX(COALESCE(t.ate, :ever)) FROM vinculo t WHERE t.pessoa = a.sujeito AND t.estado = 'ativo' AND t.de <= :at
    AND (t.ate IS NULL OR t.ate > :at)),
  EXISTS (SELECT 1 FROM revoked_token WHERE jti = :jti)
FROM "authorization" a
  JOIN sujeito s ON s.id = a.sujeito JOIN pessoa p ON p.id = a.sujeito
  JOIN client c ON c.id = a.client JOIN sujeito cs ON cs.id = a.client
  LEFT JOIN vinculo v ON v.id = a.vinculo LEFT JOIN login_session l ON l.id = a.session
  LEFT JOIN concessao r ON r.sujeito = a.sujeito AND r.sistema = a.sistema AND r.perfil = a.perfil
    AND r.revogada_em IS NULL AND r.vigente_de <= :at AND (r.vigente_ate IS NULL OR r.vigente_ate > :at)
    AND (r.vinculo IS NULL OR r.vinculo = a.vinculo) AND r.registrada_em <= a.created_at
WHERE a.id = :id"""  # noqa: S608 - names only
    )
    .bindparams(bindparam("at", type_=Instant()), bindparam("ever", EVER, type_=Instant()))
    .columns(*(column(name, _TYPES.get(name)) for name in _NAMES))
)


@dataclass(frozen=True, slots=True)
class Standing:
    """An authorization as it stands at a moment. ``word`` is "" when it stands, else the fact that ended it."""

    id: str
    epoch: int
    sujeito: str
    client: str
    session: str
    orgao: str
    sistema: str
    perfil: str
    scope: tuple[str, ...]
    resource: str
    acr: str
    amr: tuple[str, ...]
    auth_time: datetime
    nonce: str
    offline: bool
    held: Mapping[str, Held]
    until: tuple[datetime, ...]
    word: str


def standing(
    house: House, db: Session, id: str, now: datetime, *, epoch: int | None = None, jti: str | None = None
) -> Standing | None:
    """How the authorization stands; None when there is no such one.

    ``epoch`` is the one a token or code was born under and ``jti`` the token's: a past epoch or a revoked ``jti`` is
    in ``word``.
    """
    rows = db.execute(_STANDING, {"id": id, "at": now, "jti": jti or ""}).all()
    if not rows:
        return None
    a = rows[0]
    ends = [row.vigente_ate for row in rows if row.concessao is not None]
    righted = None if None in ends else max(ends, default=None)
    held: dict[str, Held] = {}
    if ends:
        decisions = house.policy.scopes_of(a.perfil, a.sistema)
        held = {name: Held(name, a.sistema, a.perfil, decision, righted) for name, decision in decisions.items()}
    idle = house.policy.limit("session_idle").duration
    listed = house.trust.recheck(a.login_listed, now) if a.login_listed else ""
    until = [righted, a.vinculo_ate, a.tied_until, a.login_not_after]
    if not a.offline and a.session_auth_time is not None:
        until += [a.session_auth_time + MAX_AGE, a.session_seen_at + idle]
    return Standing(
        id=a.id,
        epoch=a.epoch,
        sujeito=a.sujeito,
        client=a.client,
        session=a.session,
        orgao=a.orgao or "",
        sistema=a.sistema,
        perfil=a.perfil,
        scope=tuple(a.scope.split()),
        resource=a.resource,
        acr=a.acr,
        amr=tuple(a.amr),
        auth_time=a.auth_time,
        nonce=a.nonce,
        offline=a.offline,
        held=held,
        until=tuple(end for end in until if end is not None),
        word=_word(a, now, a.epoch if epoch is None else epoch, idle, listed, righted=bool(ends)),
    )


def _word(a: Row[Any], now: datetime, epoch: int, idle: timedelta, listed: str, *, righted: bool) -> str:
    """The first fact, gravest first, that ended the authorization; "" when none did. ``listed`` is what the lists say."""
    if a.pessoa_estado != HABILITADA or a.now_sujeito_epoch != a.sujeito_epoch or a.tied_until is None:
        return "pessoa_fora"
    if a.vinculo is not None and (
        a.vinculo_estado != ATIVO
        or a.now_vinculo_epoch != a.vinculo_epoch
        or a.vinculo_de > now
        or (a.vinculo_ate is not None and a.vinculo_ate <= now)
    ):
        return "vinculo_encerrado"
    if a.client_estado != "ativo" or a.now_client_epoch != a.client_epoch:
        return "client_suspenso"
    if a.ended_at is not None or a.epoch != epoch or a.revoked:
        return "token_de_epoca_passada"
    if not a.offline and not _logged_in(a, now, idle):
        return "token_de_epoca_passada"
    if a.login_not_after is not None and a.login_not_after <= now:
        return "certificado_expirado"
    if listed:
        return listed
    if a.sistema and not righted:
        return "sem_concessao"
    return ""


def _logged_in(a: Row[Any], now: datetime, idle: timedelta) -> bool:
    """Whether the login session is still the person's: not ended, not idle, not too old, of the present login epoch."""
    return (
        a.session_auth_time is not None
        and a.session_ended_at is None
        and a.session_epoch == a.login_epoch
        and now < a.session_auth_time + MAX_AGE
        and now < a.session_seen_at + idle
    )


def lock(db: Session, id: str) -> bool:
    """Holds authorization and sujeitos until the transaction ends: no cut passes between check and mint."""
    row = db.execute(
        select(Authorization.sujeito, Authorization.client).where(Authorization.id == id).with_for_update()
    ).first()
    if row is None:
        return False
    hold(db, row.sujeito, row.client)
    return True


def hold(db: Session, *sujeitos: str) -> None:
    """A share lock on these sujeitos: every act that cuts one must wait for us, or we for it."""
    db.execute(select(Sujeito.id).where(Sujeito.id.in_(sujeitos)).order_by(Sujeito.id).with_for_update(read=True)).all()


def end(db: Session, id: str, now: datetime, reason: str) -> bool:
    """Ends every code and token of an authorization: its epoch grows. False when it had ended: when and why stays as it was."""
    ended = db.execute(
        update(Authorization)
        .where(Authorization.id == id, Authorization.ended_at.is_(None))
        .values(epoch=Authorization.epoch + 1, ended_at=now, reason=reason)
        .returning(Authorization.id)
    )
    return ended.first() is not None
