"""How new the revocation lists are that were ever believed: kept, so that a restart does not make an older one good again.

Only the date and number of each, not the list: after a restart an older one on file revokes and makes nobody good, until one
as new is on file (:mod:`iam.icp_brasil.crl`).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base, Database
from iam.icp_brasil.crl import Age, Lists, Scope


class NewestList(Base):
    """The newest list of one authority and scope that any node has believed, by its date and number (RFC 5280 section 5)."""

    __tablename__ = "revocation_list"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    points: Mapped[str] = mapped_column(primary_key=True)
    this_update: Mapped[datetime]
    number: Mapped[str]
    """Up to twenty octets: in hexadecimal digits."""


def known(db: Session) -> dict[Scope, Age]:
    """What is kept."""
    rows = db.scalars(select(NewestList))
    return {Scope(r.issuer, frozenset(r.points.splitlines())): (r.this_update, int(r.number, 16)) for r in rows}


def keep(database: Database, lists: Lists) -> None:
    """Keeps what this process believes beyond that; asks the database nothing when that is no more than before."""
    for scope, (date, number) in lists.fresh().items():
        points = "\n".join(sorted(scope.points))
        with database.write() as db:
            row = db.get(NewestList, (scope.issuer, points), with_for_update=True)
            if row is None or (row.this_update, int(row.number, 16)) < (date, number):
                db.merge(NewestList(issuer=scope.issuer, points=points, this_update=date, number=f"{number:x}"))
        lists.never_before({scope: (date, number)})
