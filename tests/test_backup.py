"""Copies: encrypted with a key kept apart, whole or refused, restored into another place, and nothing of before good after."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from iam import archive, backup, restore, sealed_file, sealer
from iam.app import close, open_house
from iam.atos.pessoa import Pessoa
from iam.atos.sujeito import Sujeito
from iam.atos.vinculo import Vinculo
from iam.config import Settings
from iam.context import Agente, House
from iam.errors import Conflict, Invalid
from iam.journal import Entry
from iam.outbox import Mark
from iam.verification import verify
from tests.house import Home, introspect, login, make, report, serving

OPERATOR = Agente("sistema", "operador", "teste", "127.0.0.1", "pytest")


@dataclass(frozen=True)
class Copy:
    """A copy, its key, and where to restore it: an empty place of the same engine."""

    home: Home
    file: Path
    key: bytes
    manifest: archive.Manifest
    data: Path
    url: str

    def settings(self, folder: Path) -> Settings:
        return at(self.home.house.settings, folder, self.url.replace(str(self.data), str(folder)))

    def restore(self, *, force: bool = False) -> archive.Manifest:
        return restore.restore(self.settings, self.file, self.key, OPERATOR, self.data, force=force)

    def open(self) -> House:
        return open_house(self.settings(self.data), self.home.clock)


def at(settings: Settings, data: Path, url: str) -> Settings:
    """The same settings for another place."""
    return replace(
        settings,
        data=data,
        database=url,
        master_key=data / "master.key",
        trust=data / "ca.pem",
        tls_cert=data / "server.pem",
        tls_key=data / "server.key",
    )


def elsewhere(url: str, folder: Path) -> str:
    """An empty database of the same engine."""
    if url.startswith("sqlite"):
        return f"sqlite:///{folder / 'portaria.db'}"
    import psycopg
    from sqlalchemy import make_url

    here = make_url(url)
    name = f"{here.database}_restored"
    with psycopg.connect(
        here.set(drivername="postgresql").render_as_string(hide_password=False), autocommit=True
    ) as server:
        server.execute(f'DROP DATABASE IF EXISTS "{name}"')
        server.execute(f'CREATE DATABASE "{name}"')
    return here.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def copy(home: Home, tmp_path: Path) -> Copy:
    sealed_file.new_key(tmp_path / "copy.key")
    key = sealed_file.read_key(tmp_path / "copy.key")
    manifest = backup.backup(home.house, tmp_path / "portaria.copia", key, OPERATOR)
    place = tmp_path / "elsewhere"
    return Copy(home, tmp_path / "portaria.copia", key, manifest, place, elsewhere(home.house.settings.database, place))


def lines(house: House, ato: str) -> list[dict[str, object]]:
    with house.reading() as db:
        found = db.scalars(select(Entry).where(Entry.ato == ato).order_by(Entry.id)).all()
    return [json.loads(e.payload or b"{}") for e in found]


@pytest.mark.requirement("TRAM-12-II")
def test_a_copy_is_encrypted_with_a_key_kept_apart_and_its_restore_test_is_recorded(copy: Copy, tmp_path: Path) -> None:
    content = copy.file.read_bytes()
    assert stat.S_IMODE(copy.file.stat().st_mode) == 0o600
    assert copy.key not in content
    for secret in (b"SQLite format", b"PGDMP", b"manifest", (copy.home.data / "master.key").read_bytes().strip()):
        assert secret not in content
    for person in copy.home.world.people.values():
        assert person["cpf"].encode() not in content
    assert not (copy.home.data / "copy.key").exists(), "the key is no part of the installation"
    sealed_file.new_key(tmp_path / "other.key")
    with pytest.raises(Invalid, match="não abre"):
        restore.test(copy.home.house, copy.file, sealed_file.read_key(tmp_path / "other.key"), OPERATOR)
    assert lines(copy.home.house, "copia:restaurar") == []
    found, _ = restore.test(copy.home.house, copy.file, copy.key, OPERATOR)
    assert found.digest == copy.manifest.digest
    [tried] = lines(copy.home.house, "copia:restaurar")
    assert (tried["teste"], tried["resultado"], tried["manifesto"]) == (True, "confere", copy.manifest.digest)
    [made] = lines(copy.home.house, "copia:fazer")
    assert made["manifesto"] == copy.manifest.digest
    left = {p.name for p in copy.home.data.iterdir() if p.name.startswith(".")}
    assert left == set(), "nothing decrypted is left lying about"


def test_everything_comes_back_elsewhere_and_the_journal_goes_on(copy: Copy) -> None:
    with copy.home.house.reading() as db:
        people = set(db.execute(select(Pessoa.cpf, Pessoa.nome, Pessoa.estado)))
    copy.restore()
    house = copy.open()
    try:
        with house.reading() as db:
            assert set(db.execute(select(Pessoa.cpf, Pessoa.nome, Pessoa.estado))) == people
            marked = db.scalar(select(func.count()).select_from(Mark))
        assert marked == len(people), "every target is looked at again"
        [restored] = lines(house, "copia:restaurar")
        assert (restored["teste"], restored["ate_seq"]) == (False, copy.manifest.seq)
        sealer.seal(house.database, house.keys, copy.home.clock())
        verdict = verify(sealer.export(house.database, house.keys))
        assert verdict.whole
        assert verdict.entries > copy.manifest.seq
        kept = [line for line in sealer.export(house.database, house.keys) if line["kind"] == "checkpoint"][-1]
        assert verify(sealer.export(house.database, house.keys), kept).whole
        assert {stat.S_IMODE((copy.data / n).stat().st_mode) for n in ("master.key", "server.key")} == {0o600}
    finally:
        close(house)


def test_every_epoch_is_raised_far_beyond_what_acts_can_have_reached(copy: Copy) -> None:
    with copy.home.house.reading() as db:
        before = {s.id: s.epoch for s in db.scalars(select(Sujeito))}
        ties = {v.id: v.epoch for v in db.scalars(select(Vinculo))}
        logins = {p.id: p.login_epoch for p in db.scalars(select(Pessoa))}
    copy.restore()
    house = copy.open()
    try:
        with house.reading() as db:
            assert all(s.epoch >= before[s.id] + 1_000_000 for s in db.scalars(select(Sujeito)))
            assert all(v.epoch >= ties[v.id] + 1_000_000 for v in db.scalars(select(Vinculo)))
            people = db.scalars(select(Pessoa)).all()
            assert all(p.login_epoch >= logins[p.id] + 1_000_000 and p.cortada_em is not None for p in people)
    finally:
        close(house)


def test_two_restores_of_one_copy_share_no_epoch(copy: Copy, tmp_path: Path) -> None:
    seen: list[list[dict[str, int]]] = []
    for name in ("one", "two"):
        place = tmp_path / name
        there = replace(copy, data=place, url=elsewhere(copy.home.house.settings.database, place))
        there.restore()
        house = there.open()
        with house.reading() as db:
            ties = {tie.id: tie.epoch for tie in db.scalars(select(Vinculo))}
            people = {who.id: who.login_epoch for who in db.scalars(select(Pessoa))}
            seen.append([{who.id: who.epoch for who in db.scalars(select(Sujeito))}, ties, people])
        close(house)
    for one, two in zip(*seen, strict=True):
        assert one.keys() == two.keys()
        assert all(one[id] != two[id] for id in one)


def test_a_copy_that_cannot_be_restored_leaves_what_was_there(copy: Copy, monkeypatch: pytest.MonkeyPatch) -> None:
    copy.data.mkdir()
    (copy.data / "important").write_text("x")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(restore, "_move", full)
    with pytest.raises(OSError, match="No space"):
        copy.restore(force=True)
    assert [(p.name, p.read_text()) for p in copy.data.iterdir()] == [("important", "x")]


def test_a_restore_brings_no_old_token_and_no_old_session_back(tmp_path: Path) -> None:
    """The copy is older than the cut: what was issued before it, and what was issued after it, is dead all the same."""
    home = make(tmp_path / "data", f"sqlite:///{tmp_path / 'data' / 'portaria.db'}")
    key = b"k" * 32
    with serving(home) as served:
        she = login(served)
        assert introspect(served, she.access)["active"] is True
        manifest = backup.backup(home.house, tmp_path / "copia", key, OPERATOR)
        report(served, "remanejamento", "1")
        assert introspect(served, she.access) == {"active": False}
        machine = served.token("rh")
        assert introspect(served, machine)["active"] is True
    close(home.house)
    place = tmp_path / "elsewhere"
    copied = Copy(home, tmp_path / "copia", key, manifest, place, f"sqlite:///{place / 'portaria.db'}")
    copied.restore()
    home.house = copied.open()
    with serving(home) as served:
        assert introspect(served, she.access) == {"active": False}
        assert introspect(served, machine) == {"active": False}
        browser = served.outsider()
        browser.cookies = dict(she.browser.cookies)
        page = browser.browse(browser.ask("GET", f"{served.issuer}/minhas"), "never")
        assert b'id="senha"' in page.body, "her session must be dead"
        assert introspect(served, served.token("rh"))["active"] is True, "new ones are issued"
    close(home.house)


def test_a_place_that_is_not_empty_is_refused_and_left_alone(copy: Copy) -> None:
    copy.data.mkdir()
    (copy.data / "important").write_text("x")
    with pytest.raises(Conflict, match="não está vazio"):
        copy.restore()
    assert [p.name for p in copy.data.iterdir()] == ["important"]
    copy.restore(force=True)
    assert (copy.data / "antes" / "important").read_text() == "x"


def test_a_database_that_is_not_empty_is_refused(copy: Copy) -> None:
    full = replace(copy, url=copy.home.house.settings.database)
    with pytest.raises(Conflict):
        full.restore()
    assert list(copy.data.iterdir()) == []


def test_a_server_database_that_others_use_is_not_replaced(tmp_path: Path, postgresql_url: str) -> None:
    home = make(tmp_path / "data", postgresql_url)
    manifest = backup.backup(home.house, tmp_path / "copia", b"k" * 32, OPERATOR)
    copied = Copy(home, tmp_path / "copia", b"k" * 32, manifest, tmp_path / "elsewhere", postgresql_url)
    close(home.house)
    with home.house.reading() as db:
        before = [db.scalar(select(func.max(Sujeito.epoch))), db.scalar(select(func.count(Entry.id)))]
    with pytest.raises(Conflict, match="em uso por 1 outra") as refused:  # the connection that the pool keeps
        copied.restore(force=True)
    assert refused.value.code == "em_uso"
    assert list(copied.data.iterdir()) == []
    with home.house.reading() as db:
        assert [db.scalar(select(func.max(Sujeito.epoch))), db.scalar(select(func.count(Entry.id)))] == before
    close(home.house)
    copied.restore(force=True)
    house = copied.open()
    with house.reading() as db:
        assert (db.scalar(select(func.min(Sujeito.epoch))) or 0) > 1_000_000
    close(house)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copy]:
    """One copy for the tests that only damage it."""
    folder = tmp_path_factory.mktemp("whole")
    home = make(folder / "data", f"sqlite:///{folder / 'portaria.db'}")
    manifest = backup.backup(home.house, folder / "copia", b"k" * 32, OPERATOR)
    place = folder / "elsewhere"
    yield Copy(home, folder / "copia", b"k" * 32, manifest, place, f"sqlite:///{place / 'portaria.db'}")
    close(home.house)


@pytest.mark.parametrize("where", [0.001, 0.5, 0.999])
@pytest.mark.parametrize("how", ["flip", "cut", "drop", "append"])
def test_a_damaged_copy_restores_nothing(whole: Copy, tmp_path: Path, how: str, where: float) -> None:
    content = bytearray(whole.file.read_bytes())
    place = int(len(content) * where)
    if how == "flip":
        content[place] ^= 1
    elif how == "cut":
        del content[place:]
    elif how == "drop":
        del content[place : place + 7]
    else:
        content += b"x" * 40
    (tmp_path / "copia").write_bytes(content)
    with pytest.raises(Invalid):
        replace(whole, file=tmp_path / "copia").restore()
    assert list(whole.data.iterdir()) == []


def test_chunks_cannot_be_dropped_doubled_or_swapped(tmp_path: Path) -> None:
    import io

    out = io.BytesIO()
    writer = sealed_file.Writer(out, b"k" * 32)
    text = bytes(range(256)) * 4096 * 4
    writer.write(text)
    writer.close()
    whole = out.getvalue()
    assert b"".join(sealed_file.read(io.BytesIO(whole), b"k" * 32)) == text
    head, size = len(sealed_file.MAGIC) + 39, sealed_file.CHUNK + 16
    pieces = [whole[i : i + size] for i in range(head, len(whole), size)]
    assert len(pieces) == 4
    for wrong in (pieces[1:], pieces[:-1], [pieces[0], *pieces], [pieces[1], pieces[0], *pieces[2:]]):
        with pytest.raises(Invalid):
            list(sealed_file.read(io.BytesIO(whole[:head] + b"".join(wrong)), b"k" * 32))


def test_a_key_is_never_overwritten_nor_read_when_exposed(tmp_path: Path) -> None:
    sealed_file.new_key(tmp_path / "k")
    with pytest.raises(Conflict):
        sealed_file.new_key(tmp_path / "k")
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(Invalid, match="chmod 600"):
        sealed_file.read_key(tmp_path / "k")
    for content in (b"", b"curta", b"!" * 44):
        (tmp_path / "k").write_bytes(content)
        (tmp_path / "k").chmod(0o600)
        with pytest.raises(Invalid):
            sealed_file.read_key(tmp_path / "k")


def test_a_copy_does_not_overwrite_a_file(copy: Copy) -> None:
    with pytest.raises(Conflict):
        backup.backup(copy.home.house, copy.file, copy.key, OPERATOR)
