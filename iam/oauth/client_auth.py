"""Client authentication: who is asking, proven. The first step of every endpoint that answers to clients.

Texts: RFC 6749 §2.3 and §3.2.1, RFC 8705 §2.1. Two methods: ``tls_client_auth`` and, for public applications,
``none``. A norm's client is pinned: chain, subject and a registered thumbprint must all agree (COTEC62-1-2-III,
4-II.2); other clients follow RFC 8705: chain and subject. No header of the request is ever believed to carry a
certificate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from iam.atos.client import NORMA
from iam.atos.credencial import CERTIFICADO, Credencial
from iam.context import House
from iam.http import Request
from iam.icp_brasil.chain import Verdict
from iam.oauth.client import Snapshot
from iam.oauth.errors import INVALID_CLIENT, INVALID_REQUEST, BasicRefused, Denied
from iam.oauth.mtls import subject_matches

METHODS = ("tls_client_auth", "none")


class Unregistered(Denied):
    """A good certificate that is not registered for this client. Whether it is another's only the journal needs to know."""

    def __init__(self, client: str, certificate: str, sistema: str) -> None:
        said = "client certificate is not registered for this client"
        super().__init__(INVALID_CLIENT, said, "certificado_nao_cadastrado", sistema=sistema)
        self.client = client
        self.certificate = certificate


@dataclass(frozen=True, slots=True)
class Authenticated:
    """A client that proved who it is; what is said of its certificate only for a mutual-TLS client.

    ``certificate`` is its ``x5t#S256``, ``listed`` what revocation lists know it by, ``not_after`` its own end, or that of
    its registration where that comes first.
    """

    client: Snapshot
    certificate: str = ""
    not_after: datetime | None = None
    listed: str = ""


def client_id(request: Request, form: Mapping[str, str]) -> str:
    """The ``client_id`` of a request. Secrets and assertions are not methods of this server: Denied."""
    header = request.header("authorization")
    if header is not None or form.keys() & {"client_secret", "client_assertion", "client_assertion_type"}:
        refused = BasicRefused if basic(header) else Denied
        raise refused(INVALID_CLIENT, "client authentication method is not supported", "client_desconhecido")
    named = form.get("client_id")
    if not named:
        raise Denied(INVALID_REQUEST, "client_id is required", "pedido_malformado")
    return named


def basic(header: str | None) -> bool:
    """Whether an ``Authorization`` header is of the scheme Basic (RFC 7617)."""
    return header is not None and header.partition(" ")[0].lower() == "basic"


def authenticate(house: House, request: Request, client: Snapshot | None, sistema: str, now: datetime) -> Authenticated:
    """The authenticated client; Denied with ``invalid_client`` and the word that says why.

    ``sistema`` is what the request is about, so that the right norm judges the certificate; "" lets the client's
    decide.
    """
    if client is None:
        raise Denied(INVALID_CLIENT, "client is not known", "client_desconhecido", sistema=sistema)
    about = sistema or concerns(client)
    if not client.active:
        raise Denied(INVALID_CLIENT, "client is suspended", "client_suspenso", sistema=about)
    if client.public:
        return Authenticated(client)
    der = request.certificate if request.mtls else None
    if der is None:
        raise Denied(
            INVALID_CLIENT, "a client certificate over mutual TLS is required", "sem_certificado", sistema=about
        )
    verdict = house.trust.verify(der, now)
    if not verdict.valid:
        raise Denied(INVALID_CLIENT, "client certificate is not accepted", verdict.word, sistema=about)
    until = _registered_until(client, verdict)
    if until is None or until <= now:
        raise Unregistered(client.id, verdict.x5t, about)
    return Authenticated(client, verdict.x5t, until, verdict.listed)


def concerns(client: Snapshot) -> str:
    """The sistema a client is about when its request does not say: its own, else the first it has a right to."""
    return client.sistema or next((right.sistema for right in client.rights if right.scopes), "")


def _registered_until(client: Snapshot, verdict: Verdict) -> datetime | None:
    """Until when a valid certificate is this client's; None when it is not."""
    if not client.subject_dn or not subject_matches(verdict, client.subject_dn):
        return None
    if client.kind != NORMA:
        return verdict.not_after
    if verdict.x5t not in client.thumbprints:
        return None
    return min(end for end in (verdict.not_after, client.thumbprints[verdict.x5t]) if end is not None)


def facts(house: House, denied: Denied) -> frozenset[str]:
    """The words of a denial. It may ask the database whose a certificate is, so never on the event loop."""
    if isinstance(denied, Unregistered) and _is_anothers(house, denied):
        return frozenset({"certificado_de_outro_client"})
    return frozenset(denied.words)


def _is_anothers(house: House, denied: Unregistered) -> bool:
    same = (Credencial.kind == CERTIFICADO, Credencial.impressao == denied.certificate)
    others = select(Credencial.id).where(*same, Credencial.sujeito != denied.client, Credencial.encerrada_em.is_(None))
    with house.reading() as db:
        return db.scalar(others.limit(1)) is not None
