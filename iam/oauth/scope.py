"""Scopes: what was asked, whose resource it belongs to, and what of it is given.

Texts: RFC 6749 §3.3 (grammar, omission, narrowing), RFC 8707 §2 (``resource``, ``invalid_target``), OpenID Connect
Core §5.4. A scope belongs to one sistema and a token to one resource. The effective scope is requested ∩ client ∩ held
∩ policy: it can never contain what one of the four does not (MT128-2-VIII: one system, never "all systems").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from iam.decision import Decision
from iam.oauth.errors import INVALID_SCOPE, INVALID_TARGET, Denied
from iam.policy import Policy

RESOURCE = "urn:portaria:sistema:"
SEVERAL = "resource"
"""The one parameter that may be repeated (RFC 8707 §2): :meth:`iam.http.Request.form` tells its values apart by a space."""
OPENID = ("openid", "profile", "email", "cpf", "matricula", "offline_access")
ALWAYS = frozenset({"openid", "offline_access"})
"""What every application may ask, besides the scopes it is registered for."""

_TOKENS = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+(?: +[\x21\x23-\x5b\x5d-\x7e]+)*")


@dataclass(frozen=True, slots=True)
class Held:
    """One scope that a subject holds now: through which perfil, by which line of policy, until when (None: no end)."""

    name: str
    sistema: str
    perfil: str
    decision: Decision
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Effective:
    """What a token will say: the scopes, in the order asked, of one sistema ("" when none), and what each rests on."""

    names: tuple[str, ...]
    sistema: str
    resource: str
    rests_on: tuple[Held, ...] = ()

    def __str__(self) -> str:
        return " ".join(self.names)


def parse(text: str | None) -> tuple[str, ...]:
    """The scope tokens of a request, each once, in order (RFC 6749 §3.3); Denied when malformed."""
    if not text:
        return ()
    if len(text) > 8192 or not _TOKENS.fullmatch(text):
        raise Denied(INVALID_SCOPE, "scope is malformed", "pedido_malformado")
    return tuple(dict.fromkeys(text.split()))


def within(requested: tuple[str, ...], allowed: Iterable[str]) -> tuple[str, ...]:
    """What was asked, narrowed to the client's ``allowed``, before anything is concluded from it (RFC 6749 §3.3).

    Nothing asked stays nothing; Denied with ``invalid_scope`` when something was and none of it is left.
    """
    mine = frozenset(allowed)
    names = tuple(name for name in requested if name in mine)
    if requested and not names:
        raise Denied(INVALID_SCOPE, "the client may ask none of these scopes", "escopo_nao_concedido")
    return names


def resource_of(sistema: str) -> str:
    """The resource identifier of a sistema (RFC 8707 §2): the ``aud`` of its tokens."""
    return RESOURCE + sistema


def one(resource: str | None) -> str:
    """The only resource a request names, "" when it names none; of several no token is issued: ``invalid_target``."""
    if resource and " " in resource:
        raise Denied(INVALID_TARGET, "a token is for one resource; name only one", "recurso_ambiguo")
    return resource or ""


def target(policy: Policy, requested: Iterable[str], resource: str | None, otherwise: Iterable[str]) -> str:
    """The one sistema a request is about: the resource's, else its scopes', else the only one of ``otherwise``.

    "" when the request names no sistema at all and ``otherwise`` is empty. Denied with ``invalid_target`` when the
    resource is unknown, is not one, or several sistemas are possible.
    """
    if resource := one(resource):
        sistema = resource.removeprefix(RESOURCE)
        if not resource.startswith(RESOURCE) or policy.sistema(sistema) is None:
            raise Denied(INVALID_TARGET, "resource is not known here", "recurso_desconhecido")
        return sistema
    named = {scope.sistema for name in requested if (scope := policy.scope(name)) is not None}
    candidates = named or set(otherwise)
    if len(candidates) > 1:
        raise Denied(
            INVALID_TARGET, "the scopes belong to more than one resource; name one with resource", "recurso_ambiguo"
        )
    return next(iter(candidates), "")


def of_client(policy: Policy, held: Mapping[str, Held], text: str | None, resource: str | None) -> Effective:
    """For a machine client: everything asked, or nothing. Omitted scope means all it holds of its one sistema.

    A scope it does not hold is ``invalid_scope`` for the whole request; with ``resource``, known scopes of other
    sistemas are left out, and one of which it holds nothing is ``invalid_target``.
    """
    requested = parse(text)
    if set(requested) & set(OPENID):
        said = "client_credentials identifies no person: openid and its scopes are for authorization_code"
        raise Denied(INVALID_SCOPE, said, "escopo_nao_concedido")
    sistema = target(policy, requested, resource, {h.sistema for h in held.values()})
    if not requested:
        names = tuple(sorted(name for name, h in held.items() if h.sistema == sistema))
    else:
        for name in requested:
            if name not in held:
                raise _not_held(policy, held, name, sistema)
        names = tuple(name for name in requested if held[name].sistema == sistema)
    if not names:
        code = INVALID_TARGET if resource and sistema not in {h.sistema for h in held.values()} else INVALID_SCOPE
        raise Denied(code, "the client holds no scope of this resource", "sem_concessao", sistema=sistema)
    return Effective(names, sistema, resource_of(sistema), tuple(held[name] for name in names))


def _not_held(policy: Policy, held: Mapping[str, Held], name: str, sistema: str) -> Denied:
    """Why a client does not get a scope: it is none of ours, or it holds others of the sistema, or nothing there."""
    known = policy.scope(name)
    if known is None:
        return Denied(INVALID_SCOPE, "a scope is not known here", "escopo_nao_concedido", sistema=sistema)
    some = any(h.sistema == known.sistema for h in held.values())
    word = "escopo_nao_concedido" if some else "sem_concessao"
    return Denied(INVALID_SCOPE, "a scope is not held by this client", word, sistema=known.sistema)


def of_person(
    requested: tuple[str, ...], allowed: Iterable[str], held: Mapping[str, Held], sistema: str, issuer: str
) -> Effective:
    """For a person: what was asked, narrowed to the client's ``allowed`` and to what the active perfil holds.

    Without any scope of the sistema asked, and no identity scope either, all she holds of it is meant. Denied with
    ``invalid_scope`` when nothing is left. Without a sistema the resource is the issuer itself (userinfo).
    """
    mine = frozenset(allowed)
    given = {name: h for name, h in held.items() if h.sistema == sistema and name in mine}
    asked = requested or tuple(sorted(given))
    names = tuple(name for name in asked if name in given or (name in OPENID and name in mine))
    if not names or (sistema and not set(names) & set(given) and "openid" not in names):
        raise Denied(INVALID_SCOPE, "nothing of the requested scope is held", "sem_concessao", sistema=sistema)
    rests_on = tuple(given[name] for name in names if name in given)
    return Effective(names, sistema, resource_of(sistema) if sistema else issuer, rests_on)


def narrowed(asked: str | None, authorized: tuple[str, ...]) -> tuple[str, ...]:
    """RFC 6749 §6: a refresh may ask for less than was authorized, never for more; nothing asked means all of it."""
    requested = parse(asked)
    if not set(requested) <= set(authorized):
        raise Denied(INVALID_SCOPE, "scope exceeds what was authorized", "escopo_nao_concedido")
    return requested or authorized


def same_resource(sistema: str, resource: str | None, issuer: str) -> str:
    """The sistema of an authorization, unless the token request names another resource (RFC 8707 §2.2)."""
    if one(resource) not in ("", resource_of(sistema) if sistema else issuer):
        raise Denied(
            INVALID_TARGET, "the authorization is for another resource", "recurso_desconhecido", sistema=sistema
        )
    return sistema
