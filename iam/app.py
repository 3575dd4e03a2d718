"""The only wiring: settings become a house, the house becomes one ASGI application, and a process serves it.

OAuth and AuthZEN endpoints answer on the event loop; the screens and our own API are Flask, in threads beside it, in the
same process. On SQLite one process owns the database: a lock file in the data directory says which.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import gc
import inspect
import json
import logging
import os
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from a2wsgi import WSGIMiddleware
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from iam import migrations, plugins, revocation, search
from iam.ato import Ato
from iam.atos.papel import CASA, OPERADOR
from iam.config import Settings, Unsafe
from iam.context import Agente, House
from iam.db import Database, away
from iam.http import ASGI, Disconnected, Receive, Request, Response, Scope, Send, receive_request, send_response
from iam.icp_brasil import crl, truststore
from iam.icp_brasil.chain import Trust
from iam.journal import JSON
from iam.keys import Keyring, Vault, read_master
from iam.listener import Endpoint, Front, Tls, check_front, serve
from iam.norm import legal_day
from iam.policy import load
from iam.recorder import Recorder

log = logging.getLogger("portaria")
OPERATOR = Agente("sistema", "operador", "Início do servidor", address="127.0.0.1", user_agent="portaria serve")
Handler = Callable[[House, Request], Response | Awaitable[Response]]


def utcnow() -> datetime:
    """The clock of the edge."""
    return datetime.now(UTC)


def open_house(settings: Settings, clock: Callable[[], datetime] = utcnow) -> House:
    """Everything a process stands on. Raises :class:`Unsafe` with one clear line when something cannot be trusted."""
    migrations.metadata()  # a table may point to another that this process would not have read otherwise
    check_front(trusts_header=settings.client_cert_header, path=settings.socket)
    vault = Vault(read_master(settings.master_key))
    database = Database(settings.database)
    policy = load(settings.policies, legal_day(clock()))
    try:
        store = truststore.load(settings.trust.read_bytes(), test=settings.demo, pinned=settings.trust_pins)
    except OSError as error:
        raise Unsafe(f"a cadeia de confiança {settings.trust} não pode ser lida: {error.strerror}") from error
    except truststore.NotIcpBrasil as error:
        raise Unsafe(f"{settings.trust}: {error}") from error
    lists = crl.Lists.of(settings.crls)
    with database.read() as db:
        lists.never_before(revocation.known(db))
    targets = {t.name: plugins.target(t.kind, t.options, settings.data) for t in settings.targets}
    sources = {s.name: plugins.source(s.kind, s.options, settings.data) for s in settings.sources}
    return House(
        settings=settings,
        database=database,
        policy=policy,
        vault=vault,
        keys=Keyring(database, vault),
        clock=clock,
        targets=targets,
        sources=sources,
        recorder=Recorder(database),
        trust=Trust(store, lists),
    )


def announce(house: House) -> None:
    """Journals which authorities are believed and which TLS versions are spoken, when that is new (COTEC62-1-2-IV)."""
    stated: dict[str, JSON] = {"confianca": house.trust.version, "tls": list(house.settings.tls_versions)}
    with house.reading() as db:
        known = search.find(db, search.Filter(ato=Ato.CONFIANCA_ALTERAR), most=1)
    if known and known[0][0].payload and all(json.loads(known[0][0].payload).get(k) == v for k, v in stated.items()):
        return
    with house.begin(OPERATOR) as ctx:
        decision = ctx.require(Ato.CONFIANCA_ALTERAR, CASA, OPERADOR)
        ctx.record(decision, pessoa=None, sistema=None, certificados=house.trust.store.fingerprints, **stated)


def close(house: House) -> None:
    """Writes what still waits and lets the database go."""
    house.recorder.stop()
    house.database.engine.dispose()


def asgi(house: House) -> ASGI:
    """The application: routes of the protocols by table, everything else to Flask."""
    from admin_ui.app import create_app as screens
    from iam import api, authzen, oauth, operation

    routes: Mapping[str, Handler] = {**oauth.ROUTES, **authzen.ROUTES, **operation.ROUTES}
    flask = DispatcherMiddleware(screens(house), {"/api": api.create_app(house)})
    # No bound on what waits to be sent, which is one page at most: or whoever reads slowly would hold a thread.
    pages = WSGIMiddleware(flask, workers=16, send_queue_size=0)  # type: ignore[arg-type]

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        with contextlib.suppress(Disconnected):
            request = await receive_request(scope, receive)
            handler = routes.get(request.path)
            if handler is not None:
                await send_response(await _answer(house, handler, request), send, head=request.method == "HEAD")
            elif request.path == "*":  # OPTIONS about the whole server (RFC 9110 section 9.3.7)
                await send_response(Response(204, headers=(("allow", "GET, HEAD, POST"),)), send)
            elif not request.path.isprintable():
                problem = Response.problem(400, "requisicao_invalida", "O endereço tem um caractere que não pode ter.")
                await send_response(problem, send, head=request.method == "HEAD")
            else:
                await pages(scope, _replay(request.body, receive), send)  # type: ignore[arg-type]

    return application


def _replay(body: bytes, receive: Receive) -> Receive:
    """The body that was read on the loop, for who reads it in a thread: a caller who dawdles over it holds no thread."""
    message: dict[str, object] | None = {"type": "http.request", "body": body, "more_body": False}

    async def replay() -> dict[str, object]:
        nonlocal message
        told, message = message, None
        return dict(await receive()) if told is None else told

    return replay


async def _answer(house: House, handler: Handler, request: Request) -> Response:
    try:
        answer = handler(house, request)
        return await answer if inspect.isawaitable(answer) else answer
    except Exception as error:  # the edge: a defect is logged whole and told in one word
        log.exception("%s %s failed", request.method, request.path)
        if away(error):
            return Response.json(503, {"error": "temporarily_unavailable"})
        return Response.json(500, {"error": "server_error"})


def endpoints(settings: Settings) -> Sequence[Endpoint]:
    """The listeners: two TLS ports of our own, or one unix socket behind a proxy."""
    if settings.socket is not None:
        return (Front(settings.socket, mtls=settings.client_cert_header),)
    plain = Tls(settings.host, settings.port, settings.tls_cert, settings.tls_key, versions=settings.tls_versions)
    proven = Tls(
        settings.host,
        settings.mtls_port,
        settings.tls_cert,
        settings.tls_key,
        mtls=True,
        versions=settings.tls_versions,
    )
    return (plain, proven)


@contextlib.contextmanager
def owning(data: Path) -> Iterator[None]:
    """Holds the data directory for one server; :class:`Unsafe` when another process holds it."""
    data.mkdir(parents=True, exist_ok=True)
    fd = os.open(data / "portaria.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unsafe(f"outro processo já usa {data}; encerre-o ou escolha outro diretório") from error
        yield
    finally:
        os.close(fd)


def run(house: House, ready: Callable[[], None] = lambda: None, stop: threading.Event | None = None) -> None:
    """Serves until interrupted, or until ``stop`` is set from another thread. ``ready`` is called once everything listens."""
    announce(house)
    uvloop.run(_run(house, ready, stop))


async def _run(house: House, ready: Callable[[], None], stop: threading.Event | None) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    if stop is None:  # the process is ours alone
        gc.collect()
        gc.freeze()  # the norms stay: to look through them again would stop every answer for a moment
        for name in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(name, ended.set)
    else:
        threading.Thread(target=lambda: (stop.wait(), loop.call_soon_threadsafe(ended.set)), daemon=True).start()
    await serve(asgi(house), endpoints(house.settings), stop=ended, ready=lambda _addresses: ready())
