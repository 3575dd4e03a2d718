"""OAuth 2 and OpenID Connect: one concept of the RFCs per file, in the RFCs' own words.

Read :mod:`iam.oauth.grant` first: the one order of the token endpoint. Then :mod:`iam.oauth.token`, the one mint, and
:mod:`iam.oauth.authorization`, which says whether what a token rests on still stands.

An endpoint is a plain function from a request to a response, or to something the edge waits for. ``ROUTES`` is the
whole protocol by path; what waits for the database runs beside the event loop, never on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from iam.context import House
from iam.http import Request, Response
from iam.oauth import authorize, grant, introspection, jwks, logout, metadata, revocation, userinfo

Handler = Callable[[House, Request], Response | Awaitable[Response]]


def only(methods: str, handler: Handler) -> Handler:
    """The handler for these methods; any other is 405 (RFC 9110 §15.5.6)."""
    allowed = frozenset(methods.split(", "))

    def checked(house: House, request: Request) -> Response | Awaitable[Response]:
        if request.method not in allowed:
            return Response.json(405, {"error": "invalid_request"}, allow=methods)
        return handler(house, request)

    return checked


def waiting(handler: Callable[[House, Request], Response]) -> Handler:
    """The handler in a thread, because it waits for the database."""

    def threaded(house: House, request: Request) -> Awaitable[Response]:
        return asyncio.to_thread(handler, house, request)

    return threaded


# fmt: off
ROUTES: Mapping[str, Handler] = {
    "/oauth/authorize":  only("GET, POST", waiting(authorize.authorize)),         # RFC 6749 §3.1
    "/oauth/token":      only("POST", grant.token),                               # RFC 6749 §3.2
    "/oauth/introspect": only("POST", waiting(introspection.introspect)),         # RFC 7662
    "/oauth/revoke":     only("POST", waiting(revocation.revoke)),                # RFC 7009
    "/oauth/userinfo":   only("GET, POST", waiting(userinfo.userinfo)),           # OpenID Connect Core §5.3
    "/oauth/jwks":       only("GET, HEAD", jwks.jwks),                            # RFC 7517
    "/oauth/logout":     only("GET, POST", waiting(logout.logout)),               # RP-Initiated Logout 1.0
    "/.well-known/oauth-authorization-server": only("GET, HEAD", metadata.metadata),    # RFC 8414
    "/.well-known/openid-configuration": only("GET, HEAD", metadata.metadata),    # OpenID Connect Discovery
}
# fmt: on
