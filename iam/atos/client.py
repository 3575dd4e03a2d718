"""A program that asks for tokens (RFC 6749 §2), acting for its órgão and, when it is an application, for its sistema.

``norma`` clients are the machine clients of a norm (a SEFAZ's system): pinned to one certificate (COTEC62-4-II.2: a new
certificate is a new act). ``aplicacao`` clients log people in. ``interno`` ones call our own interfaces.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import JSON, ForeignKey, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos import credencial, sujeito
from iam.atos.concessao import Concessao
from iam.context import Ctx
from iam.db import Base, one_of
from iam.errors import Conflict, Invalid

NORMA, APLICACAO, INTERNO = "norma", "aplicacao", "interno"
ATIVO, SUSPENSO = "ativo", "suspenso"
LATELY = timedelta(minutes=6)
"""What is issued to a client lives five minutes (GAP-ALL-04), and clocks differ a little."""


class Client(Base):
    """A registered program; ``id`` is its ``client_id``. ``auth`` is ``tls_client_auth`` or ``none`` (RFC 8705, RFC 7591)."""

    __tablename__ = "client"
    __table_args__ = (
        one_of("kind", (NORMA, APLICACAO, INTERNO)),
        one_of("auth", ("tls_client_auth", "none")),
        one_of("estado", (ATIVO, SUSPENSO)),
    )

    id: Mapped[str] = mapped_column(ForeignKey("sujeito.id"), primary_key=True)
    nome: Mapped[str]
    kind: Mapped[str]
    auth: Mapped[str]
    orgao: Mapped[str | None] = mapped_column(ForeignKey("orgao.id"), default=None)
    sistema: Mapped[str | None] = mapped_column(default=None)
    subject_dn: Mapped[str | None] = mapped_column(default=None)
    redirect_uris: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    post_logout_redirect_uris: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    grant_types: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    scopes: Mapped[list[str]] = mapped_column(JSON, default_factory=list)
    estado: Mapped[str] = mapped_column(default=ATIVO)


def cadastrar(
    ctx: Ctx,
    id: str,
    nome: str,
    kind: str,
    *,
    papeis: frozenset[str],
    orgao: str | None = None,
    sistema: str | None = None,
    impressao: str | None = None,
    subject_dn: str | None = None,
    redirect_uris: Sequence[str] = (),
    post_logout_redirect_uris: Sequence[str] = (),
    scopes: Sequence[str] = (),
) -> Client:
    """Registers a program. One with a certificate subject authenticates by it; one without is public and needs PKCE.

    Raises Conflict when the id is taken or the certificate is registered already, Invalid when a norm's client comes without
    certificate or órgão.
    """
    decision = ctx.require(Ato.CLIENT_CADASTRAR, sistema or "portaria", papeis)
    if ctx.db.get(sujeito.Sujeito, id) is not None:
        raise Conflict(f"o client_id `{id}` já está em uso", code="client_existente")
    if kind == NORMA and not (impressao and subject_dn and orgao):
        raise Invalid("o client de uma norma exige órgão e certificado registrado", code="certificado_obrigatorio")
    grants = ["authorization_code", "refresh_token"] if redirect_uris else []
    if subject_dn:
        grants.append("client_credentials")
    ctx.db.add(sujeito.Sujeito(id=id, kind="client"))
    ctx.db.flush()
    program = Client(
        id=id,
        nome=nome,
        kind=kind,
        auth="tls_client_auth" if subject_dn else "none",
        orgao=orgao,
        sistema=sistema,
        subject_dn=subject_dn,
        redirect_uris=list(redirect_uris),
        post_logout_redirect_uris=list(post_logout_redirect_uris),
        grant_types=grants,
        scopes=list(scopes),
    )
    ctx.db.add(program)
    ctx.db.flush()
    if impressao:
        credencial.livre(ctx.db, impressao)
        proof = credencial.Credencial(
            sujeito=id, kind=credencial.CERTIFICADO, impressao=impressao, subject_dn=subject_dn, criada_em=ctx.now
        )
        ctx.db.add(proof)
    ctx.record(decision, sistema=sistema, client=id, nome=nome, kind=kind, orgao=orgao, impressao=impressao)
    return program


def certificates(db: Session, id: str) -> Sequence[credencial.Credencial]:
    """The certificates a client may present now."""
    query = select(credencial.Credencial).where(credencial.Credencial.sujeito == id)
    return db.scalars(query.where(credencial.Credencial.encerrada_em.is_(None))).all()


def lost_lately(db: Session, id: str, now: datetime) -> bool:
    """Whether a client, or its órgão, lost a right while something issued before may still live; ``id`` is of either."""
    whose = or_(
        Concessao.sujeito == id,
        Concessao.sujeito.in_(select(Client.orgao).where(Client.id == id)),
        Concessao.sujeito.in_(select(Client.id).where(Client.orgao == id)),
    )
    return db.scalar(select(Concessao.id).where(Concessao.revogada_em > now - LATELY, whose).limit(1)) is not None
