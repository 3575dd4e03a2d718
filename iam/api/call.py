"""One request to our own interface, and one entry of its table. No framework, no decision."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from iam.ato import Ato
from iam.atos import papel
from iam.context import Agente, Ctx, House
from iam.http import JSON, Request, Response
from iam.oauth import bearer


@dataclass(frozen=True, slots=True)
class Machine:
    """The machine client that proved itself by a token bound to its certificate."""

    agente: Agente
    scopes: frozenset[str]

    def papeis(self, ctx: Ctx) -> frozenset[str]:
        """The words that policy lines use for it."""
        return papel.of(ctx, scopes=self.scopes)


@dataclass(frozen=True, slots=True)
class Call:
    """One request; ``ato`` is the act that its endpoint stands for, under which a refusal is recorded."""

    house: House
    request: Request
    ato: Ato

    @property
    def now(self) -> datetime:
        """The moment, by the house's clock."""
        return self.house.clock()

    def machine(self, *scopes: str) -> Machine:
        """Who calls, whose token holds at least one of ``scopes``; raises :class:`iam.oauth.errors.Denied`."""
        caller = bearer.authenticate(self.house, self.request, *scopes)
        return Machine(caller.agente(self.request), caller.scopes)

    def anonymous(self) -> Agente:
        """Whoever asks for what is public."""
        return Agente("anonimo", "", address=self.request.address, user_agent=self.request.user_agent)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation: ``path`` as OpenAPI writes it, without ``/api``; ``operation`` describes it in OpenAPI's words."""

    method: str
    path: str
    ato: Ato
    view: Callable[..., Response]
    operation: Mapping[str, JSON]
