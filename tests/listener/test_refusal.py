"""What cannot be read in exactly one way is refused, and the caller can read why."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iam.icp_brasil.sample import Authority
from iam.listener import Limits, Tls
from tests.listener.server import GET, Running, answer, answered, closed, everything, over, running, told

HOST = b"Host: a\r\n"
CHUNKED = b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "long body": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", 413),
    "long chunks": (CHUNKED + b"80000\r\n" + b"x" * 0x80000 + b"\r\n80001\r\n" + b"x" * 0x80001, 413),
    "long header": (b"GET %s HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000 + b"\r\n\r\n", 431),
    "endless header": (b"GET %s HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000, 431),
    "many headers": (b"GET %s HTTP/1.1\r\nHost: a\r\n" + b"X: 1\r\n" * 101 + b"\r\n", 431),
    "long target": (b"GET %s?" + b"x" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
    "no host": (b"GET %s HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET %s HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400),
    "two hosts of old": (b"GET %s HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "a host that is a path": (b"GET %s HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "a host with somebody in it": (b"GET %s HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    "length and chunks": (
        b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    "chunks and length": (
        b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
        400,
    ),
    "two lengths": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400),
    "lengths in one": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400),
    "less than no length": (b"GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", 400),
    "a signed length": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400),
    "a length beyond numbers": (b"GET %s HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400),
    "chunks named twice": (CHUNKED.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n") + b"0\r\n\r\n", 400),
    "chunks in disguise": (CHUNKED.replace(b": chunked", b":\x0bchunked") + b"0\r\n\r\n", 400),
    "chunks of old": (CHUNKED.replace(b"1.1", b"1.0") + b"0\r\n\r\n", 400),
    "an unknown coding": (CHUNKED.replace(b"chunked", b"gzip, chunked") + b"0\r\n\r\n", 501),
    "an unknown coding on a line of its own": (
        CHUNKED.replace(b"Transfer", b"Transfer-Encoding: gzip\r\nTransfer") + b"0\r\n\r\n",
        501,
    ),
    "a coding without a name": (CHUNKED.replace(b"Transfer", b"Transfer-Encoding:\r\nTransfer") + b"0\r\n\r\n", 400),
    "an empty length": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\nx", 400),
    "a chunk that lies": (CHUNKED + b"1\r\nxy\r\n0\r\n\r\n", 400),
    "a chunk in hex": (CHUNKED + b"0x1\r\nx\r\n0\r\n\r\n", 400),
    "a chunk too large to count": (CHUNKED + b"F" * 17 + b"\r\nx\r\n0\r\n\r\n", 400),
    "a chunk with bare LF": (CHUNKED + b"1\nx\n0\n\n", 400),
    "a chunk extension over two lines": (CHUNKED + b'1;a="b\r\n"\r\nx\r\n0\r\n\r\n', 400),
    "a body for another protocol": (
        b"POST %s HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\nContent-Length: 1\r\n\r\nx",
        400,
    ),
    "bare LF": (b"GET %s HTTP/1.1\nHost: a\n\n", 400),
    "bare LF after a header": (b"GET %s HTTP/1.1\r\nHost: a\nX: 1\r\n\r\n", 400),
    "bare CR": (b"GET %s HTTP/1.1\r\nHost: a\rX: 1\r\n\r\n", 400),
    "a folded header": (b"GET %s HTTP/1.1\r\nHost: a\r\nX: 1\r\n Content-Length: 5\r\n\r\n", 400),
    "a space before the colon": (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx", 400),
    "a space in a name": (b"GET %s HTTP/1.1\r\nHost: a\r\nX Y: 1\r\n\r\n", 400),
    "NUL in a value": (b"GET %s HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400),
    "a fragment": (b"GET %s#a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a hidden NUL": (b"GET %s%%00 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a hidden slash": (b"GET %s%%2fa HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "a hidden backslash": (b"GET %s%%5Ca HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "another version": (b"GET %s HTTP/2.0\r\nHost: a\r\n\r\n", 505),
    "a version to come": (b"GET %s HTTP/1.2\r\nHost: a\r\n\r\n", 505),
    "no version": (b"GET %s\r\n\r\n", 505),
}
STRANGE = {
    "not ASCII": (b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "noise": (b"\x00\x01\x02\x03\x04\r\n\r\n", 400),
    "a word": (b"NONSENSE\r\n\r\n", 400),
    "a method nobody knows": (b"BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a method in lower case": (b"get / HTTP/1.1\r\nHost: a\r\n\r\n", 501),
    "a tunnel": (b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "the whole server, read": (b"GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "no path": (b"GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400),
    "HTTP/2 without asking": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
}
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"


def problem(status: int, headers: dict[str, str], body: bytes) -> dict[str, object]:
    """The answer's document, when it is whole and nobody may keep it or take it for something else."""
    assert headers["content-type"] == "application/problem+json"
    assert (headers["x-content-type-options"], headers["cache-control"]) == ("nosniff", "no-store")
    assert headers["connection"] == "close"
    found: dict[str, object] = json.loads(body)
    assert found.keys() == {"type", "title", "status", "code", "detail"}
    assert found["status"] == status
    assert found["title"] != str(found["detail"]).rstrip(".")
    return found


