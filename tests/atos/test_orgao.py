"""Units stand under units: who may speak of one may speak of those under it, and a loop in the data ends."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sqlalchemy import update

from iam.atos.orgao import Orgao, inside, lineage, midnight
from tests.house import Home


def test_a_unit_stands_under_its_superiors_nearest_first(home: Home) -> None:
    with home.house.reading() as db:
        line = lineage(db, "sefaz-mt-gipva")
        assert line[0] == "sefaz-mt-gipva"
        assert line[-1] == "sefaz-mt"
        assert inside(db, "sefaz-mt-gipva", ["sefaz-mt"])
        assert not inside(db, "sefaz-mt", ["sefaz-mt-gipva"])
        assert inside(db, "rfb", ["*"])
        assert lineage(db, "ninguem") == ("ninguem",)


def test_a_loop_of_superiors_ends(home: Home) -> None:
    with home.house.database.write() as db:
        db.execute(update(Orgao).where(Orgao.id == "sefaz-mt").values(superior="sefaz-mt-gipva"))
    with home.house.reading() as db:
        assert lineage(db, "sefaz-mt-gipva")[0] == "sefaz-mt-gipva"
        assert "sefaz-mt" in lineage(db, "sefaz-mt-gipva")


def test_a_day_begins_at_midnight_of_the_place(home: Home) -> None:
    with home.house.reading() as db:
        assert midnight(db, "sefaz-mt", date(2026, 1, 5)) == datetime(2026, 1, 5, 4, tzinfo=UTC)
        assert midnight(db, "sefaz-ac", date(2026, 1, 5)) == datetime(2026, 1, 5, 5, tzinfo=UTC)
        assert midnight(db, None, date(2026, 1, 5)) == datetime(2026, 1, 5, 3, tzinfo=UTC)
