"""The resource server's side: who presents this access token to one of our own interfaces.

Texts: RFC 6750 (``Authorization: Bearer``, never in the query), RFC 8705 §3 (bound to the certificate of the
connection), RFC 9068 §4 (validation). Besides signature, type, issuer and time, everything the token rests on is asked
again.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from iam.atos.papel import WORD
from iam.context import Agente, House
from iam.http import BadRequest, Request
from iam.journal import JSON
from iam.oauth import client, client_auth, mtls
from iam.oauth import token as tokens
from iam.oauth.active import ended
from iam.oauth.errors import INSUFFICIENT_SCOPE, INVALID_CLIENT, INVALID_TOKEN, Denied, Tokenless, malformed
from iam.oauth.scope import resource_of

_BEARER = re.compile(r"(?i:bearer) +([A-Za-z0-9\-._~+/]+=*)")
HOUSE = "portaria"
NO_CERTIFICATE = "sem_certificado"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: a client; ``sistema`` is the one it belongs to, ``claims`` those of its token."""

    client: str
    nome: str
    sistema: str
    scopes: frozenset[str]
    certificate: str = ""
    sub: str = ""
    claims: Mapping[str, JSON] | None = None

    def words(self, sistema: str) -> frozenset[str]:
        """The caller's words towards a sistema: an application's own client speaks of its own alone (CASA-08)."""
        if self.sistema:
            return frozenset({"client_da_aplicacao"} if self.sistema == sistema else ())
        return frozenset(f"client:{WORD[name]}" for name in self.scopes if name in WORD)

    def agente(self, request: Request) -> Agente:
        """The caller as the journal names it."""
        return Agente(
            "client",
            self.client,
            self.nome,
            request.address,
            request.user_agent,
            self.client,
            certificate=self.certificate,
        )


def authenticate(house: House, request: Request, *scopes: str) -> Caller:
    """The machine client whose token this is, good for our own interfaces and bound to this connection's certificate.

    At least one of ``scopes`` must be in the token, when any is given. Raises :class:`iam.oauth.errors.Denied`
    (``invalid_token`` 401, ``insufficient_scope`` 403), which :func:`iam.oauth.errors.challenge` renders.
    """
    now = house.clock()
    with house.reading() as db:
        caller, claims = _presented(house, db, request, now)
        if claims.get("aud") not in (resource_of(HOUSE), resource_of(caller.sistema)):
            raise Denied(INVALID_TOKEN, "the token is for another resource", "token_invalido", sistema=HOUSE)
        if not mtls.bound_to(claims):
            raise Denied(INVALID_TOKEN, "a certificate-bound token is required", "token_invalido", sistema=HOUSE)
        word = house.trust.verify(request.certificate, now).word if request.certificate else NO_CERTIFICATE
        if word:
            raise Denied(INVALID_TOKEN, "the certificate is not accepted", word, sistema=HOUSE)
        if scopes and not caller.scopes & set(scopes):
            denied = Denied(INSUFFICIENT_SCOPE, "the token lacks the scope", "escopo_nao_concedido", sistema=HOUSE)
            denied.agente = caller.agente(request)
            raise denied
        return caller


def token_of(request: Request) -> str | None:
    """The token of the Authorization header, None without one or in another scheme; Denied when there is no token in it."""
    try:
        header = request.header("authorization")
    except BadRequest as error:
        raise malformed(error) from error
    if header is None or header.partition(" ")[0].lower() != "bearer":
        return None
    found = _BEARER.fullmatch(header)
    if found is None:
        raise Denied(INVALID_TOKEN, "the Authorization header holds no bearer token", "token_invalido", sistema=HOUSE)
    return found.group(1)


def valid(house: House, db: Session, request: Request, now: datetime) -> dict[str, JSON]:
    """The claims of the token presented, active and used by whom it is bound to; else ``invalid_token``."""
    value = token_of(request)
    if value is None:
        raise Tokenless(INVALID_TOKEN, "an access token is required", "anonimo", sistema=HOUSE)
    claims = tokens.read(house, value, now)
    if claims is None:
        raise Denied(INVALID_TOKEN, "the token is not valid", "token_invalido", sistema=HOUSE)
    if not mtls.confirmed(claims, request):
        said, word = "the token is bound to another certificate", "token_de_outro_certificado"
        if not request.mtls or request.certificate is None:
            said, word = (
                "the token is bound to a client certificate, and none came with it over mutual TLS",
                NO_CERTIFICATE,
            )
        raise Denied(INVALID_TOKEN, said, word, sistema=HOUSE)
    word = ended(house, db, claims, now)
    if word:
        raise Denied(INVALID_TOKEN, "the token is no longer active", word, sistema=HOUSE)
    return claims


def client_or_token(
    house: House, db: Session, request: Request, form: Mapping[str, str], moment: client.Moment, now: datetime
) -> Caller:
    """The caller of an endpoint that accepts both client authentication and a bound token of the client."""
    header = request.header("authorization")
    if header is not None and not client_auth.basic(header):
        caller, claims = _presented(house, db, request, now)
        if not mtls.bound_to(claims):
            raise Denied(INVALID_TOKEN, "a certificate-bound token is required", "token_invalido", sistema=HOUSE)
        return caller
    named = client_auth.client_id(request, form)
    who = client_auth.authenticate(house, request, moment.client(named), HOUSE, now)
    if who.client.public:
        raise Denied(INVALID_CLIENT, "the client cannot authenticate", "sem_certificado", sistema=HOUSE)
    return Caller(named, who.client.nome, who.client.sistema, frozenset(who.client.held(now)), who.certificate)


def _presented(house: House, db: Session, request: Request, now: datetime) -> tuple[Caller, dict[str, JSON]]:
    claims = valid(house, db, request, now)
    named = str(claims.get("client_id"))
    program = client.current(house, db, named)
    caller = Caller(
        client=named,
        nome=program.nome if program else "",
        sistema=program.sistema if program else "",
        scopes=frozenset(str(claims.get("scope", "")).split()),
        certificate=mtls.bound_to(claims),
        sub=str(claims.get("sub")),
        claims=claims,
    )
    return caller, claims