@pytest.mark.parametrize(("data", "status"), (REFUSED | STRANGE).values(), ids=(REFUSED | STRANGE).keys())
def test_what_cannot_be_served_gets_one_clear_answer_and_the_house_stands(
    server: Running, data: bytes, status: int
) -> None:
    with server.dial(0) as connection:
        found = answered(connection, (data.replace(b"%s", b"/a").replace(b"%%", b"%")) + SMUGGLED)
        assert found[0] == status
        problem(*found)
        assert not everything(connection)
    assert server.ask(0)["path"] == "/who"


@pytest.mark.parametrize(("data", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_under_oauth_the_answer_is_an_oauth_error(server: Running, data: bytes, status: int) -> None:
    with server.dial(1) as connection:
        given, headers, body = answered(connection, data.replace(b"%s", b"/oauth/token").replace(b"%%", b"%"))
        assert given == status
        assert (headers["content-type"], headers["cache-control"]) == ("application/json", "no-store")
        assert (headers["x-content-type-options"], headers["connection"]) == ("nosniff", "close")
        told = json.loads(body)
        assert (told["error"], told["error_description"].isascii()) == ("invalid_request", True)
        assert closed(connection)


def test_a_refused_head_has_no_body(server: Running) -> None:
    with server.dial(0) as connection:
        said = everything(connection, b"HEAD / HTTP/1.1\r\n\r\n")
    head, _, body = said.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert not body


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_whoever_sends_too_much_without_looking_up_still_reads_why(
    house: tuple[Path, Authority], endpoints: tuple[Tls, Tls], framing: str
) -> None:
    """The body goes on for longer than the silence we allow; the answer must survive it."""
    with running(endpoints, house[0] / "ca.pem", Limits(linger=2)) as server, server.dial(0) as connection:
        if framing == "length":
            connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
            piece = b"x" * 0x40000
        else:
            connection.sendall(CHUNKED % b"/")
            piece = b"40000\r\n" + b"x" * 0x40000 + b"\r\n"
        for _ in range(12):
            connection.sendall(piece)
            time.sleep(0.2)
        assert answer(connection)[0] == 413
        assert closed(connection)


def test_whoever_talks_for_ever_is_shown_out(house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]) -> None:
    with (
        running(endpoints, house[0] / "ca.pem", Limits(linger=0.2, farewell=0.5)) as server,
        server.dial(0) as connection,
    ):
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8388608\r\n\r\n")
        with pytest.raises((ConnectionError, ssl.SSLError)):
            talk(connection)


def talk(connection: ssl.SSLSocket) -> None:
    for _ in range(600):
        connection.sendall(b"x" * 1000)
        time.sleep(0.05)


@pytest.mark.parametrize(
    "refused",
    [
        b"GET /b HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        CHUNKED % b"/b" + b"nonsense\r\n",
        b"\x00\x01\x02",
    ],
    ids=["head", "body", "noise"],
)
@pytest.mark.parametrize("before", [1, 2])
def test_a_refusal_waits_for_its_turn(server: Running, before: int, refused: bytes) -> None:
    with server.dial(0) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n" * before + refused + SMUGGLED)
        time.sleep(0.2)
        Running.gate.set()
        for _ in range(before):
            assert told(connection, b"")["path"] == "/slow"
        found = answered(connection)
        assert found[0] == 400
        problem(*found)
        assert not everything(connection)


def test_after_an_offer_of_another_protocol_nothing_more_is_read(server: Running) -> None:
    with server.dial(0) as connection:
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n" + SMUGGLED)
        time.sleep(0.2)
        connection.sendall(SMUGGLED)
        Running.gate.set()
        said = everything(connection)
    assert said.count(b"HTTP/1.1 200") == 1
    assert b"smuggled" not in said


@pytest.mark.parametrize(
    ("target", "path"),
    [
        (b"https://localhost/oauth/token", "/oauth/token"),
        (b"https://elsewhere.example", "/"),
        (b"https://localhost?a=b", "/"),
        (b"/a%20b", "/a b"),
    ],
)
def test_a_target_is_read_in_every_form(server: Running, target: bytes, path: str) -> None:
    with server.dial(0) as connection:
        assert told(connection, b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % target)["path"] == path


def test_chunk_extensions_say_nothing(server: Running) -> None:
    with server.dial(0) as connection:
        found = told(connection, CHUNKED % b"/" + b'1;a=b;c="d"\r\nx\r\n0\r\n\r\n')
        assert found["length"] == 1


def test_a_body_is_asked_for_only_when_it_will_be_read(server: Running) -> None:
    asking = b"POST / HTTP/1.%d\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with server.dial(0) as connection:
        assert answered(connection, asking % (1, 1))[0] == 100
        assert told(connection, b"x")["length"] == 1
    with server.dial(0) as connection:
        assert answered(connection, asking % (1, 1048577))[0] == 413
    with server.dial(0) as connection:
        assert answered(connection, asking % (0, 1) + b"x")[0] == 200


def test_a_body_at_the_limit_is_read(server: Running) -> None:
    with server.dial(0) as connection:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1048576\r\n\r\n"
        assert told(connection, head + b"x" * 1048576)["length"] == 1048576


def test_a_defect_of_the_application_is_one_500(server: Running) -> None:
    with server.dial(0) as connection:
        assert answer(connection, b"GET /error HTTP/1.1\r\nHost: a\r\n\r\n")[0] == 500
    assert server.ask(0)["path"] == "/who"


def test_a_trailer_is_not_a_header(server: Running) -> None:
    with server.dial(0) as connection:
        head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        found = told(connection, head + b"1\r\nx\r\n0\r\nAuthorization: Bearer x\r\n\r\n")
        assert (found["length"], "authorization" in found["headers"]) == (1, False)


FRAGMENTS = [
    b"GET /who HTTP/1.1\r\n",
    b"POST / HTTP/1.1\r\n",
    b"Host: a\r\n",
    b"\r\n",
    b"Client-Cert: :AAAA:\r\n",
    b"0\r\n",
]
FRAGMENTS += [b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"5\r\nabcde\r\n", b"Upgrade: websocket\r\n"]
FRAGMENTS += [
    b"Connection: upgrade\r\n",
    b"Connection: close\r\n",
    b"Expect: 100-continue\r\n",
    b"abcde",
    b"X: " + b"x" * 9000,
]


@given(st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=30), max_size=30))
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_bring_the_house_down(front: tuple[Path, Path], parts: list[bytes]) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(str(front[1]))
        with contextlib.suppress(ConnectionError):
            connection.sendall(b"".join(parts))
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass
    assert over(front[1], GET % b"")[0] == 200
