"""The account that a person has on a target: the id by which the target itself knows it, whatever name it gets there.

A name can be changed, and an account moved, by whoever administers the target; its own id stays. An account that is
known and no longer found under its name is looked for by that id, so that nobody is called out who is only elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import ForeignKey, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base


class Conta(Base):
    """One person's account on one target. Kept when the account is gone: one that is restored there has its old id."""

    __tablename__ = "conta"

    target: Mapped[str] = mapped_column(primary_key=True)
    pessoa: Mapped[str] = mapped_column(ForeignKey("pessoa.id"), primary_key=True)
    id_no_destino: Mapped[str]
    vista_em: Mapped[datetime]


def ids(db: Session, pessoa: str) -> Mapping[str, str]:
    """The ids of a person's accounts, by target; nothing of a target where none was seen."""
    return {known.target: known.id_no_destino for known in db.scalars(select(Conta).where(Conta.pessoa == pessoa))}


def lembrar(db: Session, target: str, pessoa: str, id_no_destino: str, now: datetime) -> None:
    """Notes the id under which the person's account was seen; a new account takes the place of one that is gone."""
    db.merge(Conta(target=target, pessoa=pessoa, id_no_destino=id_no_destino, vista_em=now))
