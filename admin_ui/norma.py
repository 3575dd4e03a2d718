"""The norms in force, article by article, with the lines of policy that each one justifies. Public: the law is.

Texts: the packs. This is the page an auditor opens first: from an article to what the software does about it.
"""

from __future__ import annotations

from collections import defaultdict

from admin_ui.visit import Screen, Visit
from iam.errors import NotFound
from iam.http import Response


def listar(visit: Visit) -> Response:
    """The norms that were read, in force or not."""
    packs = sorted(visit.policy.read.values(), key=lambda p: (p.id == "casa", p.title))
    return visit.page("norma.html", packs=packs, vigentes=visit.policy.packs)


def ver(visit: Visit, id: str) -> Response:
    """One norm: its provisions and the rules, limits and effects that cite them."""
    pack = visit.policy.read.get(id)
    if pack is None:
        raise NotFound("norma não encontrada")
    regras, efeitos, limites = defaultdict(list), defaultdict(list), defaultdict(list)
    for rule in pack.rules:
        regras[rule.source.requirement].append(rule)
    for effect in pack.effects:
        efeitos[effect.source.requirement].append(effect)
    for limit in pack.limits:
        limites[limit.source.requirement].append(limit)
    return visit.page("norma_ver.html", pack=pack, regras=regras, efeitos=efeitos, limites=limites)


SCREENS = (Screen("GET", "/norma", listar, public=True), Screen("GET", "/norma/<id>", ver, public=True))
