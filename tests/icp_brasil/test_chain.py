"""The verdict, word by word, on a chain shaped like ICP-Brasil's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given
from hypothesis import strategies as st

from iam.icp_brasil import chain
from iam.icp_brasil.chain import Trust
from iam.icp_brasil.crl import Lists
from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority, Issued
from iam.icp_brasil.truststore import fingerprint, load
from tests.icp_brasil.conftest import Checked

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

CPF, CNPJ = "52998224725", "12345678000195"
SUBJECT = x509.Name([x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"), x509.NameAttribute(NameOID.COMMON_NAME, "X")])


def shapes(authority: Authority) -> dict[str, Issued]:
    return {
        "old person": authority.person(NOW, "MARIA DE TESTE", CPF),
        "new person": authority.person_new(NOW, "MARIA DE TESTE", CPF),
        "company": authority.company(NOW, "EMPRESA", CNPJ),
        "seal without subjectAltName": authority.seal(NOW, "ORGAO", CNPJ, alternative=False),
        "equipment": authority.equipment(NOW, "api.sefaz.mt.gov.br", CNPJ, "SECRETARIA"),
    }


@pytest.mark.parametrize("shape", ["old person", "new person", "company", "seal without subjectAltName", "equipment"])
def test_every_shape_of_the_field_is_valid(checked: Checked, authority: Authority, shape: str) -> None:
    issued = shapes(authority)[shape]
    verdict = checked.trust.verify(issued.der, NOW)
    assert verdict.word == chain.VALIDO
    assert verdict.valid
    assert verdict.x5t == x5t_s256(issued.der)
    assert verdict.chain == tuple(map(fingerprint, (issued.certificate, *issued.above)))
    assert len(verdict.chain) == 4


def test_an_rsa_chain_is_valid(tmp_path: Path) -> None:
    authority = Authority.create(NOW, rsa=True)
    (tmp_path / "crl").write_bytes(authority.crl(NOW))
    trust = Trust(load(authority.bundle, test=True), Lists.of([tmp_path / "crl"]))
    assert trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).valid


@pytest.mark.parametrize(
    ("since", "days", "word"), [(-30, 20, chain.EXPIRADO), (10, 20, chain.AINDA_NAO_VALIDO), (-30, 60, chain.VALIDO)]
)
def test_time(checked: Checked, authority: Authority, since: int, days: int, word: str) -> None:
    issued = authority.leaf(NOW, SUBJECT, since=since, days=days)
    assert checked.trust.verify(issued.der, NOW).word == word


def test_a_cached_verdict_ends_with_the_certificate(checked: Checked, authority: Authority) -> None:
    issued = authority.leaf(NOW, SUBJECT, days=1)
    assert checked.trust.verify(issued.der, NOW).valid
    assert checked.trust.verify(issued.der, NOW + timedelta(days=2)).word == chain.EXPIRADO
    assert checked.trust.verify(issued.der, NOW - timedelta(days=2)).word == chain.AINDA_NAO_VALIDO


def test_a_certificate_revoked_in_a_new_list_is_refused_from_the_next_question_on(
    checked: Checked, authority: Authority
) -> None:
    issued, other = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    assert checked.trust.verify(issued.der, NOW).valid
    checked.revoke(issued.certificate.serial_number)
    assert checked.trust.verify(issued.der, NOW).word == chain.REVOGADO
    assert checked.trust.verify(other.der, NOW).valid


def self_signed(*, authority: bool = False, days: int = 365) -> Issued:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(SUBJECT)
        .issuer_name(SUBJECT)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=100))
        .not_valid_after(NOW + timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Issued(certificate, key)


def test_a_self_signed_certificate_is_unknown_even_when_it_also_expired(checked: Checked) -> None:
    assert checked.trust.verify(self_signed().der, NOW).word == chain.DESCONHECIDO
    assert checked.trust.verify(self_signed(days=-1).der, NOW).word == chain.DESCONHECIDO


def test_a_look_alike_chain_with_the_same_names_is_unknown(checked: Checked) -> None:
    assert checked.trust.verify(Authority.create(NOW).person(NOW, "MARIA", CPF).der, NOW).word == chain.DESCONHECIDO


def test_without_the_intermediate_there_is_no_chain(authority: Authority, tmp_path: Path) -> None:
    (tmp_path / "crl").write_bytes(authority.crl(NOW))
    bundle = Issued(authority.issuer.above[0], authority.issuer.key, authority.issuer.above[1:])
    trust = Trust(
        load(bundle.pem + Authority(Issued(authority.issuer.above[1], authority.issuer.key)).bundle, test=True),
        Lists.of([tmp_path / "crl"]),
    )
    assert trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).word == chain.DESCONHECIDO


def test_a_leaf_cannot_issue(checked: Checked, authority: Authority) -> None:
    parent = authority.person(NOW, "MARIA", CPF)
    child = Authority(Issued(parent.certificate, parent.key, parent.above)).person(NOW, "OUTRA", "11144477735")
    assert checked.trust.verify(child.der, NOW).word == chain.DESCONHECIDO


def test_a_certificate_not_for_clients_is_refused(checked: Checked, authority: Authority) -> None:
    mail = authority.leaf(NOW, SUBJECT, usages=[ExtendedKeyUsageOID.EMAIL_PROTECTION])
    server = authority.leaf(NOW, SUBJECT, usages=[ExtendedKeyUsageOID.SERVER_AUTH])
    assert checked.trust.verify(mail.der, NOW).word == chain.SEM_USO_DE_CLIENT
    assert checked.trust.verify(server.der, NOW).word == chain.SEM_USO_DE_CLIENT


def test_an_authority_is_no_client(checked: Checked, authority: Authority) -> None:
    verdict = checked.trust.verify(authority.issuer.der, NOW)
    assert verdict.word in {chain.SEM_USO_DE_CLIENT, chain.DESCONHECIDO}


def test_nothing_is_valid_without_a_list(authority: Authority, tmp_path: Path) -> None:
    trust = Trust(load(authority.bundle, test=True), Lists.of([tmp_path / "missing.crl"]))
    assert trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).word == chain.ESTADO_INDISPONIVEL


@pytest.mark.parametrize("content", [b"", b"not a list", b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n"])
def test_a_list_that_cannot_be_read_fails_closed(checked: Checked, authority: Authority, content: bytes) -> None:
    checked.path.write_bytes(content)
    assert checked.trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).word == chain.ESTADO_INDISPONIVEL


def test_a_list_past_its_term_fails_closed(checked: Checked, authority: Authority) -> None:
    checked.revoke(days=1)
    issued = authority.person(NOW, "MARIA", CPF)
    assert checked.trust.verify(issued.der, NOW + timedelta(days=2)).word == chain.ESTADO_INDISPONIVEL


def test_a_list_signed_by_somebody_else_is_not_believed(checked: Checked, authority: Authority) -> None:
    checked.path.write_bytes(Authority.create(NOW).crl(NOW, number=9))
    assert checked.trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).word == chain.ESTADO_INDISPONIVEL


@pytest.mark.parametrize("content", [None, b"", b"not a list", "of another", "past"])
def test_the_last_good_list_decides_for_everybody_for_fifteen_minutes_and_then_for_nobody(
    checked: Checked, authority: Authority, content: bytes | str | None
) -> None:
    good, never_seen = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    revoked = authority.person(NOW, "ANA", "39053344705")
    checked.revoke(revoked.certificate.serial_number)
    assert checked.trust.verify(good.der, NOW).valid
    assert checked.trust.lists.unusable(NOW) == 0
    if content is None:
        checked.path.unlink()
    else:
        past = authority.crl(NOW - timedelta(days=90), days=30, number=9)
        others = {"of another": Authority.create(NOW).crl(NOW, number=9), "past": past}
        checked.path.write_bytes(others[content] if isinstance(content, str) else content)
    gone = NOW + timedelta(hours=1)
    assert checked.trust.lists.unusable(gone) == 1
    assert checked.trust.lists.knows(authority.issuer.certificate)
    for later in (gone, gone + timedelta(minutes=15)):
        words = [checked.trust.verify(each.der, later).word for each in (good, never_seen, revoked)]
        assert words == [chain.VALIDO, chain.VALIDO, chain.REVOGADO]
        assert checked.trust.lists.until(later) == gone + timedelta(minutes=15)
    for each in (good, never_seen, revoked):
        assert checked.trust.verify(each.der, gone + timedelta(minutes=15, seconds=1)).word == chain.ESTADO_INDISPONIVEL
    assert checked.trust.lists.until(gone + timedelta(minutes=16)) == gone + timedelta(minutes=16)
    checked.revoke(now=gone)
    assert checked.trust.verify(good.der, gone + timedelta(minutes=16)).valid
    assert checked.trust.lists.unusable(gone + timedelta(minutes=16)) == 0
    checked.path.unlink()
    assert checked.trust.verify(good.der, gone + timedelta(hours=1)).valid, "a second time begins anew"


def test_the_last_good_list_is_used_no_longer_than_it_says(checked: Checked, authority: Authority) -> None:
    issued = authority.person(NOW, "MARIA", CPF)
    checked.revoke(days=1 / 24)
    assert checked.trust.verify(issued.der, NOW).valid
    checked.path.unlink()
    assert checked.trust.verify(issued.der, NOW + timedelta(minutes=59)).valid
    assert checked.trust.verify(issued.der, NOW + timedelta(minutes=61)).word == chain.ESTADO_INDISPONIVEL


def test_a_list_that_took_the_place_of_another_leaves_it_no_fifteen_minutes(
    checked: Checked, authority: Authority
) -> None:
    issued, other = authority.person(NOW, "MARIA", CPF), authority.person(NOW, "JOSE", "11144477735")
    assert checked.trust.verify(issued.der, NOW).valid
    checked.revoke(issued.certificate.serial_number, days=1 / 1440)
    assert checked.trust.verify(issued.der, NOW).word == chain.REVOGADO
    assert checked.trust.verify(other.der, NOW + timedelta(minutes=2)).word == chain.ESTADO_INDISPONIVEL
    assert checked.trust.verify(issued.der, NOW + timedelta(minutes=2)).word == chain.REVOGADO


def test_a_list_in_der_is_read_too(checked: Checked, authority: Authority) -> None:
    found = x509.load_pem_x509_crl(checked.path.read_bytes())
    from cryptography.hazmat.primitives.serialization import Encoding

    checked.path.write_bytes(found.public_bytes(Encoding.DER))
    assert checked.trust.verify(authority.person(NOW, "MARIA", CPF).der, NOW).valid


def test_an_unknown_critical_extension_is_refused(checked: Checked, authority: Authority) -> None:
    issuer, key = authority.issuer, ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(SUBJECT)
        .issuer_name(issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4.5"), b"\x05\x00"), critical=True)
        .sign(issuer.key, hashes.SHA256())
    )
    assert checked.trust.verify(Issued(certificate, key).der, NOW).word == chain.MALFORMADO


@given(st.binary(max_size=300))
def test_no_bytes_break_the_verdict(trust: Trust, data: bytes) -> None:
    assert trust.verify(data, NOW).word == chain.MALFORMADO


@given(st.sampled_from([0, 1, 3, 63, 127]))
def test_a_version_that_does_not_exist_is_malformed(trust: Trust, leaf: bytes, version: int) -> None:
    assert leaf.count(b"\xa0\x03\x02\x01\x02") == 1
    changed = leaf.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01" + bytes([version]))
    assert trust.verify(changed, NOW).word in {chain.MALFORMADO, chain.DESCONHECIDO}


@pytest.mark.filterwarnings("ignore:Attribute's length")
@given(st.data())
def test_no_change_to_a_certificate_makes_another_valid_one(trust: Trust, leaf: bytes, data: st.DataObject) -> None:
    der = bytearray(leaf)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(der) - 1))
        der[place] ^= data.draw(st.integers(1, 255))
    word = trust.verify(bytes(der), NOW).word
    assert word in chain.WORDS or bytes(der) == leaf


@pytest.fixture(scope="module")
def trust(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Trust:
    path = tmp_path_factory.mktemp("lists") / "ca.crl"
    path.write_bytes(authority.crl(NOW))
    return Trust(load(authority.bundle, test=True), Lists.of([path]))


@pytest.fixture(scope="module")
def leaf(authority: Authority) -> bytes:
    return authority.person(NOW, "MARIA", CPF).der
