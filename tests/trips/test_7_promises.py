"""What is promised with *only*, *never*, *nothing* and *every*, each as somebody would notice that it is not kept."""

from __future__ import annotations

import ast
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import orjson
import pytest
from sqlalchemy import func, inspect, select, text
from sqlalchemy.exc import OperationalError

from iam import doctor, journal, migrations, outbox, worker
from iam.app import close
from iam.atos import concessao, desfazer, evento, pendencia, pessoa, receber, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder, revogar
from iam.atos.papel import OPERADOR
from iam.atos.sujeito import Sujeito
from iam.context import Ctx
from iam.db import Base
from iam.demo.outsider import Pkce
from iam.demo.world import FUNDAMENTO, OPERATOR, ORIGEM, PAPEIS
from iam.journal import Entry
from iam.login import activation, totp
from tests.atos.rh import another_tie, give, held, noticia, receive, state, undo
from tests.house import Home, Served, introspect, login, make, request_of
from tests.oauth.world import claims
from tests.outage import Outage, id_of, marks
from tests.overlap import Act, act, until_it_waits

ROOT = Path(__file__).resolve().parent.parent.parent
# What may be removed: what nobody can use any more, and the worker's own notes. Everything else ends and stays.
REMOVED = {
    "Mark",
    "Setback",
    "Rejection",
    "LoginTry",
    "Interaction",
    "RevokedToken",
    "RefreshToken",
    "AuthorizationCode",
}


# -- what acts on a person holds her first


def acts(home: Home) -> dict[str, Act]:
    """The acts about somebody, each ready to be made on the servidora."""
    her = id_of(home)
    receive(home, noticia(home, "ferias", numero="90"))
    receive(home, noticia(home, "cancelamento", numero="91", day=home.clock.today() + timedelta(days=9)))
    receive(home, noticia(home, evento.DESFAZ, numero="92", observacao="91"))
    with home.house.reading() as db:
        asked = {question.kind: question.id for question in pendencia.abertas(db, pessoa=her)}
        tie = vinculo.todos(db, her)[0]
        right = concessao.vigentes(db, her, home.clock())[0].id
    with home.house.begin(OPERATOR) as ctx:
        link = activation.create(ctx, pessoa.get(ctx.db, her), papeis=OPERADOR).rpartition("/")[2]
    code = totp.code(activation.offer(home.house, link).seed, home.clock())
    senha = activation.chosen(home.house, link, "o vento leva as folhas")

    def granting(ctx: Ctx) -> None:
        on = ctx.db.get(vinculo.Vinculo, tie.id)
        conceder(ctx, her, "mt-cta", "mt-consulta", vinculo=on, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS)

    def ending(ctx: Ctx) -> None:
        revogar(ctx, ctx.db.get_one(concessao.Concessao, right), motivo="teste", papeis=PAPEIS)

    def tying(ctx: Ctx) -> None:
        abrir(ctx, her, "rfb", "7", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)

    return {
        "decidir": lambda ctx: pendencia.decidir(ctx, asked["decidir"], "nada a fazer", papeis=OPERADOR),
        "desfazer": lambda ctx: desfazer.desfazer(ctx, asked["desfazer"], papeis=OPERADOR),
        "ativar": lambda ctx: activation.redeem(ctx, link, senha, code),
        "conceder": granting,
        "revogar": ending,
        "evento": lambda ctx: receber.receber(
            ctx, noticia(home, "desligamento", numero="93", orgao="sefaz-mt"), papeis=OPERADOR
        ),
        "abrir": tying,
    }


def test_whoever_acts_on_a_person_waits_for_her_and_holds_nothing_of_hers_meanwhile(
    tmp_path: Path, postgresql_url: str
) -> None:
    """So no two wait for each other for ever, and none decides by what it read before its turn came."""
    home = make(tmp_path / "data", postgresql_url)
    held_too: dict[str, list[str]] = {}
    try:
        for name, one in acts(home).items():
            with ThreadPoolExecutor(1) as pool:
                with home.house.database.write() as db:
                    db.execute(select(Sujeito.id).where(Sujeito.id == id_of(home)).with_for_update())
                    waiting = pool.submit(act, home.house, one)
                    until_it_waits(home.house, waiting)
                    assert not waiting.done(), name
                    held_too[name] = rows_held(home)
                waiting.result(60)
    finally:
        close(home.house)
    assert {name: rows for name, rows in held_too.items() if rows} == {}


def rows_held(home: Home) -> list[str]:
    """The tables in which somebody else holds a row about a person."""
    found = []
    for table in ("pessoa", "vinculo", "concessao", "evento", "credencial", "pendencia", "activation"):
        try:
            with home.house.database.write() as db:
                db.execute(text(f"SELECT 1 FROM {table} FOR UPDATE NOWAIT"))
        except OperationalError:
            found.append(table)
    return found


# -- all or nothing; nothing goes back; nothing is deleted


