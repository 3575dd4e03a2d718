"""A login by certificate, and everything it gave, ends when the certificate's authority revokes it (REV-COTEC-05, REV-DEC-04)."""

from __future__ import annotations

from dataclasses import dataclass

import orjson
import pytest

from iam import session
from iam.icp_brasil.sample import Issued
from iam.login import enter
from tests.oauth.world import OPERATOR, Browser, World, header, params, refused, request

IDLE = session.MAX_AGE


@dataclass
class Holder:
    """Somebody logged in by certificate, and the list that her authority publishes."""

    world: World
    issued: Issued
    browser: Browser

    def publish(self, number: int, *, revoked: bool, days: float = 365) -> None:
        serials = {self.issued.certificate.serial_number: self.world.now} if revoked else {}
        data = self.world.authority.crl(self.world.now, serials, number=number, days=days)
        (self.world.house.data / "ca.crl").write_bytes(data)

    def logged_in(self) -> bool:
        with self.world.house.reading() as db:
            return session.find(db, self.browser.cookie, self.world.now, IDLE, self.world.house.trust) is not None


@pytest.fixture
def holder(world: World) -> Holder:
    issued = world.authority.person(world.now, "ANA BEATRIZ", "52998224725")
    entered = enter.with_certificate(world.house, OPERATOR, issued.der)
    return Holder(world, issued, Browser(session.Login(entered.session, entered.pessoa), entered.cookie))


def test_the_session_is_dead_at_its_next_use(holder: Holder) -> None:
    world, login = holder.world, holder.browser.login
    assert holder.logged_in()
    holder.publish(2, revoked=True)
    assert not holder.logged_in()
    answer = world.authorize(holder.browser, **request("v" * 43, prompt="none"))
    assert params(answer)["error"] == "login_required"
    with world.house.reading() as db:
        assert session.live(db, login.pessoa, world.now, IDLE, world.house.trust) == []


def test_a_session_under_a_new_cookie_still_rests_on_the_certificate(holder: Holder) -> None:
    world, login = holder.world, holder.browser.login
    with world.house.begin(OPERATOR) as ctx:
        _, holder.browser.cookie = session.renew(ctx.db, login.session, login.pessoa, ctx.now)
    assert holder.logged_in()
    holder.publish(2, revoked=True)
    assert not holder.logged_in()


@pytest.mark.parametrize("scope", ["openid mt-ipva:consultar", "openid mt-ipva:consultar offline_access"])
def test_every_token_of_the_login_ends_and_the_journal_says_why(holder: Holder, scope: str) -> None:
    world = holder.world
    said = world.tokens(holder.browser, scope=scope)
    code, verifier = world.code(holder.browser, scope=scope)
    bearer = f"Bearer {said['access_token']}"
    assert world.introspect(said["access_token"])["active"] is True
    assert world.get("/oauth/userinfo", authorization=bearer).status == 200
    holder.publish(2, revoked=True)
    assert world.introspect(said["access_token"]) == {"active": False}
    refused(world.refresh(said["refresh_token"]))
    assert told(world, "token:emitir") == ("CASA-04", ["certificado_revogado"])
    refused(world.redeem(code, verifier))
    assert told(world, "token:emitir") == ("CASA-04", ["certificado_revogado"])
    answer = world.get("/oauth/userinfo", authorization=bearer)
    assert (answer.status, 'error="invalid_token"' in header(answer, "www-authenticate")) == (401, True)
    assert told(world, "pessoa:consultar") == ("CASA-04", ["certificado_revogado"])


def told(world: World, ato: str) -> tuple[str, list[str]]:
    """The requirement and the facts of the last refusal of an act."""
    line = [entry for entry in world.entries() if entry.ato == ato and not entry.allowed][-1]
    return line.requirement, orjson.loads(line.payload or b"")["fatos"]


def test_without_a_list_the_login_fares_as_a_client_does(holder: Holder) -> None:
    world = holder.world
    holder.publish(2, revoked=False, days=1 / 24)
    person = world.tokens(holder.browser, scope="openid mt-ipva:consultar offline_access")
    world.later(minutes=2)
    (world.house.data / "ca.crl").unlink()
    assert world.introspect(person["access_token"], by="pdp")["active"] is True
    assert holder.logged_in()
    world.later(minutes=16)
    refused(world.machine("mt"), "invalid_client", 401)
    assert not holder.logged_in()
    refused(world.refresh(person["refresh_token"]))
    assert told(world, "token:emitir") == ("CASA-04", ["estado_do_certificado_indisponivel"])
    holder.publish(3, revoked=False)
    assert holder.logged_in(), "it was good all the while, and its authority says so again"
