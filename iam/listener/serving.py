"""What all connections of one `serve` share, and what one caller may cost."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from uvicorn import Config
from uvicorn.server import ServerState


@dataclass(frozen=True, slots=True)
class Limits:
    """What one caller may cost: times in seconds, sizes in bytes.

    `linger` is how long a silent caller has to read a refusal before we close, `farewell` the same for one who talks on.
    Only `large_bodies` of all connections may hold a body beyond `small_body` at once, or it would take no proof to fill the memory.
    """

    handshake: float = 10
    head: float = 10
    body: float = 30
    idle: float = 30
    write: float = 30
    linger: float = 2
    farewell: float = 30
    drain: float = 10
    max_head: int = 32 * 1024
    max_headers: int = 100
    max_body: int = 1024 * 1024
    small_body: int = 64 * 1024
    large_bodies: int = 64
    connections: int = 4096


class Handshaking(Protocol):
    """A connection whose TLS handshake is not complete."""

    raw: asyncio.Transport


class Idle(Protocol):
    """A connection that waits for its caller's next request."""

    transport: asyncio.Transport


@dataclass(slots=True)
class Serving:
    """What all connections of one `serve` share."""

    config: Config
    limits: Limits
    loop: asyncio.AbstractEventLoop
    state: ServerState = field(default_factory=ServerState)
    unready: dict[Handshaking, None] = field(default_factory=dict)
    idle: dict[Idle, None] = field(default_factory=dict)
    large_bodies: int = 0

    def admit(self) -> bool:
        """Whether one more connection fits; the oldest one still shaking hands, else the one longest idle, gives way to it."""
        if len(self.state.connections) + len(self.unready) < self.limits.connections:
            return True
        if self.unready:
            silent = next(iter(self.unready))
            del self.unready[silent]
            silent.raw.abort()
            return True
        if self.idle:
            idle = next(iter(self.idle))
            del self.idle[idle]
            idle.transport.abort()
            return True
        return False
