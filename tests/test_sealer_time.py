"""What the chain says of time, to whoever owns the database and to who only had a bad night: hours rewritten, a backlog, leaps."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

import pytest
from sqlalchemy import delete, select, update

from iam import sealer
from iam.journal import Entry, canonical
from iam.keys import Keyring
from iam.sealer import Checkpoint, Seal, header, link
from iam.verification import ELSEWHERE, Verdict, verify
from tests.house import Home
from tests.test_sealer import act, many


def seal(home: Home) -> None:
    sealer.seal(home.house.database, home.house.keys, home.clock())


def sign(home: Home, keys: Keyring | None = None) -> None:
    sealer.checkpoint(home.house.database, keys or home.house.keys, home.clock())


def judged(home: Home) -> Verdict:
    return verify(sealer.export(home.house.database, home.house.keys))


def twelve_hours(home: Home) -> None:
    """Fewer entries than one signature may cover, a few every ten minutes, each signed within its minute."""
    for _ in range(72):
        many(home, 10)
        seal(home)
        sign(home)
        home.clock.move(minutes=10, seconds=5)
    assert judged(home).notes == ()


def rewrite(home: Home) -> int:
    """Changes one entry of the first hour and takes every later signature away; answers the last sequence number signed."""
    with home.house.database.write() as db:
        kept = db.scalars(select(Checkpoint.seq).order_by(Checkpoint.seq)).all()[1]
        victim = db.scalars(select(Seal.entry_id).where(Seal.seq == kept + 4)).one()
        raw = canonical({"forjado": True})
        values = {"agente": "pessoa:inocente", "payload": raw, "digest": hashlib.sha256(raw).digest()}
        db.execute(update(Entry).where(Entry.id == victim).values(values))
        db.execute(delete(Checkpoint).where(Checkpoint.seq > kept))
    return kept


def goes_on(home: Home) -> None:
    """The honest sealer, which knows nothing."""
    act(home)
    seal(home)
    home.clock.move(minutes=2)
    act(home)
    seal(home)
    sign(home)


def test_hours_rewritten_and_sealed_at_one_moment_are_found_though_the_sealer_signs_after_them(home: Home) -> None:
    twelve_hours(home)
    kept = rewrite(home)
    with home.house.database.write() as db:
        now, prev = home.clock(), db.get_one(Seal, kept).hash
        for place in db.scalars(select(Seal).where(Seal.seq > kept).order_by(Seal.seq)):
            place.sealed_at, place.prev = now, prev
            place.hash = prev = link(prev, header(db.get_one(Entry, place.entry_id), place.seq, now))
    goes_on(home)
    verdict = judged(home)
    assert verdict.bad_seq == kept + 1
    assert "reescrito" in verdict.reason


def test_hours_rewritten_and_left_to_the_sealer_to_seal_anew_are_told(home: Home) -> None:
    twelve_hours(home)
    kept = rewrite(home)
    with home.house.database.write() as db:
        db.execute(delete(Seal).where(Seal.seq > kept))
    goes_on(home)
    verdict = judged(home)
    (told,) = verdict.notes
    assert "mais de dez minutos depois" in told
    assert f"no registro {kept + 1}" in told
    assert ELSEWHERE in told


def test_what_was_made_within_minutes_on_nodes_whose_clocks_differ_is_signed_together_and_told_of_nothing(
    home: Home,
) -> None:
    for _ in range(20):
        home.clock.move(minutes=4)
        act(home)
        home.clock.move(minutes=-4)
        act(home)
    home.clock.move(minutes=4)
    seal(home)
    sign(home)
    verdict = judged(home)
    assert verdict.whole
    assert verdict.notes == ()
    assert verdict.checkpoints == 1


def test_a_backlog_of_hours_is_whole_also_when_the_sealer_was_killed_while_catching_up(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealer, "CHECKPOINT_EVERY", 8)
    act(home)
    seal(home)
    for _ in range(6):
        home.clock.move(hours=2)
        act(home, 5)
    home.clock.move(hours=2)
    put, times = sealer._put, 0

    def killed(*given: object) -> None:
        nonlocal times
        times += 1
        if times % 4 == 0:
            raise KeyboardInterrupt
        put(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(sealer, "_put", killed)
    for _ in range(40):
        home.clock.move(seconds=7)
        try:
            seal(home)
        except KeyboardInterrupt:
            continue
    verdict = judged(home)
    assert verdict.whole, verdict
    with home.house.reading() as db:
        assert db.query(Entry).count() == verdict.entries
        assert len(set(db.scalars(select(Seal.sealed_at)))) > 3
    assert any("mais de dez minutos depois" in note for note in verdict.notes)


def test_an_idle_night_is_told_of_nothing_and_a_day_without_any_entry_is(home: Home) -> None:
    for hours in (0, 14, 14):
        home.clock.move(hours=hours)
        act(home, 3)
        seal(home)
    assert judged(home).notes == ()
    home.clock.move(days=2)
    act(home)
    seal(home)
    (told,) = judged(home).notes
    assert "nada foi selado por mais de um dia" in told


def future(home: Home, at: datetime) -> None:
    """An entry of a moment to come, put into the database and sealed there by somebody without any key."""
    with home.house.database.write() as db:
        like = db.scalars(select(Entry).order_by(Entry.id.desc()).limit(1)).one()
        named = {
            name: getattr(like, name) for name in ("ato", "allowed", "obj", "pack", "requirement", "article", "agente")
        }
        raw = canonical({})
        made = Entry(at=at, payload=raw, digest=hashlib.sha256(raw).digest(), **named)
        db.add(made)
        db.flush()
        last = db.scalars(select(Seal).order_by(Seal.seq.desc()).limit(1)).one()
        chained = link(last.hash, header(made, last.seq + 1, at))
        db.add(Seal(seq=last.seq + 1, entry_id=made.id, sealed_at=at, prev=last.hash, hash=chained))


def test_no_payload_may_go_early_behind_an_entry_of_the_future_neither_before_nor_after_the_sealer_signs_it(
    home: Home,
) -> None:
    act(home, 4)
    seal(home)
    sign(home)
    with home.house.database.write() as db:
        db.execute(update(Entry).values(payload=None))
    future(home, home.clock() + timedelta(days=6 * 365))
    verdict = judged(home)
    assert verdict.bad_seq == 1
    assert "guarda" in verdict.reason
    assert any("adiantado" in note for note in verdict.notes)
    goes_on(home)
    verdict = judged(home)
    assert verdict.bad_seq == 1
    assert "guarda" in verdict.reason


def rotate(home: Home) -> Keyring:
    """A new key for checkpoints, the rotation journaled; answers the keys of who still has the old one."""
    stale = Keyring(home.house.database, home.house.vault)
    act(home)
    with home.house.database.write() as db:
        home.house.keys.rotate(db, "checkpoint", home.clock())
    home.house.keys.load()
    return stale


def test_a_retired_key_signs_for_the_moments_in_which_another_node_reads_the_new_one_and_no_longer(home: Home) -> None:
    act(home)
    seal(home)
    stale = rotate(home)
    home.clock.move(minutes=2)
    act(home)
    seal(home)
    sign(home, stale)
    assert judged(home).whole
    home.clock.move(minutes=20)
    act(home)
    seal(home)
    with home.house.reading() as db:
        last = db.scalars(select(Seal.seq).order_by(Seal.seq.desc()).limit(1)).one()
    sign(home, stale)
    goes_on(home)
    verdict = judged(home)
    assert verdict.bad_seq == last
    assert "chave retirada" in verdict.reason


def test_a_retired_key_cannot_date_its_signature_before_what_it_covers(home: Home) -> None:
    act(home)
    stale = rotate(home)
    home.clock.move(hours=1)
    act(home)
    seal(home)
    sealer.checkpoint(home.house.database, stale, home.clock() - timedelta(hours=1))
    assert "chave retirada" in judged(home).reason


def test_a_successor_cannot_be_put_where_it_comes_too_late_to_end_its_predecessor(home: Home) -> None:
    stale = rotate(home)
    home.clock.move(hours=1)
    act(home)
    sealer.seal(home.house.database, stale, home.clock())
    sign(home, stale)
    lines = list(sealer.export(home.house.database, home.house.keys))
    late = next(line for line in lines if line.get("use") == "checkpoint" and line["predecessor"])
    verdict = verify([*(line for line in lines if line is not late), late])
    assert "as chaves vêm antes" in verdict.reason


def test_what_was_signed_by_a_clock_that_had_leapt_ahead_is_whole_once_the_clock_is_right_and_the_key_another(
    home: Home,
) -> None:
    act(home)
    seal(home)
    home.clock.move(days=400)
    act(home)
    seal(home)
    sign(home)
    home.clock.move(days=-400)
    act(home)
    seal(home)
    rotate(home)
    seal(home)
    sign(home)
    verdict = judged(home)
    assert verdict.whole, verdict
    assert any("relógio" in note for note in verdict.notes)
