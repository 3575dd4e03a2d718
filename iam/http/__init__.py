"""Request and Response: the values that cross the HTTP edge, with no framework behind them.

Texts: RFC 9110 (HTTP), RFC 6265 (cookies), RFC 6749 appendix B (form encoding), RFC 8259 (JSON), RFC 9457 (problems).
Parsing is strict on purpose: whatever two readers could understand in two ways (a repeated parameter, a broken
escape, a duplicate JSON key) is refused here, once, before any endpoint sees it.
Nothing here ever decides anything or believes a header about who the caller is.
"""

from __future__ import annotations

from iam.http.edge import (
    ASGI,
    CERTIFICATE,
    MTLS,
    Disconnected,
    Receive,
    Scope,
    Send,
    receive_request,
    send_response,
    wsgi_request,
)
from iam.http.parse import JSON, BadRequest, pairs, parse_json
from iam.http.request import FORM, Request
from iam.http.response import Response, set_cookie

__all__ = [
    "ASGI",
    "CERTIFICATE",
    "FORM",
    "JSON",
    "MTLS",
    "BadRequest",
    "Disconnected",
    "Receive",
    "Request",
    "Response",
    "Scope",
    "Send",
    "pairs",
    "parse_json",
    "receive_request",
    "send_response",
    "set_cookie",
    "wsgi_request",
]
