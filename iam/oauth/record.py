"""The journal lines of the protocol: each token, and each refusal under the article that decided it.

Design §3 and §7. A refusal is judged by the policy from the words of :class:`iam.oauth.errors.Denied`, so that an
expired certificate at PUCOMEX cites COTEC62 and elsewhere the house's rule. What nobody in particular sent is counted,
not written one by one.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime

from iam.ato import Ato
from iam.context import Agente, House
from iam.decision import Decision
from iam.http import Request
from iam.journal import JSON, Line
from iam.oauth import client_auth
from iam.oauth.client_auth import Authenticated
from iam.oauth.errors import Denied
from iam.oauth.mtls import thumbprint
from iam.oauth.token import Issued

_NAME = re.compile(r"[A-Za-z0-9._:-]{1,64}")
HOUSE = "portaria"


def anonymous(request: Request, client_id: str = "") -> Agente:
    """Somebody unproven, with the client_id they claimed when it could be one."""
    claimed = client_id if _NAME.fullmatch(client_id) else ""
    seen = thumbprint(request.certificate) if request.certificate else ""
    return Agente(
        "anonimo", "", address=request.address, user_agent=request.user_agent, client_id=claimed, certificate=seen
    )


def of_client(request: Request, who: Authenticated) -> Agente:
    """A client that proved who it is."""
    return Agente(
        "client",
        who.client.id,
        who.client.nome,
        request.address,
        request.user_agent,
        who.client.id,
        certificate=who.certificate,
    )


def of_pessoa(request: Request, pessoa: str, nome: str, session: str, client_id: str) -> Agente:
    """A person at the authorization endpoint."""
    return Agente("pessoa", pessoa, nome, request.address, request.user_agent, client_id, session)


def issued(agente: Agente, token: Issued, pessoa: str | None, now: datetime) -> Line:
    """The line of a token: every one has its own, with its ``jti``."""
    return Line(now, token.decision, agente, pessoa, token.sistema or None, token.jti, token.payload)


def refusal(
    house: House, agente: Agente, denied: Denied, ato: Ato, now: datetime, *, pessoa: str | None = None
) -> Line:
    """The line of a refusal, with the OAuth error that was answered; of a certificate the database is asked whose it is.

    A client_id that nobody has tells nobody apart: however many are made up, they are counted as one.
    """
    words = client_auth.facts(house, denied)
    payload: dict[str, JSON] = {"error": denied.code, "detalhe": denied.description, "fatos": sorted(words)}
    if "client_desconhecido" in words:
        payload["client_id"] = agente.client_id
        agente = replace(agente, client_id="")
    decision = judged(house, words, ato, denied.sistema or HOUSE)
    return Line(now, decision, agente, pessoa, denied.sistema or None, None, payload)


def judged(house: House, words: frozenset[str], ato: Ato, obj: str) -> Decision:
    """The policy's no to these words. A word no line denies is silence, and silence is no."""
    decision = house.policy.decide(words, ato, obj)
    return house.policy.decide(frozenset(), ato, obj) if decision.allowed else decision
