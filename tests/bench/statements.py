"""How many SQL statements one request costs, once everything is warm: counted in process, on the embedded database."""

from __future__ import annotations

import asyncio
import inspect
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import event

from iam import authzen, oauth
from iam.app import close
from iam.http import Request, Response
from tests.bench.figure import Figure, Options
from tests.bench.installation import SISTEMA, Somebody, populate
from tests.house import Home, make

TURNS = ("BEGIN", "COMMIT", "ROLLBACK")
FORM = (b"content-type", b"application/x-www-form-urlencoded")


def run(options: Options) -> Iterator[Figure]:
    """Statements per request, besides the turns of its transactions (``BEGIN``, ``COMMIT``); ``what`` tells which."""
    with tempfile.TemporaryDirectory(prefix="portaria-bench-") as folder:
        data = Path(folder) / "data"
        home = make(data, f"sqlite:///{data / 'portaria.db'}")
        try:
            who = populate(home, 4)
            for case, ask in _cases(home, who):
                ask(), ask()
                seen = _count(home, ask)
                turns = sum(n for words, n in seen.items() if words.startswith(TURNS))
                what = ", ".join(f"{n} {words}" for words, n in sorted(seen.items()) if not words.startswith(TURNS))
                yield Figure(
                    "statements",
                    case,
                    float(seen.total() - turns),
                    "statements",
                    None,
                    {"transactions": turns // 2, "what": what},
                )
        finally:
            close(home.house)


def _cases(home: Home, who: list[Somebody]) -> Iterator[tuple[str, Callable[[], Response]]]:
    def ask(client: str, path: str, **form: str) -> Response:
        named = str(home.world.clients[client]["client_id"]) if client else f"app-{SISTEMA}"
        return _call(home, client, path, (FORM,), urlencode({"client_id": named, **form}).encode())

    machine = str(orjson.loads(ask("sefaz-mt", "/oauth/token", grant_type="client_credentials").body)["access_token"])
    refresh = [p.refresh_token for p in who]

    def redeem() -> Response:
        return ask("", "/oauth/token", grant_type="refresh_token", refresh_token=refresh.pop())

    person = str(orjson.loads(redeem().body)["access_token"])
    bearer = str(orjson.loads(ask("pdp", "/oauth/token", grant_type="client_credentials").body)["access_token"])
    yield "token, client_credentials", lambda: ask("sefaz-mt", "/oauth/token", grant_type="client_credentials")
    yield "token, refresh_token", redeem
    yield "introspection, client's token", lambda: ask("pdp", "/oauth/introspect", token=machine)
    yield "introspection, person's token", lambda: ask("pdp", "/oauth/introspect", token=person)
    question = {
        "subject": {"type": "pessoa", "id": who[0].id},
        "action": {"name": "consultar"},
        "resource": {"type": "sistema", "id": SISTEMA},
    }
    headers = ((b"content-type", b"application/json"), (b"authorization", b"Bearer " + bearer.encode()))
    yield "decision, AuthZEN", lambda: _call(home, "pdp", "/access/v1/evaluation", headers, orjson.dumps(question))


def _call(home: Home, client: str, path: str, headers: tuple[tuple[bytes, bytes], ...], body: bytes) -> Response:
    der = None
    if client:
        pem = Path(str(home.world.clients[client]["cert"])).read_bytes()
        der = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    routes = {**oauth.ROUTES, **authzen.ROUTES}
    request = Request("POST", path, b"", headers, body, "127.0.0.1", der, der is not None)

    async def answered() -> Response:
        answer = routes[path](home.house, request)
        return await answer if inspect.isawaitable(answer) else answer

    answer = asyncio.run(answered())
    if answer.status != 200:
        raise RuntimeError(f"{path}: {answer.status} {answer.body.decode()}")
    return answer


def _count(home: Home, ask: Callable[[], object]) -> Counter[str]:
    """What SQLite itself was told to do, whichever layer asked."""
    seen: Counter[str] = Counter()

    def note(statement: str) -> None:
        words = statement.split()
        at = {"INSERT": 2, "UPDATE": 1}.get(words[0], 0)
        if words[0] == "SELECT" and "FROM" in words:
            at = words.index("FROM") + 1
        seen[f"{words[0]} {words[at]}" if at else words[0]] += 1

    def checkout(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(note)

    def checkin(connection: sqlite3.Connection, *_: object) -> None:
        connection.set_trace_callback(None)

    pool = home.house.database.engine.pool
    event.listen(pool, "checkout", checkout)
    event.listen(pool, "checkin", checkin)
    try:
        ask()
        time.sleep(0.1)
    finally:
        event.remove(pool, "checkout", checkout)
        event.remove(pool, "checkin", checkin)
    return seen
