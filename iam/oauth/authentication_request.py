"""The authorization request, read and checked: every rule a row, in the order in which it may answer.

Texts: RFC 6749 §4.1.1, OpenID Connect Core §3.1.2.1, RFC 7636 §4.3, RFC 8707 §2, RFC 9700 §4.1. Until client and
redirect URI are known to belong together nothing may be sent to the URI: then the error is shown, not redirected.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from iam.context import House
from iam.oauth import id_token, pkce, redirect_uri, scope
from iam.oauth.client import Snapshot
from iam.oauth.errors import (
    INVALID_REQUEST,
    INVALID_SCOPE,
    INVALID_TARGET,
    REQUEST_NOT_SUPPORTED,
    REQUEST_URI_NOT_SUPPORTED,
    UNAUTHORIZED_CLIENT,
    UNSUPPORTED_RESPONSE_TYPE,
    Denied,
)

PROMPTS = frozenset({"none", "login", "consent", "select_account"})
KEPT = (
    "response_type client_id redirect_uri scope state nonce prompt max_age acr_values resource code_challenge "
    "code_challenge_method response_mode login_hint id_token_hint"
).split()


@dataclass(slots=True)
class AuthenticationRequest:
    """What the client asks for, as far as it may. ``sistema`` is "" when it only wants to know who the person is.

    ``sub`` is the only person who may answer, "" for anybody (``id_token_hint``).
    """

    client: Snapshot
    redirect_uri: str
    state: str
    nonce: str = ""
    scope: tuple[str, ...] = ()
    sistema: str = ""
    resource: str = ""
    prompt: frozenset[str] = frozenset()
    max_age: int | None = None
    acr_values: tuple[str, ...] = ()
    code_challenge: str = ""
    login_hint: str = ""
    sub: str = ""
    params: Mapping[str, str] = field(default_factory=dict)


class Unredirectable(Denied):
    """A request whose client or redirect URI is not good: the person is told, nobody is redirected (RFC 9700 §4.11)."""


def destination(client: Snapshot | None, params: Mapping[str, str]) -> AuthenticationRequest:
    """Where answers may go: an active client and one of its redirect URIs; else :class:`Unredirectable`."""
    if client is None:
        raise Unredirectable(INVALID_REQUEST, "client is not known", "client_desconhecido")
    if not client.active:
        raise Unredirectable(UNAUTHORIZED_CLIENT, "client is suspended", "client_suspenso", sistema=client.sistema)
    uri = params.get("redirect_uri")
    if not uri and len(client.redirect_uris) == 1 and "openid" not in params.get("scope", "").split():
        uri = client.redirect_uris[0]
    if not uri or not redirect_uri.registered(uri, client.redirect_uris):
        raise Unredirectable(
            INVALID_REQUEST, "redirect_uri is not registered", "pedido_malformado", sistema=client.sistema
        )
    if "authorization_code" not in client.grant_types:
        raise Unredirectable(
            UNAUTHORIZED_CLIENT, "the client may not use this grant", "grant_nao_permitido", sistema=client.sistema
        )
    return AuthenticationRequest(client, uri, params.get("state", ""), params=params)


def read(house: House, asked: AuthenticationRequest) -> AuthenticationRequest:
    """The whole request, each rule in turn; Denied with the first that is broken, to be redirected."""
    for check in CHECKS:
        check(house, asked, asked.params)
    return asked


def _not_supported(_: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    if "request" in params:
        raise Denied(REQUEST_NOT_SUPPORTED, "request objects are not supported", "pedido_malformado")
    if "request_uri" in params:
        raise Denied(REQUEST_URI_NOT_SUPPORTED, "request_uri is not supported", "pedido_malformado")


def _response_type(_: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    if "response_type" not in params:
        raise Denied(INVALID_REQUEST, "response_type is required", "pedido_malformado")
    if params["response_type"] != "code":
        raise Denied(UNSUPPORTED_RESPONSE_TYPE, "response_type must be code", "pedido_malformado")
    if params.get("response_mode", "query") != "query":
        raise Denied(INVALID_REQUEST, "response_mode must be query", "pedido_malformado")


def _pkce(_: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    asked.code_challenge = pkce.challenge(dict(params))


def _scope(house: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    requested = scope.parse(params.get("scope"))
    for name in requested:
        if name not in scope.OPENID and house.policy.scope(name) is None:
            raise Denied(
                INVALID_SCOPE, "a scope is not known here", "escopo_desconhecido", sistema=asked.client.sistema
            )
    if not params.get("resource"):
        scope.target(house.policy, requested, None, ())  # scopes of two sistemas are no target, whoever asks them
    asked.scope = scope.within(requested, asked.client.scopes | scope.ALWAYS)


def _resource(house: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    resource = params.get("resource")
    otherwise = () if set(asked.scope) & set(scope.OPENID) or not asked.client.sistema else (asked.client.sistema,)
    if resource != house.settings.issuer:
        asked.sistema = scope.target(house.policy, asked.scope, resource, otherwise)
        if asked.sistema and asked.sistema not in _registered(house, asked.client):
            said = "the client is not registered for this resource"
            raise Denied(INVALID_TARGET, said, "recurso_desconhecido", sistema=asked.client.sistema)
    asked.resource = scope.resource_of(asked.sistema) if asked.sistema else house.settings.issuer


def _registered(house: House, client: Snapshot) -> frozenset[str]:
    """The sistemas a client may name as resource: its own, and those of the scopes it is registered for."""
    known = (house.policy.scope(name) for name in client.scopes)
    return frozenset(found.sistema for found in known if found is not None) | {client.sistema}


def _prompt(_: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    asked.prompt = frozenset(params.get("prompt", "").split())
    if not asked.prompt <= PROMPTS or ("none" in asked.prompt and len(asked.prompt) > 1):
        raise Denied(INVALID_REQUEST, "prompt is malformed", "pedido_malformado")


def _login(house: House, asked: AuthenticationRequest, params: Mapping[str, str]) -> None:
    asked.nonce, asked.login_hint = params.get("nonce", ""), params.get("login_hint", "")[:100]
    if len(asked.nonce) > 512 or len(asked.state) > 2048:
        raise Denied(INVALID_REQUEST, "nonce or state is too long", "pedido_malformado")
    if "id_token_hint" in params:
        asked.sub = str(id_token.hinted(house, params["id_token_hint"])["sub"])
    asked.acr_values = tuple(params.get("acr_values", "").split())
    age = params.get("max_age")
    if age is not None:
        if not age.isascii() or not age.isdigit() or len(age) > 9:
            raise Denied(INVALID_REQUEST, "max_age is not a number of seconds", "pedido_malformado")
        asked.max_age = int(age)


Check = Callable[[House, AuthenticationRequest, Mapping[str, str]], None]
# fmt: off
CHECKS: tuple[Check, ...] = (
    _not_supported,     # OpenID Connect Core §6, RFC 9101
    _response_type,     # RFC 6749 §3.1.1
    _pkce,              # RFC 7636 §4.3, RFC 9700 §2.1.1
    _scope,             # RFC 6749 §3.3
    _resource,          # RFC 8707 §2
    _prompt,            # OpenID Connect Core §3.1.2.1
    _login,             # OpenID Connect Core §3.1.2.1, RFC 9470 §4
)
# fmt: on
