"""One try of a secret: a password under the name that was typed, a code under its seed. It is counted before it is looked at.

Texts: CASA-12 (how many, how long), RFC 6238 §5.2 (no code twice). How counts grow and shrink is :mod:`iam.login.throttle`'s;
logging in and proving oneself again count in the same rows, so that neither is the way round the other.
"""

from __future__ import annotations

import secrets
from contextlib import suppress
from datetime import timedelta

from sqlalchemy import select

from iam.atos.credencial import TOTP, Credencial
from iam.atos.pessoa import Pessoa
from iam.context import Agente, Ctx, House
from iam.errors import Invalid
from iam.login import throttle, ticket, totp

BROWSER_LIFE = timedelta(days=180)


def keys(house: House, agente: Agente, login: str, who: Pessoa | None, browser: str) -> throttle.Keys:
    """What a try is counted under: this browser alone, when the person entered by it before."""
    with suppress(Invalid):
        body = ticket.unseal(house, "login browser", browser)
        if who is not None and body["who"] == who.id:
            return throttle.of_browser(house.vault, house.policy, str(body["id"]))
    return throttle.of_stranger(house.vault, house.policy, agente, login)


def browser(house: House, who: Pessoa) -> str:
    """What makes a browser known to :func:`keys`, once the person has entered by it."""
    return ticket.seal(house, "login browser", BROWSER_LIFE, who=who.id, id=secrets.token_urlsafe(16))


def allowed(house: House, agente: Agente, counted: throttle.Keys) -> bool:
    """Counts a try before it is checked; False when one must wait, which costs no write."""
    with house.reading() as db:
        if not throttle.free(db, counted, house.clock()):
            return False
    with house.begin(agente) as ctx:
        free = throttle.count(ctx.db, counted, ctx.now)
    if throttle.due(counted):
        with house.begin(agente) as ctx:
            throttle.sweep(ctx.db, ctx.now)
    return free


def right(house: House, agente: Agente, proof: str, counted: throttle.Keys) -> bool:
    """What was typed was right: the count begins again, and a provisional senha is used up; False when it already was."""
    with house.begin(agente) as ctx:
        row = ctx.db.get(Credencial, proof, with_for_update=True)
        if row is None or row.encerrada_em is not None:
            return False
        throttle.right(ctx.db, counted)
        if row.provisoria:
            row.encerrada_em = ctx.now
        return True


def code(ctx: Ctx, who: Pessoa, codigo: str) -> str:
    """Uses up a code of the person's authenticator. Answers the word that speaks against it, "" when it is right."""
    rule = throttle.guessing(ctx.policy)
    query = select(Credencial).where(Credencial.sujeito == who.id, Credencial.kind == TOTP)
    seed = ctx.db.scalars(query.where(Credencial.encerrada_em.is_(None)).with_for_update()).first()
    if seed is None or seed.segredo is None:
        return "codigo_incorreto"
    if rule.wait(seed.falhas, seed.falhou_em, ctx.now):
        return throttle.TENTATIVAS_DEMAIS
    secret = ctx.house.vault.open(seed.segredo, f"totp {who.id}").decode()
    step = totp.verify(secret, codigo, ctx.now, seed.passo)
    if step is None:
        seed.falhas = round(rule.left(seed.falhas, seed.falhou_em, ctx.now)) + 1
        seed.falhou_em = ctx.now
        return "codigo_incorreto"
    seed.passo, seed.falhas, seed.falhou_em = step, 0, None
    return ""
