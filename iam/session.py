"""A person's login: one row per browser, shared by login, the authorization endpoint and the screens.

The cookie holds 256 random bits; the row only their digest. A session carries the ``login_epoch`` of its
person, which every cut raises; it ends by idleness (MT128-16-2.2) or age, and never comes back.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import JSON, ForeignKey, Index, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.atos.pessoa import CADASTRADA, HABILITADA, Pessoa
from iam.atos.vinculo import vigentes
from iam.db import Base, Id, grows, new_id, one_of
from iam.icp_brasil.chain import Trust

COOKIE = "__Host-portaria"
TOUCH = timedelta(seconds=30)
MAX_AGE = timedelta(hours=8)
ACR = ("provisoria", "senha", "mfa", "icp-brasil")


class LoginSession(Base):
    """One login. ``acr`` is one of :data:`ACR`; ``amr`` RFC 8176 values; ``not_after`` the end of the ``certificate`` that entered.

    ``listed`` is what revocation lists know that certificate by.
    """

    __tablename__ = "login_session"
    __table_args__ = (Index("login_session_pessoa", "pessoa"), one_of("acr", ACR), grows("epoch"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    digest: Mapped[str] = mapped_column(unique=True)
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    epoch: Mapped[int]
    acr: Mapped[str]
    amr: Mapped[list[str]] = mapped_column(JSON)
    certificate: Mapped[str | None] = mapped_column(default=None)
    not_after: Mapped[datetime | None] = mapped_column(default=None)
    listed: Mapped[str | None] = mapped_column(default=None)
    csrf: Mapped[str]
    address: Mapped[str]
    user_agent: Mapped[str]
    auth_time: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    ended_by: Mapped[str | None] = mapped_column(default=None)


@dataclass(frozen=True, slots=True)
class Login:
    """A live session and whose it is."""

    session: LoginSession
    pessoa: Pessoa


def digest(cookie: str) -> str:
    """What the database keeps of a cookie."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def start(
    db: Session,
    pessoa: Pessoa,
    acr: str,
    amr: Sequence[str],
    now: datetime,
    *,
    address: str,
    user_agent: str,
    certificate: str | None = None,
    not_after: datetime | None = None,
    listed: str | None = None,
) -> tuple[LoginSession, str]:
    """A new session inside the act that logged the person in; answers it and its cookie's value."""
    cookie = secrets.token_urlsafe(32)
    row = LoginSession(
        digest=digest(cookie),
        pessoa=pessoa.id,
        epoch=pessoa.login_epoch,
        acr=acr,
        amr=list(amr),
        certificate=certificate,
        not_after=not_after,
        listed=listed,
        csrf=secrets.token_urlsafe(24),
        address=address,
        user_agent=user_agent[:300],
        auth_time=now,
        seen_at=now,
    )
    db.add(row)
    db.flush()
    return row, cookie


def renew(db: Session, row: LoginSession, pessoa: Pessoa, now: datetime) -> tuple[LoginSession, str]:
    """The same login under a new id and cookie, as strong and as old as it was; the caller ends the former one."""
    made, cookie = start(
        db,
        pessoa,
        row.acr,
        row.amr,
        now,
        address=row.address,
        user_agent=row.user_agent,
        certificate=row.certificate,
        not_after=row.not_after,
        listed=row.listed,
    )
    made.auth_time = row.auth_time
    return made, cookie


def find(db: Session, cookie: str | None, now: datetime, idle: timedelta, trust: Trust) -> Login | None:
    """The live session of a cookie, whose person may still be here; None otherwise."""
    if not cookie or len(cookie) > 100:
        return None
    query = select(LoginSession, Pessoa).join(Pessoa, Pessoa.id == LoginSession.pessoa)
    found = db.execute(query.where(LoginSession.digest == digest(cookie))).first()
    if found is None:
        return None
    row, pessoa = found
    return Login(row, pessoa) if alive(db, row, pessoa, now, idle, trust) else None


def alive(db: Session, row: LoginSession, pessoa: Pessoa, now: datetime, idle: timedelta, trust: Trust) -> bool:
    """Whether a session still stands: not ended, not idle, not too old, of this epoch, and its person still tied to an órgão.

    One that a certificate opened ends with it, and with its revocation (REV-COTEC-05, REV-DEC-04).
    """
    if (
        row.ended_at is not None
        or row.epoch != pessoa.login_epoch
        or now >= row.auth_time + MAX_AGE
        or now >= row.seen_at + idle
        or not proven(row, now, trust)
    ):
        return False
    return may_enter(db, pessoa, now)


def proven(row: LoginSession, now: datetime, trust: Trust) -> bool:
    """Whether the certificate that opened a session, where one did, has not ended and is good by the lists."""
    if row.not_after is not None and now >= row.not_after:
        return False
    return row.listed is None or not trust.recheck(row.listed, now)


def may_enter(db: Session, pessoa: Pessoa, now: datetime) -> bool:
    """Whether a person may log in at all: in a state that allows it and with a vínculo in force (GAP-ALL-03)."""
    return pessoa.estado in (CADASTRADA, HABILITADA) and bool(vigentes(db, pessoa.id, now))


def touch(db: Session, row: LoginSession, now: datetime) -> None:
    """Notes that the person is active; writes at most twice a minute."""
    if now >= row.seen_at + TOUCH:
        db.execute(update(LoginSession).where(LoginSession.id == row.id).values(seen_at=now))


def end(db: Session, row: LoginSession, now: datetime, by: str) -> bool:
    """Ends one session; False when somebody else already had."""
    still = update(LoginSession).where(LoginSession.id == row.id, LoginSession.ended_at.is_(None))
    ended = db.execute(still.values(ended_at=now, ended_by=by).returning(LoginSession.id))
    return ended.first() is not None


def live(db: Session, pessoa: Pessoa, now: datetime, idle: timedelta, trust: Trust) -> Sequence[LoginSession]:
    """The person's sessions that were not ended, are not idle and rest on no certificate that is no good."""
    query = select(LoginSession).where(LoginSession.pessoa == pessoa.id, LoginSession.ended_at.is_(None))
    query = query.where(LoginSession.epoch == pessoa.login_epoch)
    query = query.where(LoginSession.seen_at > now - idle, LoginSession.auth_time > now - MAX_AGE)
    rows = db.scalars(query.order_by(LoginSession.auth_time.desc()))
    return [row for row in rows if proven(row, now, trust)]
