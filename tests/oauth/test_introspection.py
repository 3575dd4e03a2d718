"""RFC 7662: who is answered, and that activity is recomputed from what the token rests on."""

from __future__ import annotations

import secrets
from dataclasses import replace
from datetime import datetime

import orjson
import pytest

from iam import recorder
from iam.atos import client, concessao, sujeito
from iam.atos.conceder import conceder, revogar
from iam.context import Ctx
from iam.icp_brasil import crl, truststore
from iam.icp_brasil.chain import Trust
from iam.journal import Entry
from tests.oauth.world import OPERATOR, PAPEIS, World, body, claims, header


def machine_token(world: World, name: str = "mt", scope: str = "") -> str:
    return str(body(world.machine(name, scope))["access_token"])


def test_the_decision_point_may_ask_about_any_token(world: World) -> None:
    said = world.introspect(machine_token(world))
    assert said["active"] is True
    assert said["token_type"] == "Bearer"
    assert said["client_id"] == said["sub"] == "mt"
    assert said["scope"] == "pucomex:ANEXANEXAR pucomex:DIMPCONSEF"
    assert said["cnf"]
    assert not said.keys() & {"epoch", "authorization"}


@pytest.mark.requirement("COTEC62-1-2-I")
def test_a_token_for_pucomex_is_accepted_by_no_other_application(world: World) -> None:
    token = machine_token(world)
    assert claims(token)["aud"] == "urn:portaria:sistema:pucomex"
    assert world.introspect(token, by="ipva-servidor") == {"active": False}
    assert world.introspect(token, by="ipva-pdp") == {"active": False}
    assert world.introspect(token)["active"] is True


def test_an_application_is_answered_only_about_its_own_sistema(world: World) -> None:
    person = world.tokens()["access_token"]
    assert world.introspect(person, by="ipva-servidor")["active"] is True
    assert world.introspect(machine_token(world), by="ipva-servidor") == {"active": False}
    assert world.introspect(person, by="mt") == {"active": False}
    assert world.introspect(person, by="auditoria") == {"active": False}


def refusals(world: World) -> list[Entry]:
    return [e for e in world.entries() if e.ato == "token:introspectar"]


def test_that_a_caller_was_not_entitled_to_a_token_is_on_the_journal_with_its_article(world: World) -> None:
    person, machine = claims(world.tokens()["access_token"]), machine_token(world)
    world.introspect(machine)
    assert refusals(world) == []
    for by, token in (("auditoria", machine), ("ipva-pdp", machine)):
        assert world.introspect(token, by=by) == {"active": False}
        line = refusals(world)[-1]
        assert (line.allowed, line.agente, line.obj, line.sistema) == (False, f"client:{by}", "pucomex", "pucomex")
        assert line.article
        assert line.jti is None
        assert orjson.loads(line.payload or b"")["token"] == claims(machine)["jti"]
    mine = world.tokens(scope="openid")["access_token"]
    assert claims(mine)["aud"] == world.house.settings.issuer
    assert world.introspect(mine, by="ipva-pdp") == {"active": False}
    assert (refusals(world)[-1].obj, refusals(world)[-1].sistema) == ("portaria", None)
    assert world.pessoa not in {line.pessoa for line in refusals(world)}
    assert str(person["sub"]) not in " ".join(str(line.payload) for line in refusals(world))


def test_somebody_elses_refresh_token_is_refused_on_the_journal(world: World) -> None:
    given = world.tokens()["refresh_token"]
    assert world.introspect(given) == {"active": False}
    (line,) = refusals(world)
    assert (line.allowed, line.agente, line.requirement) == (False, "client:pdp", "CASA-04")


def test_a_caller_that_insists_is_counted_not_written_line_by_line(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COALESCE_SECONDS", 3600.0)
    token = machine_token(world)
    for _ in range(50):
        assert world.introspect(token, by="auditoria") == {"active": False}
    times = [orjson.loads(line.payload or b"").get("vezes", 1) for line in refusals(world)]
    assert len(times) <= 2, "what came before the writer woke, and the rest"
    assert sum(times) == 50


def test_a_repeated_authorization_header_is_a_malformed_request(world: World) -> None:
    from iam.http import Request

    twice = ((b"authorization", b"Bearer a"), (b"authorization", b"Bearer b"))
    form = (b"content-type", b"application/x-www-form-urlencoded")
    answer = world.call("/oauth/introspect", Request("POST", "/oauth/introspect", b"", (*twice, form), b"token=x"))
    assert (answer.status, body(answer)["error"]) == (400, "invalid_request")
    assert refusals(world)[-1].requirement == "CASA-16"


def test_a_caller_that_proves_nothing_gets_401(world: World) -> None:
    token = machine_token(world)
    for form, cert in (
        ({"token": token}, None),
        ({"client_id": "pdp", "token": token}, None),
        ({"client_id": "app", "token": token}, None),
    ):
        answer = world.post("/oauth/introspect", form, cert)
        assert answer.status in (400, 401), answer.body
        assert b"active" not in answer.body
    answer = world.post("/oauth/introspect", {"client_id": "pdp", "token": token}, world.certs["mt"])
    assert answer.status == 401
    assert header(answer, "www-authenticate").startswith("Bearer")


def test_a_bound_token_is_also_a_credential_of_the_caller(world: World) -> None:
    mine = str(body(world.machine("pdp"))["access_token"])
    form = {"token": machine_token(world)}
    answer = world.post("/oauth/introspect", form, world.certs["pdp"], authorization=f"Bearer {mine}")
    assert body(answer)["active"] is True
    assert world.post("/oauth/introspect", form, world.certs["mt"], authorization=f"Bearer {mine}").status == 401


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "é", "..", "eyJhbGciOiJub25lIn0.e30.", "0" * 9000])
def test_anything_that_is_no_token_is_inactive(world: World, token: str) -> None:
    answer = world.post("/oauth/introspect", {"client_id": "pdp", "token": token}, world.certs["pdp"])
    assert answer.status == (200 if token else 400)
    assert not token or body(answer) == {"active": False}


