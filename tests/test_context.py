"""The house through time: norms come into force and end with the day in Brasília, while the server runs."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from iam.norm import legal_day
from iam.policy import Policy
from tests.house import Home


def test_a_norm_ends_with_the_day_in_brasilia_and_not_with_that_of_utc(home: Home) -> None:
    now = home.clock()
    midnight = datetime(now.year, now.month, now.day, 3, tzinfo=UTC)  # 00:00 in Brasília
    home.clock.move(days=1, seconds=(midnight - now).total_seconds() - 60)
    last = legal_day(home.clock())
    read = home.house.policy.read.values()
    home.house.policy = Policy((replace(p, until=last) if p.id == "coana" else p for p in read), last)
    assert home.clock().date() > last, "in UTC it is tomorrow already"
    assert not home.house.turn_day()
    assert decides(home)
    home.clock.move(seconds=120)
    assert home.house.turn_day()
    assert not decides(home)
    assert not home.house.turn_day()


def decides(home: Home) -> bool:
    return home.house.policy.decide({"coana-rfb-administracao"}, "COANA-F03", "vfr").allowed
