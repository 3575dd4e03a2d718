"""What somebody had typed when the session ended, kept in their browser until they are back (WCAG 2.2 2.2.5).

A form carries ``autor``, a keyed digest of the person it was shown to. When it arrives under a dead session it goes into
a cookie sealed for that ``autor`` and good for fifteen minutes: nobody else can open it, and nothing of it is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

from admin_ui.visit import Screen, Visit
from iam.config import Unsafe
from iam.http import Response, set_cookie
from iam.keys import b64url, b64url_decode

COOKIE = "__Host-portaria-rascunho"
LIFE = timedelta(minutes=15)
MOST = 3800
OWN = ("csrf", "autor")
FORGET = set_cookie(COOKIE, "", max_age=0, same_site="Strict")


@dataclass(frozen=True, slots=True)
class Rascunho:
    """The fields of a form that could not be taken, and the path they were sent to."""

    path: str
    form: Mapping[str, str]


def keep(visit: Visit, screen: Screen) -> Response | None:
    """On to the page where the form begins again, with what was typed; None where there is none or it is too long."""
    autor = visit.form.get("autor", "")
    if not screen.again or not autor:
        return None
    body = {
        "path": visit.request.path,
        "form": {name: value for name, value in visit.form.items() if name not in OWN},
        "exp": int((visit.now + LIFE).timestamp()),
    }
    sealed = b64url(visit.house.vault.seal(orjson.dumps(body), f"rascunho {autor}"))
    if len(sealed) > MOST:
        return None
    kept = set_cookie(COOKIE, sealed, max_age=int(LIFE.total_seconds()), same_site="Strict")
    return visit.redirect(screen.again, kept)


def found(visit: Visit) -> Rascunho | None:
    """What this very person had typed, while it is fresh."""
    cookie = visit.request.cookie(COOKIE)
    if not cookie or not visit.autor:
        return None
    try:
        body = orjson.loads(visit.house.vault.open(b64url_decode(cookie), f"rascunho {visit.autor}"))
    except (ValueError, Unsafe):
        return None
    if datetime.fromtimestamp(body["exp"], UTC) <= visit.now:
        return None
    return Rascunho(body["path"], body["form"])
