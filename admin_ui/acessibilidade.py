"""The accessibility statement, with the keyboard shortcuts (eMAG 3.1 §1.5, LBI art. 63). Public; reads nothing."""

from __future__ import annotations

from admin_ui.visit import Screen, Visit
from iam.http import Response


def ler(visit: Visit) -> Response:
    """The page."""
    return visit.page("acessibilidade.html")


SCREENS = (Screen("GET", "/acessibilidade", ler, public=True),)