def test_an_act_that_cannot_be_written_to_the_journal_has_not_happened(
    home: Home, outage: Outage, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (held(home), state(home), marks(home))

    def full(*_: object) -> int:
        raise OSError("no space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(journal, "write", full)
        with pytest.raises(OSError, match="no space"):
            receive(home, noticia(home, "desligamento"))
    assert (held(home), state(home), marks(home)) == before
    receive(home, noticia(home, "desligamento"))
    assert (held(home), state(home)) == (set(), ("revogada", ("encerrado",)))


def test_no_epoch_of_anybody_ever_goes_back_whatever_is_told_undone_and_given(home: Home) -> None:
    another_tie(home, "rfb")
    give(home, "vfr", "coana-rfb-administracao", "rfb")
    day = home.clock.today()
    story: list[Callable[[], object]] = [
        lambda: receive(home, noticia(home, "licenca_inicio", numero="1", orgao="sefaz-mt")),
        lambda: receive(home, noticia(home, "licenca_fim", numero="2", orgao="sefaz-mt")),
        lambda: give(home, "mt-cta", "mt-consulta", "rfb"),
        lambda: undo(home, "2", by="3"),
        lambda: undo(home, "1", by="4"),
        lambda: receive(home, noticia(home, "desligamento", numero="5", orgao="sefaz-mt", day=day + timedelta(days=2))),
        lambda: home.clock.move(days=4),
        lambda: worker.due_events(home.house),
        lambda: receive(home, noticia(home, "falecimento", numero="6", orgao="sefaz-mt")),
        lambda: undo(home, "6", by="7"),
    ]
    then = epochs(home)
    for step in story:
        step()
        now = epochs(home)
        assert then.keys() <= now.keys()
        assert [key for key in then if now[key] < then[key]] == []
        then = now
    assert then["login", id_of(home)] > 3


def epochs(home: Home) -> dict[tuple[str, str], int]:
    with home.house.reading() as db:
        found = {("sujeito", id): epoch for id, epoch in db.execute(select(Sujeito.id, Sujeito.epoch))}
        found |= {("tie", id): epoch for id, epoch in db.execute(select(vinculo.Vinculo.id, vinculo.Vinculo.epoch))}
        people = select(pessoa.Pessoa.id, pessoa.Pessoa.login_epoch)
        return found | {("login", id): epoch for id, epoch in db.execute(people)}


def test_nothing_regulated_is_deleted_and_no_line_of_the_journal_is_changed() -> None:
    """By whatever way the source has of removing or changing rows."""
    removed, changed = set(), set()
    for path in sorted((ROOT / "iam").rglob("*.py")) + sorted((ROOT / "admin_ui").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func).rpartition(".")[2]
                if name == "delete" and node.args:
                    removed.add(ast.unparse(node.args[0]).rpartition(".")[2])
                if name == "update" and node.args:
                    changed.add(ast.unparse(node.args[0]).rpartition(".")[2])
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and "migrations" not in path.parts:
                assert "DELETE FROM" not in node.value, path
    assert removed <= REMOVED
    assert {"Mark", "RefreshToken"} <= removed, "what removes rows is written as here"
    assert changed & {"Entry", "Seal", "Checkpoint"} == set()


def test_a_transfer_opens_no_tie_though_it_names_the_new_orgao(home: Home) -> None:
    receive(home, noticia(home, "remanejamento", orgao_destino="sefaz-mt-gcad"))
    assert state(home) == ("revogada", ("encerrado",))


# -- called seen only by who holds the mark


def test_who_no_longer_holds_a_mark_calls_nothing_seen(home: Home, outage: Outage) -> None:
    """What it saw may be older than what the one who holds it now is about to do."""
    with home.house.begin(OPERATOR) as ctx:
        ctx.mark("pessoa", id_of(home))

    def taken_over() -> None:
        home.clock.move(seconds=61)
        with home.house.database.write() as db:
            assert outbox.claim(db, home.clock(), "diretorio", "pessoa", id_of(home)) is not None

    outage.after_look = taken_over
    assert worker.once(home.house, "diretorio") == 1
    assert [mark.id for mark in marks(home)] == [id_of(home)], "it is the other's to settle"


# -- what is kept about whom


def test_nothing_that_a_browser_asked_for_is_logged(shared: Served, caplog: pytest.LogCaptureFixture) -> None:
    """A query may hold a code or a state, and a form a password."""
    caplog.set_level(logging.DEBUG)
    browser, secret = shared.outsider(), "segredo-que-ninguem-deve-ver"
    app = shared.world.apps["mt-ipva"]
    query = urlencode(request_of(app, Pkce.new(), state=secret, nonce=secret))
    page = browser.browse(browser.ask("GET", f"{shared.issuer}/oauth/authorize?{query}"), str(app["redirect_uri"]))
    browser.submit(page, "entrar", {"login": secret, "senha": secret})
    browser.ask("GET", f"{shared.issuer}/oauth/authorize?client_id={secret}&redirect_uri=https://{secret}/")
    browser.form(f"{shared.issuer}/oauth/token", {"grant_type": "authorization_code", "code": secret})
    assert secret not in caplog.text


def test_an_access_token_says_nothing_personal_even_to_who_may_know_it(shared: Served) -> None:
    she = login(shared)
    said = orjson.dumps(claims(she.access)).decode()
    who = shared.home.person("servidora")
    for personal in ("cpf", "nome", "login", "matricula"):
        assert who[personal] not in said


def test_an_introspection_that_says_yes_leaves_no_record_of_who_works_when(shared: Served) -> None:
    she = login(shared)
    assert introspect(shared, she.access)["active"] is True
    before = lines(shared)
    for _ in range(3):
        assert introspect(shared, she.access)["active"] is True
    assert lines(shared) == before


def lines(served: Served) -> int:
    """How many the journal has about tokens."""
    served.house.recorder.flush()
    with served.house.reading() as db:
        return db.scalar(select(func.count()).select_from(Entry).where(Entry.ato.startswith("token:"))) or 0


def test_the_doctor_looks_and_changes_nothing(home: Home) -> None:
    home.house.seal()
    before = everything(home)
    list(doctor.after_opening(home.house))
    assert everything(home) == before


def everything(home: Home) -> dict[str, list[str]]:
    """Every row of every table."""
    migrations.metadata()
    with home.house.reading() as db:
        names = set(inspect(db.connection()).get_table_names())
        tables = [table for table in Base.metadata.sorted_tables if table.name in names]
        return {table.name: sorted(map(str, db.execute(select(table)).all())) for table in tables}
