"""The accounts on a target that belong to nobody here: found by listing it once a day, told, and never touched.

They may be other systems' own, or somebody's whom a person made by hand past every norm: which one, a person judges.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import JSON, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.ato import Ato
from iam.atos.papel import CASA, SERVICE, WORKER
from iam.atos.pessoa import Pessoa
from iam.context import House
from iam.db import Base

EVERY = timedelta(hours=24)
EXAMPLES = 20


class Inventory(Base):
    """What was found on one target the last time: how many accounts are nobody's, and the first of their keys."""

    __tablename__ = "inventory"

    target: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    strays: Mapped[int]
    examples: Mapped[list[str]] = mapped_column(JSON)


def take(house: House, target: str) -> int:
    """Lists the target when a day has passed, and journals what belongs to nobody when that is news; answers how many.

    Raises Unavailable when the target cannot be listed.
    """
    now = house.clock()
    with house.reading() as db:
        last = db.get(Inventory, target)
    if last is not None and now - last.at < EVERY:
        return last.strays
    found = list(house.targets[target].keys())
    with house.reading() as db:
        ours = {login.casefold() for login in db.scalars(select(Pessoa.login))}
    strays = sorted(key for key in found if key.casefold() not in ours)
    examples = strays[:EXAMPLES]
    with house.begin(SERVICE) as ctx:
        ctx.db.merge(Inventory(target=target, at=now, strays=len(strays), examples=examples))
        if (len(strays), examples) != ((last.strays, last.examples) if last else (0, [])):
            decision = ctx.require(Ato.CONTA_AJUSTAR, CASA, WORKER)
            ctx.record(decision, destino=target, contas=len(found), sem_pessoa=len(strays), exemplos=examples)
    return len(strays)


def latest(db: Session) -> Sequence[Inventory]:
    """The last listing of each target."""
    return db.scalars(select(Inventory).order_by(Inventory.target)).all()
