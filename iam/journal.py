"""The journal: what was decided and done, by whom, from where, when and under which article. Append-only.

An entry is inserted in the transaction of its act; a refusal in one of its own. The sealer (:mod:`iam.sealer`) numbers and
chains entries afterwards. The header is what the chain protects for ever; a payload that is taken away after its legal term
leaves the chain whole, because the header holds only its digest. Nothing here takes one away. TRAM-12-IV: operation, user,
workstation, date and time, in sequence.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from itertools import chain

import orjson
from sqlalchemy import BigInteger, ColumnElement, Index, Integer, LargeBinary, func, insert, select, tuple_
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.db import Base
from iam.decision import Decision

JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]
HEADER = ("at", "ato", "allowed", "obj", "pack", "requirement", "article", "agente", "pessoa", "sistema", "jti")


@dataclass(frozen=True, slots=True)
class Agente:
    """Who acts, and from which workstation (GAP-ALL-06).

    ``kind`` is ``pessoa``, ``client``, ``sistema`` (our own services) or ``anonimo``; ``id`` the sujeito's.
    """

    kind: str
    id: str
    nome: str = ""
    address: str = ""
    user_agent: str = ""
    client_id: str = ""
    session: str = ""
    certificate: str = ""

    @property
    def name(self) -> str:
        """``kind:id``, as the journal's header writes it."""
        return f"{self.kind}:{self.id}"

    @property
    def network(self) -> str:
        """The IPv4 address, or the /64 of an IPv6 one: what one subscriber has. Empty when it is not known."""
        try:
            address = ip_address(self.address)
        except ValueError:
            return ""
        inside = address.ipv4_mapped if isinstance(address, IPv6Address) else None
        if isinstance(address, IPv4Address) or inside is not None:
            return str(inside or address)
        return str(IPv6Network((address, 64), strict=False))

    def workstation(self) -> dict[str, str]:
        """Address, program, device and certificate, without what is not known."""
        station = {
            "address": self.address,
            "user_agent": self.user_agent,
            "client_id": self.client_id,
            "session": self.session,
            "certificate": self.certificate,
        }
        return {k: v for k, v in station.items() if v}


class Entry(Base):
    """One line of the journal, immutable. It says who and what as they were, without foreign keys: it outlives every row,
    waits for none that an act holds, and costs a token no look at another table.
    """

    __tablename__ = "entry"
    __table_args__ = (
        Index("entry_pessoa", "pessoa", "id"),
        Index("entry_sistema", "sistema", "id"),
        Index("entry_ground", "requirement", "article", "ato", "at", "id"),
        Index("entry_agente", "agente", "id"),
        Index("entry_at", "at"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer(), "sqlite"), primary_key=True, autoincrement=True, init=False
    )
    at: Mapped[datetime]
    ato: Mapped[str]
    allowed: Mapped[bool]
    obj: Mapped[str]
    pack: Mapped[str]
    requirement: Mapped[str]
    article: Mapped[str]
    agente: Mapped[str]
    pessoa: Mapped[str | None] = mapped_column(default=None)
    sistema: Mapped[str | None] = mapped_column(default=None)
    jti: Mapped[str | None] = mapped_column(default=None)
    payload: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    digest: Mapped[bytes] = mapped_column(LargeBinary, default=b"")


GROUND = (Entry.requirement, Entry.article, Entry.ato)


@dataclass(frozen=True, slots=True)
class Line:
    """An entry about to be written: the values of one row."""

    at: datetime
    decision: Decision
    agente: Agente
    pessoa: str | None = None
    sistema: str | None = None
    jti: str | None = None
    payload: Mapping[str, JSON] | None = None

    def row(self, times: int = 1) -> dict[str, object]:
        """The columns. ``times`` > 1 when identical anonymous refusals were counted into one line."""
        d = self.decision
        content: dict[str, JSON] = {"estacao": self.agente.workstation(), "n": secrets.token_hex(8)}
        if not d.allowed:
            content["motivo"] = d.reason_admin
        if d.sources:
            content["fontes"] = [str(s) for s in d.sources]
        if times > 1:
            content["vezes"] = times
        if self.payload:
            content.update(self.payload)
        raw = canonical(content)
        return {
            "at": self.at,
            "ato": d.act,
            "allowed": d.allowed,
            "obj": d.obj,
            "pack": d.source.pack,
            "requirement": d.source.requirement,
            "article": d.source.article,
            "agente": self.agente.name,
            "pessoa": self.pessoa,
            "sistema": self.sistema,
            "jti": self.jti,
            "payload": raw,
            "digest": hashlib.sha256(raw).digest(),
        }


