"""RFC 8414, OpenID Connect Discovery, RFC 8705 §5, RFC 7517: what the server says about itself is true."""

from __future__ import annotations

from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata

from iam import oauth
from iam.http import Request
from tests.oauth.world import World, body, header

PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")


def test_both_documents_are_valid_by_authlibs_validators(world: World) -> None:
    first, second = (body(world.get(path)) for path in PATHS)
    assert first == second
    AuthorizationServerMetadata(first).validate()
    # Discovery §3 demands RS256; this house signs with ES256 alone (contract, Tokens), and says so.
    assert second["id_token_signing_alg_values_supported"] == ["ES256"]
    OpenIDProviderMetadata(second | {"id_token_signing_alg_values_supported": ["ES256", "RS256"]}).validate()


def test_every_advertised_endpoint_is_served_and_nothing_unbuilt_is_advertised(world: World) -> None:
    said = body(world.get(PATHS[0]))
    issuer, mtls = world.house.settings.issuer, world.house.settings.mtls
    for name, url in said.items():
        if name.endswith("_endpoint") or name == "jwks_uri":
            assert str(url).removeprefix(issuer) in oauth.ROUTES, name
    aliases = said["mtls_endpoint_aliases"]
    assert isinstance(aliases, dict)
    assert {str(url).removeprefix(mtls) for url in aliases.values()} <= set(oauth.ROUTES)
    assert not said.keys() & {
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
    }
    assert said["code_challenge_methods_supported"] == ["S256"]
    assert said["grant_types_supported"] == ["client_credentials", "authorization_code", "refresh_token"]
    scopes = said["scopes_supported"]
    assert isinstance(scopes, list)
    assert "pucomex:ANEXANEXAR" in scopes


def published(world: World) -> list[dict[str, str]]:
    keys = body(world.get("/oauth/jwks"))["keys"]
    assert isinstance(keys, list)
    return keys


def test_the_key_set_holds_public_members_only_and_retired_keys_for_a_while(world: World) -> None:
    keys = published(world)
    assert all("d" not in key and key["kty"] == "EC" and key["kid"] for key in keys)
    old = str(body(world.machine("mt"))["access_token"])
    from tests.oauth.world import OPERATOR

    with world.house.begin(OPERATOR) as ctx:
        world.house.keys.rotate(ctx.db, "token", ctx.now)
    world.house.keys.load()
    assert len(published(world)) == len(keys) + 1
    assert world.introspect(old)["active"] is True
    assert world.introspect(str(body(world.machine("mt"))["access_token"]))["active"] is True


def test_a_browser_may_ask_where_its_programs_have_business_and_nowhere_else(world: World) -> None:
    """Fetch §3.2, OpenID Connect Core §5.3. Never with credentials: what a browser adds by itself opens nothing."""
    allowed = {"/oauth/token": "POST", "/oauth/revoke": "POST", "/oauth/userinfo": "GET, POST"}
    for path in oauth.ROUTES:
        answer = world.call(path, Request("OPTIONS", path, headers=((b"origin", b"https://app.example"),)))
        assert (answer.status == 204) == (path in allowed), path
        assert header(answer, "access-control-allow-methods") == allowed.get(path, "")
        assert header(answer, "access-control-allow-headers") == (
            "authorization, content-type" if path in allowed else ""
        )
        assert header(answer, "access-control-allow-origin") == ("*" if path in allowed else "")
        assert not header(answer, "access-control-allow-credentials")
