"""What the protocol remembers: one ``authorization`` row is parent to every code and token but client credentials.

Texts: RFC 6749 §1.3 to §1.5, RFC 7009, OpenID Connect Core §3.1. Secrets (codes, refresh tokens, interaction ids) are
kept as SHA-256 digests only; access tokens are never kept, only the ``jti`` of those revoked before their time. Each
row carries the epochs it was born under: whoever raises an epoch ends everything that rests on it and needs to know
nothing of this package. Authorizations and consents are evidence: they end and stay. What can only be redeemed is
removed when nobody could any more: see :mod:`iam.oauth.expiry`.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from iam.db import Base, Id, grows, new_id


def secret() -> str:
    """256 random bits, base64url: a code, a refresh token, an interaction id."""
    return secrets.token_urlsafe(32)


def digest(value: str) -> str:
    """How a secret is kept: SHA-256, in hexadecimal."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


class Authorization(Base):
    """What a person let a client do for them: whom they act as, which scopes, how they had proven who they are."""

    __tablename__ = "authorization"
    __table_args__ = (
        Index("authorization_sujeito", "sujeito"),
        Index("authorization_session", "session"),
        grows("sujeito_epoch", "client_epoch"),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    sujeito: Mapped[str] = mapped_column(Id, ForeignKey("sujeito.id"))
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    session: Mapped[str] = mapped_column(Id, ForeignKey("login_session.id"))
    vinculo: Mapped[str | None] = mapped_column(Id, ForeignKey("vinculo.id"), default=None)
    sistema: Mapped[str] = mapped_column(default="")
    perfil: Mapped[str] = mapped_column(default="")
    act: Mapped[str | None] = mapped_column(default=None)
    scope: Mapped[str] = mapped_column(default="")
    authorization_details: Mapped[list[dict[str, str]]] = mapped_column(JSON, default_factory=list)
    resource: Mapped[str]
    acr: Mapped[str]
    amr: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    auth_time: Mapped[datetime]
    nonce: Mapped[str] = mapped_column(default="")
    consent: Mapped[str | None] = mapped_column(Id, ForeignKey("consent.id"), default=None)
    offline: Mapped[bool] = mapped_column(default=False)
    epoch: Mapped[int] = mapped_column(default=0)
    sujeito_epoch: Mapped[int]
    vinculo_epoch: Mapped[int] = mapped_column(default=0)
    client_epoch: Mapped[int]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    reason: Mapped[str] = mapped_column(default="")


class AuthorizationCode(Base):
    """A code (RFC 6749 §4.1.2): at most a minute old, good once, useless without the verifier.

    ``redirect_uri`` is the one that the request named, "" when it left it to the registration.
    """

    __tablename__ = "authorization_code"
    __table_args__ = (Index("authorization_code_expires_at", "expires_at"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    authorization: Mapped[str] = mapped_column(Id, ForeignKey("authorization.id"), index=True)
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    redirect_uri: Mapped[str]
    code_challenge: Mapped[str]
    epoch: Mapped[int]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class RefreshToken(Base):
    """A refresh token (RFC 6749 §1.5). The authorization is its family: reuse of any member ends them all."""

    __tablename__ = "refresh_token"
    __table_args__ = (Index("refresh_token_authorization", "authorization", "expires_at"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    authorization: Mapped[str] = mapped_column(Id, ForeignKey("authorization.id"))
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    epoch: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None] = mapped_column(default=None)


class RevokedToken(Base):
    """An access token ended before its time (RFC 7009), until it would have expired anyway."""

    __tablename__ = "revoked_token"
    __table_args__ = (Index("revoked_token_expires_at", "expires_at"),)

    jti: Mapped[str] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    revoked_at: Mapped[datetime]
    expires_at: Mapped[datetime]


class Interaction(Base):
    """What a person answered to an authorization request: that she consents, whom she acts as, and that it is over."""

    __tablename__ = "interaction"
    __table_args__ = (Index("interaction_expires_at", "expires_at"),)

    digest: Mapped[str] = mapped_column(primary_key=True)
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    expires_at: Mapped[datetime]
    session: Mapped[str | None] = mapped_column(Id, ForeignKey("login_session.id"), default=None)
    vinculo: Mapped[str | None] = mapped_column(Id, ForeignKey("vinculo.id"), default=None)
    perfil: Mapped[str | None] = mapped_column(default=None)
    consented: Mapped[str | None] = mapped_column(default=None)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)


class Consent(Base):
    """That a person once let a client have these scopes; asked again when the client wants more."""

    __tablename__ = "consent"
    __table_args__ = (Index("consent_pessoa_client", "pessoa", "client"),)

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    pessoa: Mapped[str] = mapped_column(Id, ForeignKey("pessoa.id"))
    client: Mapped[str] = mapped_column(Id, ForeignKey("client.id"))
    scope: Mapped[str]
    given_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
