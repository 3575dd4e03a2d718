"""Names compared as RFC 8705 asks, and the thumbprint of its own example."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from iam.errors import Invalid
from iam.icp_brasil.name import parse_dn, rfc4514, same_dn, x5t_s256
from iam.icp_brasil.sample import Authority

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

SUBJECT = x509.Name(
    [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Secretaria de Estado, da Fazenda"),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, "12345678000195"),
        x509.NameAttribute(NameOID.COMMON_NAME, "api.sefaz.mt.gov.br"),
    ]
)


@pytest.mark.parametrize(
    "text",
    [
        r"CN=api.sefaz.mt.gov.br,2.5.4.5=12345678000195,O=Secretaria de Estado\, da Fazenda,C=BR",
        r"CN=API.sefaz.mt.gov.br,serialNumber=12345678000195,O=secretaria  de Estado\2c da Fazenda,C=br",
        r"CN=api.sefaz.mt.gov.br,2.5.4.5=#130e3132333435363738303030313935,O=Secretaria de Estado\, da Fazenda,C=BR",
    ],
)
def test_the_same_name_in_other_words(text: str) -> None:
    assert same_dn(text, SUBJECT)


@pytest.mark.parametrize(
    "text",
    [
        r"C=BR,O=Secretaria de Estado\, da Fazenda,2.5.4.5=12345678000195,CN=api.sefaz.mt.gov.br",
        r"CN=api.sefaz.mt.gov.br,O=Secretaria de Estado\, da Fazenda,C=BR",
        r"CN=api.sefaz.sp.gov.br,2.5.4.5=12345678000195,O=Secretaria de Estado\, da Fazenda,C=BR",
        r"CN=api.sefaz.mt.gov.br+2.5.4.5=12345678000195,O=Secretaria de Estado\, da Fazenda,C=BR",
    ],
    ids=["order", "shorter", "other", "one RDN of two"],
)
def test_another_name(text: str) -> None:
    assert not same_dn(text, SUBJECT)


def test_what_we_print_we_recognise(authority: Authority) -> None:
    for issued in (
        authority.person(NOW, "MARIA", "52998224725"),
        authority.equipment(NOW, "a.b", "12345678000195", "X, Y"),
    ):
        assert same_dn(rfc4514(issued.certificate.subject), issued.certificate.subject)


@pytest.mark.parametrize("text", ["", "CN", "CN=", "=x", "foo=1"])
def test_what_is_not_a_name_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_dn(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    with contextlib.suppress(Invalid):
        parse_dn(text)


def test_the_thumbprint_is_unpadded_base64url_of_sha256() -> None:
    assert x5t_s256(b"") == "47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"
