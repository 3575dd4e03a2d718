"""Guessing gets slower and slower, for names that exist and names that do not; nobody is shut out by a stranger."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from iam import app, search
from iam.context import Agente, House
from iam.errors import Refused
from iam.login import attempt, enter, password, throttle, totp
from iam.login.throttle import EVERYWHERE, NETWORK, LoginTry, Rule
from tests.house import Home

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
GUESSING = Rule(5, timedelta(seconds=30), timedelta(minutes=15), timedelta(hours=1))


def at(address: str) -> Agente:
    return Agente("anonimo", "", address=address, user_agent="Firefox")


def answer(house: House, agente: Agente, login: str, senha: str = "errada", browser: str = "") -> tuple[str, str, int]:
    """What somebody learns from one try: the word, the message, the status; "" when it was right."""
    try:
        enter.with_password(house, agente, login, senha, browser=browser)
    except Refused as refused:
        return refused.decision.papel, refused.message, refused.status
    return "", "", 200


def rows(home: Home) -> int:
    with home.house.reading() as db:
        return db.scalar(select(func.count()).select_from(LoginTry)) or 0


def stop(home: Home) -> None:
    """From here on time passes only by ``home.clock.move``, however slow the machine."""
    moment = home.clock() - home.clock.ahead
    home.house.clock = lambda: moment + home.clock.ahead


def known_browser(home: Home, role: str) -> str:
    """What an ordinary login leaves in a browser."""
    who, agente = home.person(role), at("198.51.100.1")
    step = enter.with_password(home.house, agente, who["login"], who["password"])
    assert isinstance(step, enter.Next)
    home.clock.move(seconds=31)
    return enter.with_code(home.house, agente, step.ticket, totp.code(who["totp"], home.clock())).browser


def test_a_few_mistakes_cost_nothing_then_each_doubles_the_wait_up_to_a_quarter_of_an_hour() -> None:
    assert all(not GUESSING.wait(failures, NOW, NOW) for failures in range(5))
    assert not GUESSING.wait(100, None, NOW)
    waits = [GUESSING.wait(failures, NOW, NOW) for failures in range(5, 13)]
    assert waits[0] == timedelta(seconds=30)
    assert waits[1] == 2 * waits[0]
    assert waits == sorted(waits)
    assert waits[-1] == GUESSING.wait(10_000, NOW, NOW) == timedelta(minutes=15)


def test_the_wait_ends_by_itself_and_mistakes_are_forgotten_one_by_one() -> None:
    assert GUESSING.wait(50, NOW, NOW + timedelta(minutes=14))
    assert not GUESSING.wait(50, NOW, NOW + timedelta(minutes=15))
    assert GUESSING.left(5, NOW, NOW + timedelta(hours=2)) == 3
    assert GUESSING.left(5, NOW, NOW + timedelta(days=2)) == 0


def test_tries_and_longest_wait_are_those_of_the_rules_in_force(home: Home) -> None:
    found = throttle.guessing(home.house.policy)
    assert (found.free, found.longest) == (5, timedelta(minutes=15))


def test_a_login_that_exists_and_one_that_does_not_answer_the_same_at_every_count_of_tries(home: Home) -> None:
    who = home.person("servidora")
    names = (who["login"], who["cpf"], "ninguem.daqui", "11144477735")
    seen: dict[str, list[tuple[str, str, int]]] = {name: [] for name in names}
    for turn in range(14):
        for name in names:
            seen[name].append(answer(home.house, at("203.0.113.7"), name))
        if turn > 6:
            home.clock.move(minutes=4)
    assert all(answers == seen["ninguem.daqui"] for answers in seen.values())
    words = [word for word, _, _ in seen["ninguem.daqui"]]
    assert words[:6] == ["senha_incorreta"] * 5 + ["tentativas_demais"]
    assert "senha_incorreta" in words[7:], "the wait ends"


def test_a_try_costs_the_same_work_whether_the_login_exists_or_not(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    verify = password.verify

    def counted(stored: str | None, typed: str) -> bool:
        hashed.append(typed)
        return verify(stored, typed)

    monkeypatch.setattr(password, "verify", counted)
    for name in (home.person("gestor")["login"], "ninguem.daqui"):
        kept, before = rows(home), len(hashed)
        words = [answer(home.house, at("203.0.113.8"), name)[0] for _ in range(7)]
        assert len(hashed) - before == words.count("senha_incorreta") == 5, "who must wait costs no hash"
        assert rows(home) - kept == (3 if name != "ninguem.daqui" else 2), "name here, name everywhere, network"


def test_who_must_wait_waits_even_with_the_right_password_in_whatever_form_the_name_is_typed(home: Home) -> None:
    who = home.person("servidora")
    for name in (who["login"], who["login"].upper(), f" {who['login']} ", who["login"], who["login"]):
        assert answer(home.house, at("203.0.113.9"), name)[0] == "senha_incorreta"
    assert answer(home.house, at("203.0.113.9"), who["login"], who["password"])[0] == "tentativas_demais"
    assert answer(home.house, at("203.0.113.10"), who["login"], who["password"])[0] == "", "a stranger shuts nobody out"


def test_many_at_once_are_as_many_as_one_after_the_other_on_two_nodes_too(home: Home) -> None:
    houses = [home.house]
    if not home.house.database.sqlite:
        houses.append(app.open_house(home.house.settings, home.clock))
    login = home.person("servidora")["login"]
    with ThreadPoolExecutor(8) as pool:
        tries = pool.map(lambda n: answer(houses[n % len(houses)], at("203.0.113.11"), login)[0], range(24))
        words = list(tries)
    for other in houses[1:]:
        app.close(other)
    assert words.count("senha_incorreta") == 5
    assert words.count("tentativas_demais") == 19


def test_guessing_one_login_from_everywhere_slows_down_but_not_in_the_persons_own_browser(home: Home) -> None:
    who = home.person("servidora")
    browser = known_browser(home, "servidora")
    for n in range(EVERYWHERE.free):
        with home.house.begin(at("")) as ctx:
            keys = throttle.of_stranger(home.house.vault, home.house.policy, at(f"192.0.2.{n}"), who["login"])
            assert throttle.count(ctx.db, keys, ctx.now)
    assert answer(home.house, at("192.0.2.200"), who["login"])[0] == "tentativas_demais"
    assert answer(home.house, at("192.0.2.200"), who["login"], who["password"], browser)[0] == ""
    home.clock.move(minutes=1)
    assert answer(home.house, at("192.0.2.200"), who["login"], who["password"])[0] == "", "a minute at the longest"


def test_a_known_browser_is_throttled_by_itself_and_known_to_its_own_person_only(home: Home) -> None:
    who, browser = home.person("servidora"), known_browser(home, "servidora")
    tries = [answer(home.house, at("203.0.113.12"), who["login"], browser=browser)[0] for _ in range(6)]
    assert tries == ["senha_incorreta"] * 5 + ["tentativas_demais"]
    assert answer(home.house, at("203.0.113.12"), who["login"], who["password"])[0] == "", "strangers count apart"
    other = home.person("gestor")
    tries = [answer(home.house, at("203.0.113.12"), other["login"], browser=browser)[0] for _ in range(6)]
    assert tries[-1] == "tentativas_demais"
    assert answer(home.house, at("203.0.113.12"), other["login"], browser="")[0] == "tentativas_demais", "one count"


@pytest.mark.parametrize("addresses", [("203.0.113.13",), ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9")])
def test_trying_one_password_on_many_names_is_stopped_by_the_network(home: Home, addresses: tuple[str, ...]) -> None:
    def guess(n: int) -> bool:
        with home.house.begin(at("")) as ctx:
            agente = at(addresses[n % len(addresses)])
            keys = throttle.of_stranger(home.house.vault, home.house.policy, agente, f"nome-{n}")
            return throttle.count(ctx.db, keys, ctx.now)

    stop(home)
    assert all(guess(n) for n in range(NETWORK.free - 1))
    who = home.person("servidora")
    for _ in range(3):
        assert answer(home.house, at(addresses[0]), who["login"], who["password"])[0] == "", (
            "the right ones cost nothing"
        )
    assert guess(1000)
    assert not guess(1001)
    assert answer(home.house, at("2001:db8:1:3::1"), who["login"], who["password"])[0] == "", "the neighbours go on"
    home.clock.move(seconds=7)
    assert guess(1002)
    assert not guess(1003)


def test_made_up_names_fill_no_more_than_their_share_and_a_quiet_day_forgets(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST", 60)

    def guess(n: int) -> None:
        agente = at(f"198.51.{n // 200}.{n % 200}")
        attempt.allowed(
            home.house, agente, throttle.of_stranger(home.house.vault, home.house.policy, agente, f"nome-{n}")
        )

    for n in range(900):
        guess(n)
    with home.house.begin(at("")) as ctx:
        throttle.sweep(ctx.db, ctx.now)
    assert rows(home) == 60
    home.clock.move(days=1, seconds=1)
    with home.house.begin(at("")) as ctx:
        throttle.sweep(ctx.db, ctx.now)
    assert rows(home) == 0


def test_the_table_is_swept_as_it_grows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MOST", 10)
    swept = 0
    for n in range(2000):
        agente = at(f"198.51.{n // 200}.{n % 200}")
        keys = throttle.of_stranger(home.house.vault, home.house.policy, agente, f"nome-{n}")
        if throttle.due(keys) or n % 100 == 0:
            attempt.allowed(home.house, agente, keys)
        if throttle.due(keys):
            swept += 1
            assert rows(home) <= 10
    assert swept


def test_nothing_of_what_was_typed_is_kept(home: Home) -> None:
    typed = "minha senha no campo errado"
    answer(home.house, at("203.0.113.14"), typed)
    home.house.recorder.flush()
    with home.house.reading() as db:
        kept = [row.key for row in db.scalars(select(LoginTry))]
        lines = [entry.payload or b"" for entry, _ in search.find(db, search.Filter(ato="sessao:abrir"))]
    assert lines
    assert not any(typed in str(value) for value in (*kept, *lines))
    other = replace(home.house, vault=type(home.house.vault)(b"\1" * 32))
    keys = throttle.of_stranger(other.vault, other.policy, at("203.0.113.14"), typed)
    assert not set(keys) & set(kept), "nobody without the key can try names on a copy of the table"
