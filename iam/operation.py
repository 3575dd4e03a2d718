"""What those who operate the server ask it: is it alive, may it be sent requests, how is it doing.

Texts: the contract (``/healthz``, ``/readyz``, ``/metrics``), Prometheus text exposition format 0.0.4. Only sums: no name, no CPF, no
path of the machine is told, since nobody need identify themselves to read them.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import Awaitable, Callable, Iterable, Mapping

from cryptography import x509
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from iam import inventory, news, setback
from iam.context import House
from iam.http import Request, Response
from iam.journal import Entry
from iam.keys import USES, Key
from iam.outbox import Mark, overdue, unseen
from iam.sealer import Checkpoint, Seal

TEXT = "text/plain; version=0.0.4; charset=utf-8"


def healthz(_house: House, request: Request) -> Response:
    """200 while the event loop turns; touches nothing else."""
    return _only_get(request) or Response.text(200, "ok\n")


async def readyz(house: House, request: Request) -> Response:
    """200 when the database answers, takes what is written, and there are keys to sign with, else 503 and what is not.

    Whether it takes it is what the last attempt told: the worker of each node writes every half minute, and again every second
    while it cannot.

    A revocation list that cannot be used is told too, but takes no node out of service: every node reads the same lists,
    people still log in, and a good status may be used for a while yet.
    """
    refused = _only_get(request)
    if refused is not None:
        return refused
    missing = await asyncio.to_thread(_missing, house)
    if missing:
        return Response.text(503, f"{missing}\n")
    stale = house.trust.lists.unusable(house.clock())
    return Response.text(200, "ok, but a revocation list is unusable\n" if stale else "ok\n")


def _missing(house: House) -> str:
    try:
        with house.reading() as db:
            uses = set(db.scalars(select(Key.use).where(Key.retired_at.is_(None))))
    except SQLAlchemyError:
        return "database"
    if house.database.failing:
        return "database cannot be written"
    return "" if uses >= set(USES) else "keys"


async def metrics(house: House, request: Request) -> Response:
    """Gauges and counters for Prometheus."""
    refused = _only_get(request)
    if refused is not None:
        return refused
    try:
        lines = await asyncio.to_thread(_metrics, house)
    except SQLAlchemyError:
        return Response.text(503, "database\n")
    return Response.text(200, "\n".join(lines) + "\n", content_type=TEXT)


def _metrics(house: House) -> list[str]:
    now = house.clock()
    with house.reading() as db:
        marks = select(Mark.target, func.count()).where(unseen()).group_by(Mark.target)
        waiting = {target: count for target, count in db.execute(marks)}  # noqa: C416 - rows are not yet pairs to a type checker
        late = {target: count for target, count in db.execute(marks.where(overdue(now)))}  # noqa: C416
        written = db.scalar(select(func.max(Entry.id))) or 0
        sealed = db.scalar(select(func.max(Seal.seq))) or 0
        last = db.scalar(select(func.max(Seal.entry_id))) or 0
        signed = db.scalar(select(func.max(Checkpoint.seq))) or 0
        unsealed = select(func.count()).select_from(Entry).where(Entry.id > last)
        left = db.scalar(unsealed) or 0
        strays = {row.target: row.strays for row in inventory.latest(db)}
        standing, rejected = len(setback.standing(db)), len(news.rejected(db))
    used = resource.getrusage(resource.RUSAGE_SELF)
    targets, lists = sorted(house.targets), house.trust.lists
    return [
        *_metric("portaria_up", "gauge", "1 while the server answers", [("", 1)]),
        *_metric(
            "portaria_marks_waiting",
            "gauge",
            "people not yet seen to agree, by target",
            [(f'{{target="{name}"}}', waiting.get(name, 0)) for name in targets],
        ),
        *_metric(
            "portaria_marks_overdue",
            "gauge",
            "of them, those past the time allowed, or that fail again and again",
            [(f'{{target="{name}"}}', late.get(name, 0)) for name in targets],
        ),
        *_metric(
            "portaria_accounts_stray",
            "gauge",
            "accounts that belong to nobody here, by target",
            [(f'{{target="{name}"}}', strays[name]) for name in targets if name in strays],
        ),
        *_metric("portaria_setbacks", "gauge", "things the worker could not do and tries again", [("", standing)]),
        *_metric("portaria_source_events_rejected", "gauge", "events of sources to be sent right", [("", rejected)]),
        *_metric("portaria_journal_entries_total", "counter", "lines written to the journal", [("", written)]),
        *_metric("portaria_journal_sealed_total", "counter", "lines in the chain", [("", sealed)]),
        *_metric("portaria_journal_unsealed", "gauge", "lines that wait to be sealed", [("", left)]),
        *_metric("portaria_journal_checkpoint", "gauge", "sequence number signed last", [("", signed)]),
        *_metric(
            "portaria_certificate_expires_seconds",
            "gauge",
            "seconds until the server's certificate ends",
            [("", _certificate_left(house, now.timestamp()))],
        ),
        *_metric(
            "portaria_revocation_lists_unusable",
            "gauge",
            "files without a good list, or lists that were lost or put back older",
            [("", lists.unusable(now))],
        ),
        *_metric(
            "portaria_revocation_lists_expire_seconds",
            "gauge",
            "seconds until certificates are refused for want of a list",
            [("", int((lists.until(now) - now).total_seconds()))],
        ),
        *_metric(
            "process_cpu_seconds_total", "counter", "CPU time used", [("", round(used.ru_utime + used.ru_stime, 3))]
        ),
        *_metric("process_max_resident_bytes", "gauge", "most memory held", [("", used.ru_maxrss * 1024)]),
    ]


def _certificate_left(house: House, now: float) -> int:
    try:
        ends = x509.load_pem_x509_certificate(house.settings.tls_cert.read_bytes()).not_valid_after_utc
    except (OSError, ValueError):
        return 0
    return int(ends.timestamp() - now)


def _metric(name: str, kind: str, text: str, samples: Iterable[tuple[str, float]]) -> list[str]:
    return [f"# HELP {name} {text}", f"# TYPE {name} {kind}", *(f"{name}{labels} {value}" for labels, value in samples)]


def _only_get(request: Request) -> Response | None:
    if request.method in ("GET", "HEAD"):
        return None
    return Response.text(405, "method not allowed\n", allow="GET, HEAD")


ROUTES: Mapping[str, Callable[[House, Request], Response | Awaitable[Response]]] = {
    "/healthz": healthz,
    "/readyz": readyz,
    "/metrics": metrics,
}
