"""Self-service: what I hold and why, my ties, sessions and credentials (LGPD art. 18)."""

from __future__ import annotations

from admin_ui import ficha
from admin_ui.visit import Screen, Visit
from iam.atos import consulta
from iam.http import Response
from iam.oauth import interaction


def ler(visit: Visit) -> Response:
    """The person's own file."""
    with visit.begin() as ctx:
        somebody = consulta.ver(ctx, visit.agente.id)
        file = ficha.ler(ctx, somebody, interaction.idle(visit.house), own=visit.agente.session)
    return visit.page("minhas.html", ficha=file)


SCREENS = (Screen("GET", "/minhas", ler),)
