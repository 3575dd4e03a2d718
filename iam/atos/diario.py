"""Reading the journal: by person, sistema, article, act and period; an act, itself recorded (TRAM art. 12 IV).

Newest first, page by page, by the entry's own number: what is written while somebody reads does not move their pages.
Writing is :mod:`iam.journal`'s, the chain :mod:`iam.sealer`'s; nothing here changes an entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import orjson
from sqlalchemy import select

from iam import search
from iam.ato import Ato
from iam.atos import papel
from iam.atos.client import Client
from iam.atos.pessoa import Pessoa
from iam.context import Ctx
from iam.decision import Source
from iam.journal import JSON, Entry
from iam.search import Filter

UNKNOWN = "desconhecida"
OWN = ("estacao", "fontes", "motivo", "n", "vezes")


@dataclass(frozen=True, slots=True)
class Lancamento:
    """One entry as it is read: its place in the chain (None until it is sealed), and the names behind the ids."""

    id: int
    seq: int | None
    at: datetime
    ato: str
    allowed: bool
    obj: str
    source: Source
    agente: str
    agente_nome: str
    pessoa: str
    pessoa_nome: str
    sistema: str
    jti: str
    motivo: str
    vezes: int
    estacao: Mapping[str, str]
    detalhe: Mapping[str, JSON]


def ler(
    ctx: Ctx, wanted: Filter, *, papeis: frozenset[str], before: int | None = None, most: int = 50
) -> list[Lancamento]:
    """Up to ``most`` entries older than the entry ``before``, newest first. Raises Refused for who may not read."""
    decision = ctx.require(Ato.DIARIO_LER, papel.CASA, papeis)
    rows = search.find(ctx.db, wanted, before=before, most=most)
    known = names(ctx, [e.agente for e, _ in rows] + [f"pessoa:{e.pessoa}" for e, _ in rows if e.pessoa])
    asked: dict[str, JSON] = {name: str(value) for name, value in asdict(wanted).items() if value not in ("", None)}
    # The header stays for ever: only what exists here goes there, and who nobody is here is not repeated anywhere.
    if asked.pop("pessoa", None) and ctx.db.get(Pessoa, wanted.pessoa) is None:
        asked["pessoa"] = UNKNOWN
    about = None if "pessoa" in asked else wanted.pessoa or None
    sistema = wanted.sistema if ctx.policy.sistema(wanted.sistema) else None
    ctx.record(decision, pessoa=about, sistema=sistema, filtro=asked, lidos=len(rows))
    return [_line(entry, seq, known) for entry, seq in rows]


def names(ctx: Ctx, agentes: Iterable[str]) -> dict[str, str]:
    """``pessoa:<id>`` and ``client:<id>`` as people know them."""
    ids: dict[str, set[str]] = {"pessoa": set(), "client": set()}
    for kind, _, id in (a.partition(":") for a in agentes):
        ids.setdefault(kind, set()).add(id)
    people = ctx.db.execute(select(Pessoa.id, Pessoa.nome).where(Pessoa.id.in_(sorted(ids["pessoa"]))))
    programs = ctx.db.execute(select(Client.id, Client.nome).where(Client.id.in_(sorted(ids["client"]))))
    return {f"pessoa:{id}": nome for id, nome in people} | {f"client:{id}": nome for id, nome in programs}


def _line(entry: Entry, seq: int | None, known: Mapping[str, str]) -> Lancamento:
    content: dict[str, JSON] = orjson.loads(entry.payload) if entry.payload is not None else {}
    station, times, reason = content.get("estacao"), content.get("vezes"), content.get("motivo")
    return Lancamento(
        id=entry.id,
        seq=seq,
        at=entry.at,
        ato=entry.ato,
        allowed=entry.allowed,
        obj=entry.obj,
        source=Source(entry.pack, entry.requirement, entry.article),
        agente=entry.agente,
        agente_nome=known.get(entry.agente, ""),
        pessoa=entry.pessoa or "",
        pessoa_nome=known.get(f"pessoa:{entry.pessoa}", entry.pessoa or ""),
        sistema=entry.sistema or "",
        jti=entry.jti or "",
        motivo=str(reason or ""),
        vezes=times if isinstance(times, int) else 1,
        estacao={k: str(v) for k, v in station.items()} if isinstance(station, Mapping) else {},
        detalhe={k: v for k, v in content.items() if k not in OWN},
    )
