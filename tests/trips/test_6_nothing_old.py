"""Nothing old comes back: who returns, is given a right again or has an event made void gets new things; what was dead stays so."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest

from iam.atos import client, concessao, fonte, pendencia, vinculo
from iam.atos.conceder import revogar
from iam.atos.desfazer import desfazer
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Evento as Noticia
from iam.context import Agente
from iam.oauth import interaction
from iam.worker import due_events
from tests.oauth.world import CALLBACK, OPERATOR, PAPEIS, World, body, give, location, params, refused, request, tied

APP, PERFIL = "app-vfr", "coana-rfb-verificacao-fisica"
WHO, WHAT = "openid offline_access matricula", "openid offline_access vfr:F05"
TODAY = date(2026, 1, 5)
OTHER = Agente("sistema", "operador-2", "Outra pessoa", address="10.1.1.8")


class Ana:
    """She is tied to the SEFAZ, of which HR tells, and to the RFB, and holds the same perfil of a sistema of the RFB on each tie.

    GAP-ALL-03 lets what rests on the one tie live when the other ends.
    """

    def __init__(self, world: World) -> None:
        self.world, self.sefaz = world, world.vinculo
        with world.house.begin(OPERATOR) as ctx:
            fonte.cadastrar(ctx, "rh", "RH", client=None, orgaos=["sefaz-mt"], papeis=OPERADOR)
            scopes = ["openid", "matricula", *(s.name for s in ctx.policy.scopes("vfr"))]
            client.cadastrar(
                ctx, APP, "VFR", "aplicacao", sistema="vfr", redirect_uris=[CALLBACK], scopes=scopes, papeis=PAPEIS
            )
            self.rfb = tied(ctx, world, "rfb", "777").id
        self.receives(self.sefaz)
        self.receives(self.rfb)

    def receives(self, tie: str) -> None:
        """The perfil, on a tie."""
        with self.world.house.begin(OPERATOR) as ctx:
            limits = {"recinto": ["recinto-santos"]}
            give(ctx, self.world.pessoa, ctx.db.get(vinculo.Vinculo, tie), "vfr", PERFIL, restricao=limits)

    def logs_in(self, tie: str, scope: str) -> dict[str, str]:
        """What the application gets when she chooses to act in a tie."""
        world, verifier = self.world, "v" * 43
        browser = world.log_in()
        answer = world.authorize(browser, **request(verifier, client_id=APP, scope=scope))
        assert location(answer).startswith("/consentir"), location(answer)
        pedido = params(answer)["pedido"]
        perfil = PERFIL if "vfr:" in scope else ""
        back = interaction.grant(world.house, pedido, browser.login, f"{tie}|{perfil}")
        answer = world.authorize(browser, **dict(parse_qsl(urlsplit(back).query)))
        answer = world.redeem(params(answer)["code"], verifier, client_id=APP)
        assert answer.status == 200, answer.body
        said: dict[str, str] = orjson.loads(answer.body)
        return said

    def event(self, tipo: str, numero: str, day: date | datetime = TODAY, *, about: str = "") -> None:
        """What HR tells of her tie to the SEFAZ."""
        news = Noticia("rh", numero, "52998224725", "123", "", tipo, day, "sefaz-mt", "", about)
        with self.world.house.begin(OPERATOR) as ctx:
            receber(ctx, news, papeis=OPERADOR)

    def undone(self, numero: str, *, by: str) -> None:
        """An event is made void, and a second person gives back what it took."""
        self.event("tornado_sem_efeito", by, about=numero)
        with self.world.house.reading() as db:
            (question,) = [p for p in pendencia.abertas(db) if p.kind == pendencia.DESFAZER]
        with self.world.house.begin(OTHER) as ctx:
            desfazer(ctx, question.id, papeis=OPERADOR)

    def dead(self, said: dict[str, str]) -> None:
        assert self.world.introspect(said["access_token"]) == {"active": False}
        refused(self.world.refresh(said["refresh_token"], client_id=APP))

    def alive(self, said: dict[str, str]) -> None:
        assert self.world.introspect(said["access_token"])["active"] is True
        answer = self.world.refresh(said["refresh_token"], client_id=APP)
        assert answer.status == 200, answer.body
        said.update(orjson.loads(answer.body))


@pytest.fixture
def ana(world: World) -> Ana:
    return Ana(world)


def test_a_cut_kills_what_rests_on_its_tie_alone_and_the_return_wakes_none_of_it(ana: Ana) -> None:
    cut = [ana.logs_in(ana.sefaz, scope) for scope in (WHO, WHAT)]
    other = [ana.logs_in(ana.rfb, scope) for scope in (WHO, WHAT)]
    ana.event("licenca_inicio", "1")
    for said in cut:
        ana.dead(said)
    for said in other:
        ana.alive(said)
    ana.event("licenca_fim", "2")
    ana.receives(ana.sefaz)
    for said in cut:
        ana.dead(said)
    for said in (*other, ana.logs_in(ana.sefaz, WHAT)):
        ana.alive(said)


def test_an_event_made_void_gives_rights_back_and_no_token(ana: Ana) -> None:
    cut = [ana.logs_in(ana.sefaz, scope) for scope in (WHO, WHAT)]
    ana.event("licenca_inicio", "1")
    ana.undone("1", by="2")
    for said in cut:
        ana.dead(said)
    ana.alive(ana.logs_in(ana.sefaz, WHAT))


def test_what_died_by_the_date_of_a_leave_stays_dead_though_the_return_is_told_before_any_worker_woke(ana: Ana) -> None:
    """The leave bites by its date; whoever tells the return applies first what came due."""
    cut = [ana.logs_in(ana.sefaz, scope) for scope in (WHO, WHAT)]
    begins = ana.world.now + timedelta(minutes=2)
    ana.event("licenca_inicio", "1", begins)
    ana.world.later(minutes=3)
    for said in cut:
        assert ana.world.introspect(said["access_token"]) == {"active": False}
    ana.event("licenca_fim", "2", begins + timedelta(seconds=30))
    for said in cut:
        ana.dead(said)
    assert due_events(ana.world.house) == 0


@pytest.mark.parametrize("scope", [WHAT, "openid vfr:F05"], ids=["offline", "online"])
def test_a_right_taken_and_given_again_is_a_new_right_and_wakes_no_token_of_the_old_one(ana: Ana, scope: str) -> None:
    said = ana.logs_in(ana.rfb, scope)
    with ana.world.house.begin(OPERATOR) as ctx:
        for right in concessao.vigentes(ctx.db, ana.world.pessoa, ctx.now, sistema="vfr"):
            revogar(ctx, right, motivo="teste", papeis=PAPEIS)
    ana.dead(said)
    ana.world.later(seconds=1)
    ana.receives(ana.rfb)
    ana.receives(ana.sefaz)
    ana.dead(said)
    assert body(ana.world.refresh(ana.logs_in(ana.rfb, scope)["refresh_token"], client_id=APP))["scope"] == scope


def test_a_token_rests_on_the_right_of_its_own_tie_and_no_other_keeps_it_alive(ana: Ana) -> None:
    one, other = ana.logs_in(ana.sefaz, WHAT), ana.logs_in(ana.rfb, WHAT)
    with ana.world.house.begin(OPERATOR) as ctx:
        for right in concessao.vigentes(ctx.db, ana.world.pessoa, ctx.now, sistema="vfr"):
            if right.vinculo == ana.sefaz:
                revogar(ctx, right, motivo="teste", papeis=PAPEIS)
    ana.dead(one)
    ana.alive(other)


@pytest.mark.parametrize("applied", ["in time", "after the return"])
def test_who_comes_in_again_finds_no_token_of_before_in_whatever_order_it_was_applied(ana: Ana, applied: str) -> None:
    """Her token rested on no one tie; the other tie ran out by its date, and a leave of this one begins before a worker looks."""
    now = ana.world.now
    with ana.world.house.begin(OPERATOR) as ctx:
        other = ctx.db.get(vinculo.Vinculo, ana.rfb)
        assert other is not None
        other.prazo = other.ate = now + timedelta(seconds=30)
    said = ana.world.tokens(ana.world.log_in(), scope="openid offline_access")
    begins = now + timedelta(minutes=1)
    ana.event("licenca_inicio", "1", begins)
    ana.world.later(minutes=2)
    if applied == "in time":
        due_events(ana.world.house)
    ana.event("licenca_fim", "2", begins + timedelta(seconds=30))
    due_events(ana.world.house)
    ana.receives(ana.sefaz)
    assert ana.world.introspect(said["access_token"]) == {"active": False}
    assert ana.world.refresh(said["refresh_token"]).status == 400
