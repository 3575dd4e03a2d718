"""A closed-loop load: so many keep-alive connections, each asking again as soon as it is answered.

Only the server's CPU time is counted, so the client may be Python; it asks nothing new but the one fixed request.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import cast
from urllib.parse import urlencode, urlsplit

import httptools
import uvloop

from tests.bench import process
from tests.bench.figure import percentile


@dataclass(frozen=True)
class Ask:
    """One fixed request. ``marker`` must be in every answer, which must be 200."""

    url: str
    form: Mapping[str, str]
    marker: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None

    def raw(self) -> bytes:
        """The request as it goes over the wire."""
        parts, body = urlsplit(self.url), urlencode(self.form).encode()
        head = {
            "Host": parts.netloc,
            "Content-Type": "application/x-www-form-urlencoded",
            "Content-Length": str(len(body)),
            "User-Agent": "bench",
            **self.headers,
        }
        lines = [f"POST {parts.path} HTTP/1.1", *(f"{k}: {v}" for k, v in head.items()), "", ""]
        return "\r\n".join(lines).encode() + body


@dataclass(frozen=True)
class Run:
    """What one load run saw: the server's CPU milliseconds per request, requests a second, and milliseconds at p50 and p99."""

    cpu: float
    rate: float
    p50: float
    p99: float
    answered: int


class _Caller(asyncio.Protocol):
    def __init__(self, raw: bytes, marker: bytes) -> None:
        self.raw, self.marker = raw, marker
        self.taken: list[float] = []
        self.wrong = b""
        self.over = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.ask()

    def ask(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.parts: list[bytes] = []
        self.since = time.perf_counter()
        self.transport.write(self.raw)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.parts.append(body)

    def on_message_complete(self) -> None:
        self.taken.append(time.perf_counter() - self.since)
        body = b"".join(self.parts)
        if self.parser.get_status_code() != 200 or self.marker not in body:
            self.wrong = body or b"empty answer"
            self.transport.close()
        elif not self.over:
            asyncio.get_running_loop().call_soon(self.ask)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.over and not self.wrong:
            self.wrong = f"connection lost: {exc!r}".encode()


def _same(caller: _Caller) -> _Caller:
    return caller


def load(ask: Ask, pid: int, seconds: float, *, connections: int = 16, settle: float = 0.3) -> Run:
    """Loads a server whose process tree starts at ``pid``; raises RuntimeError when any answer is not the one expected."""
    with process.apart():
        return uvloop.run(_load(ask, pid, seconds, connections, settle))


async def _load(ask: Ask, pid: int, seconds: float, connections: int, settle: float) -> Run:
    loop, parts, raw = asyncio.get_running_loop(), urlsplit(ask.url), ask.raw()
    callers = [_Caller(raw, ask.marker) for _ in range(connections)]
    for caller in callers:
        await loop.create_connection(partial(_same, caller), parts.hostname or "", parts.port or 0, ssl=ask.tls)
    await asyncio.sleep(settle)
    first, begun, cpu = [len(c.taken) for c in callers], time.perf_counter(), process.cpu(pid)
    await asyncio.sleep(seconds)
    cpu, lasted = process.cpu(pid) - cpu, time.perf_counter() - begun
    taken = [t for c, start in zip(callers, first, strict=True) for t in c.taken[start:]]
    for caller in callers:
        caller.over = True
        caller.transport.close()
    wrong = next((c.wrong for c in callers if c.wrong), b"")
    if wrong or not taken:
        raise RuntimeError(f"{ask.url}: {wrong[:300].decode(errors='replace') or 'no answer'}")
    p50, p99 = (round(percentile(taken, share) * 1000, 2) for share in (0.5, 0.99))
    return Run(cpu * 1000 / len(taken), len(taken) / lasted, p50, p99, len(taken))
