"""Nobody waits for somebody else: silence, sloth, a full house and the end of the server."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from dataclasses import replace
from pathlib import Path

import pytest

from iam.icp_brasil.sample import Authority
from iam.listener import Limits, Tls, serve
from tests.listener.server import GET, NOW, Running, answer, app, closed, running, told


def test_silent_and_one_byte_connections_keep_nobody_waiting(
    server: Running, house: tuple[Path, Authority], tmp_path: Path
) -> None:
    cert, _ = house[1].person(NOW, "MARIA", "52998224725").write(tmp_path, "client")
    with contextlib.ExitStack() as stack:
        for place in (0, 1):
            for _ in range(8):
                stack.enter_context(server.plain(place))
                stack.enter_context(server.plain(place)).sendall(b"\x16")
                stack.enter_context(server.dial(place)).sendall(b"G")
        assert server.ask(1, cert=cert)["x5t"]
        assert server.ask(0)["path"] == "/who"


def test_whoever_does_not_go_on_is_shown_out(house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]) -> None:
    """Each limit alone, so that a slow machine runs into no other."""
    ca = house[0] / "ca.pem"
    with running(endpoints, ca, Limits(handshake=0.3)) as server, server.plain(1) as silent, server.plain(1) as halfway:
        halfway.sendall(b"\x16\x03\x01")
        assert closed(silent)
        assert closed(halfway)
    with running(endpoints, ca, Limits(head=0.3)) as server, server.dial(0) as slow_head:
        slow_head.sendall(b"GET / HT")
        assert answer(slow_head)[0] == 408
    with running(endpoints, ca, Limits(body=0.3)) as server, server.dial(0) as slow_body:
        slow_body.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345")
        assert answer(slow_body)[0] == 408
    with running(endpoints, ca, Limits(idle=2)) as server, server.dial(0) as kept, server.dial(0) as idle:
        told(kept, GET % b"")
        assert closed(kept)
        assert closed(idle)


def test_a_reader_who_never_reads_is_shown_out(house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]) -> None:
    with running(endpoints, house[0] / "ca.pem", Limits(write=0.3)) as server, server.dial(0) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        server.ask(0)  # by now the answer has begun
        time.sleep(0.5)
        server.ask(0)  # by now its time is over
        received = 0
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            while part := connection.recv(65536):
                received += len(part)
        assert received < 8 * 1024 * 1024


def test_a_large_answer_arrives_whole(server: Running) -> None:
    with server.dial(0) as connection:
        assert len(answer(connection, b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")[1]) == 8 * 1024 * 1024


def test_a_full_house_lets_the_next_good_one_in_and_the_oldest_silent_one_out(
    house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]
) -> None:
    with running(endpoints, house[0] / "ca.pem", Limits(connections=4)) as server:
        silent = [server.plain(0) for _ in range(4)]
        assert server.ask(0)["path"] == "/who"
        assert closed(silent[0])
        for connection in silent:
            connection.close()


def test_a_full_house_lets_the_next_one_in_and_the_longest_idle_out_but_nobody_at_work(
    house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]
) -> None:
    """Whoever keeps as many connections as are served, each with a request now and then, shuts nobody out."""
    with (
        running(endpoints, house[0] / "ca.pem", Limits(connections=4, idle=300)) as server,
        contextlib.ExitStack() as stack,
    ):
        with server.dial(0) as gone:
            told(gone, GET % b"")
        busy, silent, kept, used = (stack.enter_context(server.dial(place)) for place in (0, 1, 0, 1))
        busy.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert Running.begun.wait(60)
        told(kept, GET % b"")
        told(used, GET % b"")
        with server.dial(0) as one:
            assert told(one, GET % b"")["path"] == "/who"
            assert closed(silent)
            with server.dial(1) as other:
                assert told(other, GET % b"")["path"] == "/who"
                assert closed(kept)
                assert told(used, GET % b"")["path"] == told(one, GET % b"")["path"] == "/who"
        Running.gate.set()
        assert answer(busy)[0] == 200


def test_one_connection_serves_many_requests_in_order(server: Running) -> None:
    with server.dial(1) as connection:
        for number in range(5):
            assert told(connection, b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n" % number)["path"] == f"/{number}"
        connection.sendall(b"".join(b"GET /p%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(3)))
        text = b""
        while text.count(b'"path"') < 3:
            text += connection.recv(65536)
        assert text.index(b"/p0") < text.index(b"/p1") < text.index(b"/p2")


def test_stopping_lets_a_running_request_finish_and_takes_no_more(server: Running) -> None:
    with server.dial(0) as busy, server.dial(0) as idle:
        told(idle, GET % b"")
        busy.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert Running.begun.wait(60)
        server.stop_now()
        assert closed(idle)
        with pytest.raises(OSError):  # noqa: PT012  # the listening socket closes a moment after the loop is told
            while True:
                server.ask(0)
        Running.gate.set()
        assert answer(busy)[0] == 200
        assert closed(busy)
    server.thread.join(60)
    assert not server.thread.is_alive()


def test_stopping_waits_for_the_work_of_a_caller_who_left(server: Running) -> None:
    with server.dial(0) as gone:
        gone.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert Running.begun.wait(60)
    time.sleep(0.2)
    server.stop_now()
    server.thread.join(0.5)
    assert server.thread.is_alive()
    Running.gate.set()
    server.thread.join(60)
    assert not server.thread.is_alive()
    assert Running.finished.is_set()


def test_a_taken_address_is_an_error(server: Running, endpoints: tuple[Tls, Tls]) -> None:
    taken = replace(endpoints[0], port=server.addresses[0][1])

    async def main() -> None:
        await serve(app, (endpoints[0], taken), stop=asyncio.Event())

    with pytest.raises(OSError, match="in use"):
        asyncio.run(main())


@pytest.mark.parametrize("framing", [b"Content-Length: %d", b"Transfer-Encoding: chunked"], ids=["length", "chunks"])
def test_those_who_hold_large_bodies_are_few_and_keep_no_small_one_waiting(
    house: tuple[Path, Authority], endpoints: tuple[Tls, Tls], framing: bytes
) -> None:
    """However many connect, what they can make us hold together is bounded."""

    def request(size: int) -> bytes:
        body = b"x" * size
        head = b"POST /who HTTP/1.1\r\nHost: a\r\n" + framing.replace(b"%d", b"%d" % size) + b"\r\n\r\n"
        return head + (b"%x\r\n%s\r\n0\r\n\r\n" % (size, body) if b"chunked" in framing else body)

    limits = Limits(small_body=1000, large_bodies=2)
    with running(endpoints, house[0] / "ca.pem", limits) as server, contextlib.ExitStack() as stack:
        held = [stack.enter_context(server.dial(place)) for place in (0, 1)]
        for connection in held:
            connection.sendall(request(5000)[:-10])
        server.ask(0)
        server.ask(1)  # by now both bodies have begun
        for place in (0, 1):
            with server.dial(place) as one_more:
                assert answer(one_more, request(5000))[0] == 503
            with server.dial(place) as small:
                assert told(small, request(1000))["length"] == 1000

        assert told(held[0], request(5000)[-10:])["length"] == 5000
        with server.dial(0) as next_one:
            assert told(next_one, request(5000))["length"] == 5000
            assert told(next_one, request(5000))["length"] == 5000, "the place was given back"
        held[1].close()
        server.ask(1)
        with server.dial(0) as one, server.dial(1) as other:
            one.sendall(request(5000)[:-10])
            assert told(other, request(5000))["length"] == 5000


def test_a_large_body_that_is_refused_leaves_its_place_before_its_caller_leaves(
    house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]
) -> None:
    large = b"POST /who HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" + b"x" * 5000
    limits = Limits(small_body=1000, large_bodies=1, linger=60, farewell=60)
    with running(endpoints, house[0] / "ca.pem", limits) as server, server.dial(0) as refused, server.dial(0) as other:
        assert answer(refused, large + b"nonsense")[0] == 400
        assert told(other, large + b"\r\n0\r\n\r\n")["length"] == 5000
