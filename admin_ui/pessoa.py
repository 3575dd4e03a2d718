"""People: the list that can be searched, and one person's file, past grants too (MT128 art. 6 §1).

Whom somebody may see is decided, and recorded, by :mod:`iam.atos.consulta`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from admin_ui import ficha
from admin_ui.visit import Screen, Visit
from iam.atos import consulta, evento, pendencia
from iam.http import Response
from iam.oauth import interaction


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list and the links to the first and the next."""

    items: Sequence[object]
    start: str = ""
    next: str = ""


def listar(visit: Visit) -> Response:
    """People by part of name, login or CPF."""
    busca, depois = visit.params.get("busca", "")[:120], visit.params.get("depois", "")[:64]
    with visit.begin() as ctx:
        found, after = consulta.procurar(ctx, busca, after=depois)
    here = "/admin/pessoa?" + (f"{urlencode({'busca': busca})}&" if busca else "")
    follow = here + urlencode({"depois": after}) if after else ""
    return visit.page("pessoa.html", busca=busca, page=Page(found, here.rstrip("?&") if depois else "", follow))


def ver(visit: Visit, id: str) -> Response:
    """One person: ties, rights, events, sessions, credentials."""
    with visit.begin() as ctx:
        somebody = consulta.ver(ctx, id)
        file = ficha.ler(ctx, somebody, interaction.idle(visit.house))
        told = [(e, somebody.nome) for e in evento.historico(ctx.db, pessoa=id)]
        waiting = pendencia.abertas(ctx.db, pessoa=id)
    return visit.page("pessoa_ver.html", ficha=file, eventos=told, pendencias=waiting)


SCREENS = (Screen("GET", "/admin/pessoa", listar), Screen("GET", "/admin/pessoa/<id>", ver))
