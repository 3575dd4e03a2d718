"""The door of the administration: on to the first of its pages that the person may open."""

from __future__ import annotations

from admin_ui.visit import MENU, Screen, Visit
from iam.ato import Ato
from iam.atos import papel
from iam.http import Response


def abrir(visit: Visit) -> Response:
    """The first page of the menu's administration part. Raises Refused, with what is missing, for who may open none."""
    for path, _, ato in MENU:
        if ato is not None and visit.may(ato):
            return visit.redirect(path)
    with visit.begin() as ctx:
        ctx.require(Ato.PESSOA_CONSULTAR, papel.CASA, papel.of(ctx))
    return visit.redirect("/admin/pessoa")


SCREENS = (Screen("GET", "/admin", abrir),)
