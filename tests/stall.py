"""A way to a real server on which what was sent may be held back, and arrive when nobody waits for it any more."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial


class Stall:
    """Carries bytes between whoever connects to ``port`` and a server on loopback."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._free: list[threading.Event] = []
        self._sockets: list[socket.socket] = [self._listener]
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def hold(self) -> None:
        """What is sent from now on, on the connections there are, waits; new connections are free."""
        for free in self._free:
            free.clear()

    def release(self) -> None:
        """What waits goes on, though who sent it may be gone."""
        for free in self._free:
            free.set()

    def close(self) -> None:
        """Ends every connection."""
        self.release()
        for end in self._sockets:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(60)
        for end in self._sockets:
            end.close()

    def _start(self, work: Callable[[], None]) -> None:
        self._threads.append(threading.Thread(target=work, daemon=True))
        self._threads[-1].start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += [client, server]
                sent, answered = threading.Event(), threading.Event()
                self._free.append(sent)
                sent.set()
                answered.set()
                self._start(partial(_carry, client, server, sent))
                self._start(partial(_carry, server, client, answered))


def _carry(source: socket.socket, sink: socket.socket, free: threading.Event) -> None:
    with suppress(OSError):
        while piece := source.recv(65536):
            free.wait()
            sink.sendall(piece)
        free.wait()
        sink.shutdown(socket.SHUT_WR)


@contextmanager
def stalling(to: int) -> Iterator[Stall]:
    """The way to a port, until the block ends."""
    way = Stall(to)
    try:
        yield way
    finally:
        way.close()
