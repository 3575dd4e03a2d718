"""The decision point's metadata (AuthZEN Authorization API 1.0 §9), its endpoints on the mutual-TLS listener."""

from __future__ import annotations

from iam.context import House
from iam.http import Request, Response


def metadata(house: House, request: Request) -> Response:
    """``GET /.well-known/authzen-configuration``. Search is not built, so not advertised."""
    mtls = house.settings.mtls
    said = {
        "policy_decision_point": house.settings.issuer,
        "access_evaluation_endpoint": f"{mtls}/access/v1/evaluation",
        "access_evaluations_endpoint": f"{mtls}/access/v1/evaluations",
    }
    return Response.json(200, said, cache_control="public, max-age=300", access_control_allow_origin="*")
