"""The database's own guards: what no code above may write, and what a reader sees and may not do."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Column, Integer, Table, func, insert, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, InternalError, OperationalError

from iam import db
from iam.app import close
from iam.ato import Ato
from iam.atos import client, credencial, sujeito
from iam.atos.client import Client
from iam.atos.concessao import Concessao
from iam.atos.credencial import CERTIFICADO, Credencial
from iam.atos.evento import Evento
from iam.atos.papel import CASA, OPERADOR
from iam.atos.pendencia import Pendencia
from iam.atos.pessoa import Pessoa
from iam.atos.recibo import Destino, Recibo
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import Vinculo
from iam.db import Base, Database, Instant, new_id
from iam.demo.world import OPERATOR
from iam.errors import Conflict
from iam.journal import Entry
from iam.keys import Key
from iam.login.activation import Activation
from iam.migrations import metadata
from iam.oauth.tables import Authorization
from iam.sealer import Checkpoint
from iam.session import LoginSession
from tests.house import Home, make
from tests.overlap import commits


def row(home: Home, table: Table) -> dict[str, Any]:
    """The values of a row that the table takes: one that is there, or one made of what its columns are."""
    with home.house.reading() as db:
        found = db.execute(select(table).limit(1)).mappings().first()
    if found is None:
        return made_up(home, table)
    fresh = {c.name for c in table.columns if c.name in ("id", "digest") and not c.foreign_keys}
    return dict(found) | {name: new_id() for name in fresh}


def made_up(home: Home, table: Table) -> dict[str, Any]:
    """The values of a row that the table takes, made of what its columns are."""
    given: dict[str, Any] = {}
    for column in table.columns:
        if column.nullable:
            continue
        if column.foreign_keys:
            given[column.name] = named(home, column)
        elif column.name in ("id", "digest"):
            given[column.name] = new_id()
        elif isinstance(column.type, Instant):
            given[column.name] = home.clock()
        else:
            plain: dict[type, object] = {int: 1, bool: False, bytes: b"", str: "", date: home.clock().date()}
            given[column.name] = [] if isinstance(column.type, JSON) else plain[column.type.python_type]
    return given | FITTING.get(table.name, {})


def named(home: Home, column: Column[Any]) -> object:
    """A row that the column may name: one that is there, or one made for it."""
    (key,) = column.foreign_keys
    with home.house.reading() as db:
        found = db.scalar(select(key.column).limit(1))
    if found is not None:
        return found
    values = made_up(home, key.column.table)
    with home.house.database.write() as db:
        db.execute(insert(key.column.table).values(values))
    return values[key.column.name]


FITTING: dict[str, dict[str, object]] = {
    "checkpoint": {"previous": 0},
    "evento": {"estado": "aplicado"},
    "login_session": {"acr": "mfa"},
    "pendencia": {"kind": "rever"},
    "recibo_destino": {"estado": "visto"},
}
"""What a made row needs besides, where a constraint asks for it."""


CLOSED: list[tuple[type[Base], str, object]] = [
    (Sujeito, "kind", "grupo"),
    (Sujeito, "epoch", 0),
    (Pessoa, "estado", "ausente"),
    (Pessoa, "login_epoch", 0),
    (Vinculo, "estado", "extinto"),
    (Vinculo, "tipo", "amigo"),
    (Vinculo, "epoch", 0),
    (Client, "estado", "novo"),
    (Client, "kind", "outro"),
    (Client, "auth", "client_secret_basic"),
    (Credencial, "kind", "token"),
    (Key, "use", "outro"),
]


def test_a_word_outside_its_vocabulary_and_an_epoch_below_one_are_refused(home: Home) -> None:
    for table, column, value in CLOSED:
        name = rf"{table.__tablename__}_\w+_check"
        with pytest.raises(IntegrityError, match=name), home.house.database.write() as db:
            db.execute(update(table).values({column: value}))


MADE: list[tuple[type[Base], dict[str, object], dict[str, object]]] = [
    (LoginSession, {"acr": "mfa", "epoch": 1}, {"acr": "alta"}),
    (LoginSession, {"acr": "mfa", "epoch": 1, "digest": "x"}, {"epoch": 0}),
    (Activation, {"epoch": 1}, {"epoch": 0}),
    (Authorization, {"sujeito_epoch": 1, "client_epoch": 1}, {"client_epoch": 0}),
    (Checkpoint, {"seq": 2, "previous": 1}, {"previous": 2}),
    (Pendencia, {"kind": "rever"}, {"kind": "adiar"}),
    (Pendencia, {"kind": "rever"}, {"evento": "nenhum"}),
    (Pendencia, {"kind": "rever"}, {"concessao": "nenhuma"}),
    (Concessao, {}, {"evento": "nenhum"}),
]


def test_a_row_that_says_what_cannot_be_is_refused_and_the_same_without_it_taken(home: Home) -> None:
    for table, good, bad in MADE:
        values = row(home, metadata().tables[table.__tablename__]) | good
        with pytest.raises(IntegrityError), home.house.database.write() as db:
            db.execute(insert(table).values(values | bad))
        with home.house.database.write() as db:
            db.execute(insert(table).values(values))


REFERENCES = sorted(
    ((t.name, c.name) for t in metadata().tables.values() for c in t.columns if c.foreign_keys and not c.primary_key),
)
ON_PURPOSE = {("entry", "pessoa"), ("source_rejection", "fonte"), ("vinculo", "fonte")}
"""Columns named like a table that name no row of it: each says why where it stands."""


def test_who_names_a_row_names_one_that_is_there(home: Home) -> None:
    tables = metadata().tables
    like = {*tables, "session", "superior", "predecessor"} - {"key", "mark"}
    free = {(t.name, c.name) for t in tables.values() for c in t.columns if c.name in like and not c.foreign_keys}
    assert free == ON_PURPOSE
    for table, column in REFERENCES:
        nobody = 1 << 40 if isinstance(tables[table].c[column].type, Integer) else "ninguem"
        with home.house.reading() as db:
            empty = db.execute(select(tables[table]).limit(1)).first() is None
        made = insert(tables[table]).values(made_up(home, tables[table]) | {column: nobody}) if empty else None
        with pytest.raises(IntegrityError, match=r"(?i)foreign key"), home.house.database.write() as db:
            db.execute(update(tables[table]).values({column: nobody}) if made is None else made)


def test_the_same_right_does_not_live_twice(home: Home) -> None:
    """Not even written past the acts: also without vínculo, and in whatever order its limits are named."""
    now, end = home.clock(), home.clock() + timedelta(days=9)
    with home.house.reading() as db:
        who = db.scalars(select(Pessoa.id)).first()
        tie = db.scalars(select(Vinculo.id).where(Vinculo.pessoa == who)).first()
    assert who is not None
    assert tie is not None

    def right(**more: Any) -> Concessao:
        values: dict[str, Any] = {"sujeito": who, "vinculo": None, "sistema": "vfr", "perfil": "perito"}
        values |= {"restricao": {"uf": ["MT", "SP"], "evento": ["1"]}, "origem": "x", "fundamento": "y"}
        return Concessao(**(values | {"vigente_de": now, "registrada_em": now} | more))

    def write(*rights: Concessao) -> None:
        with home.house.database.write() as db:
            db.add_all(rights)

    write(right(), right(vinculo=tie), right(prazo=end), right(restricao={}), right(perfil="outro"))
    turned = {"evento": ["1"], "uf": ["SP", "MT"]}
    for again in (right(), right(vinculo=tie), right(prazo=end), right(restricao=turned)):
        with pytest.raises(IntegrityError):
            write(again)
    with home.house.database.write() as db:
        db.execute(update(Concessao).where(Concessao.sistema == "vfr").values(revogada_em=now))
    write(right(), right(vinculo=tie))
    with pytest.raises(IntegrityError, match="prazo_check"):
        write(right(prazo=now))


def evento(home: Home, tie: Vinculo, now: datetime, **more: object) -> Evento:
    values: dict[str, Any] = {
        "fonte": "rh-sefaz-mt",
        "numero": "1",
        "pessoa": tie.pessoa,
        "tipo": "cessao",
        "data_efeito": now.date(),
        "efetivo_em": now,
        "conteudo": {},
        "recebido_em": now,
        "recebido_de": "client:rh",
        "estado": "aplicado",
    }
    return Evento(**(values | more))


def test_an_event_and_its_receipt_stand_and_fall_together(home: Home) -> None:
    now = home.clock()
    with home.house.reading() as db:
        tie = db.scalars(select(Vinculo)).first()
    assert tie is not None
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(evento(home, tie, now, estado="talvez"))
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(Recibo(evento="nenhum", pessoa=tie.pessoa, efetivo_em=now))
    with home.house.database.write() as db:
        event = evento(home, tie, now)
        db.add(event)
        db.flush()
        receipt = Recibo(evento=event.id, pessoa=tie.pessoa, efetivo_em=now)
        db.add(receipt)
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(Destino(recibo=receipt.id, target="x", estado="talvez"))
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.execute(update(Recibo).values(entry=1 << 40))
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(evento(home, tie, now))


def test_one_certificate_is_not_two_peoples(home: Home) -> None:
    with home.house.reading() as db:
        held = db.scalars(select(Credencial).where(Credencial.impressao.is_not(None))).first()
    assert held is not None
    assert held.impressao is not None
    other = home.world.people["gestor"]["cpf"]
    with home.house.reading() as db:
        whose = db.scalars(select(Pessoa.id).where(Pessoa.cpf == other)).one()
    with pytest.raises(Conflict, match="certificado"), home.house.begin(OPERATOR) as ctx:
        credencial.cadastrar(ctx, whose, CERTIFICADO, impressao=held.impressao, papeis=OPERADOR)
    with pytest.raises(Conflict, match="certificado"), home.house.begin(OPERATOR) as ctx:
        client.cadastrar(
            ctx, "novo", "Novo", client.INTERNO, papeis=OPERADOR, impressao=held.impressao, subject_dn=held.subject_dn
        )
    again = Credencial(sujeito=whose, kind=CERTIFICADO, impressao=held.impressao, criada_em=home.clock())
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(again)
    with home.house.database.write() as db:
        db.execute(update(Credencial).where(Credencial.id == held.id).values(encerrada_em=home.clock()))
        db.flush()
        db.add(Credencial(sujeito=whose, kind=CERTIFICADO, impressao=held.impressao, criada_em=home.clock()))


def test_a_reader_sees_one_moment_whatever_is_written_meanwhile(home: Home) -> None:
    count = select(func.count()).select_from(Entry)
    with home.house.reading() as db:
        before = db.scalar(count)
        with home.house.begin(OPERATOR) as ctx:
            ctx.record(ctx.require(Ato.DIARIO_LER, CASA, OPERADOR))
        assert db.scalar(count) == before
    with home.house.reading() as db:
        assert db.scalar(count) == (before or 0) + 1


def test_a_reader_changes_nothing(home: Home) -> None:
    if not home.house.database.sqlite:
        with pytest.raises(InternalError, match="read-only"), home.house.reading() as db:
            db.execute(text("UPDATE pessoa SET nome = 'X'"))
    with home.house.reading() as db:
        try:
            db.execute(text("UPDATE pessoa SET nome = 'X'"))
        except DBAPIError:
            db.rollback()
    with home.house.reading() as db:
        assert db.scalar(select(func.count()).where(Pessoa.nome == "X")) == 0
    with home.house.database.write() as db:  # and the next writer on the same connection may write
        db.execute(update(Pessoa).values(email="a@b.example"))


def test_a_node_that_stopped_in_the_middle_of_an_act_holds_nobody_up_for_ever(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "IDLE", 500)
    home = make(tmp_path / "data", postgresql_url)
    with pytest.raises(InternalError):
        held(home, lambda: commits(lambda: held(home)))
    assert commits(lambda: held(home))
    close(home.house)


def held(home: Home, meanwhile: Callable[[], object] = list) -> None:
    with home.house.begin(OPERATOR) as ctx:
        sujeito.lock(ctx.db, "sefaz-mt")
        assert meanwhile() is not False


def test_a_server_that_accepts_and_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(db.LOST, "connect_timeout", "2")  # the least that the driver knows
    with socket.create_server(("127.0.0.1", 0)) as silent:
        there = Database(f"postgresql+psycopg://postgres@127.0.0.1:{silent.getsockname()[1]}/x")
        with pytest.raises(OperationalError, match="timeout"), there.read() as session:
            session.execute(select(1))
