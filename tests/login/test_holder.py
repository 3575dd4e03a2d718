"""Who a login by certificate is, over real TLS: the holder, whoever else he acts for; and nobody when it does not stand."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from html import unescape
from pathlib import Path

import pytest
from cryptography import x509

from iam.demo.outsider import Answer, Outsider
from iam.icp_brasil.sample import Authority
from tests.house import Served


@pytest.fixture
def authority(shared: Served) -> Authority:
    return Authority.read(shared.home.data)


@pytest.fixture
def crl(shared: Served) -> Iterator[Path]:
    """The list of the house, put back afterwards."""
    path = shared.home.data / "ca.crl"
    kept = path.read_bytes()
    yield path
    path.write_bytes(kept)
    shared.home.clock.move(seconds=2)


def enter(shared: Served, cert: str, key: str) -> Answer:
    """The page where somebody ends who goes to the login page and chooses the certificate."""
    she = Outsider(shared.home.data / "ca.pem", cert, key)
    shared.met.append(she)
    page = she.ask("GET", f"{shared.issuer}/entrar").body.decode()
    link = re.search(r'href="([^"]*/entrar/certificado\?[^"]*)"', page)
    assert link is not None
    return she.browse(she.ask("GET", unescape(link[1])), "never")


@pytest.mark.requirement("DEC7-3.2")
def test_whose_certificate_it_is_enters_and_never_whom_they_act_for(shared: Served) -> None:
    procurador, outro = shared.home.person("procurador"), shared.home.person("servidora")
    own = enter(shared, procurador["cert"], procurador["key"])
    assert own.status == 200
    assert procurador["nome"] in own.body.decode()
    assert "Procurador digital" in own.body.decode()
    lent = enter(shared, outro["cert"], outro["key"]).body.decode()
    assert outro["nome"] in lent
    assert procurador["nome"] not in lent
    assert "Procurador digital" not in lent


@pytest.mark.requirement("DEC7-3.1")
def test_a_certificate_outside_icp_brasil_or_of_no_person_lets_nobody_in(shared: Served, authority: Authority) -> None:
    now, who = shared.home.clock(), shared.home.person("procurador")
    stranger = Authority.create(now).person(now, "FABIO LINS", who["cpf"])
    company = authority.company(now, "EMPRESA", "11222333000181", responsible=who["cpf"])
    for name, issued in (("estranho", stranger), ("empresa", company)):
        cert, key = issued.write(shared.home.data, name)
        answer = enter(shared, str(cert), str(key))
        assert answer.status == 403
        assert who["nome"] not in answer.body.decode()


@pytest.mark.requirement("DEC7-3.3")
def test_an_expired_revoked_or_unverifiable_certificate_lets_nobody_in(
    shared: Served, authority: Authority, crl: Path
) -> None:
    now, who = shared.home.clock(), shared.home.person("procurador")
    assert enter(shared, who["cert"], who["key"]).status == 200
    expired = authority.person(now - timedelta(days=100), "FABIO LINS", who["cpf"], days=10)
    cert, key = expired.write(shared.home.data, "vencido")
    answer = enter(shared, str(cert), str(key))
    assert (answer.status, "vencido" in answer.body.decode()) == (403, True)

    serial = x509.load_pem_x509_certificates(Path(who["cert"]).read_bytes())[0].serial_number
    crl.write_bytes(authority.crl(now, {serial: now}, number=2))
    shared.home.clock.move(seconds=2)
    answer = enter(shared, who["cert"], who["key"])
    assert (answer.status, "revogado" in answer.body.decode()) == (403, True)

    crl.write_bytes(authority.crl(now - timedelta(days=90), days=30, number=3))
    shared.home.clock.move(seconds=2)
    assert enter(shared, who["cert"], who["key"]).status == 403, "the last list that was decides for a while"
    shared.home.clock.move(minutes=16)
    answer = enter(shared, who["cert"], who["key"])
    assert (answer.status, "não pôde ser verificado" in answer.body.decode()) == (403, True)
