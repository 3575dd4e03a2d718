"""A natural person: one identity for all norms, one per CPF (requirements §2).

States: ``cadastrada`` (registered, no access) → ``habilitada`` → ``desabilitada`` (may return by a new request) or
``revogada``; ``falecida`` is final. MT128-2-II.1: only who is registered *and* enabled is a usuário.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import CTE, ColumnElement, ForeignKey, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos import sujeito
from iam.atos.sujeito import Sujeito
from iam.context import Ctx
from iam.db import Base, grows, new_id, one_of
from iam.errors import Conflict, NotFound

ACCENTED, UNACCENTED = "áàâãéêíóôõúüç", "aaaaeeiooouuc"
_LETTERS = str.maketrans(ACCENTED, UNACCENTED)
CADASTRADA, HABILITADA, DESABILITADA, REVOGADA, FALECIDA = (
    "cadastrada",
    "habilitada",
    "desabilitada",
    "revogada",
    "falecida",
)


class Pessoa(Base):
    """Somebody. ``login`` names the account here and in every target; no session of another
    system older than ``cortada_em`` may live, and none of ours born under an older ``login_epoch``.
    """

    __tablename__ = "pessoa"
    __table_args__ = (
        one_of("estado", (CADASTRADA, HABILITADA, DESABILITADA, REVOGADA, FALECIDA)),
        grows("login_epoch"),
    )

    id: Mapped[str] = mapped_column(ForeignKey("sujeito.id"), primary_key=True)
    cpf: Mapped[str] = mapped_column(unique=True)
    login: Mapped[str] = mapped_column(unique=True)
    nome: Mapped[str]
    email: Mapped[str | None] = mapped_column(default=None)
    estado: Mapped[str] = mapped_column(default=CADASTRADA)
    origem: Mapped[str]
    registrada_em: Mapped[datetime]
    cortada_em: Mapped[datetime | None] = mapped_column(default=None)
    login_epoch: Mapped[int] = mapped_column(default=1)


def cadastrar(
    ctx: Ctx, cpf: str, nome: str, login: str, *, origem: str, papeis: frozenset[str], email: str | None = None
) -> Pessoa:
    """Registers a person, without any access. Raises Conflict when the login is another person's."""
    decision = ctx.require(Ato.PESSOA_CADASTRAR, "portaria", papeis)
    taken = ctx.db.scalar(select(Pessoa).where(or_(Pessoa.cpf == cpf, Pessoa.login == login)))
    if taken is not None:
        raise Conflict(
            f"já existe uma pessoa com este {'CPF' if taken.cpf == cpf else 'login'}", code="pessoa_existente"
        )
    id = new_id()
    ctx.db.add(Sujeito(id=id, kind="pessoa"))
    ctx.db.flush()
    somebody = Pessoa(id=id, cpf=cpf, login=login, nome=nome, email=email, origem=origem, registrada_em=ctx.now)
    ctx.db.add(somebody)
    ctx.db.flush()
    ctx.record(decision, pessoa=id, origem=origem)
    return somebody


def by_cpf(db: Session, cpf: str) -> Pessoa | None:
    """The person with this CPF (11 digits)."""
    return db.scalar(select(Pessoa).where(Pessoa.cpf == cpf))


def named(login: str) -> str:
    """The one form of what somebody types as a name: the digits of a CPF, else the login in lower case."""
    digits = "".join(c for c in login if c.isdigit())
    return digits if len(digits) == 11 and not any(c.isalpha() for c in login) else login.strip().lower()


def by_login(db: Session, login: str) -> Pessoa | None:
    """The person who logs in with this name, or with this CPF."""
    name = named(login)
    if len(name) == 11 and name.isdigit():
        return by_cpf(db, name)
    return db.scalar(select(Pessoa).where(Pessoa.login == name))


def get(db: Session, id: str) -> Pessoa:
    """The person with this id; NotFound otherwise."""
    somebody = db.get(Pessoa, id)
    if somebody is None:
        raise NotFound("pessoa não encontrada")
    return somebody


def segurar(db: Session, id: str) -> Pessoa:
    """The person, locked until the transaction ends and read only then; NotFound otherwise. Every act about somebody begins so."""
    sujeito.lock(db, id)
    somebody = db.get(Pessoa, id, populate_existing=True)
    if somebody is None:
        raise NotFound("pessoa não encontrada")
    return somebody


def recomecar(db: Session, somebody: Pessoa) -> None:
    """Whoever comes in again with no tie left in force finds nothing of before alive, though it only ran out by its date."""
    somebody.login_epoch = Pessoa.login_epoch + 1
    db.flush()
    sujeito.raise_epoch(db, [somebody.id])


def procurar(db: Session, texto: str, *, after: str = "", most: int = 50) -> Sequence[Pessoa]:
    """People in order of name, with every word of ``texto`` in their name or login, or as the beginning of their CPF.

    Case and accents do not count. ``after`` is the id of the last person of the page before.
    """
    names = _plain()
    name = names.c.nome
    query = select(Pessoa).join(names, names.c.id == Pessoa.id).order_by(name, Pessoa.id).limit(most)
    for word in texto.split():
        digits = "".join(c for c in word if c.isdigit())
        where = name.contains(word.lower().translate(_LETTERS), autoescape=True)
        where |= Pessoa.login.icontains(word, autoescape=True)
        query = query.where(where | Pessoa.cpf.startswith(digits) if len(digits) >= 3 else where)
    if after:
        place = select(name).where(names.c.id == after).scalar_subquery()
        query = query.where(or_(name > place, (name == place) & (Pessoa.id > after)))
    return db.scalars(query).all()


def _plain() -> CTE:
    """Everybody's ``id`` and ``nome`` in lower case without accents, on every database alike.

    SQLite knows the case of ASCII letters only, and its parser no more than some twenty functions within each other: so
    capitals go in one step and small letters in the next.
    """
    names = select(Pessoa.id, _without(func.lower(Pessoa.nome), ACCENTED.upper()).label("nome")).cte("baixo")
    return select(names.c.id, _without(names.c.nome, ACCENTED).label("nome")).cte("simples")


def _without(text: ColumnElement[str], accented: str) -> ColumnElement[str]:
    for old, new in zip(accented, UNACCENTED, strict=True):
        text = func.replace(text, old, new)
    return text
