"""No token says that it lives longer than anything it rests on (RFC 9068 §5, GAP-ALL-04): each bound, one by one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from sqlalchemy import select, update

from iam import session
from iam.atos import client, concessao, sujeito, vinculo
from iam.login import enter
from tests.oauth.world import OPERATOR, World, body, claims, give, params, request, tied

OFFLINE = "openid offline_access mt-ipva:consultar"


def within(world: World, said: Mapping[str, object], seconds: int) -> None:
    """Access and ID token end together, after so many seconds at the most."""
    assert said["expires_in"] == seconds, said
    end = int(world.now.timestamp()) + seconds
    assert claims(str(said["access_token"]))["exp"] == end
    if "id_token" in said:
        assert claims(str(said["id_token"]))["exp"] == end


def test_nothing_else_ends_sooner_than_five_minutes(world: World) -> None:
    within(world, world.tokens(), 300)
    assert body(world.machine("mt"))["expires_in"] == 300


@pytest.mark.parametrize("scope", ["", "openid"])
def test_the_concessao(world: World, scope: str) -> None:
    with world.house.begin(OPERATOR) as ctx:
        for right in concessao.vigentes(ctx.db, world.pessoa, ctx.now):
            right.vigente_ate = world.now + timedelta(seconds=100)
    first = world.tokens(scope=OFFLINE)
    within(world, first, 100)
    world.later(seconds=40)
    within(world, body(world.refresh(first["refresh_token"], scope=scope)), 60)
    world.later(seconds=60)
    assert world.introspect(first["access_token"]) == {"active": False}


def until(world: World, seconds: int) -> datetime:
    return world.now + timedelta(seconds=seconds)


def test_of_two_concessoes_of_the_same_perfil_the_longer_one(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        for right in concessao.vigentes(ctx.db, world.pessoa, ctx.now):
            right.prazo = right.vigente_ate = until(world, 100)
        give(ctx, world.pessoa, tie, "mt-ipva", "mt-consulta", restricao={"uf": ["MT"]}, ate=until(world, 200))
    within(world, world.tokens(), 200)


def test_the_vinculo_chosen(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get_one(vinculo.Vinculo, world.vinculo)
        tie.prazo = tie.ate = until(world, 100)
        tied(ctx, world, "sefaz-sp", "9")
    within(world, world.tokens(), 100)


def test_the_last_of_the_vinculos_where_none_was_chosen(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get_one(vinculo.Vinculo, world.vinculo)
        tie.prazo = tie.ate = until(world, 100)
        for orgao, ate in (("sefaz-sp", 200), ("rfb", 150)):
            tied(ctx, world, orgao, "9", until(world, ate))
    said = world.tokens(scope="openid offline_access")
    within(world, said, 200)
    assert "orgao" not in claims(said["access_token"])
    world.later(seconds=199)
    assert world.introspect(said["access_token"])["active"] is True
    within(world, body(world.refresh(said["refresh_token"])), 1)
    world.later(seconds=1)
    assert world.introspect(said["access_token"]) == {"active": False}


def test_the_certificate_of_the_client_and_its_registration(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        (proof,) = client.certificates(ctx.db, "mt")
        proof.expira_em = until(world, 100)
        sujeito.touch(ctx.db, ["mt"])
    within(world, body(world.machine("mt")), 100)
    world.later(seconds=100)
    assert world.machine("mt").status == 401
    short = world.authority.leaf(world.now, world.certs["pdp"].certificate.subject, days=6 / 1440)
    lasts = short.certificate.not_valid_after_utc - world.now
    assert timedelta(0) < lasts <= timedelta(seconds=60)
    asked = world.token({"grant_type": "client_credentials", "client_id": "pdp"}, short)
    within(world, body(asked), int(lasts.total_seconds()))


def seen(world: World) -> None:
    """The person did something in the browser just now."""
    with world.house.database.write() as db:
        db.execute(update(session.LoginSession).values(seen_at=world.now))


def test_the_login_session_unless_offline(world: World) -> None:
    here, away = world.tokens(world.log_in()), world.tokens(world.log_in(), scope=OFFLINE)
    world.later(minutes=13)
    online, offline = body(world.refresh(here["refresh_token"])), body(world.refresh(away["refresh_token"]))
    within(world, online, 120)
    within(world, offline, 300)
    world.later(minutes=2)
    assert world.introspect(str(online["access_token"])) == {"active": False}
    assert world.introspect(str(offline["access_token"]))["active"] is True


def test_the_greatest_age_of_the_login_session_unless_offline(world: World) -> None:
    here, away = world.tokens(world.log_in()), world.tokens(world.log_in(), scope=OFFLINE)
    world.later(seconds=session.MAX_AGE.total_seconds() - 100)
    seen(world)
    within(world, body(world.refresh(here["refresh_token"])), 100)
    within(world, body(world.refresh(away["refresh_token"])), 300)


@pytest.mark.parametrize("scope", ["openid mt-ipva:consultar", OFFLINE])
def test_the_certificate_that_logged_the_person_in_also_offline(world: World, scope: str) -> None:
    browser = world.log_in("icp-brasil", ("x509",), until(world, 100))
    said = world.tokens(browser, scope=scope)
    within(world, said, 100)
    world.later(seconds=99)
    assert world.introspect(said["access_token"])["active"] is True
    within(world, body(world.refresh(said["refresh_token"])), 1)
    later = world.tokens(world.log_in("icp-brasil", ("x509",), until(world, 1)), scope=scope)
    world.later(seconds=1)
    assert world.refresh(later["refresh_token"]).status == 400
    assert b"certificado_expirado" in (world.entries()[-1].payload or b"")
    assert world.introspect(said["access_token"]) == {"active": False}
    asked = request("v" * 43, scope=scope, prompt="none")
    assert params(world.authorize(browser, **asked))["error"] == "login_required"


def test_a_login_by_certificate_ends_with_the_certificate(world: World) -> None:
    holder = world.authority.person(world.now, "ANA BEATRIZ", "52998224725", days=0.2)
    entered = enter.with_certificate(world.house, OPERATOR, holder.der)
    end = holder.certificate.not_valid_after_utc
    assert end - world.now < session.MAX_AGE
    with world.house.reading() as db:
        kept = db.scalars(select(session.LoginSession)).one()
        assert kept.not_after == end
        assert session.find(db, entered.cookie, world.now, session.MAX_AGE, world.house.trust) is not None
        assert (
            session.find(db, entered.cookie, end - timedelta(seconds=1), session.MAX_AGE, world.house.trust) is not None
        )
        assert session.find(db, entered.cookie, end, session.MAX_AGE, world.house.trust) is None
