"""Logging in with an ICP-Brasil certificate: proven at the mTLS address, carried back by a sealed ticket.

Texts: GAP-ALL-01, DEC7-3.2. ``estado`` is the token of the browser that began, so that nobody is logged in by
another's link.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlencode

from admin_ui import entrar, text
from admin_ui.visit import Screen, Visit
from iam import session
from iam.errors import Invalid, Refused
from iam.http import Response, set_cookie
from iam.login import enter

BACK = "/entrar/certificado/volta"
CARRIED = ("pedido", "volta", "estado")


def provar(visit: Visit) -> Response:
    """At the mTLS address: whoever proved the certificate enters, and goes back to the ordinary address."""
    settings = visit.house.settings
    carried = {name: visit.params[name] for name in CARRIED if visit.params.get(name)}
    if not visit.request.mtls:
        return visit.redirect(f"{settings.mtls}/entrar/certificado", **carried)
    try:
        entered = enter.with_certificate(visit.house, visit.agente, visit.request.certificate)
    except Refused as refused:
        return _refused(visit, refused)
    ticket = enter.ticket_for(visit.house, entered)
    return visit.redirect(f"{settings.issuer}{BACK}?{urlencode({**carried, 'bilhete': ticket})}")


def voltar(visit: Visit) -> Response:
    """At the ordinary address: the ticket becomes the session's cookie, in the browser that began and nowhere else."""
    given = visit.params.get("estado", "")
    if not visit.csrf or not hmac.compare_digest(given.encode(), visit.csrf.encode()):
        raise Invalid("a entrada começou em outro navegador ou venceu; comece de novo", code="entrada_vencida")
    cookie = enter.cookie_of(visit.house, visit.agente, visit.params.get("bilhete", ""), visit.login)
    return entrar.onward(visit, visit.params, (set_cookie(session.COOKIE, cookie),), "icp-brasil")


def _refused(visit: Visit, refused: Refused) -> Response:
    """Why the certificate does not enter, and the way back to where another way may be open."""
    kept = entrar.kept(visit.params)
    return visit.page(
        "erro.html",
        status=refused.status,
        titulo="O certificado não foi aceito",
        texto=text.sentence(refused.message),
        code=refused.code,
        conselho="",
        decision=refused.decision,
        volta="",
        entrar=f"{visit.house.settings.issuer}/entrar?{urlencode(kept)}".rstrip("?"),
    )


SCREENS = (
    Screen("GET", "/entrar/certificado", provar, open=True),
    Screen("GET", BACK, voltar, open=True),
)
