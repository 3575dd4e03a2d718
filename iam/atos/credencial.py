"""What proves who somebody is: a senha, a TOTP seed, a certificado. Renewing one touches nothing else.

Rows hold an Argon2id hash, a seed encrypted at rest, or a certificate's thumbprint; never a secret that can be read
(MT128-16-2.1). One credencial belongs to one sujeito: no account is two persons.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ForeignKey, Index, LargeBinary, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos.sujeito import lock, raise_epoch, touch
from iam.context import Ctx
from iam.db import Base, Id, new_id, one_of, unique_while
from iam.errors import Conflict

SENHA, TOTP, CERTIFICADO = "senha", "totp", "certificado"
KINDS = (SENHA, TOTP, CERTIFICADO)


class Credencial(Base):
    """One proof. ``segredo`` is the hash or the encrypted seed; ``impressao`` the ``x5t#S256`` of a certificate, nobody else's."""

    __tablename__ = "credencial"
    __table_args__ = (
        Index("credencial_sujeito", "sujeito"),
        Index("credencial_impressao", "impressao"),
        unique_while("credencial_impressao_vigente", "impressao", "encerrada_em IS NULL"),
        one_of("kind", KINDS),
    )

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    sujeito: Mapped[str] = mapped_column(ForeignKey("sujeito.id"))
    kind: Mapped[str]
    segredo: Mapped[bytes | None] = mapped_column(LargeBinary, default=None, repr=False)
    impressao: Mapped[str | None] = mapped_column(default=None)
    subject_dn: Mapped[str | None] = mapped_column(default=None)
    provisoria: Mapped[bool] = mapped_column(default=False)
    criada_em: Mapped[datetime]
    expira_em: Mapped[datetime | None] = mapped_column(default=None)
    encerrada_em: Mapped[datetime | None] = mapped_column(default=None)
    passo: Mapped[int] = mapped_column(default=0)
    falhas: Mapped[int] = mapped_column(default=0)
    falhou_em: Mapped[datetime | None] = mapped_column(default=None)


def vigente(db: Session, sujeito: str, kind: str) -> Credencial | None:
    """The proof of this kind in use, expired or not: whoever checks it looks at ``expira_em``."""
    query = select(Credencial).where(Credencial.sujeito == sujeito, Credencial.kind == kind)
    return db.scalars(query.where(Credencial.encerrada_em.is_(None)).order_by(Credencial.criada_em.desc())).first()


def todas(db: Session, sujeito: str) -> Sequence[Credencial]:
    """Every proof of a sujeito, newest first."""
    return db.scalars(
        select(Credencial).where(Credencial.sujeito == sujeito).order_by(Credencial.criada_em.desc())
    ).all()


def livre(db: Session, impressao: str) -> None:
    """Raises Conflict when a certificate is registered to somebody already: one certificate is not two people's."""
    query = select(Credencial.id).where(Credencial.impressao == impressao, Credencial.encerrada_em.is_(None))
    if db.scalar(query) is not None:
        raise Conflict("este certificado já está cadastrado", code="certificado_cadastrado")


def cadastrar(
    ctx: Ctx,
    sujeito: str,
    kind: str,
    *,
    papeis: frozenset[str],
    segredo: bytes | None = None,
    impressao: str | None = None,
    subject_dn: str | None = None,
    provisoria: bool = False,
    expira_em: datetime | None = None,
) -> Credencial:
    """Registers a proof; a senha or TOTP replaces the one in use. A certificado stands beside others until it is ended.

    Raises Conflict for a certificate that somebody has already.
    """
    decision = ctx.require(Ato.CREDENCIAL_CADASTRAR, "portaria", papeis)
    if impressao is not None:
        livre(ctx.db, impressao)
    if kind != CERTIFICADO:
        old = vigente(ctx.db, sujeito, kind)
        if old is not None:
            old.encerrada_em = ctx.now
    proof = Credencial(
        sujeito=sujeito,
        kind=kind,
        segredo=segredo,
        impressao=impressao,
        subject_dn=subject_dn,
        provisoria=provisoria,
        criada_em=ctx.now,
        expira_em=expira_em,
    )
    ctx.db.add(proof)
    ctx.db.flush()
    touch(ctx.db, [sujeito])
    ctx.record(decision, pessoa=sujeito, credencial=proof.id, tipo=kind, provisoria=provisoria, impressao=impressao)
    return proof


def revogar(ctx: Ctx, proof: Credencial, *, motivo: str, papeis: frozenset[str]) -> None:
    """Ends a proof. What was issued by a certificate ends with it: the epoch of its sujeito grows."""
    decision = ctx.require(Ato.CREDENCIAL_REVOGAR, "portaria", papeis, pessoa=proof.sujeito)
    lock(ctx.db, proof.sujeito)
    ctx.db.refresh(proof)
    if proof.encerrada_em is None:
        proof.encerrada_em = ctx.now
        (raise_epoch if proof.kind == CERTIFICADO else touch)(ctx.db, [proof.sujeito])
        ctx.record(decision, pessoa=proof.sujeito, credencial=proof.id, tipo=proof.kind, motivo=motivo)
