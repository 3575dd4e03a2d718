"""One person on one target: called seen only after a second look, by who holds the mark, and about what was right then."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import ldap3
import pytest
from sqlalchemy import select

from connectors.ldap_wire import Wire
from iam import outbox, plugins, search, worker
from iam.ato import Ato
from iam.atos import concessao, pessoa, recibo, vinculo
from iam.atos.conceder import conceder
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Change, Enable, Evento, RemovePerfil
from iam.demo.world import FUNDAMENTO, OPERATOR, ORIGEM, PAPEIS
from tests.house import Home
from tests.outage import Outage, account_of, cut, disabled_by_hand, id_of, marks, seen
from tests.servers import Slapd
from tests.stall import stalling


def test_a_cut_is_applied_and_looked_at_again_before_it_is_called_seen(home: Home, outage: Outage) -> None:
    id = cut(home)
    assert seen(home, id) == ["pendente"]
    assert worker.once(home.house, "diretorio") == 1
    assert outage.applied[:2] == ["Disable", "EndSessions"]
    assert seen(home, id) == ["visto"]
    assert marks(home) == []
    account = outage.observe(home.person("servidora")["login"])
    assert account is not None
    assert not account.enabled


def test_a_target_that_is_down_is_retried_with_back_off_and_nothing_is_lost(home: Home, outage: Outage) -> None:
    outage.down = True
    id = cut(home)
    tries = []
    for _ in range(5):
        worker.once(home.house, "diretorio")
        (mark,) = marks(home)
        tries.append((mark.tries, mark.not_before - home.clock()))
        assert worker.once(home.house, "diretorio") == 0, "it must wait before it tries again"
        home.clock.move(seconds=70)
    assert [n for n, _ in tries] == [1, 2, 3, 4, 5]
    assert tries[4][1] > tries[1][1] > timedelta(0)
    assert mark.error == "o diretório não responde"
    home.clock.move(minutes=10)
    worker.once(home.house, "diretorio")
    assert seen(home, id) == ["falhou"]
    outage.down = False
    home.clock.move(minutes=10)
    worker.once(home.house, "diretorio")
    assert seen(home, id) == ["visto"]
    assert outage.applied.count("Disable") == 1


def test_dying_between_any_two_changes_only_repeats_what_was_not_done(home: Home, outage: Outage) -> None:
    id = cut(home)
    for _ in range(12):
        outage.dies_after = 1
        worker.once(home.house, "diretorio")
        home.clock.move(minutes=6)
    assert seen(home, id) == ["visto"]
    assert outage.applied.count("Disable") == 1


def test_a_mark_set_while_the_network_was_slow_is_not_lost(home: Home, outage: Outage) -> None:
    def give() -> None:
        with home.house.begin(OPERATOR) as ctx:
            somebody = pessoa.by_cpf(ctx.db, home.person("chefia")["cpf"])
            assert somebody is not None
            tie = vinculo.vigentes(ctx.db, somebody.id, ctx.now)[0]
            conceder(
                ctx,
                somebody.id,
                "mt-cta",
                "mt-consulta",
                vinculo=tie,
                origem=ORIGEM,
                fundamento=FUNDAMENTO,
                papeis=PAPEIS,
            )

    outage.meanwhile = lambda: cut(home, "2", "chefia")
    give()
    worker.once(home.house, "diretorio")
    assert len(marks(home)) == 1, "she was marked again while the first change was on its way"
    worker.once(home.house, "diretorio")
    account = outage.observe(home.person("chefia")["login"])
    assert account is not None
    assert (account.enabled, account.perfis) == (False, frozenset())
    assert marks(home) == []


class Node:
    """Another process on the same database, whose way to the target is its own."""

    def __init__(self, home: Home, outage: Outage) -> None:
        self.house = replace(home.house, targets={"diretorio": outage.real})

    def once(self) -> int:
        return worker.once(self.house, "diretorio")


def test_a_cut_waits_for_who_is_at_work_on_the_account_and_is_then_made_at_once(home: Home, outage: Outage) -> None:
    """Else the other node sees a disabled account, calls that seen, and the first goes on to enable it."""
    other, told = Node(home, outage), []

    def cut_elsewhere() -> None:
        told.append(cut(home))
        assert other.once() == 0, "the account is being worked on"
        assert seen(home, told[0]) == ["pendente"]

    disabled_by_hand(home, outage)
    outage.on, outage.meanwhile = "Enable", cut_elsewhere
    worker.once(home.house, "diretorio")
    assert seen(home, told[0]) == ["pendente"]
    assert other.once() == 1, "let go of, it is worked on at once"
    assert (seen(home, told[0]), marks(home)) == (["visto"], [])
    assert not account_of(home).enabled


def test_who_stalled_for_longer_than_it_may_has_the_account_looked_at_again(home: Home, outage: Outage) -> None:
    other, told = Node(home, outage), []

    def cut_elsewhere() -> None:
        told.append(cut(home))
        home.clock.move(seconds=61)
        assert other.once() == 1

    disabled_by_hand(home, outage)
    outage.on, outage.meanwhile = "Enable", cut_elsewhere
    worker.once(home.house, "diretorio")
    assert len(marks(home)) == 1, "what it did late may have come after what the other saw"
    assert other.once() == 1
    assert seen(home, told[0]) == ["visto"]
    assert not account_of(home).enabled
    once_more(home)


def test_what_failed_late_is_looked_at_again_too(home: Home, outage: Outage) -> None:
    """A change whose answer was lost may have been made all the same."""
    other = Node(home, outage)

    def lost() -> None:
        cut(home)
        home.clock.move(seconds=61)
        assert other.once() == 1
        outage.real.apply(home.person("servidora")["login"], Enable())
        outage.dies_after = 0

    disabled_by_hand(home, outage)
    outage.on, outage.meanwhile = "Enable", lost
    worker.once(home.house, "diretorio")
    assert other.once() == 1
    assert not account_of(home).enabled
    once_more(home)


def test_nothing_more_is_given_to_who_was_cut_half_way(home: Home, outage: Outage) -> None:
    outage.real.apply(home.person("servidora")["login"], RemovePerfil(min(account_of(home).perfis)))
    disabled_by_hand(home, outage)
    outage.meanwhile = lambda: cut(home)
    worker.once(home.house, "diretorio")
    assert "Enable" not in outage.applied


def test_who_needs_longer_than_a_minute_keeps_the_account(home: Home, outage: Outage) -> None:
    """Each change renews what it holds, so that a slow target is nobody else's meanwhile."""
    other = Node(home, outage)
    login = home.person("servidora")["login"]
    for perfil in account_of(home).perfis:
        outage.real.apply(login, RemovePerfil(perfil))
    disabled_by_hand(home, outage)
    taken = []
    really = outage.real.apply

    class Slow:
        check, keys, observe = outage.real.check, outage.real.keys, outage.real.observe

        def apply(self, key: str, change: Change, id: str = "") -> None:
            home.clock.move(seconds=35)
            taken.append(other.once())
            really(key, change, id)

    home.house.targets = {"diretorio": Slow()}
    worker.once(home.house, "diretorio")
    assert len(taken) > 2
    assert set(taken) == {0}
    assert marks(home) == []


