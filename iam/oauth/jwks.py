"""The public keys that verify our tokens (RFC 7517 §5), the retired ones as long as anything they signed may live."""

from __future__ import annotations

from iam.context import House
from iam.http import Request, Response


def jwks(house: House, request: Request) -> Response:
    """``GET /oauth/jwks``: never a private member."""
    keys = house.keys.jwks(house.clock())
    return Response.json(200, {"keys": keys}, cache_control="public, max-age=300", access_control_allow_origin="*")
