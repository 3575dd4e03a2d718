"""Consent: what an application asks, and whom the person acts as when there is a choice.

Texts: OpenID Connect Core §3.1.2.4, GAP-COANA-20 (one active perfil, never the sum of two).

What may be offered is computed by :mod:`iam.oauth.interaction`, which checks everything again when the answer comes
back.
"""

from __future__ import annotations

from admin_ui import guard
from admin_ui.visit import Screen, Visit
from iam.ato import Ato
from iam.errors import NotFound
from iam.http import Response
from iam.oauth import interaction
from iam.session import Login


def perguntar(visit: Visit) -> Response:
    """The page: application, sistema, scopes, capacities."""
    asked = interaction.pending(visit.house, visit.params.get("pedido", ""), _login(visit))
    return visit.page("consentir.html", pedido=asked, form_action=(guard.form_target(asked.redirect_uri),))


def responder(visit: Visit) -> Response:
    """The person's answer; on to the application either way."""
    pedido = visit.form.get("pedido", "")
    if visit.form.get("resposta") == "consentir":
        return visit.redirect(interaction.grant(visit.house, pedido, _login(visit), visit.form.get("escolha", "")))
    return visit.redirect(interaction.deny(visit.house, pedido, _login(visit)))


def _login(visit: Visit) -> Login:
    if visit.login is None:
        raise NotFound("este pedido expirou; volte ao aplicativo e tente de novo")
    return visit.login


SCREENS = (Screen("GET", "/consentir", perguntar), Screen("POST", "/consentir", responder, ato=Ato.TOKEN_EMITIR))
