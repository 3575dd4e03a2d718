"""What is only tried, on each engine: every line sees those before it, nothing is changed, and nobody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import InternalError

from iam import batch, hr, import_table, importing, plugins
from iam.atos import concessao, pessoa, vinculo
from iam.atos.evento import Evento
from iam.atos.pessoa import Pessoa
from iam.connector import Evento as Noticia
from iam.context import Ctx
from iam.db import Base
from iam.demo.world import OPERATOR
from tests.house import Home
from tests.outage import cut, id_of
from tests.overlap import commits

HEADER = "cpf,orgao,matricula,sistema,perfil,restricao,de,ate,fundamento"


def told(home: Home, numero: str, tipo: str, role: str = "servidora") -> Noticia:
    return Noticia("rh-sefaz-mt", numero, home.person(role)["cpf"], "", "", tipo, date(2026, 1, 5), "", "", "")


def counts(home: Home) -> dict[str, int]:
    with home.house.reading() as db:
        tables = Base.metadata.tables.values()
        return {t.name: db.scalar(select(func.count()).select_from(t)) or 0 for t in tables}


def held(home: Home) -> int:
    with home.house.reading() as db:
        return len(concessao.vigentes(db, id_of(home), home.clock()))


def test_a_cut_commits_while_events_are_being_tried(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Of the same person, told by the same source."""
    cuts: list[bool] = []

    class Slow:
        def read(self, _stream: BinaryIO) -> Iterator[tuple[int, Noticia]]:
            yield 2, told(home, "9", "licenca_inicio")
            cuts.append(commits(lambda: cut(home)))
            yield 3, told(home, "9", "licenca_inicio")
            yield 4, told(home, "10", "licenca_fim")

    monkeypatch.setattr(plugins, "event_file", lambda *_: Slow())
    (tmp_path / "rh.csv").touch()
    lines = hr.load(home.house, OPERATOR, tmp_path / "rh.csv", "rh-sefaz-mt", dry_run=True)
    assert cuts == [True]
    assert [line.result for line in lines] == ["aplicada", "inalterada", "aplicada"]
    assert len(lines[0].rights) == 3
    assert held(home) == 0
    with home.house.reading() as db:
        assert list(db.scalars(select(Evento.numero))) == ["1"]


def test_a_cut_commits_while_rights_are_being_tried(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shape = import_table.KINDS["concessoes"]
    cuts: list[bool] = []

    def half_way(ctx: Ctx, row: import_table.Row, origem: str, folder: Path) -> import_table.Done:
        done = shape.apply(ctx, row, origem, folder)
        if not cuts:
            cuts.append(commits(lambda: cut(home)))
        return done

    monkeypatch.setattr(importing, "KINDS", {"concessoes": replace(shape, apply=half_way)})
    with home.house.reading() as db:
        somebody = pessoa.by_cpf(db, home.person("servidora")["cpf"])
        assert somebody is not None
        (tie,) = vinculo.todos(db, somebody.id)
    line = f"{somebody.cpf},{tie.orgao},,mt-cta,mt-consulta,,,,Processo 1"
    file = tmp_path / "concessoes.csv"
    file.write_text(f"{HEADER}\n{line}\n{line}\n{line.replace('mt-cta', 'nenhum')}\n", "utf-8")
    told: list[int] = []
    lines = importing.load(home.house, OPERATOR, "concessoes", file, dry_run=True, progress=told.append)
    assert told == [len(lines)], "who waits sees how far it is"
    assert cuts == [True]
    assert [line.result for line in lines] == ["aplicada", "inalterada", "rejeitada"]
    assert held(home) == 0


def test_what_is_tried_leaves_nothing_and_the_next_act_writes_as_ever(home: Home) -> None:
    before = counts(home)
    for _ in range(2):
        with batch.undone(home.house, OPERATOR) as ctx:
            made = pessoa.cadastrar(ctx, "52998224725", "Ana", "ana.x", origem="x", papeis=frozenset({"operador"}))
            assert pessoa.by_login(ctx.db, "ana.x") is made
            assert ctx.db.scalar(select(func.count()).select_from(Pessoa)) == before["pessoa"] + 1
    assert counts(home) == before
    cut(home)
    assert counts(home)["evento"] == before["evento"] + 1


def test_postgresql_itself_refuses_to_write_or_lock_anything_but_the_copy(home: Home) -> None:
    if home.house.database.sqlite:
        pytest.skip("an embedded database is copied whole")
    for statement in ("UPDATE login_session SET csrf = ''", "SELECT kid FROM key FOR UPDATE"):
        with pytest.raises(InternalError, match="read-only"), batch.undone(home.house, OPERATOR) as ctx:
            ctx.db.execute(text(statement))
