"""Several nodes on one PostgreSQL: what one node's commit ended, no other node gives, whatever it remembers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from iam.app import close, open_house
from iam.atos import client, concessao, credencial
from iam.atos.conceder import revogar
from iam.demo.world import OPERATOR
from tests.house import Home, Served, introspect, login, make, refresh, report, serving, userinfo
from tests.servers import free_port


@pytest.fixture
def nodes(tmp_path: Path, postgresql_url: str) -> Iterator[tuple[Served, Served]]:
    """Two servers, each with its own memory and its own ports, that answer for one issuer."""
    first = make(tmp_path / "data", postgresql_url)
    settings = replace(first.house.settings, port=free_port(), mtls_port=free_port())
    second = Home(open_house(settings, first.clock), first.world, first.clock)
    with serving(first) as one, serving(second) as other:
        other.issuer, other.mtls = f"https://localhost:{settings.port}", f"https://localhost:{settings.mtls_port}"
        yield one, other
    close(second.house)
    close(first.house)


def test_a_person_cut_on_one_node_is_out_on_the_other_at_once(nodes: tuple[Served, Served]) -> None:
    one, other = nodes
    she = login(one)
    assert introspect(other, she.access)["active"] is True
    assert userinfo(other, she.access).status == 200
    assert report(one, "remanejamento", "1").status == 202
    assert introspect(other, she.access) == {"active": False}
    assert userinfo(other, she.access).status == 401
    assert refresh(other, she).json()["error"] == "invalid_grant"


def test_a_right_that_ended_on_one_node_is_in_no_token_of_the_other_that_remembers_it(
    nodes: tuple[Served, Served],
) -> None:
    one, other = nodes
    form = {"grant_type": "client_credentials", "client_id": "sefaz-mt-pucomex", "scope": "pucomex:ANEXANEXAR"}
    caller = other.outsider("sefaz-mt")
    assert caller.form(f"{other.mtls}/oauth/token", form).status == 200
    with one.house.begin(OPERATOR) as ctx:
        (right,) = [c for c in concessao.vigentes(ctx.db, "sefaz-mt", ctx.now) if c.perfil == "ANEXANEXAR"]
        revogar(ctx, right, motivo="teste", papeis=frozenset({"operador"}))
    assert caller.form(f"{other.mtls}/oauth/token", form).json()["error"] == "invalid_scope"
    with one.house.begin(OPERATOR) as ctx:
        (proof,) = client.certificates(ctx.db, "sefaz-mt-pucomex")
        credencial.revogar(ctx, proof, motivo="teste", papeis=frozenset({"operador"}))
    rest = form | {"scope": "pucomex:DIMPCONSEF"}
    assert caller.form(f"{other.mtls}/oauth/token", rest).json()["error"] == "invalid_client"


def test_a_key_rotated_on_one_node_is_soon_published_by_the_other(nodes: tuple[Served, Served]) -> None:
    one, other = nodes
    with one.house.begin(OPERATOR) as ctx:
        made = one.house.keys.rotate(ctx.db, "token", ctx.now).kid
    one.house.keys.load()
    other.house.keys.refresh()
    keys = other.outsider().ask("GET", f"{other.issuer}/oauth/jwks").json()["keys"]
    assert isinstance(keys, list)
    assert made in {key["kid"] for key in keys}
    token = one.token("pdp", "decisoes")
    assert introspect(other, token)["active"] is True
