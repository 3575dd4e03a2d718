"""The chain finds a changed, removed, inserted, reordered or back-dated line, a cut tail and a rewritten whole."""

from __future__ import annotations

import copy
import hashlib
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from iam import sealer
from iam.ato import Ato
from iam.atos.papel import CASA, OPERADOR
from iam.demo.world import OPERATOR
from iam.journal import Entry, canonical
from iam.keys import Keyring
from iam.sealer import GENESIS, Checkpoint, Seal, link
from iam.verification import Verdict, verify
from tests.house import Home

Lines = list[dict[str, Any]]


def act(home: Home, times: int = 1) -> None:
    for n in range(times):
        with home.house.begin(OPERATOR) as ctx:
            ctx.record(ctx.require(Ato.DIARIO_LER, CASA, OPERADOR), n=n)


def exported(home: Home) -> Lines:
    act(home, 5)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    act(home, 5)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    return list(sealer.export(home.house.database, home.house.keys))


def entries(lines: Lines) -> list[int]:
    return [i for i, line in enumerate(lines) if line["kind"] == "entry"]


def test_sequence_has_no_gap_and_each_entry_binds_to_the_one_before(home: Home) -> None:
    lines = exported(home)
    found = [lines[i] for i in entries(lines)]
    assert [line["seq"] for line in found] == list(range(1, len(found) + 1))
    assert all(b["prev"] == a["hash"] for a, b in pairwise(found))
    assert verify(lines).whole
    assert sealer.seal(home.house.database, home.house.keys, home.clock()) == 0


def change(lines: Lines, i: int) -> None:
    lines[i]["agente"] = "pessoa:outra"


def change_payload(lines: Lines, i: int) -> None:
    lines[i]["payload"]["estacao"] = {"address": "10.9.9.9"}


def erase_payload(lines: Lines, i: int) -> None:
    lines[i]["payload"] = None


def remove(lines: Lines, i: int) -> None:
    del lines[i]


def insert(lines: Lines, i: int) -> None:
    lines.insert(i, copy.deepcopy(lines[i]))


def reorder(lines: Lines, i: int) -> None:
    lines[i], lines[i + 1] = lines[i + 1], lines[i]


def back_date(lines: Lines, i: int) -> None:
    earlier = datetime.fromisoformat(lines[i]["at"]) - timedelta(days=30)
    lines[i]["at"] = earlier.isoformat()


def forget(lines: Lines, i: int) -> None:
    lines[i].pop("requirement")


@pytest.mark.parametrize("tamper", [change, change_payload, erase_payload, remove, insert, reorder, back_date, forget])
def test_the_first_bad_sequence_number_is_named(home: Home, tamper: Callable[[Lines, int], None]) -> None:
    lines = exported(home)
    at = entries(lines)[-4]
    seq = lines[at]["seq"]
    tamper(lines, at)
    verdict = verify(lines)
    assert not verdict.whole
    assert verdict.bad_seq in ((seq + 1,) if tamper is insert else (seq,))


def rechain(lines: Lines) -> None:
    """What a forger who knows the algorithm, but not the keys, can do."""
    prev = GENESIS
    for line in lines:
        if line["kind"] == "entry":
            head = {k: v for k, v in line.items() if k not in ("kind", "prev", "hash", "payload")}
            head["digest"] = line["digest"] = hashlib.sha256(canonical(line["payload"])).hexdigest()
            line["prev"] = prev.hex()
            prev = link(prev, head)
            line["hash"] = prev.hex()


def test_a_chain_made_anew_over_a_changed_line_does_not_match_the_signed_checkpoint(home: Home) -> None:
    lines = exported(home)
    lines[entries(lines)[0]]["agente"] = "pessoa:outra"
    rechain(lines)
    verdict = verify(lines)
    assert verdict.bad_seq is not None
    assert "ponta assinada" in verdict.reason


def test_a_kept_checkpoint_shows_a_cut_tail_and_a_rewritten_whole(home: Home) -> None:
    exported(home)
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    lines: Lines = list(sealer.export(home.house.database, home.house.keys))
    kept = [line for line in lines if line["kind"] == "checkpoint"][-1]
    assert verify(lines, kept).whole
    cut = lines[: entries(lines)[-3]]
    assert verify(cut).whole
    assert verify(cut, kept).bad_seq == cut[-1]["seq"] + 1
    rewritten = [copy.deepcopy(line) for line in lines if line["kind"] == "entry"]
    rewritten[0]["agente"] = "pessoa:outra"
    rechain(rewritten)
    assert verify(rewritten).whole
    assert not verify(rewritten, kept).whole


def test_rows_changed_or_removed_in_the_database_itself_are_found(home: Home) -> None:
    exported(home)
    with home.house.database.write() as db:
        db.execute(update(Entry).where(Entry.id == 4).values(pessoa="outra"))
    assert verify(sealer.export(home.house.database, home.house.keys)).bad_seq == 4
    with home.house.database.write() as db:
        db.execute(delete(Seal).where(Seal.seq == 3))
    assert verify(sealer.export(home.house.database, home.house.keys)).bad_seq == 3


