"""MT128 art. 6 § 1º: the cadastrador reads anybody's present and past accesses alone, at any time."""

from __future__ import annotations

import re
from html import unescape

import pytest

from iam.demo.outsider import Outsider
from tests.house import Served, report


def cadastrador(served: Served) -> Outsider:
    """The cadastrador, in by certificate."""
    who = served.home.person("cadastrador")
    he = Outsider(served.home.data / "ca.pem", who["cert"], who["key"])
    served.met.append(he)
    page = he.ask("GET", f"{served.issuer}/entrar").body.decode()
    link = re.search(r'href="([^"]*/entrar/certificado\?[^"]*)"', page)
    assert link is not None
    assert he.browse(he.ask("GET", unescape(link[1])), "never").status == 200
    return he


def file_of(he: Outsider, served: Served, role: str) -> tuple[str, str]:
    """What the page of somebody found by CPF says: of what is in force, and of what ended."""
    found = he.ask("GET", f"{served.issuer}/admin/pessoa?busca={served.home.person(role)['cpf']}").body.decode()
    (path,) = set(re.findall(r'href="(/admin/pessoa/[0-9a-f]{32})"', found))
    page = he.ask("GET", f"{served.issuer}{path}")
    assert page.status == 200
    whole = page.body.decode()
    held = whole.partition("<h2>Concessões em vigor</h2>")[2].partition("<h2>Vínculos</h2>")[0]
    present, _, past = held.partition("Concessões encerradas")
    return present, past


@pytest.mark.requirement("MT128-6-1.1")
def test_the_cadastrador_reads_present_and_past_accesses_of_any_person_in_any_system(shared: Served) -> None:
    he = cadastrador(shared)
    for role, perfis in (
        ("servidora", ("mt-operacao", "mt-consulta", "mt-manutencao")),
        ("perito", ("coana-perito", "EV-2026-0001")),
        ("procurador", ("dec-procurador-digital", "11222333000181")),
        ("auditor", ("auditor",)),
    ):
        present, past = file_of(he, shared, role)
        assert all(perfil in present for perfil in perfis), role
        assert past == ""
    assert report(shared, "remanejamento", "PORT 77/2026").status == 202
    present, past = file_of(he, shared, "servidora")
    assert "mt-operacao" not in present
    for perfil in ("mt-operacao", "mt-consulta", "mt-manutencao"):
        assert perfil in past
    assert "carga inicial da demonstração" in past
    assert "MT128-13.1" in past or "Art. 13" in past
