"""What the configured sources tell: asked again and again, each event taken in as any other, the place in the source kept.

The place moves in the transaction that takes the event in, so that an abrupt end repeats or loses none; the same one again
changes nothing. An event that cannot be taken in, and a line that is none, is kept where an operator looks and stops no
other. Sent right under its number an event is taken in and forgotten there; so is a line once its file, put right, was given
under its name by hand (``portaria hr import``): nobody else can tell what it meant to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.atos.papel import WORKER
from iam.atos.receber import receber
from iam.connector import Cursor, Evento, Rejected
from iam.context import Agente, House
from iam.db import Base
from iam.errors import PortariaError, Unavailable

FILE = "arquivo "


class Heard(Base):
    """How far a source was read, in its own words."""

    __tablename__ = "source_cursor"

    source: Mapped[str] = mapped_column(primary_key=True)
    cursor: Mapped[str]
    at: Mapped[datetime]


class Rejection(Base):
    """An event that a source told and that could not be taken in, with the reason, as its sender must hear it.

    ``fonte`` is what it called itself, registered or not; ``numero`` the event's, or the file and line of what is no event.
    """

    __tablename__ = "source_rejection"

    source: Mapped[str] = mapped_column(primary_key=True)
    fonte: Mapped[str] = mapped_column(primary_key=True)
    numero: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[datetime]
    reason: Mapped[str]

    @property
    def named(self) -> str:
        """What was rejected, for people."""
        number = "" if self.numero.startswith(FILE) else "nº "
        return f"{self.fonte} {number}{self.numero}"


def hear(house: House, name: str) -> int:
    """Takes in what a source tells that was not yet heard; answers how many events and lines. Raises Unavailable."""
    with house.reading() as db:
        known = db.get(Heard, name)
    heard = 0
    for cursor, said in house.sources[name].events(Cursor(known.cursor) if known else None):
        place = Heard(source=name, cursor=cursor, at=house.clock())
        if isinstance(said, Rejected):
            _keep(house, place, said.fonte, _line(said.file, said.line), said.reason)
        else:
            _take(house, place, said)
        heard += 1
    return heard


def rejected(db: Session) -> Sequence[Rejection]:
    """What waits to be sent right, the oldest first."""
    return db.scalars(select(Rejection).order_by(Rejection.at)).all()


def mend(house: House, fonte: str, file: str) -> None:
    """Forgets the lines of a file that was given again and taken in whole."""
    lines = Rejection.numero.startswith(_line(file, ""), autoescape=True)
    with house.database.write() as db:
        db.execute(delete(Rejection).where(Rejection.fonte == fonte, lines))


def _line(file: str, line: int | str) -> str:
    return f"{FILE}{file}, linha {line}"


def _take(house: House, place: Heard, noticia: Evento) -> None:
    agente = Agente("sistema", "worker", f"Fonte {place.source}", address="127.0.0.1", user_agent="portaria worker")
    try:
        with house.begin(agente) as ctx:
            receber(ctx, noticia, papeis=WORKER)
            gone = delete(Rejection).where(Rejection.fonte == noticia.fonte, Rejection.numero == noticia.numero)
            ctx.db.execute(gone)
            ctx.db.merge(place)
    except Unavailable:
        raise
    except PortariaError as error:
        _keep(house, place, noticia.fonte, noticia.numero, error.message)


def _keep(house: House, place: Heard, fonte: str, numero: str, reason: str) -> None:
    with house.database.write() as db:
        db.merge(Rejection(source=place.source, fonte=fonte, numero=numero, at=place.at, reason=reason))
        db.merge(place)
