"""Which revocation lists are believed, and of whom: a part is no whole, and an older one revives nobody."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from iam.icp_brasil import chain
from iam.icp_brasil.chain import Trust
from iam.icp_brasil.crl import Lists
from iam.icp_brasil.sample import Authority, Issued
from tests.icp_brasil.conftest import Checked

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CPF = "52998224725"
OWN, MIRROR, OTHER = (f"http://icp-brasil.invalid/teste/{n}.crl" for n in (1, 2, 3))


def limited(
    authority: Authority,
    *names: str,
    revoked: int | None = None,
    relative: x509.RelativeDistinguishedName | None = None,
    reasons: frozenset[x509.ReasonFlags] | None = None,
    indirect: bool = False,
    people: bool = False,
    authorities: bool = False,
    attributes: bool = False,
) -> bytes:
    """A list of the authority that says of which certificates it speaks."""
    full = [x509.UniformResourceIdentifier(name) for name in names] or None
    limits = x509.IssuingDistributionPoint(full, relative, people, authorities, reasons, indirect, attributes)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.issuer.certificate.subject)
        .last_update(NOW)
        .next_update(NOW + timedelta(days=7))
        .add_extension(x509.CRLNumber(9), critical=False)
        .add_extension(limits, critical=True)
    )
    if revoked is not None:
        entry = x509.RevokedCertificateBuilder().serial_number(revoked).revocation_date(NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(authority.issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def both(trust: Trust, issued: Issued, now: datetime = NOW) -> str:
    """The word of the verdict, which is what the lists go on saying of the certificate in any other process."""
    verdict = trust.verify(issued.der, now)
    assert verdict.listed
    other = Trust(trust.store, Lists.of([file.path for file in trust.lists.files]))
    assert trust.recheck(verdict.listed, now) == other.recheck(verdict.listed, now) == verdict.word
    return verdict.word


def test_a_list_for_other_certificates_says_nothing_of_this_one(checked: Checked, authority: Authority) -> None:
    issued = authority.person(NOW, "MARIA", CPF)
    checked.path.write_bytes(limited(authority, OTHER))
    assert both(Trust(checked.trust.store, Lists.of([checked.path])), issued) == chain.ESTADO_INDISPONIVEL


def test_one_of_several_lists_decides_for_the_certificates_that_name_it(checked: Checked, authority: Authority) -> None:
    good, revoked = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    serial = revoked.certificate.serial_number
    trust = Trust(checked.trust.store, Lists.of([checked.path]))
    for own in ((OWN,), (MIRROR,), (OTHER, MIRROR)):
        checked.path.write_bytes(limited(authority, *own, revoked=serial) + limited(authority, OTHER))
        assert both(trust, good) == chain.VALIDO
        assert both(trust, revoked) == chain.REVOGADO
    checked.path.write_bytes(limited(authority, OWN) + limited(authority, OTHER, revoked=serial))
    assert both(Trust(trust.store, Lists.of([checked.path])), revoked) == chain.VALIDO, "another's number, by its name"


def test_of_a_whole_list_and_a_part_either_can_revoke(checked: Checked, authority: Authority) -> None:
    issued = authority.person(NOW, "MARIA", CPF)
    serial = issued.certificate.serial_number
    for lists in (
        limited(authority, OWN, revoked=serial) + authority.crl(NOW, days=7),
        limited(authority, OWN) + authority.crl(NOW, {serial: NOW}, days=7),
    ):
        checked.path.write_bytes(lists)
        assert both(Trust(checked.trust.store, Lists.of([checked.path])), issued) == chain.REVOGADO


PARTIAL: dict[str, Callable[[Authority], bytes]] = {
    "some reasons": lambda a: limited(a, OWN, reasons=frozenset({x509.ReasonFlags.key_compromise})),
    "another's certificates": lambda a: limited(a, OWN, indirect=True),
    "people only": lambda a: limited(a, people=True),
    "authorities only": lambda a: limited(a, authorities=True),
    "attributes only": lambda a: limited(a, attributes=True),
    "a relative name": lambda a: limited(
        a,
        relative=x509.RelativeDistinguishedName([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, "1")]),
    ),
}


@pytest.mark.parametrize("kind", PARTIAL)
def test_a_list_limited_in_another_way_is_not_believed(checked: Checked, authority: Authority, kind: str) -> None:
    checked.path.write_bytes(PARTIAL[kind](authority))
    trust = Trust(checked.trust.store, Lists.of([checked.path]))
    assert both(trust, authority.person(NOW, "MARIA", CPF)) == chain.ESTADO_INDISPONIVEL
    assert trust.lists.unusable(NOW) == 1


@pytest.mark.parametrize("older", ["by its number", "by its date"])
def test_an_older_list_put_back_revives_nobody_and_is_told(
    checked: Checked, authority: Authority, caplog: pytest.LogCaptureFixture, older: str
) -> None:
    good, revoked = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    before = NOW - timedelta(minutes=30) if older == "by its date" else NOW
    past = authority.crl(before, number=7)
    checked.number = 7
    checked.revoke(revoked.certificate.serial_number, days=1)
    assert checked.trust.verify(revoked.der, NOW).word == chain.REVOGADO
    checked.path.unlink()
    checked.path.write_bytes(past)
    for later in (NOW + timedelta(minutes=1), NOW + timedelta(hours=23)):
        assert checked.trust.verify(good.der, later).valid, "the list that is known still decides"
        assert checked.trust.verify(revoked.der, later).word == chain.REVOGADO
        assert checked.trust.lists.unusable(later) == 1
        assert checked.trust.lists.until(later) == NOW + timedelta(days=1)
    told = [r for r in caplog.records if r.levelno == logging.ERROR and "mais antiga" in r.getMessage()]
    assert len(told) == 1
    ended = NOW + timedelta(days=1, seconds=1)
    assert {checked.trust.verify(each.der, ended).word for each in (good, revoked)} == {chain.ESTADO_INDISPONIVEL}
    checked.revoke(revoked.certificate.serial_number, now=ended, days=1)
    assert checked.trust.verify(good.der, ended).valid
    assert checked.trust.verify(revoked.der, ended).word == chain.REVOGADO
    assert checked.trust.lists.unusable(ended) == 0


@pytest.mark.parametrize(
    ("begins", "days"),
    [(-timedelta(days=30), 60), (-timedelta(days=2), 1), (timedelta(hours=1), 7)],
    ids=["older", "ended", "dated ahead"],
)
def test_whom_any_signed_list_revokes_is_revoked(
    checked: Checked, authority: Authority, begins: timedelta, days: int
) -> None:
    good, lost = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    trust = Trust(checked.trust.store, Lists.of([checked.path]))
    assert trust.verify(lost.der, NOW).word == chain.VALIDO
    entry = x509.RevokedCertificateBuilder().serial_number(lost.certificate.serial_number).revocation_date(NOW).build()
    builder = x509.CertificateRevocationListBuilder().issuer_name(authority.issuer.certificate.subject)
    builder = builder.last_update(NOW + begins).next_update(NOW + begins + timedelta(days=days))
    made = builder.add_revoked_certificate(entry).sign(authority.issuer.key, hashes.SHA256())
    checked.path.write_bytes(made.public_bytes(Encoding.PEM))
    assert trust.verify(lost.der, NOW).word == chain.REVOGADO
    assert trust.verify(good.der, NOW).word == chain.VALIDO, "the list known before still decides"


def test_two_lists_in_one_file_are_no_fault(authority: Authority, checked: Checked) -> None:
    issued = authority.person(NOW, "MARIA", CPF)
    newer = authority.crl(NOW, {issued.certificate.serial_number: NOW}, number=8)
    checked.path.write_bytes(newer + authority.crl(NOW, number=7))
    assert checked.trust.verify(issued.der, NOW).word == chain.REVOGADO
    assert checked.trust.lists.unusable(NOW) == 0
