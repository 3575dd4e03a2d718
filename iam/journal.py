"""The journal: what was decided and done, by whom, from where, when and under which article. Append-only.

An entry is inserted in the transaction of its act; a refusal in one of its own. The sealer (:mod:`iam.sealer`) numbers and
chains entries afterwards. The header is what the chain protects for ever; a payload that is taken away after its legal term
leaves the chain whole, because the header holds only its digest. Nothing here takes one away. TRAM-12-IV: operation, user,
workstation, date and time, in sequence.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

import orjson
from sqlalchemy import BigInteger, Index, Integer, LargeBinary, insert
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