def test_marks_of_who_died_are_worked_on_when_its_time_is_over(home: Home, outage: Outage) -> None:
    id = cut(home)
    with home.house.database.write() as db:
        assert outbox.claim(db, home.clock(), "diretorio", "pessoa", id_of(home)) is not None
    assert worker.once(home.house, "diretorio") == 0
    home.clock.move(seconds=61)
    assert worker.once(home.house, "diretorio") == 1
    assert seen(home, id) == ["visto"]
    once_more(home)


def test_on_a_database_of_one_process_nobody_waits_for_who_died(home: Home, outage: Outage) -> None:
    if not home.house.database.sqlite:
        pytest.skip("many processes may work on PostgreSQL")
    id = cut(home)
    with home.house.database.write() as db:
        outbox.claim(db, home.clock(), "diretorio", "pessoa", id_of(home))
    at_work = worker.Worker(home.house)
    at_work.start()
    try:
        deadline = time.monotonic() + 40  # less than a holder's minute
        while seen(home, id) != ["visto"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        at_work.stop()
    once_more(home)


def once_more(home: Home, target: str = "diretorio") -> None:
    """Minutes later she is looked at once more, and then no longer."""
    assert worker.once(home.house, target) == 0, "not before its time"
    (waiting,) = [mark for mark in marks(home) if mark.target == target]
    assert waiting.due > home.clock(), "nobody is alarmed meanwhile"
    with home.house.reading() as db:
        assert db.scalar(select(outbox.Mark.id).where(outbox.Mark.target == target, outbox.unseen())) is None
    home.clock.move(minutes=11)
    assert worker.once(home.house, target) == 1
    assert target not in {mark.target for mark in marks(home)}


def test_what_the_directory_does_after_everybody_gave_up_on_it_is_found_and_undone(
    home: Home, slapd: Slapd, root: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change whose answer was lost is made only when the person was already seen to be out."""
    entry = in_directory(home, slapd)
    root.modify(entry, {LOCK: [(ldap3.MODIFY_REPLACE, [LOCKED])]})
    modify = Wire.modify
    with stalling(slapd.port) as way:
        settings = slapd.settings(url=f"ldaps://localhost:{way.port}", timeout="5")
        home.house.targets = {"ldap": plugins.target("ldap", settings, home.data)}

        def held(wire: Wire, dn: str, changes: Any) -> None:
            way.hold()
            modify(wire, dn, changes)

        monkeypatch.setattr(Wire, "modify", held)
        with home.house.begin(OPERATOR) as ctx:
            ctx.mark("pessoa", id_of(home))
        worker.once(home.house, "ldap")
        monkeypatch.undo()
        id = cut(home)
        worker.once(home.house, "ldap")
        assert seen(home, id) == ["visto"]
        assert locked(root, entry)
        way.release()
        deadline = time.monotonic() + 60
        while locked(root, entry):
            assert time.monotonic() < deadline, "what was held back is done now"
            time.sleep(0.05)
        with home.house.reading() as db:
            (before,) = recibo.destinos(db, id)
        once_more(home, "ldap")
        assert locked(root, entry)
        with home.house.reading() as db:
            (after,) = recibo.destinos(db, id)
            (line, _), *_ = search.find(db, search.Filter(pessoa=id_of(home), ato=Ato.CONTA_AJUSTAR))
        assert (after.estado, after.visto_em) == ("visto", before.visto_em), "it says when she was seen to be out"
        assert b"Disable()" in (line.payload or b"")


LOCK, LOCKED = "pwdAccountLockedTime", "000001010000Z"


def locked(root: Any, entry: str) -> bool:
    root.search(entry, "(objectClass=*)", ldap3.BASE, attributes=[LOCK])
    return bool(root.response[0]["attributes"].get(LOCK))


def test_a_look_from_before_an_event_takes_effect_is_not_the_proof_of_it(home: Home, outage: Outage) -> None:
    moment = home.clock() + timedelta(seconds=60)
    news = Evento("rh-sefaz-mt", "7", home.person("gestor")["cpf"], "", "", "desligamento", moment, "", "", "")
    with home.house.begin(OPERATOR) as ctx:
        id = receber(ctx, news, papeis=OPERADOR)[1].id
    outage.after_look = lambda: home.clock.move(seconds=61)
    worker.once(home.house, "diretorio")
    assert account_of(home, "gestor").enabled
    assert seen(home, id) == ["pendente"]
    worker.due_events(home.house)
    worker.once(home.house, "diretorio")
    assert not account_of(home, "gestor").enabled
    assert seen(home, id) == ["visto"]


def test_what_takes_effect_in_days_has_not_failed_today(home: Home, outage: Outage) -> None:
    day = home.clock.today() + timedelta(days=9)
    news = Evento("rh-sefaz-mt", "8", home.person("chefia")["cpf"], "", "", "desligamento", day, "", "", "")
    with home.house.begin(OPERATOR) as ctx:
        id = receber(ctx, news, papeis=OPERADOR)[1].id
    outage.down = True
    for _ in range(4):
        home.clock.move(minutes=6)
        worker.once(home.house, "diretorio")
    assert seen(home, id) == ["pendente"]


def in_directory(home: Home, slapd: Slapd) -> str:
    """Everybody of the world is in a real directory too; answers the servidora's DN there."""
    home.house.targets = {"ldap": plugins.target("ldap", slapd.settings(), home.data)}
    with home.house.begin(OPERATOR) as ctx:
        ctx.mark("pessoa", id_of(home))
    assert worker.once(home.house, "ldap") == 1
    return f"uid={home.person('servidora')['login']},ou=pessoas,{slapd.suffix}"


@pytest.fixture
def root(slapd: Slapd) -> Iterator[Any]:
    """The directory's own administrator."""
    tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(slapd.ca))
    server = ldap3.Server("localhost", port=slapd.port, use_ssl=True, tls=tls, get_info=ldap3.NONE)
    with ldap3.Connection(server, slapd.root_dn, slapd.root_password, raise_exceptions=True) as connection:
        yield connection


def test_who_was_renamed_in_the_directory_is_cut_there(home: Home, slapd: Slapd, root: Any) -> None:
    entry, login = in_directory(home, slapd), home.person("servidora")["login"]
    root.modify_dn(entry, f"uid=x-{login}-{id_of(home)}")
    id = cut(home)
    worker.once(home.house, "ldap")
    assert seen(home, id) == ["visto"]
    account = home.house.targets["ldap"].observe(f"x-{login}-{id_of(home)}")
    assert account is not None
    assert (account.enabled, account.perfis) == (False, frozenset())


def test_who_was_moved_out_of_reach_is_told_and_not_called_seen(home: Home, slapd: Slapd, root: Any) -> None:
    entry, elsewhere = in_directory(home, slapd), f"ou=o-{id_of(home)},{slapd.suffix}"
    root.add(elsewhere, ["organizationalUnit"])
    root.modify_dn(entry, entry.partition(",")[0], new_superior=elsewhere)
    id = cut(home)
    worker.once(home.house, "ldap")
    home.clock.move(minutes=10)
    worker.once(home.house, "ldap")
    with home.house.reading() as db:
        (where,) = recibo.destinos(db, id)
    assert where.estado == "falhou"
    assert "insufficientAccess" in (where.erro or "")


def test_who_was_deleted_there_on_purpose_alarms_nobody(home: Home, slapd: Slapd, root: Any) -> None:
    root.delete(in_directory(home, slapd))
    id = cut(home)
    worker.once(home.house, "ldap")
    assert seen(home, id) == ["visto"]
    assert [mark for mark in marks(home) if mark.target == "ldap"] == []


def test_what_the_directory_still_gives_is_named_without_what_is_known_of_the_person(
    home: Home, slapd: Slapd, root: Any
) -> None:
    """A perfil held through another group, which only people can take away."""
    entry, perfil = in_directory(home, slapd), f"mt-x.p-{id_of(home)}"
    team = f"cn=equipe-{id_of(home)},{slapd.suffix}"
    root.add(team, ["groupOfNames"], {"member": entry})
    root.add(f"cn={perfil},ou=grupos,{slapd.suffix}", ["groupOfNames"], {"member": team})
    id = cut(home)
    for _ in range(2):
        worker.once(home.house, "ldap")
        home.clock.move(minutes=10)
    root.delete(team)
    with home.house.reading() as db:
        (where,) = recibo.destinos(db, id)
    assert (where.estado, where.erro) == ("falhou", f"o destino ainda difere depois de ajustado: RemovePerfil {perfil}")


def test_whose_last_right_has_run_out_is_no_longer_enabled_anywhere(home: Home, outage: Outage) -> None:
    with home.house.begin(OPERATOR) as ctx:
        somebody = pessoa.by_cpf(ctx.db, home.person("servidora")["cpf"])
        assert somebody is not None
        for right in concessao.vigentes(ctx.db, somebody.id, ctx.now):
            right.prazo = right.vigente_ate = ctx.now + timedelta(minutes=30)
    home.clock.move(hours=1)
    worker.sweep(home.house)
    while worker.once(home.house, "diretorio"):
        pass
    account = outage.observe(home.person("servidora")["login"])
    assert account is not None
    assert (account.enabled, account.perfis) == (False, frozenset())
