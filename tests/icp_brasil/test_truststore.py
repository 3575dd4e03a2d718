"""What may be believed: ICP-Brasil's authorities, and nothing that anybody could make at home."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from iam.icp_brasil.sample import Authority
from iam.icp_brasil.truststore import NotIcpBrasil, fingerprint, load

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


def root(organization: str = "ICP-Brasil", country: str = "BR") -> tuple[x509.Certificate, bytes]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization),
            x509.NameAttribute(NameOID.COMMON_NAME, "Autoridade Certificadora Raiz Brasileira v5"),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .add_extension(x509.BasicConstraints(True, None), critical=True)
        .add_extension(x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True)
        .sign(key, hashes.SHA256())
    )
    return certificate, certificate.public_bytes(serialization.Encoding.PEM)


def test_a_bundle_is_sorted_into_anchors_and_intermediates(authority: Authority) -> None:
    store = load(authority.bundle, test=True)
    assert (len(store.anchors), len(store.intermediates)) == (1, 2)
    assert store.anchors[0].issuer == store.anchors[0].subject


def test_the_version_tells_content_and_not_order(authority: Authority) -> None:
    blocks = [b"-----BEGIN" + part for part in authority.bundle.split(b"-----BEGIN")[1:]]
    assert load(b"".join(reversed(blocks)), test=True).version == load(authority.bundle, test=True).version
    assert load(b"".join(blocks[1:]), test=True).version != load(authority.bundle, test=True).version


def test_a_test_root_is_refused_outside_a_test(authority: Authority) -> None:
    with pytest.raises(NotIcpBrasil, match="nem está em PORTARIA_TRUST_PINS"):
        load(authority.bundle)


def test_a_look_alike_of_a_real_root_is_refused(authority: Authority) -> None:
    with pytest.raises(NotIcpBrasil, match="nem está em PORTARIA_TRUST_PINS"):
        load(root()[1])


def test_a_root_named_by_the_operator_is_believed() -> None:
    certificate, pem = root()
    assert load(pem, pinned=[fingerprint(certificate).upper()]).anchors == (certificate,)


@pytest.mark.parametrize(("organization", "country"), [("Let's Encrypt", "US"), ("ICP-Brasil", "US"), ("Outra", "BR")])
def test_a_root_outside_icp_brasil_is_refused_even_in_a_test(organization: str, country: str) -> None:
    with pytest.raises(NotIcpBrasil, match="não é da ICP-Brasil"):
        load(root(organization, country)[1], test=True)


def test_a_leaf_never_enters_the_store(authority: Authority) -> None:
    with pytest.raises(NotIcpBrasil, match="não é uma autoridade certificadora"):
        load(authority.bundle + authority.person(NOW, "MARIA", "52998224725").pem, test=True)


def test_an_intermediate_of_another_root_is_refused(authority: Authority) -> None:
    with pytest.raises(NotIcpBrasil, match="não foi emitida sob uma raiz"):
        load(
            authority.bundle + b"".join(Authority.create(NOW).bundle.partition(b"-----END CERTIFICATE-----\n")[:2]),
            test=True,
        )


@pytest.mark.parametrize(
    "content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_an_unusable_bundle_is_a_clear_error(content: bytes) -> None:
    with pytest.raises(NotIcpBrasil):
        load(content, test=True)


def test_a_bundle_without_a_root_is_refused(authority: Authority) -> None:
    with pytest.raises(NotIcpBrasil):
        load(authority.issuer.pem, test=True)
