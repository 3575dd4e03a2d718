"""What this server is and can do: RFC 8414, OpenID Connect Discovery, RFC 8705 §5, RFC 9207 §3.

Only what is built is advertised. Authlib's validators of both documents are run over them in the tests.
"""

from __future__ import annotations

from iam.context import House
from iam.http import Request, Response
from iam.journal import JSON
from iam.oauth import acr, pkce, scope, subject, userinfo
from iam.oauth.client_auth import METHODS
from iam.oauth.grant import GRANTS

ENDPOINTS = {
    "token_endpoint": "/oauth/token",
    "introspection_endpoint": "/oauth/introspect",
    "revocation_endpoint": "/oauth/revoke",
    "userinfo_endpoint": "/oauth/userinfo",
}


def document(house: House) -> dict[str, JSON]:
    """The authorization server's metadata, which is the OpenID provider's too."""
    issuer, mtls = house.settings.issuer, house.settings.mtls
    scopes = [s.name for sistema in house.policy.sistemas() for s in house.policy.scopes(sistema.id)]
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        **{name: issuer + path for name, path in ENDPOINTS.items()},
        "jwks_uri": f"{issuer}/oauth/jwks",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "mtls_endpoint_aliases": {name: mtls + path for name, path in ENDPOINTS.items()},
        "scopes_supported": [*scope.OPENID, *scopes],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANTS),
        "token_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": ["tls_client_auth"],
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "code_challenge_methods_supported": list(pkce.METHODS),
        "tls_client_certificate_bound_access_tokens": True,
        "authorization_response_iss_parameter_supported": True,
        "subject_types_supported": list(subject.TYPES),
        "id_token_signing_alg_values_supported": ["ES256"],
        "acr_values_supported": list(acr.SUPPORTED),
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [*userinfo.CLAIMS, "acr", "amr", "auth_time", "sid"],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": ["pt-BR"],
        "service_documentation": f"{issuer}/",
    }


def metadata(house: House, request: Request) -> Response:
    """``GET /.well-known/openid-configuration`` and ``/.well-known/oauth-authorization-server``."""
    return Response.json(200, document(house), cache_control="public, max-age=300", access_control_allow_origin="*")