def test_a_rotated_checkpoint_key_is_endorsed_by_its_predecessor(home: Home) -> None:
    exported(home)
    with home.house.begin(OPERATOR) as ctx:
        home.house.keys.rotate(ctx.db, "checkpoint", ctx.now)
    home.house.keys.load()
    act(home)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    lines = list(sealer.export(home.house.database, home.house.keys))
    assert verify(lines).checkpoints == 2
    new = [line for line in lines if line["kind"] == "key" and line["use"] == "checkpoint"][1]
    new["endorsement"] = None
    assert not verify(lines).whole


def test_an_export_is_whole_though_lines_are_written_and_the_key_is_rotated_while_it_is_made(home: Home) -> None:
    def rotated() -> None:
        with home.house.begin(OPERATOR) as ctx:
            home.house.keys.rotate(ctx.db, "checkpoint", ctx.now)
        home.house.keys.load()
        sealer.checkpoint(home.house.database, home.house.keys, home.clock())
        act(home)
        sealer.seal(home.house.database, home.house.keys, home.clock())
        sealer.checkpoint(home.house.database, home.house.keys, home.clock())

    act(home)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    other = Keyring(home.house.database, home.house.vault)
    rotated()
    act(home)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    under_way = sealer.export(home.house.database, other)
    lines = [next(under_way)]
    rotated()
    lines += under_way
    verdict = verify(lines)
    assert verdict.whole, verdict
    assert verdict.checkpoints == 2
    assert verify(sealer.export(home.house.database, other)).checkpoints == 4


@pytest.mark.requirement("TRAM-12-IV.2")
def test_entries_of_two_processes_are_chained_without_gap(home: Home) -> None:
    def work(_: int) -> None:
        act(home, 10)
        seal(home)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    seal(home)
    verdict = verify(sealer.export(home.house.database, home.house.keys))
    assert verdict.whole
    with home.house.reading() as db:
        assert db.query(Entry).count() == verdict.entries


def test_a_key_that_nobody_endorsed_cannot_be_smuggled_in_under_another_use(home: Home) -> None:
    lines = exported(home)
    first = next(line for line in lines if line["kind"] == "key" and line["use"] == "checkpoint")
    for use, predecessor in (("checkpoint x", None), ("checkpoint", first["kid"]), ("checkpoint", "x")):
        forged = {**copy.deepcopy(first), "use": use, "predecessor": predecessor, "endorsement": first["endorsement"]}
        assert not verify([*lines[:3], forged, *lines[3:]]).whole


def test_a_line_dated_back_and_sealed_alone_is_found(home: Home) -> None:
    exported(home)
    home.clock.move(days=-300)
    act(home)
    home.clock.move(days=300)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    verdict = verify(sealer.export(home.house.database, home.house.keys))
    assert "antedatado" in verdict.reason


def many(home: Home, times: int) -> None:
    """As :func:`act`, all in one transaction."""
    with home.house.begin(OPERATOR) as ctx:
        decision = ctx.require(Ato.DIARIO_LER, CASA, OPERADOR)
        for n in range(times):
            ctx.record(decision, n=n)


def seal(home: Home) -> None:
    sealer.seal(home.house.database, home.house.keys, home.clock())


def judged(home: Home) -> Verdict:
    return verify(sealer.export(home.house.database, home.house.keys))


def forge(home: Home, entry: int) -> None:
    """Rewrites an entry and the chain after it, in the database, and takes the signatures away."""
    with home.house.database.write() as db:
        db.execute(update(Entry).where(Entry.id == entry).values(agente="pessoa:outra"))
        db.execute(delete(Checkpoint))
        prev = GENESIS
        for place in db.scalars(select(Seal).order_by(Seal.seq)).all():
            place.prev = prev
            prev = place.hash = link(prev, sealer.header(db.get_one(Entry, place.entry_id), place.seq, place.sealed_at))


def test_a_journal_rewritten_without_its_checkpoints_is_found_also_after_the_sealer_signed_it_anew(home: Home) -> None:
    many(home, 2500)
    seal(home)
    assert judged(home).whole
    with home.house.reading() as db:
        gaps = [b - a for a, b in pairwise([0, *db.scalars(select(Checkpoint.seq).order_by(Checkpoint.seq))])]
    assert gaps == [1000, 1000]
    forge(home, 4)
    verdict = judged(home)
    assert (verdict.bad_seq, verdict.covered) == (1, 0)
    assert "retiradas" in verdict.reason
    act(home)
    seal(home)
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    assert judged(home).bad_seq == 1


def test_a_few_entries_of_a_quiet_hour_cannot_lose_their_checkpoints_either(home: Home) -> None:
    for _ in range(3):
        act(home)
        seal(home)
        home.clock.move(minutes=20)
    assert judged(home).whole
    forge(home, 1)
    assert judged(home).bad_seq == 1


