"""Logging in: a password, then the code of an authenticator; or choosing a password in place of a provisional one.

Texts: MT128-10-2.3, GAP-ALL-01, RFC 9470 (step up), WCAG 2.2 3.3.8 (paste and password managers work). Who may enter is
decided by :mod:`iam.login.enter`; between the steps the browser holds its sealed ticket. ``pedido`` continues an
authorization request, ``volta`` a page of ours. Only what leads to the demanded ``acr`` is offered: where it is
``icp-brasil`` no password is asked for, and who entered too weakly is led to what is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from urllib.parse import urlencode

from admin_ui import guard
from admin_ui.visit import Screen, Visit
from iam import session
from iam.ato import Ato
from iam.errors import Invalid, NotFound, PortariaError, Refused
from iam.http import Response, set_cookie
from iam.login import attempt, enter, password
from iam.login.enter import CODIGO, NOVA_SENHA, Entered, Next
from iam.oauth import acr, interaction
from iam.oauth.interaction import Pending

TICKET = "__Host-portaria-entrada"
BROWSER = "__Host-portaria-navegador"
"""What a login by password leaves behind, so that a stranger's guessing makes nobody wait here."""

STEPS = ("", CODIGO, NOVA_SENHA)
CARRIED = ("pedido", "volta")
HOUSE = "portaria"
ADVICE = {
    "senha_incorreta": "Confira o login e a senha. Esqueceu a senha? Procure o cadastrador do seu órgão.",
    "codigo_incorreto": "Digite o código que o aplicativo mostra agora; cada código vale uma vez só, então espere o próximo "
    "se já usou este.",
    "tentativas_demais": "Houve tentativas demais sem acerto. A espera cresce a cada erro e acaba sozinha. "
    "Com certificado ICP-Brasil entra-se sem esperar.",
    "senha_provisoria": "A senha provisória venceu. Peça outra ao cadastrador do seu órgão.",
}
"""What a person can do about a refusal; for any other, what the decision says is missing."""


def needed(visit: Visit) -> Response | None:
    """Where a visitor must go before a page that needs a login; None when they may see it."""
    if visit.login is not None and acr.enough(visit.acr, acr.minimum(visit.policy, HOUSE)):
        return None
    query = visit.request.query.decode("ascii", "replace")
    back = f"{visit.request.path}?{query}" if query else visit.request.path
    return visit.redirect("/entrar", **({"volta": back} if visit.request.method == "GET" else {}))


def pagina(visit: Visit) -> Response:
    """The step that the address names; who has entered strongly enough, since the application asked, already goes on."""
    passo = visit.params.get("passo", "")
    if passo in STEPS[1:] and visit.request.cookie(TICKET):
        return _page(visit, passo, visit.params)
    asked = pending(visit, visit.params)
    if visit.login is not None and acr.enough(visit.acr, demanded(visit, asked)):
        if asked is None:
            return visit.redirect(guard.local(visit.params.get("volta", "")) or "/minhas")
        if visit.login.session.auth_time >= asked.since:
            return visit.redirect(asked.resume)
    elif visit.login is not None and demanded(visit, asked) == "mfa":
        return visit.redirect("/minhas/codigo", **kept(visit.params))
    return _page(visit, "", visit.params)


def enviar(visit: Visit) -> Response:
    """One step answered: on to the next, in, or the same page with the reason and the article."""
    passo, ticket = visit.form.get("passo", ""), visit.request.cookie(TICKET) or ""
    try:
        if passo == NOVA_SENHA:
            return _chosen(visit, ticket)
        if passo == CODIGO:
            codigo = visit.form.get("codigo", "")
            return _in(visit, enter.with_code(visit.house, visit.agente, ticket, codigo, former=visit.login))
        return _first(visit)
    except (Refused, Invalid) as error:
        stays = passo if error.code != "entrada_vencida" else ""
        return _page(visit, stays if passo in STEPS else "", visit.form, error)


def pending(visit: Visit, fields: Mapping[str, str]) -> Pending | None:
    """The authorization request that waits for this login; NotFound when it no longer does."""
    return interaction.pending(visit.house, fields["pedido"], None) if fields.get("pedido") else None


def demanded(visit: Visit, asked: Pending | None) -> str:
    """The weakest ``acr`` that serves: what the request demands, or the house for its own pages."""
    return asked.acr if asked else acr.minimum(visit.policy, HOUSE)