def test_a_forged_signature_or_another_key_is_inactive(world: World) -> None:
    token = machine_token(world)
    head, payload, signature = token.split(".")
    assert world.introspect(f"{head}.{payload}.{secrets.token_urlsafe(64)[:86]}") == {"active": False}
    receipt = world.house.keys.signer("receipt").jws("at+jwt", b'{"iss":"x"}')
    assert world.introspect(receipt) == {"active": False}
    id_token = world.tokens()["id_token"]
    assert world.introspect(id_token) == {"active": False}
    assert signature


def test_a_certificate_revoked_since_ends_its_tokens_in_every_process(world: World) -> None:
    token = machine_token(world)
    assert "certificate" not in world.introspect(token)
    other = replace(world, house=replace(world.house, remembered={}, trust=trust_of(world)))
    assert other.introspect(token)["active"] is True
    serial = world.certs["mt"].certificate.serial_number
    (world.house.data / "ca.crl").write_bytes(world.authority.crl(world.now, {serial: world.now}, number=2))
    third = replace(world, house=replace(world.house, remembered={}, trust=trust_of(world)))
    for process in (world, other, third):
        assert process.introspect(token) == {"active": False}
    world.later(seconds=1)
    assert world.introspect(machine_token(world, "sp"))["active"] is True


def trust_of(world: World) -> Trust:
    """What another process believes, from the same files."""
    settings = world.house.settings
    return Trust(truststore.load(settings.trust.read_bytes(), test=True), crl.Lists.of(settings.crls))


def test_a_concessao_that_ended_makes_the_token_inactive(world: World) -> None:
    both, one = machine_token(world), machine_token(world, scope="pucomex:ANEXANEXAR")
    with world.house.begin(OPERATOR) as ctx:
        right = next(r for r in concessao.vigentes(ctx.db, "sefaz-mt", ctx.now) if r.perfil == "DIMPCONSEF")
        revogar(ctx, right, motivo="teste", papeis=PAPEIS)
    assert world.introspect(both) == {"active": False}
    assert world.introspect(one)["active"] is True


@pytest.mark.parametrize("by", ["orgao", "client"])
@pytest.mark.parametrize("after", [0, 60])
def test_a_right_given_again_with_its_old_date_wakes_no_token(world: World, by: str, after: int) -> None:
    start = world.now
    with world.house.begin(OPERATOR) as ctx:
        again(ctx, "sefaz-sp", start)
    world.later(minutes=1)
    token, kept = machine_token(world, "sp", "pucomex:ANEXANEXAR"), machine_token(world)
    with world.house.begin(OPERATOR) as ctx:
        right = next(r for r in concessao.vigentes(ctx.db, "sefaz-sp", ctx.now) if r.perfil == "ANEXANEXAR")
        revogar(ctx, right, motivo="teste", papeis=PAPEIS)
    assert world.introspect(token) == {"active": False}
    world.later(seconds=after)
    with world.house.begin(OPERATOR) as ctx:
        again(ctx, "sefaz-sp" if by == "orgao" else "sp", start)
    assert world.introspect(token) == {"active": False}
    assert world.introspect(machine_token(world, "sp", "pucomex:ANEXANEXAR"))["active"] is True
    assert world.introspect(kept)["active"] is True, "another órgão's"


def test_a_further_right_ends_no_token(world: World) -> None:
    token = machine_token(world, "sp")
    with world.house.begin(OPERATOR) as ctx:
        again(ctx, "sefaz-sp", world.now)
    assert world.introspect(token)["active"] is True


def again(ctx: Ctx, sujeito_id: str, start: datetime) -> None:
    """ANEXANEXAR, from a day that may be past."""
    conceder(
        ctx,
        sujeito_id,
        "pucomex",
        "ANEXANEXAR",
        vinculo=None,
        origem="teste",
        fundamento="teste",
        papeis=PAPEIS,
        de=start,
    )


def test_time_ends_a_token(world: World) -> None:
    token = machine_token(world)
    world.later(seconds=301)
    assert world.introspect(token) == {"active": False}


def test_epochs_of_client_and_orgao_end_its_tokens_and_nothing_old_comes_back(world: World) -> None:
    for id in ("mt", "sefaz-mt"):
        token = machine_token(world)
        assert world.introspect(token)["active"] is True
        with world.house.begin(OPERATOR) as ctx:
            sujeito.raise_epoch(ctx.db, [id])
        assert world.introspect(token) == {"active": False}
        assert world.introspect(machine_token(world))["active"] is True


def test_a_suspended_caller_is_not_answered(world: World) -> None:
    token = machine_token(world)
    with world.house.begin(OPERATOR) as ctx:
        program = ctx.db.get(client.Client, "pdp")
        assert program is not None
        program.estado = "suspenso"
        sujeito.raise_epoch(ctx.db, ["pdp"])
    answer = world.post("/oauth/introspect", {"client_id": "pdp", "token": token}, world.certs["pdp"])
    assert answer.status == 401
