"""HTTP/1.1 on one connection, with a limit on everything a caller can make us hold and a deadline on every wait.

Text: RFC 9112 (HTTP/1.1). uvicorn's protocol does the parsing and the ASGI; this adds what it leaves open. It drops, on
our own TLS, every header in which a proxy would assert who the caller is; see `iam.listener.front` for those behind one. What
two readers could frame in two ways is refused, and a refusal is the last answer of its connection: see `iam.listener.refusal`.
"""

# ruff: noqa: D102  # the public methods here are the callbacks of asyncio and of the parser

from __future__ import annotations

import asyncio
import re
from typing import cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from iam.http import CERTIFICATE, MTLS
from iam.listener import refusal
from iam.listener.front import ASSERTIONS, Front
from iam.listener.refusal import Refusal, Unservable
from iam.listener.serving import Serving

_HOST = re.compile(rb"[0-9A-Za-z._~%!$&'()*+,;=\-]*(:[0-9]*)?|\[[0-9A-Fa-f:.]+\](:[0-9]*)?")
_HIDDEN = re.compile(rb"%(00|2[Ff]|5[Cc])")
_REQUEST_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ \S+ HTTP/1\.[01]\r\n")


class Http(HttpToolsProtocol):
    """uvicorn's protocol with limits, deadlines and the certificate; one per connection."""

    _IDLE, _HEAD, _BODY = range(3)

    def __init__(self, serving: Serving, *, certificate: bytes | None, mtls: bool, front: Front | None) -> None:
        super().__init__(config=serving.config, server_state=serving.state, app_state={}, _loop=serving.loop)
        self.access_log = False  # a query may hold a code or a state; the journal records acts
        self.serving, self.limits = serving, serving.limits
        self.certificate, self.mtls, self.front = certificate, mtls, front
        self.phase = self._IDLE
        self.armed = self._IDLE
        self.deadline: asyncio.TimerHandle | None = None
        self.write_deadline: asyncio.TimerHandle | None = None
        self.over = False  # nothing more is read as a request; what still arrives is thrown away
        self.last: Refusal | None = None  # to be answered when all before it is
        self.silence_by = 0.0  # when we close on a refused caller who talks on
        self.completed = False  # whether the piece being read ended a request
        self.large = False  # whether this is one of the few with a large body
        self.fed = self.head = self.received = self.hosts = 0
        self.length: bytes | None = None
        self.coding: bytes | None = None
        self.assertions: dict[bytes, bytes] = {}

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        if self.front is not None:
            self.scheme = "https"
            if not self.serving.admit() or not self.front.knows(transport):
                transport.abort()
                return
        self._wait_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self.deadline, self.write_deadline):
            if timer is not None:
                timer.cancel()
        self._leave_body()
        self.serving.idle.pop(self, None)
        self._unset_keepalive_if_required()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.over:
            self.discard()
            return
        self.completed = False
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # we speak nothing else: answered, and closed
        except httptools.HttpParserError as error:
            self._refuse(_why(error, b"" if self.completed else data))
            return
        if not self.completed and self.phase != self._BODY:
            self.fed += len(data)
            if self.fed > self.limits.max_head:
                self._refuse(refusal.TOO_MANY)
                return
        self._watch()

    def _watch(self) -> None:
        """Arm the deadline of whatever has begun and is not complete; nothing to do for a whole request."""
        if self.phase == self.armed:
            return
        if self.deadline is not None:
            self.deadline.cancel()
            self.deadline = None
        self.armed = self.phase
        if self.phase != self._IDLE:
            seconds = self.limits.head if self.phase == self._HEAD else self.limits.body
            self.deadline = self.loop.call_later(seconds, self._refuse, refusal.TOO_SLOW)

    def _wait_idle(self) -> None:
        self.serving.idle[self] = None
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(self.limits.idle, self.timeout_keep_alive_handler)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.serving.idle.pop(self, None)
        self._unset_keepalive_if_required()
        self.phase = self._HEAD
        self.fed = self.head = self.received = self.hosts = 0
        self.length = self.coding = None
        self.assertions = {}

    def on_url(self, url: bytes) -> None:
        self.head += len(url)
        if self.head > self.limits.max_head:
            raise Unservable(refusal.TOO_LONG)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.phase != self._HEAD:  # a trailer says nothing that we would act upon
            return
        name = name.lower()
        self.head += len(name) + len(value) + 4
        if self.head > self.limits.max_head or len(self.headers) >= self.limits.max_headers:
            raise Unservable(refusal.TOO_MANY)
        if b"_" in name or name in ASSERTIONS:
            if self.front is not None:
                self.front.hear(self.assertions, name, value)
            return
        if name == b"host":
            self.hosts += 1
            if not _HOST.fullmatch(value):
                raise Unservable(refusal.HOST)
        elif name == b"content-length":
            self.length = value
        elif name == b"transfer-encoding":
            coding = value.strip().lower()
            self.coding = coding if self.coding is None else self.coding + b", " + coding  # RFC 9110 section 5.3
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise Unservable(refusal.VERSION)
        if self.hosts > 1 or (version == "1.1" and not self.hosts):
            raise Unservable(refusal.HOST)
        self._check_target()
        self._check_framing(version)
        if version == "1.0":
            self.expect_100_continue = False  # RFC 9110 section 10.1.1
        scope = cast("dict[str, object]", self.scope)
        scope[CERTIFICATE], scope[MTLS] = self.certificate, self.mtls
        if self.front is not None:
            self.front.believe(self.assertions, scope)
        self._unset_keepalive_if_required()
        self.phase = self._BODY
        super().on_headers_complete()

    def _check_target(self) -> None:
        """ASCII, and no character that one reader takes for another's separator or end (RFC 9112 section 3.2)."""
        if not self.url.isascii() or b"#" in self.url:
            raise Unservable(refusal.TARGET)
        parts = httptools.parse_url(self.url)
        path = cast("bytes | None", parts.path)
        if path is None:  # absolute-form without a path
            self.url = b"/?" + (parts.query or b"")
        elif _HIDDEN.search(path) or (path == b"*" and self.parser.get_method() != b"OPTIONS"):
            raise Unservable(refusal.TARGET)

    def _check_framing(self, version: str) -> None:
        """One length, told in one way (RFC 9112 sections 6.1 and 6.3); the parser refuses two."""
        if self.coding is not None and version == "1.0":
            raise Unservable(refusal.FRAMING)
        if self.coding not in (None, b"chunked"):
            raise Unservable(refusal.CODING)
        if self.length is not None:
            self._take_body(int(self.length))
        if self.parser.should_upgrade() and (self.coding is not None or self.length not in (None, b"0")):
            raise Unservable(refusal.FRAMING)  # the parser would give the body to the protocol we do not speak

    def on_body(self, body: bytes) -> None:
        self.received += len(body)
        self._take_body(self.received)
        super().on_body(body)

    def _take_body(self, size: int) -> None:
        """Room for a body of this size, or Unservable; :meth:`_leave_body` gives back what is scarce."""
        if size > self.limits.max_body:
            raise Unservable(refusal.TOO_LARGE)
        if size > self.limits.small_body and not self.large:
            if self.serving.large_bodies >= self.limits.large_bodies:
                raise Unservable(refusal.BUSY)
            self.serving.large_bodies += 1
            self.large = True

    def _leave_body(self) -> None:
        if self.large:
            self.serving.large_bodies -= 1
            self.large = False

    def on_message_complete(self) -> None:
        self.phase = self._IDLE
        self.completed = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        self._leave_body()
        ended = not self.pipeline
        super().on_response_complete()
        if ended and not self.transport.is_closing():
            if self.last is not None:
                self._say_last(self.last)
            elif self.phase == self._IDLE:
                self.serving.idle[self] = None

    def _refuse(self, why: Refusal) -> None:
        """Refuse what is being read: in its turn, and as the last answer of the connection."""
        if self.over:
            return
        self.over = True
        if self.deadline is not None:
            self.deadline.cancel()
        cycle = cast("RequestResponseCycle | None", self.cycle)  # none before the first request
        if self.phase == self._BODY and cycle is not None:  # its request is the one refused
            if self.pipeline:
                self.pipeline.popleft()
                self.last = why
                return
            if cycle.response_started:
                self.transport.close()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        elif cycle is not None and not cycle.response_complete:
            self.last = why
            return
        self._say_last(why)

    def _say_last(self, why: Refusal) -> None:
        """Answer, say that no more comes, and throw away the rest for a while, so that the answer can be read."""
        self._leave_body()
        self._unset_keepalive_if_required()
        begun = self.phase != self._IDLE
        answer = why.response(self.url if begun else b"")
        headers = [*self.server_state.default_headers, *answer.raw_headers()]
        lines = [STATUS_LINE[answer.status], *(name + b": " + value + b"\r\n" for name, value in headers), b"\r\n"]
        if not (begun and self.parser.get_method() == b"HEAD"):
            lines.append(answer.body)
        self.transport.write(b"".join(lines))
        self.transport.write_eof()
        self.flow.resume_reading()
        self.silence_by = self.loop.time() + self.limits.farewell
        self.discard()

    def discard(self) -> None:
        """Something arrived that nobody will read. A close now would reset the connection and swallow our answer."""
        if self.silence_by:
            if self.deadline is not None:
                self.deadline.cancel()
            moment = min(self.loop.time() + self.limits.linger, self.silence_by)
            self.deadline = self.loop.call_at(moment, self.transport.close)

    def pause_writing(self) -> None:
        super().pause_writing()
        if self.write_deadline is None:
            self.write_deadline = self.loop.call_later(self.limits.write, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self.write_deadline is not None:
            self.write_deadline.cancel()
            self.write_deadline = None


def _why(error: httptools.HttpParserError, begins: bytes) -> Refusal:
    """What the parser's error, or one of ours among its callbacks, is called; `begins` is how the request does."""
    cause = error.__context__
    if isinstance(cause, Unservable):
        return cause.refusal
    if isinstance(error, httptools.HttpParserInvalidMethodError) and _REQUEST_LINE.match(begins):
        return refusal.METHOD
    return refusal.VERSION if "HTTP version" in str(error) else refusal.UNREADABLE