def test_each_checkpoint_names_the_one_before(home: Home) -> None:
    for _ in range(3):
        act(home)
        seal(home)
        sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    lines: Lines = list(sealer.export(home.house.database, home.house.keys))
    points = [line for line in lines if line["kind"] == "checkpoint"]
    assert [p["previous"] for p in points] == [0, *(p["seq"] for p in points[:-1])]
    verdict = verify([line for line in lines if line is not points[1]])
    assert verdict.bad_seq == points[0]["seq"] + 1
    assert str(points[1]["seq"]) in verdict.reason


def test_what_waited_while_no_sealer_ran_is_whole_and_its_tail_is_counted(home: Home) -> None:
    act(home, 3)
    seal(home)
    home.clock.move(hours=20)
    act(home, 3)
    home.clock.move(hours=30)
    act(home, 2)
    seal(home)
    verdict = judged(home)
    assert verdict.whole
    assert verdict.uncovered == 2, "what was made hours apart is never under one signature"
    assert any("mais de dez minutos depois" in note for note in verdict.notes)
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    assert judged(home).uncovered == 0
    assert sealer.checkpoint(home.house.database, home.house.keys, home.clock()) is None


def erase(home: Home, seq: int) -> None:
    with home.house.database.write() as db:
        place = db.get_one(Seal, seq)
        db.execute(update(Entry).where(Entry.id == place.entry_id).values(payload=None))


def test_a_payload_may_go_once_its_term_is_over_and_not_before(home: Home) -> None:
    act(home, 3)
    seal(home)
    home.clock.move(days=5 * 365 - 2)
    act(home, 3)
    seal(home)
    erase(home, 3)
    assert judged(home).bad_seq == 3
    home.clock.move(days=4)
    act(home)
    seal(home)
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    assert judged(home).whole
    with home.house.reading() as db:
        last = db.scalars(select(Seal.seq).order_by(Seal.seq.desc()).limit(1)).one()
    erase(home, last)
    verdict = judged(home)
    assert verdict.bad_seq == last
    assert "guarda" in verdict.reason


@pytest.mark.parametrize("passes", ["one", "each"])
def test_a_clock_that_jumps_and_comes_back_is_told_apart_from_a_line_dated_back(home: Home, passes: str) -> None:
    def step(hours: float, days: float = 0) -> None:
        home.clock.move(hours=hours, days=days)
        for _ in range(2):
            act(home)
            if passes == "each":
                seal(home)

    for move in (0, 1, -1, 0):
        step(move)
    if passes == "each":
        step(0, days=400)
        step(0, days=-400)
        step(-1)
        step(1)
    seal(home)
    verdict = judged(home)
    assert verdict.whole, verdict
    assert any("relógio" in note for note in verdict.notes)


def test_a_line_dated_back_among_others_is_found_and_so_is_one_whose_seal_is_dated_back(home: Home) -> None:
    act(home, 2)
    seal(home)
    home.clock.move(hours=3)
    act(home)
    home.clock.move(hours=-5)
    act(home)
    home.clock.move(hours=5)
    act(home)
    seal(home)
    verdict = judged(home)
    assert "antedatado" in verdict.reason
    with home.house.reading() as db:
        assert verdict.bad_seq == db.query(Entry).count() - 1


def test_a_seal_that_goes_days_back_is_no_clock_put_right(home: Home) -> None:
    act(home)
    seal(home)
    home.clock.move(days=-3)
    act(home)
    seal(home)
    verdict = judged(home)
    assert "antedatado" in verdict.reason


def test_verification_keeps_nothing_of_the_lines_it_has_seen(home: Home) -> None:
    def lines(times: int) -> Iterator[dict[str, Any]]:
        every = list(sealer.export(home.house.database, home.house.keys))
        yield from (line for line in every if line["kind"] == "key")
        entry, prev, previous = next(line for line in every if line["kind"] == "entry"), GENESIS, 0
        bare = {k: v for k, v in entry.items() if k not in ("kind", "prev", "hash", "payload")}
        for seq in range(1, times + 1):
            head = bare | {"seq": seq}
            made = link(prev, head)
            yield head | {"kind": "entry", "prev": prev.hex(), "hash": made.hex(), "payload": entry["payload"]}
            prev = made
            if seq % 1000 == 0:
                claims = {"seq": seq, "hash": made.hex(), "at": entry["at"], "previous": previous}
                signer = home.house.keys.signer("checkpoint")
                jws = signer.jws("checkpoint+jws", canonical(claims))
                yield claims | {"kind": "checkpoint", "kid": signer.kid, "jws": jws}
                previous = seq

    act(home)
    seal(home)
    peaks = []
    for times in (2_000, 20_000):
        tracemalloc.start()
        verdict = verify(lines(times))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert (verdict.entries, verdict.whole, verdict.uncovered) == (times, True, 0)
    assert peaks[1] < 2 * peaks[0]
