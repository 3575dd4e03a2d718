"""The journal: who did what, to whom, from where, when and under which article; filtered and paged (TRAM art. 12 IV).

Whoever reads is recorded by the act of reading. Times are in the legal hour of the reader's órgão and in UTC.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import orjson

from admin_ui import text
from admin_ui.catalogo import plain
from admin_ui.pessoa import Page
from admin_ui.visit import Screen, Visit
from iam.ato import Ato
from iam.atos import diario, papel, vinculo
from iam.atos import pessoa as pessoas
from iam.atos.diario import Lancamento
from iam.atos.orgao import Orgao
from iam.context import Ctx
from iam.errors import Invalid
from iam.http import Response
from iam.norm import LEGAL_TIME
from iam.search import Filter

MOST = 50
FIELDS = ("pessoa", "como", "sistema", "requisito", "ato", "resultado", "de", "ate")
RESULTADOS = {"permitido": True, "recusado": False}
ARTIGO = re.compile(r"(?:art(?:igo)?s?\b\.?\s*)?(\d+\b.*)", re.IGNORECASE)
STATION = {"user_agent": "programa", "client_id": "aplicação", "certificate": "certificado"}


def ler(visit: Visit) -> Response:
    """The entries that the filter lets through, newest first."""
    asked = {name: visit.params.get(name, "").strip()[:120] for name in FIELDS}
    before = visit.params.get("antes", "")
    visit.house.seal()
    with visit.begin() as ctx:
        tz = _tz(ctx)
        filtro, wrong = _filtro(ctx, asked, tz)
        cursor = int(before) if before.isascii() and before.isdigit() and len(before) < 19 else None
        if wrong:  # even so only for who may read: what is wrong tells who is known here
            ctx.require(Ato.DIARIO_LER, papel.CASA, papel.of(ctx))
        found = diario.ler(ctx, filtro, papeis=papel.of(ctx), before=cursor, most=MOST) if not wrong else []
    here = "/admin/diario?" + "".join(f"{urlencode({k: v})}&" for k, v in asked.items() if v)
    page = Page(found, here.rstrip("?&") if cursor else "", f"{here}antes={found[-1].id}" if len(found) == MOST else "")
    return visit.page(
        "diario.html",
        status=422 if wrong else 200,
        filtro=asked,
        erro=wrong,
        page=page,
        atos=sorted(((a.value, text.ato(a)) for a in Ato), key=lambda pair: plain(pair[1])),
        sistemas=sorted(
            ((s.id, f"{s.nome} ({s.id})") for s in visit.policy.sistemas()), key=lambda pair: plain(pair[1])
        ),
        filtrado=any(asked.values()),
        tz=tz,
        quem=quem,
        detalhe=detalhe,
    )


def quem(entry: Lancamento) -> str:
    """Who acted, in words."""
    return text.quem(entry.agente, {entry.agente: entry.agente_nome})


def detalhe(entry: Lancamento) -> list[tuple[str, str]]:
    """What else the entry keeps, as name and text: first of the workstation (program, and what it proved)."""
    station = [(STATION[name], entry.estacao[name]) for name in STATION if entry.estacao.get(name)]
    extra: Mapping[str, object] = {**entry.detalhe, **({"jti": entry.jti} if entry.jti else {})}
    told = sorted((name.replace("_", " "), value) for name, value in extra.items() if value not in (None, "", [], {}))
    return station + [(name, value if isinstance(value, str) else orjson.dumps(value).decode()) for name, value in told]


def _tz(ctx: Ctx) -> str:
    """The legal hour of the reader's órgão."""
    for tie in vinculo.vigentes(ctx.db, ctx.agente.id, ctx.now):
        unit = ctx.db.get(Orgao, tie.orgao)
        if unit is not None:
            return unit.tz
    return LEGAL_TIME


def _filtro(ctx: Ctx, asked: Mapping[str, str], tz: str) -> tuple[Filter, dict[str, str]]:
    """The filter as the act takes it, and what is wrong with it, by field."""
    somebody = pessoas.by_login(ctx.db, asked["pessoa"]) if asked["pessoa"] else None
    wrong = {"pessoa": "Não há pessoa com este CPF ou login."} if asked["pessoa"] and somebody is None else {}
    days: dict[str, datetime | None] = {}
    for name in ("de", "ate"):
        try:
            days[name] = _day(asked[name], tz)
        except Invalid as error:
            wrong[name] = text.sentence(error.message)
    de, ate = days.get("de"), days.get("ate")
    if de and ate and de > ate:
        wrong["ate"] = "O fim do período vem antes do começo."
    if wrong:
        return Filter(), wrong
    end = ate + timedelta(days=1) if ate else None
    who = somebody.id if somebody else ""
    article = ARTIGO.fullmatch(asked["requisito"])
    acted = asked["como"] == "agente" and who
    return (
        Filter(
            pessoa="" if acted else who,
            agente=f"pessoa:{who}" if acted else "",
            sistema=asked["sistema"],
            requirement="" if article else asked["requisito"].upper(),
            article=article[1] if article else "",
            ato=asked["ato"],
            allowed=RESULTADOS.get(asked["resultado"]),
            since=de,
            until=end,
        ),
        {},
    )


def _day(written: str, tz: str) -> datetime | None:
    """The first moment of a day in a legal hour."""
    if not written:
        return None
    try:
        return datetime.combine(date.fromisoformat(written), time.min, ZoneInfo(tz))
    except ValueError:
        raise Invalid("escreva a data como dia, mês e ano", code="data_invalida") from None


SCREENS = (Screen("GET", "/admin/diario", ler),)
