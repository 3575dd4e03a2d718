"""Enrolling an authenticator (RFC 6238), the first or another: a picture to read, the same in letters, the code that proves it."""

from __future__ import annotations

from collections.abc import Mapping

import segno
from markupsafe import Markup

from admin_ui import entrar, text
from admin_ui.visit import Screen, Visit
from iam import session
from iam.ato import Ato
from iam.errors import Invalid, PortariaError, Refused
from iam.http import Response
from iam.login import enrol
from iam.login.enrol import Offer


def oferecer(visit: Visit) -> Response:
    """A new seed, shown once; to who came for an application with a password alone, also why."""
    if visit.login is None:
        return visit.redirect("/entrar", volta="/minhas/codigo")
    return _page(visit, enrol.offer(visit.house, visit.login), visit.params)


def cadastrar(visit: Visit) -> Response:
    """The code that the authenticator shows, and where there was one before a code of that; then everybody enters again."""
    if visit.login is None:
        return visit.redirect("/entrar", volta="/minhas/codigo")
    sealed, codigo = visit.form.get("semente", ""), visit.form.get("codigo", "")
    atual = visit.form.get("codigo_atual", "")
    try:
        enrol.enrol(visit.house, visit.agente, visit.login, sealed, codigo, atual=atual)
    except (Invalid, Refused) as wrong:
        if isinstance(wrong, Invalid) and wrong.field != "codigo":
            raise
        return _page(visit, enrol.offered(visit.house, visit.login, sealed), visit.form, wrong)
    return visit.redirect("/entrar", *entrar.forget(session.COOKIE), feito="codigo", **entrar.kept(visit.form))


def _page(visit: Visit, offered: Offer, fields: Mapping[str, str], wrong: PortariaError | None = None) -> Response:
    refused = wrong.decision if isinstance(wrong, Refused) else None
    return visit.page(
        "codigo.html",
        status=wrong.status if wrong else 200,
        erro={"codigo": text.sentence(wrong.message)} if wrong and not refused else {},
        refused=refused,
        advice=entrar.ADVICE.get(refused.papel, "") if refused else "",
        asks=offered.asks,
        imagem=picture(offered.uri),
        letras=letters(offered.seed),
        semente=offered.sealed,
        asked=entrar.pending(visit, fields),
        carried=entrar.kept(fields),
        certificado=entrar.certificate_address(visit, {"volta": "/minhas/codigo"} if offered.asks else fields),
    )


def picture(uri: str) -> Markup:
    """The QR code as SVG, without style attributes (they would break the content security policy)."""
    drawn = segno.make(uri, error="m").svg_inline(scale=4, border=2, dark="#000", light="#fff", omitsize=True)
    return Markup(drawn)  # noqa: S704 - drawn by segno from squares; the text is not in it


def letters(seed: str) -> str:
    """The seed in groups of four, to be typed."""
    return " ".join(seed[i : i + 4] for i in range(0, len(seed), 4))


SCREENS = (
    Screen("GET", "/minhas/codigo", oferecer, open=True),
    Screen("POST", "/minhas/codigo", cadastrar, open=True, ato=Ato.CREDENCIAL_CADASTRAR),
)
