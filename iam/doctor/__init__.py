"""What is wrong with an installation, and what to do about it. It looks and changes nothing.

Each check answers OK, aviso or falha with one line; the edge of a failure is where somebody would be let in wrongly, kept out
wrongly, or where the evidence would not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from sqlalchemy.exc import SQLAlchemyError

from iam.config import Settings
from iam.context import House
from iam.doctor import certificates, installation
from iam.doctor import house as opened
from iam.doctor.finding import AVISO, BANCO, CHAVE, FALHA, NORMAS, OK, RESTAURACAO, TRUST, Finding

__all__ = ["AVISO", "FALHA", "OK", "Finding", "after_opening", "before_opening", "closed"]


def before_opening(settings: Settings, now: datetime) -> Iterator[Finding]:
    """What can be said without opening the house: files, packs, certificates, lists, the database's shape."""
    yield installation.configuration(settings)
    yield from installation.restoring(settings)
    yield from installation.modes(settings)
    yield installation.packs(settings, now)
    yield from certificates.authorities(settings, now)
    yield certificates.server(settings, now)
    yield installation.disk(settings)
    yield installation.database(settings, now)


def closed(findings: Iterable[Finding]) -> bool:
    """Whether what was found before opening keeps the house from being opened."""
    return any(f.state == FALHA and f.name in (RESTAURACAO, CHAVE, NORMAS, BANCO, TRUST) for f in findings)


def after_opening(house: House) -> Iterator[Finding]:
    """What needs the house: keys, marks, the journal's tail, targets and sources."""
    now = house.clock()
    for check in opened.CHECKS:
        try:
            yield check(house, now)
        except SQLAlchemyError as error:
            yield Finding(BANCO, FALHA, str(error).splitlines()[0], "verifique o banco de dados")
    yield from opened.systems(house)
