"""What only an open house tells: keys, what its targets and sources answer, what waits, and whether the journal holds."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import func, select

from iam import inventory, news, sealer, setback
from iam.context import House
from iam.doctor.finding import AVISO, FALHA, OK, SKEW, Finding
from iam.errors import PortariaError
from iam.journal import Entry
from iam.keys import USES, Key
from iam.outbox import Mark, overdue

TAIL = 5000


def keys(house: House, now: datetime) -> Finding:
    """Whether each use has its key, and none is older than a year."""
    with house.reading() as db:
        rows = db.execute(select(Key.use, Key.created_at).where(Key.retired_at.is_(None))).all()
    missing = set(USES) - {row.use for row in rows}
    if missing:
        return Finding("chaves", FALHA, f"faltam as de {', '.join(sorted(missing))}", "rode `portaria keys rotate`")
    oldest = min(row.created_at for row in rows)
    if now - oldest > timedelta(days=365):
        return Finding("chaves", AVISO, f"há uma de {oldest:%d/%m/%Y}", "rode `portaria keys rotate` uma vez por ano")
    return Finding("chaves", OK, "de token, de recibo e de diário")


def marks(house: House, now: datetime) -> Finding:
    """Whether every target was made to agree in time, and every mark is for a target that is configured."""
    with house.reading() as db:
        why = select(Mark.target, func.count(), func.max(Mark.error)).where(overdue(now))
        late = db.execute(why.group_by(Mark.target)).all()
        stale = [target for target in db.scalars(select(Mark.target).distinct()) if target not in house.targets]
    if late:
        said = ", ".join(f"{count} em {target}" + (f" ({error})" if error else "") for target, count, error in late)
        return Finding(
            "ajustes nos destinos", FALHA, f"atrasados: {said}", "veja se o servidor roda e se o destino responde"
        )
    if stale:
        return Finding(
            "ajustes nos destinos",
            AVISO,
            f"para destino não configurado: {', '.join(stale)}",
            "confira PORTARIA_TARGETS",
        )
    return Finding("ajustes nos destinos", OK, "nenhum atrasado")


def setbacks(house: House, _now: datetime) -> Finding:
    """Whether the server's periodic work is done."""
    with house.reading() as db:
        standing = setback.standing(db)
    if standing:
        said = "; ".join(f"{s.name}, desde {s.since:%d/%m/%Y %H:%M} UTC, {s.tries}x: {s.error}" for s in standing[:5])
        todo = "corrija a causa; é tentado de novo, no máximo de hora em hora"
        return Finding("trabalhos do servidor", FALHA, f"{len(standing)} sem êxito: {said}", todo)
    return Finding("trabalhos do servidor", OK, "nenhum sem êxito")


def lists(house: House, now: datetime) -> Finding:
    """Whether each revocation list on file is believed, and none is older than one that once was."""
    unusable = house.trust.lists.unusable(now)
    if unusable:
        todo = "ponha a lista mais nova de cada autoridade; até lá os seus certificados são recusados"
        said = f"{unusable} sem uso: faltam, não valem agora, ou alguma é mais antiga que a já conhecida"
        return Finding("listas de revogados", FALHA, said, todo)
    return Finding("listas de revogados", OK, "as mais novas que se conhecem")


def strays(house: House, _now: datetime) -> Finding:
    """The accounts on the targets that belong to nobody here."""
    with house.reading() as db:
        listed = [row for row in inventory.latest(db) if row.target in house.targets]
    said = "; ".join(f"{row.strays} em {row.target} ({', '.join(row.examples[:5])})" for row in listed if row.strays)
    if said:
        return Finding("contas sem pessoa", AVISO, said, "veja de quem são; Portaria não as toca")
    return Finding("contas sem pessoa", OK, "nenhuma" if listed else "nenhum destino foi listado ainda")


def rejections(house: House, _now: datetime) -> Finding:
    """The events that a source told and that could not be taken in, and the lines that are no events."""
    with house.reading() as db:
        waiting = news.rejected(db)
    if waiting:
        said = "; ".join(f"{r.named}: {r.reason}" for r in waiting[:5])
        todo = (
            "corrija o cadastro ou o evento e mande-o de novo com o mesmo número; um arquivo, corrija-o e dê-o com o mesmo "
            "nome a `portaria hr import`"
        )
        return Finding("eventos das fontes", FALHA, f"{len(waiting)} não aceitos: {said}", todo)
    return Finding("eventos das fontes", OK, "todos aceitos")


def sealing(house: House, now: datetime) -> Finding:
    """Whether the journal is sealed up to now, and nothing in it is of a moment to come."""
    with house.reading() as db:
        last = db.scalar(select(func.max(Entry.at)))
        sealed = db.scalar(select(func.max(sealer.Seal.sealed_at)))
        waiting = db.scalar(
            select(func.count())
            .select_from(Entry)
            .where(Entry.id > (select(func.coalesce(func.max(sealer.Seal.entry_id), 0)).scalar_subquery()))
        )
    newest = max((moment for moment in (last, sealed) if moment is not None), default=None)
    if newest is not None and newest > now + SKEW:
        return Finding(
            "relógio",
            FALHA,
            f"o diário tem registros de {newest:%d/%m/%Y %H:%M:%S} UTC, no futuro",
            "sincronize por NTP",
        )
    if waiting and last is not None and now - last > timedelta(minutes=1):
        return Finding(
            "lacre do diário", AVISO, f"{waiting} registros esperam", "o servidor está parado; ao iniciar ele os lacra"
        )
    return Finding("lacre do diário", OK, "em dia")


def journal(house: House, _now: datetime) -> Finding:
    """Whether the last entries are chained, each with the payload that its digest says."""
    query = select(sealer.Seal, Entry).outerjoin(Entry, Entry.id == sealer.Seal.entry_id)
    with house.reading() as db:
        rows = db.execute(query.order_by(sealer.Seal.seq.desc()).limit(TAIL)).all()
    following: sealer.Seal | None = None
    for place, entry in rows:
        if not _holds(place, entry, following):
            todo = "rode `portaria journal verify`, guarde o arquivo e investigue"
            return Finding("diário", FALHA, f"o registro {place.seq} não confere", todo)
        following = place
    return Finding("diário", OK, f"os últimos {len(rows)} registros conferem")


def _holds(place: sealer.Seal, entry: Entry | None, following: sealer.Seal | None) -> bool:
    if entry is None or sealer.link(place.prev, sealer.header(entry, place.seq, place.sealed_at)) != place.hash:
        return False
    if entry.payload is not None and hashlib.sha256(entry.payload).digest() != entry.digest:
        return False
    return following is None or (following.seq == place.seq + 1 and following.prev == place.hash)


def systems(house: House) -> Iterator[Finding]:
    """Whether each target and each source answers."""
    for what, of, connectors in (("destino", "do destino", house.targets), ("fonte", "da fonte", house.sources)):
        for name, connector in connectors.items():
            try:
                connector.check()
            except PortariaError as error:
                todo = f"verifique endereço, credencial e rede {of}"
                yield Finding(f"{what} {name}", FALHA, error.message, todo)
            else:
                yield Finding(f"{what} {name}", OK, "responde")


CHECKS = (keys, lists, marks, setbacks, strays, rejections, sealing, journal)
