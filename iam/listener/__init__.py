"""The listener: TLS that proves possession of any client certificate and leaves every judgement to the application.

TLS is told in `iam.listener.tls`, HTTP/1.1 in `iam.listener.http`, a reverse proxy in `iam.listener.front`. It must never
decide who may enter, and never believe a header about a certificate: only a unix socket, which a reverse proxy alone can
open, may carry `Client-Cert`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
from collections.abc import Callable, Sequence
from email.utils import formatdate
from typing import Any, cast

from uvicorn import Config
from uvicorn.server import ServerState

from iam.http import ASGI
from iam.listener.front import Front, UnsafeFront, check_front
from iam.listener.http import Http
from iam.listener.serving import Limits, Serving
from iam.listener.tls import Credentials, Tls, TlsConnection, tls_context

__all__ = ["Endpoint", "Front", "Limits", "Tls", "UnsafeFront", "check_front", "serve", "tls_context"]

log = logging.getLogger("iam.listener")

Endpoint = Tls | Front


async def serve(
    app: ASGI,
    endpoints: Sequence[Endpoint],
    *,
    stop: asyncio.Event,
    limits: Limits | None = None,
    ready: Callable[[tuple[tuple[str, int], ...]], None] | None = None,
) -> None:
    """Serve an ASGI application until `stop` is set; then answer what was asked (at most `limits.drain`) and close.

    `ready` is called once every endpoint listens, with (host, port) or (path, 0) of each in order. OSError when an
    address is taken, ValueError or Unsafe for an unusable endpoint; then nothing is left listening.
    """
    limits = limits or Limits()
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 0 < soft < limits.connections + 128:
        log.warning("só podem abrir-se %d arquivos: serão atendidas menos conexões que as configuradas", soft)
    config = Config(
        cast(Any, app), http=Http, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, date_header=False, timeout_keep_alive=cast(int, limits.idle),
    )  # fmt: skip
    config.load()
    loop = asyncio.get_running_loop()
    serving = Serving(config, limits, loop)
    servers: list[asyncio.Server] = []
    try:
        for endpoint in endpoints:
            servers.append(await _listen(serving, endpoint))  # noqa: PERF401  # those already open must be closed on error
        clock = asyncio.create_task(_date(serving.state))
        if ready is not None:
            ready(tuple(map(_address, servers, endpoints)))
        await stop.wait()
        clock.cancel()
    finally:
        for server in servers:
            server.close()
        await _drain(serving)
        for endpoint in endpoints[: len(servers)]:
            if isinstance(endpoint, Front):
                endpoint.path.unlink(missing_ok=True)


async def _listen(serving: Serving, endpoint: Endpoint) -> asyncio.Server:
    if isinstance(endpoint, Tls):
        credentials = Credentials(endpoint)
        try:
            return await serving.loop.create_server(
                lambda: TlsConnection(serving, credentials.current(), mtls=endpoint.mtls),
                endpoint.host,
                endpoint.port,
                backlog=1024,
            )
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else error
            said = f"não é possível atender na porta {endpoint.port} de {endpoint.host}: {why}"
            raise OSError(error.errno, said) from error
    check_front(trusts_header=endpoint.mtls, path=endpoint.path)
    server = await serving.loop.create_unix_server(
        lambda: Http(serving, certificate=None, mtls=endpoint.mtls, front=endpoint), str(endpoint.path), backlog=1024
    )
    endpoint.path.chmod(endpoint.mode)
    return server


def _address(server: asyncio.Server, endpoint: Endpoint) -> tuple[str, int]:
    if isinstance(endpoint, Front):
        return str(endpoint.path), 0
    return endpoint.host, int(server.sockets[0].getsockname()[1])


async def _date(state: ServerState) -> None:
    while True:
        state.default_headers = [(b"date", formatdate(usegmt=True).encode("ascii"))]
        await asyncio.sleep(1)


async def _drain(serving: Serving) -> None:
    for handshaking in tuple(serving.unready):
        handshaking.raw.abort()
    for connection in tuple(serving.state.connections):
        connection.shutdown()
    end = serving.loop.time() + serving.limits.drain
    # Also for the requests of callers who left: a thread of the application cannot be told to stop.
    while (serving.state.connections or serving.state.tasks) and serving.loop.time() < end:  # noqa: ASYNC110  # no event
        await asyncio.sleep(0.02)
    for connection in tuple(serving.state.connections):
        cast(Http, connection).transport.abort()
    left = tuple(serving.state.tasks)
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
