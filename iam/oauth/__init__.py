"""OAuth 2 and OpenID Connect: one concept of the RFCs per file, in the RFCs' own words.

Read :mod:`iam.oauth.grant` first: the one order of the token endpoint. Then :mod:`iam.oauth.token`, the one mint, and
:mod:`iam.oauth.authorization`, which says whether what a token rests on still stands.

An endpoint is a plain function from a request to a response, or to something the edge waits for. ``ROUTES`` is the
whole protocol by path; what waits for the database runs beside the event loop, never on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from iam.context import House
from iam.http import Request, Response
from iam.oauth import authorize, grant, introspection, jwks, logout, metadata, revocation, userinfo

ANYWHERE = ("access-control-allow-origin", "*")
EXPOSED = ("access-control-expose-headers", "www-authenticate")
HEADERS = "authorization, content-type"
Handler = Callable[[House, Request], Response | Awaitable[Response]]


def only(methods: str, handler: Handler) -> Handler:
    """The handler for these methods; any other is 405 (RFC 9110 §15.5.6)."""
    allowed = frozenset(methods.split(", "))

    def checked(house: House, request: Request) -> Response | Awaitable[Response]:
        if request.method not in allowed:
            return Response.json(405, {"error": "invalid_request"}, allow=methods)
        return handler(house, request)

    return checked


def everywhere(methods: str, handler: Handler) -> Handler:
    """The handler for programs in a browser too, whatever their origin (Fetch §3.2; OpenID Connect Core §5.3).

    What comes with a request by itself, a cookie or a certificate, opens nothing here to another site: ``*`` excludes it.
    """
    checked = only(methods, handler)

    async def shared(house: House, request: Request) -> Response:
        if request.method == "OPTIONS":
            allowed = (("access-control-allow-methods", methods), ("access-control-allow-headers", HEADERS))
            return Response(204, headers=(ANYWHERE, *allowed, ("allow", methods)))
        answer = checked(house, request)
        if not isinstance(answer, Response):
            answer = await answer
        return replace(answer, headers=(*answer.headers, ANYWHERE, EXPOSED))

    return shared


def waiting(handler: Callable[[House, Request], Response]) -> Handler:
    """The handler in a thread, because it waits for the database."""

    def threaded(house: House, request: Request) -> Awaitable[Response]:
        return asyncio.to_thread(handler, house, request)

    return threaded


# fmt: off
ROUTES: Mapping[str, Handler] = {
    "/oauth/authorize":  only("GET, POST", waiting(authorize.authorize)),         # RFC 6749 §3.1
    "/oauth/token":      everywhere("POST", grant.token),                         # RFC 6749 §3.2
    "/oauth/introspect": only("POST", waiting(introspection.introspect)),         # RFC 7662
    "/oauth/revoke":     everywhere("POST", waiting(revocation.revoke)),          # RFC 7009
    "/oauth/userinfo":   everywhere("GET, POST", waiting(userinfo.userinfo)),     # OpenID Connect Core §5.3
    "/oauth/jwks":       only("GET, HEAD", jwks.jwks),                            # RFC 7517
    "/oauth/logout":     only("GET, POST", waiting(logout.logout)),               # RP-Initiated Logout 1.0
    "/.well-known/oauth-authorization-server": only("GET, HEAD", metadata.metadata),    # RFC 8414
    "/.well-known/openid-configuration": only("GET, HEAD", metadata.metadata),    # OpenID Connect Discovery
}
# fmt: on
