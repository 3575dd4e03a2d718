"""Two at once: the second begins before the first has committed and goes as far as it may, and is still after it."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from iam import search
from iam.app import close, open_house
from iam.atos import concessao, credencial, evento, fonte, papel, pessoa, recibo, vinculo
from iam.atos.conceder import conceder, revogar
from iam.atos.concessao import Concessao
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.context import Agente, Ctx
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import Conflict, Invalid, NotFound
from iam.login import activation, password, totp
from iam.oauth import grant, token
from iam.recorder import Recorder
from tests.atos.rh import RH, another_tie, held, noticia, state, undo
from tests.house import Home, make
from tests.oauth.world import PAPEIS as ALL
from tests.oauth.world import World, body
from tests.overlap import Act, act, at_once, until_it_waits

OTHER_SOURCE = "rh-arquivo"


def event(home: Home, tipo: str, numero: str, source: str = "", orgao: str = "") -> Act:
    """HR's telling of it; ``source`` is another one than usual, whose events wait for nobody else's."""
    news = noticia(home, tipo, numero=numero, orgao=orgao)
    news = replace(news, fonte=source) if source else news
    return lambda ctx: receber(ctx, news, papeis=OPERADOR)


def servidora(home: Home, ctx: Ctx) -> pessoa.Pessoa:
    who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
    assert who is not None
    return who


def giving(home: Home, sistema: str, perfil: str, orgao: str = "") -> Act:
    """A right, on her tie to an órgão."""

    def give(ctx: Ctx) -> object:
        who = servidora(home, ctx)
        tie = next(tie for tie in vinculo.todos(ctx.db, who.id) if orgao in ("", tie.orgao))
        return conceder(ctx, who.id, sistema, perfil, vinculo=tie, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS)

    return give


def ending(home: Home, sistema: str) -> Act:
    """Somebody takes one right away, with a reason of her own."""

    def end(ctx: Ctx) -> None:
        query = select(Concessao).where(Concessao.sujeito == servidora(home, ctx).id, Concessao.sistema == sistema)
        revogar(ctx, ctx.db.scalars(query).one(), motivo="mudou de função", papeis=PAPEIS)

    return end


def rights(home: Home) -> list[Concessao]:
    with home.house.reading() as db:
        who = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert who is not None
        return list(concessao.historico(db, who.id))


def told(home: Home, ato: str) -> list[dict[str, Any]]:
    """What the journal says of an act, oldest first."""
    with home.house.reading() as db:
        found = search.find(db, search.Filter(ato=ato), most=500)
    return [orjson.loads(entry.payload or b"{}") for entry, _ in reversed(found)]


@pytest.fixture
def sources(home: Home) -> Home:
    """A house that two personnel systems tell of the same people."""
    with home.house.begin(RH) as ctx:
        fonte.cadastrar(ctx, OTHER_SOURCE, "RH por arquivo", client=None, orgaos=["sefaz-mt"], papeis=OPERADOR)
    return home


# -- two acts on one person


def test_of_two_cuts_at_once_the_second_sees_the_first_and_leaves_the_person_as_both_say(sources: Home) -> None:
    first = event(sources, "desligamento", "1")
    at_once(sources.house, first, event(sources, "licenca_inicio", "1", OTHER_SOURCE))
    assert state(sources) == ("revogada", ("encerrado",))
    assert {(right.motivo or "").split()[0] for right in rights(sources)} == {"desligamento"}
    results = [line["resultado"] for line in told(sources, "pessoa:evento")]
    assert [result.split()[0] for result in results] == ["3", "0"], "each right is ended once, by one of them"


def test_a_right_that_is_being_given_when_the_tie_ends_is_not_given(home: Home) -> None:
    _, refused = at_once(home.house, event(home, "desligamento", "1"), giving(home, "mt-cta", "mt-consulta"))
    assert isinstance(refused, Invalid)
    assert (held(home), state(home)) == (set(), ("revogada", ("encerrado",)))


def test_a_cut_ends_the_right_too_that_was_being_given_when_it_came(home: Home) -> None:
    another_tie(home, "rfb")
    cut = event(home, "remanejamento", "1", orgao="sefaz-mt")
    at_once(home.house, giving(home, "mt-cta", "mt-consulta", "rfb"), cut)
    assert held(home) == set()
    assert len(rights(home)) == 4


def test_the_same_right_given_by_two_at_once_is_given_once(home: Home) -> None:
    _, refused = at_once(home.house, *[giving(home, "mt-cta", "mt-consulta")] * 2)
    assert isinstance(refused, Conflict)
    assert len(rights(home)) == 4


def test_what_the_norm_ended_keeps_its_article_though_somebody_was_ending_it_too(home: Home) -> None:
    at_once(home.house, event(home, "desligamento", "1"), ending(home, "mt-ipva"))
    assert all("MT128-13.4" in (right.motivo or "") for right in rights(home))
    assert told(home, "concessao:revogar") == []


def test_a_right_that_somebody_was_ending_when_a_cut_came_does_not_return_when_the_cut_is_undone(home: Home) -> None:
    at_once(home.house, ending(home, "mt-ipva"), event(home, "desligamento", "1"))
    assert {right.motivo for right in rights(home) if right.sistema == "mt-ipva"} == {"mudou de função"}
    undo(home, "1", by="2")
    assert {right.split(".")[0] for right in held(home)} == {"mt-nfe", "mt-itcd"}


def test_a_link_of_activation_is_good_for_one_of_two_at_once(home: Home) -> None:
    with home.house.begin(RH) as ctx:
        who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert who is not None
        token = activation.create(ctx, who, papeis=OPERADOR).rpartition("/")[2]
    code = totp.code(activation.offer(home.house, token).seed, home.clock())
    hers, another = (activation.chosen(home.house, token, s) for s in ("o vento leva as folhas", "a chuva lava a rua"))
    _, refused = at_once(
        home.house,
        lambda ctx: activation.redeem(ctx, token, hers, code),
        lambda ctx: activation.redeem(ctx, token, another, code),
    )
    assert isinstance(refused, NotFound)
    with home.house.reading() as db:
        proof = credencial.vigente(db, who.id, credencial.SENHA)
        assert proof is not None
        assert password.verify((proof.segredo or b"").decode(), "o vento leva as folhas")
        live = [p for p in credencial.todas(db, who.id) if p.encerrada_em is None]
        assert sorted(p.kind for p in live) == ["senha", "totp"]


def test_of_two_links_made_at_once_one_is_live(home: Home) -> None:
    def make_one(ctx: Ctx) -> str:
        who = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert who is not None
        return activation.create(ctx, who, papeis=OPERADOR)

    at_once(home.house, make_one, make_one)
    with home.house.reading() as db:
        assert len(db.scalars(select(activation.Activation).where(activation.Activation.ended_at.is_(None))).all()) == 1


# -- who acts is cut meanwhile


def test_nobody_acts_after_her_own_cut_though_she_had_begun_before_it(sources: Home) -> None:
    """On SQLite the cut waits for her act; on PostgreSQL it need not, and then her act is not done."""
    home, one = sources, sources.person("cadastrador")
    with home.house.reading() as db:
        who = pessoa.by_cpf(db, one["cpf"])
        assert who is not None
    her_cut = replace(noticia(home, "desligamento", numero="1", role="cadastrador"), fonte=OTHER_SOURCE)
    licenca = noticia(home, "licenca_inicio", numero="2")
    outcome: list[Exception] = []
    with ThreadPoolExecutor(1) as pool:
        try:
            with home.house.begin(Agente("pessoa", who.id, who.nome)) as ctx:
                receber(ctx, licenca, papeis=papel.of(ctx))
                cut = pool.submit(act, home.house, lambda other: receber(other, her_cut, papeis=OPERADOR))
                until_it_waits(home.house, cut)
        except Conflict as late:
            outcome.append(late)
        assert isinstance(cut.result(60), tuple)
    done = [line["tipo"] for line in told(home, "pessoa:evento")]
    assert done == (["desligamento"] if outcome else ["licenca_inicio", "desligamento"])
    assert bool(outcome) is not home.house.database.sqlite
    assert state(home) == (("habilitada", ("ativo",)) if outcome else ("desabilitada", ("suspenso",)))


# -- one event told twice


def both(answer: object) -> tuple[str, str]:
    assert isinstance(answer, tuple), answer
    told_event, receipt = answer
    assert isinstance(told_event, evento.Evento)
    assert isinstance(receipt, recibo.Recibo)
    return told_event.id, receipt.id


def test_an_event_told_twice_at_once_is_told_once_and_both_hear_the_same(home: Home) -> None:
    first, second = at_once(home.house, *[event(home, "cessao", "7")] * 2)
    assert both(first) == both(second)
    assert len(told(home, "pessoa:evento")) == 1


def test_an_event_told_to_two_nodes_at_once_is_told_once_and_both_hear_the_same(
    tmp_path: Path, postgresql_url: str
) -> None:
    home = make(tmp_path / "data", postgresql_url)
    node = open_house(home.house.settings, home.clock)
    try:
        first, second = at_once(home.house, *[event(home, "cessao", "7")] * 2, on=node)
        assert both(first) == both(second)
        assert len(told(home, "pessoa:evento")) == 1
    finally:
        close(node)
        close(home.house)


def test_of_two_different_events_under_one_number_at_once_one_is_a_conflict(home: Home) -> None:
    _, refused = at_once(home.house, event(home, "licenca_inicio", "7"), event(home, "desligamento", "7"))
    assert isinstance(refused, Conflict)
    assert state(home) == ("desabilitada", ("suspenso",))


# -- check, then mint: no gap


def ends_a_right(world: World, sujeito: str) -> Act:
    def end(ctx: Ctx) -> None:
        right = concessao.vigentes(ctx.db, sujeito, ctx.now)[0]
        revogar(ctx, right, motivo="teste", papeis=ALL)

    return end


def order(world: World) -> list[str]:
    """In which order the token and the end of what it rests on became true."""
    return [e.ato for e in world.entries() if e.jti or e.ato == "concessao:revogar"]


def test_a_client_whose_right_ends_between_check_and_mint_has_its_token_before_the_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the epochs were read again, whoever raises one waits until the token is on disk: then it is dead with the rest."""
    row, cuts = Recorder._row, list[Future[object]]()

    with ThreadPoolExecutor(1) as pool:

        def checked(self: Recorder, waiting: Any) -> Any:
            if waiting.line.jti and not cuts:
                cuts.append(pool.submit(act, world.house, ends_a_right(world, "sefaz-mt")))
                until_it_waits(world.house, cuts[0])
            return row(self, waiting)

        monkeypatch.setattr(Recorder, "_row", checked)
        answer = world.machine("mt", "pucomex:ANEXANEXAR")
        cuts[0].result(60)
    assert answer.status == 200
    assert order(world) == ["token:emitir", "concessao:revogar"]
    assert world.introspect(str(body(answer)["access_token"])) == {"active": False}


def test_a_person_whose_right_ends_between_check_and_mint_has_her_token_before_the_cut(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = world.tokens(scope="openid offline_access mt-ipva:consultar")
    issue, cuts = token.issue, list[Future[object]]()
    with ThreadPoolExecutor(1) as pool:

        def checked(*args: Any) -> Any:
            cuts.append(pool.submit(act, world.house, ends_a_right(world, world.pessoa)))
            until_it_waits(world.house, cuts[0])
            return issue(*args)

        monkeypatch.setattr(grant, "issue", checked)
        answer = world.refresh(said["refresh_token"])
        cuts[0].result(60)
    assert answer.status == 200
    assert order(world)[1:] == ["token:emitir", "concessao:revogar"]
    assert world.introspect(str(body(answer)["access_token"])) == {"active": False}