def kept(fields: Mapping[str, str]) -> dict[str, str]:
    """Where the person was going, as fields of a form or an address."""
    carried = {name: fields.get(name, "") for name in CARRIED} | {"volta": guard.local(fields.get("volta", ""))}
    return {name: value for name, value in carried.items() if value}


def onward(visit: Visit, fields: Mapping[str, str], cookies: tuple[tuple[str, str], ...], strength: str) -> Response:
    """In: the session's cookies, and on to where the person was going, or to what is still missing for it."""
    cookies = (*cookies, *forget(TICKET, guard.VISIT_COOKIE))
    with suppress(NotFound):  # a request that expired meanwhile is told so where it resumes
        if not acr.enough(strength, demanded(visit, pending(visit, fields))):
            return visit.redirect("/entrar", *cookies, **kept(fields))
    if fields.get("pedido"):
        return visit.redirect(f"{interaction.RESUME}?{urlencode({'pedido': fields['pedido']})}", *cookies)
    return visit.redirect(guard.local(fields.get("volta", "")) or "/minhas", *cookies)


def forget(*names: str) -> tuple[tuple[str, str], ...]:
    """Headers that make the browser drop these cookies."""
    return tuple(set_cookie(name, "", max_age=0) for name in names)


def certificate_address(visit: Visit, fields: Mapping[str, str]) -> str:
    """Where this browser proves a certificate; ``estado`` ties the way back to it."""
    query = urlencode({"estado": visit.csrf, **kept(fields)})
    return f"{visit.house.settings.mtls}/entrar/certificado?{query}"


def _first(visit: Visit) -> Response:
    asked = pending(visit, visit.form)
    if not acr.enough("mfa", demanded(visit, asked)):
        raise Invalid("aqui não se entra com senha", code="fator_insuficiente")
    login, senha = visit.field("login", "CPF ou login"), visit.form.get("senha", "")
    browser = visit.request.cookie(BROWSER) or ""
    found = enter.with_password(visit.house, visit.agente, login, senha, browser=browser, former=visit.login)
    return _in(visit, found) if isinstance(found, Entered) else _next(visit, found)


def _in(visit: Visit, entered: Entered) -> Response:
    known = set_cookie(BROWSER, entered.browser, max_age=int(attempt.BROWSER_LIFE.total_seconds()), same_site="Strict")
    return onward(visit, visit.form, (set_cookie(session.COOKIE, entered.cookie), known), entered.session.acr)


def _next(visit: Visit, step: Next) -> Response:
    ticket = set_cookie(TICKET, step.ticket, max_age=int(enter.TICKET_LIFE.total_seconds()), same_site="Strict")
    return visit.redirect("/entrar", ticket, passo=step.step, **kept(visit.form))


def _chosen(visit: Visit, ticket: str) -> Response:
    nova = visit.form.get("nova_senha", "")
    if nova != visit.form.get("repetida", ""):
        raise Invalid("as duas senhas não são iguais", code="senha_diferente", field="nova_senha")
    enter.choose_password(visit.house, visit.agente, ticket, nova)
    return visit.redirect("/entrar", *forget(TICKET), feito="senha", **kept(visit.form))


def _page(visit: Visit, passo: str, fields: Mapping[str, str], error: PortariaError | None = None) -> Response:
    """The form of a step. One that continues an authorization may send its redirects to that application."""
    asked, carried = pending(visit, fields), kept(fields)
    least = demanded(visit, asked)
    return visit.page(
        "entrar.html",
        status=error.status if error else 200,
        form_action=(guard.form_target(asked.redirect_uri),) if asked else (),
        passo=passo,
        carried=carried,
        asked=asked,
        least=least,
        own=asked is not None and least == acr.minimum(visit.policy, asked.sistema),
        by_password=acr.enough("mfa", least),
        login=fields.get("login", "") or (asked.login_hint if asked else ""),
        error=error,
        decision=error.decision if isinstance(error, Refused) else None,
        advice=ADVICE.get(error.decision.papel, "") if isinstance(error, Refused) else "",
        certificado=certificate_address(visit, fields),
        recomecar=f"/entrar?{urlencode(carried)}" if carried else "/entrar",
        minimo=password.MIN_LENGTH,
        issuer=visit.house.settings.issuer,
    )


SCREENS = (
    Screen("GET", "/entrar", pagina, open=True),
    Screen("POST", "/entrar", enviar, open=True, ato=Ato.SESSAO_ABRIR),
)
