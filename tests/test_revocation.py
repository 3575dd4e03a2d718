"""What is known of revocation lists outlives the process that knew it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select

from iam import doctor, revocation
from iam.app import close, open_house
from iam.context import House
from iam.demo.world import prepare
from iam.icp_brasil import chain
from iam.icp_brasil.sample import Authority
from iam.worker import Worker
from tests.house import Home
from tests.test_search import plans


@contextmanager
def restarted(home: Home) -> Iterator[House]:
    house = open_house(home.house.settings, home.clock)
    yield house
    close(house)


def word(house: House, home: Home, client: str) -> str:
    (leaf, *_) = x509.load_pem_x509_certificates(Path(str(home.world.clients[client]["cert"])).read_bytes())
    return house.trust.verify(leaf.public_bytes(Encoding.DER), home.clock()).word


def serial(home: Home, client: str) -> int:
    return x509.load_pem_x509_certificates(Path(str(home.world.clients[client]["cert"])).read_bytes())[0].serial_number


def kept(home: Home) -> int:
    with home.house.reading() as db:
        return max((int(row.number, 16) for row in db.scalars(select(revocation.NewestList))), default=0)


def test_an_older_list_put_back_while_nobody_looked_revives_nobody(home: Home) -> None:
    authority, file = Authority.read(home.data), home.data / "ca.crl"
    older = file.read_bytes()
    newer = authority.crl(home.clock(), {serial(home, "sefaz-mt"): home.clock()}, number=2**70)
    file.write_bytes(newer)
    at_work = Worker(home.house)
    at_work.start()
    deadline = time.monotonic() + 60
    while kept(home) < 2**70 and time.monotonic() < deadline:
        time.sleep(0.05)
    at_work.stop()
    file.unlink()
    file.write_bytes(older)
    with restarted(home) as house:
        assert word(house, home, "sefaz-mt") == chain.ESTADO_INDISPONIVEL
        assert word(house, home, "sefaz-sp") == chain.ESTADO_INDISPONIVEL, "nobody knows who else was revoked"
        assert any(f.state == doctor.FALHA and "mais antiga" in f.text for f in doctor.after_opening(house))
        assert house.trust.lists.until(home.clock()) <= home.clock()
        file.write_bytes(newer)
        assert word(house, home, "sefaz-mt") == chain.REVOGADO
        assert word(house, home, "sefaz-sp") == chain.VALIDO
        assert not any("mais antiga" in f.text for f in doctor.after_opening(house))


def test_a_demonstration_that_is_started_again_issues_its_list_anew(home: Home) -> None:
    """Its authority lives beside it: an older list put back, or a year gone by, does not end it; nor revive anybody."""
    authority, file = Authority.read(home.data), home.data / "ca.crl"
    older = authority.crl(home.clock(), {serial(home, "sefaz-sp"): home.clock()}, number=5)
    file.write_bytes(authority.crl(home.clock() + timedelta(minutes=1), number=6))
    with restarted(home) as house:
        assert word(house, home, "sefaz-mt") == chain.VALIDO
        revocation.keep(house.database, house.trust.lists)
    file.write_bytes(older)
    with restarted(home) as house:
        assert word(house, home, "sefaz-mt") == chain.ESTADO_INDISPONIVEL
        prepare(home.data, home.clock())
        assert word(house, home, "sefaz-mt") == chain.VALIDO
        assert word(house, home, "sefaz-sp") == chain.REVOGADO
    file.write_bytes(b"no list")
    prepare(home.data, home.clock())
    assert file.read_bytes() == b"no list", "what cannot be read is not made good"


def test_a_list_that_is_known_already_costs_no_statement_and_an_older_node_takes_nothing_back(home: Home) -> None:
    authority, file = Authority.read(home.data), home.data / "ca.crl"
    with restarted(home) as behind:
        assert word(behind, home, "sefaz-mt") == chain.VALIDO
        file.write_bytes(authority.crl(home.clock(), number=9))
        assert word(home.house, home, "sefaz-mt") == chain.VALIDO
        revocation.keep(home.house.database, home.house.trust.lists)
        revocation.keep(behind.database, behind.trust.lists)
    assert kept(home) == 9
    with plans(home.house.database) as asked:
        revocation.keep(home.house.database, home.house.trust.lists)
    assert asked == []