def canonical(value: JSON | Mapping[str, object]) -> bytes:
    """The one byte form of a JSON value: sorted keys, no spaces, UTF-8."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def write(db: Session, line: Line) -> int:
    """Inserts one entry in the caller's transaction and answers its id (not its sequence number: that is the sealer's)."""
    result = db.execute(insert(Entry).returning(Entry.id), [line.row()])
    return int(result.scalar_one())


@dataclass(frozen=True, slots=True)
class Filter:
    """What a reader of the journal asks for; empty members do not restrict."""

    pessoa: str = ""
    sistema: str = ""
    requirement: str = ""
    article: str = ""
    ato: str = ""
    agente: str = ""
    since: datetime | None = None
    until: datetime | None = None
    allowed: bool | None = None


def find(
    db: Session, wanted: Filter, *, before: int | None = None, most: int = 50
) -> Sequence[tuple[Entry, int | None]]:
    """Entries, newest first, each with its sequence number once sealed. Recording that somebody read is the caller's act.

    What somebody did, or what was done to her or to a sistema, comes in the order in which it was written; everything else by
    its moment. So each question is answered from an index, however long the journal.
    """
    from iam.sealer import Seal  # the chain stands on the entries, not the other way round

    whose = [
        column == value
        for column, value in (
            (Entry.pessoa, wanted.pessoa),
            (Entry.sistema, wanted.sistema),
            (Entry.agente, wanted.agente),
        )
        if value
    ]
    grounds = list(_grounds(db, wanted)) if wanted.requirement or wanted.article or wanted.ato else None
    by_moment = not whose and (grounds is not None or wanted.since is not None or wanted.until is not None)
    newest = (Entry.at.desc(), Entry.id.desc()) if by_moment else (Entry.id.desc(),)
    places = select(Entry.at, Entry.id).where(*whose, *_period(wanted)).order_by(*newest).limit(most)
    if before is not None:
        last = db.scalar(select(Entry.at).where(Entry.id == before)) if by_moment else None
        older = tuple_(Entry.at, Entry.id) < tuple_(last, before) if last is not None else Entry.id < before
        places = places.where(older)
    if grounds is None:
        found = list(db.execute(places))
    elif by_moment:
        each = (db.execute(places.where(tuple_(*GROUND) == ground)) for ground in grounds)
        found = nlargest(most, chain.from_iterable(each), key=tuple)
    else:
        found = list(db.execute(places.where(tuple_(*GROUND).in_(grounds))))
    lines = select(Entry, Seal.seq).outerjoin(Seal, Seal.entry_id == Entry.id)
    lines = lines.where(Entry.id.in_([id for _, id in found])).order_by(*newest)
    return [(entry, seq) for entry, seq in db.execute(lines)]


def _period(wanted: Filter) -> Iterator[ColumnElement[bool]]:
    if wanted.since is not None:
        yield Entry.at >= wanted.since
    if wanted.until is not None:
        yield Entry.at < wanted.until
    if wanted.allowed is not None:
        yield Entry.allowed == wanted.allowed


def _grounds(db: Session, wanted: Filter, known: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Those of the journal's requirements, with their articles and acts, that are asked for: few, whatever its length.

    Each is found from the one before by one look into the index.
    """
    if len(known) == len(GROUND):
        yield known
        return
    column, same = GROUND[len(known)], [c == value for c, value in zip(GROUND, known, strict=False)]
    following = select(func.min(column)).where(*same)
    value = db.scalar(following)
    while value is not None:
        if _fits(wanted, column.key, value):
            yield from _grounds(db, wanted, (*known, value))
        value = db.scalar(following.where(column > value))


def _fits(wanted: Filter, column: str, value: str) -> bool:
    """Whether a requirement, an article or an act is asked for, itself or by its beginning."""
    asked: str = getattr(wanted, column)
    if column == "article" and asked[:1].isdigit():
        asked = f"Art. {asked}"
    further = {"requirement": ".", "article": " "}.get(column)
    return asked in ("", value) or (further is not None and value.startswith(asked + further))
