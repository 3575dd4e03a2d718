"""Norms and time: nothing is registered under one that was not yet in force, and each entry cites the one that decided."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from iam.atos.conceder import conceder
from iam.atos.papel import OPERADOR
from iam.demo.world import FUNDAMENTO, ORIGEM, PAPEIS
from iam.errors import Refused
from iam.journal import Entry
from tests.atos.rh import RH, noticia, receive
from tests.house import Home

BRASILIA = ZoneInfo("America/Sao_Paulo")


@pytest.mark.parametrize(
    ("sistema", "perfil", "day", "requirement", "title"),
    [
        pytest.param(
            "pucomex", "PCCENOTCUM", (2020, 10, 6), "COTEC62-8", "Portaria Cotec nº 62, de 25 de setembro de 2020",
        ),
        pytest.param(
            "dec", "dec-sefa", (2020, 3, 3), "DEC7-9", "Instrução Normativa SEFA nº 7, de 28 de fevereiro de 2020",
            marks=pytest.mark.requirement("DEC7-9"),
        ),
        pytest.param("mt-ipva", "mt-consulta", (2005, 10, 10), "MT128-22", "consolidada até a Portaria 197/2014"),
        pytest.param("vfr", "coana-rfb-administracao", (2023, 7, 31), "CASA-17", "Portaria Coana nº 132/2023"),
    ],
)  # fmt: skip
def test_no_act_is_registered_under_a_norm_with_a_date_before_it(
    home: Home, sistema: str, perfil: str, day: tuple[int, int, int], requirement: str, title: str
) -> None:
    """The refusal is an entry of its own; what is accepted names the pack, which is one version of one norm."""
    first = datetime(*day, tzinfo=BRASILIA)

    def grant(de: datetime) -> None:
        with home.house.begin(RH) as ctx:
            conceder(
                ctx, "sefaz-rs", sistema, perfil,
                vinculo=None, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS, de=de,
            )  # fmt: skip

    with pytest.raises(Refused) as refused:
        grant(first - timedelta(seconds=1))
    assert refused.value.decision.missing[0] == "registrar o ato com data em que a norma já vigore"
    grant(first)
    entries = written(home)
    assert [(e.allowed, e.requirement) for e in entries[-2:-1]] == [(False, requirement)]
    assert entries[-1].allowed
    assert title in home.house.policy.read[entries[-2].pack if requirement != "CASA-17" else "coana"].title


def test_a_decision_under_the_portaria_of_mt_cites_its_consolidation(home: Home) -> None:
    receive(home, noticia(home, "remanejamento"))
    (entry,) = (e for e in written(home) if e.ato == "pessoa:evento" and e.allowed)
    assert (entry.pack, entry.article) == ("mt128", "Art. 13")
    assert home.house.policy.read[entry.pack].title.endswith("consolidada até a Portaria 197/2014")


def written(home: Home) -> list[Entry]:
    home.house.recorder.flush()
    with home.house.reading() as db:
        return list(db.scalars(select(Entry).order_by(Entry.id)))


def test_an_operator_may_not_either(home: Home) -> None:
    with pytest.raises(Refused), home.house.begin(RH) as ctx:
        conceder(
            ctx, "sefaz-rs", "portaria", "auditor",
            vinculo=None, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=OPERADOR, de=datetime(2004, 12, 31, tzinfo=BRASILIA),
        )  # fmt: skip
