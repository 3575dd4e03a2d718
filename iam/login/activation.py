"""The one-time link by which somebody registered by others chooses a senha and enrols the second factor.

Our own mechanism: 256 random bits, of which only a digest is kept, good once and for 72 hours, and dead as soon as a newer link
is made or an event cuts the person off. Whoever made the link never knows the senha (MT128-16-2.1: nobody but its owner).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from sqlalchemy import ForeignKey, Index, LargeBinary, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam import session
from iam.ato import Ato
from iam.atos import credencial, sujeito
from iam.atos.pessoa import Pessoa, segurar
from iam.context import Ctx, House
from iam.db import Base, Id, grows, new_id
from iam.errors import Invalid, NotFound
from iam.login import password, totp

LIFETIME = timedelta(hours=72)
PATH = "/ativar/"
PROPRIO = frozenset({"o_proprio"})


class Activation(Base):
    """One link. ``seed`` is the TOTP seed it offers, encrypted at rest; ``epoch`` the ``login_epoch`` it was made under."""

    __tablename__ = "activation"
    __table_args__ = (Index("activation_pessoa", "pessoa"), grows("epoch"))

    id: Mapped[str] = mapped_column(Id, primary_key=True, default_factory=new_id)
    digest: Mapped[str] = mapped_column(unique=True)
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"))
    epoch: Mapped[int]
    seed: Mapped[bytes] = mapped_column(LargeBinary, repr=False)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None] = mapped_column(default=None)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the page of a live link shows: whose it is and the seed to enrol (base32)."""

    activation: Activation
    pessoa: Pessoa
    seed: str


def digest(token: str) -> str:
    """What the database keeps of a link."""
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create(ctx: Ctx, somebody: Pessoa, *, papeis: frozenset[str]) -> str:
    """A new link for a person; earlier ones die. Answers its path (``/ativar/…``), which is shown once and kept nowhere.

    Raises Invalid for somebody who may not log in: the link would be dead.
    """
    decision = ctx.require(Ato.CREDENCIAL_CADASTRAR, "portaria", papeis, pessoa=somebody.id)
    somebody = segurar(ctx.db, somebody.id)
    if not session.may_enter(ctx.db, somebody, ctx.now):
        raise Invalid("a pessoa não tem vínculo em vigor: o link não abriria nada", code="pessoa_fora")
    _end(ctx, somebody.id)
    token = secrets.token_urlsafe(32)
    made = Activation(
        digest=digest(token),
        pessoa=somebody.id,
        epoch=somebody.login_epoch,
        seed=ctx.house.vault.seal(totp.new_secret().encode(), f"activation {somebody.id}"),
        created_at=ctx.now,
        expires_at=ctx.now + LIFETIME,
    )
    ctx.db.add(made)
    ctx.db.flush()
    ctx.record(decision, pessoa=somebody.id, link=made.id, expira_em=made.expires_at.isoformat())
    return PATH + token


def find(db: Session, token: str, now: datetime) -> tuple[Activation, Pessoa] | None:
    """The live link and its person; None for one that is unknown, used, expired, replaced, or whose person is out."""
    if len(token) > 100:
        return None
    query = select(Activation, Pessoa).join(Pessoa, Pessoa.id == Activation.pessoa)
    found = db.execute(query.where(Activation.digest == digest(token), Activation.ended_at.is_(None))).first()
    if found is None:
        return None
    link, somebody = found
    dead = now >= link.expires_at or link.epoch != somebody.login_epoch
    return None if dead or not session.may_enter(db, somebody, now) else (link, somebody)


def offer(house: House, token: str) -> Offer:
    """What the page of a link shows; NotFound, without saying why, for one that opens nothing."""
    with house.reading() as db:
        found = find(db, token, house.clock())
    if found is None:
        raise NotFound("este link não vale: foi usado, venceu ou foi substituído", code="link_invalido")
    link, somebody = found
    return Offer(link, somebody, house.vault.open(link.seed, f"activation {somebody.id}").decode())


def chosen(house: House, token: str, senha: str) -> bytes:
    """The hash of the senha that somebody chooses, made before the transaction that takes it: hashing is slow on purpose.

    Raises NotFound as :func:`offer`, Invalid for a weak senha.
    """
    somebody = offer(house, token).pessoa
    password.check(senha, cpf=somebody.cpf, login=somebody.login, nome=somebody.nome)
    return password.hash(senha).encode()


def redeem(ctx: Ctx, token: str, senha: bytes, codigo: str) -> Pessoa:
    """The person's own senha and second factor take effect, and the link is used up; every older session ends.

    ``senha`` is what :func:`chosen` answered. Raises NotFound as :func:`offer`, Invalid for a code that is not of the seed; the
    link then still lives.
    """
    found = find(ctx.db, token, ctx.now)
    if found is not None:
        sujeito.lock(ctx.db, found[1].id)
        ctx.db.expire_all()
        found = find(ctx.db, token, ctx.now)
    if found is None:
        raise NotFound("este link não vale: foi usado, venceu ou foi substituído", code="link_invalido")
    link, somebody = found
    seed = ctx.house.vault.open(link.seed, f"activation {somebody.id}").decode()
    step = totp.verify(seed, codigo, ctx.now)
    if step is None:
        raise Invalid("o código não confere com o aplicativo autenticador", code="codigo_incorreto", field="codigo")
    _end(ctx, somebody.id)
    credencial.cadastrar(ctx, somebody.id, credencial.SENHA, segredo=senha, papeis=PROPRIO)
    sealed = ctx.house.vault.seal(seed.encode(), f"totp {somebody.id}")
    proof = credencial.cadastrar(ctx, somebody.id, credencial.TOTP, segredo=sealed, papeis=PROPRIO)
    proof.passo = step
    somebody.login_epoch = Pessoa.login_epoch + 1
    return somebody


def _end(ctx: Ctx, pessoa: str) -> None:
    mine = update(Activation).where(Activation.pessoa == pessoa, Activation.ended_at.is_(None))
    ctx.db.execute(mine.values(ended_at=ctx.now))
