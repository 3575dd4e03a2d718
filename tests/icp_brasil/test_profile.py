"""Who a certificate's holder is, in the four shapes of the field, and every way it can contradict itself."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from iam.icp_brasil import profile
from iam.icp_brasil.profile import Kind, Profile, Unreadable
from iam.icp_brasil.sample import A1, SE_S, Authority, Issued

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)

CPF, OTHER_CPF = "52998224725", "11144477735"
CNPJ, ALPHANUMERIC = "12345678000195", "12ABC34501DE35"
PERSON = f"01021980{CPF}{'0' * 11}{'0' * 15}"


def subject(common: str, serial: str | None = None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ICP-Brasil"),
    ]
    parts += [x509.NameAttribute(NameOID.SERIAL_NUMBER, value) for value in ([serial] if serial else [])]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def read(issued: Issued) -> Profile:
    return profile.read(x509.load_der_x509_certificate(issued.der))


def test_old_person(authority: Authority) -> None:
    found = read(authority.person(NOW, "MARIA DE TESTE", CPF))
    assert (found.kind, found.type, found.name, found.cpf, found.cnpj) == (
        Kind.PERSON,
        "A3",
        "MARIA DE TESTE",
        CPF,
        None,
    )


def test_new_person(authority: Authority) -> None:
    found = read(authority.person_new(NOW, "MARIA DE TESTE", CPF))
    assert (found.kind, found.type, found.name, found.cpf) == (Kind.PERSON, "A3", "MARIA DE TESTE", CPF)


@pytest.mark.parametrize("cnpj", [CNPJ, ALPHANUMERIC])
def test_old_company_identifies_the_company_and_never_its_responsible_person(authority: Authority, cnpj: str) -> None:
    found = read(authority.company(NOW, "EMPRESA DE TESTE", cnpj))
    assert (found.kind, found.cnpj, found.cpf) == (Kind.COMPANY, cnpj, None)


@pytest.mark.parametrize("alternative", [True, False])
def test_a_seal_is_never_a_person(authority: Authority, alternative: bool) -> None:
    found = read(authority.seal(NOW, "ORGAO TESTE", CNPJ, alternative=alternative))
    assert (found.kind, found.type, found.cnpj, found.cpf) == (Kind.SEAL, "SE-S", CNPJ, None)


def test_a_seal_with_a_persons_data_is_still_a_seal(authority: Authority) -> None:
    others = {profile.PERSON_DATA: PERSON, profile.COMPANY_CNPJ: CNPJ}
    found = read(authority.leaf(NOW, subject("ORGAO", CNPJ), others=others, policy=SE_S))
    assert (found.kind, found.cpf) == (Kind.SEAL, None)


def test_equipment(authority: Authority) -> None:
    found = read(authority.equipment(NOW, "api.sefaz.mt.gov.br", CNPJ, "SECRETARIA DE TESTE"))
    assert (found.kind, found.cnpj, found.name) == (Kind.EQUIPMENT, CNPJ, "api.sefaz.mt.gov.br")


def test_a_server_that_a_natural_person_owns_is_not_that_person(authority: Authority) -> None:
    found = read(authority.leaf(NOW, subject("loja.example", CPF), hosts=("loja.example",), policy=A1))
    assert (found.kind, found.cpf) == (Kind.EQUIPMENT, None)


def test_old_equipment_by_its_business_name(authority: Authority) -> None:
    others = {profile.BUSINESS_NAME: "ORGAO DE TESTE", profile.COMPANY_CNPJ: CNPJ, profile.RESPONSIBLE_NAME: "FULANA"}
    found = read(authority.leaf(NOW, subject("coletor-01"), others=others, policy=A1))
    assert (found.kind, found.cnpj) == (Kind.EQUIPMENT, CNPJ)


@pytest.mark.parametrize("string", [0x04, 0x0C, 0x13], ids=["octet", "utf8", "printable"])
def test_every_string_type_of_the_field_is_read(authority: Authority, string: int) -> None:
    issued = authority.leaf(NOW, subject("MARIA"), others={profile.PERSON_DATA: PERSON}, string=string)
    assert read(issued).cpf == CPF


def test_data_that_end_before_the_rg_issuer_are_complete(authority: Authority) -> None:
    assert len(PERSON) == 45
    assert read(authority.leaf(NOW, subject("MARIA"), others={profile.PERSON_DATA: PERSON})).cpf == CPF


def test_a_zeroed_cpf_identifies_nobody(authority: Authority) -> None:
    others = {profile.PERSON_DATA: "01021980" + "0" * 37}
    found = read(authority.leaf(NOW, subject("MARIA"), others=others))
    assert (found.kind, found.cpf) == (Kind.PERSON, None)


def test_a_certificate_of_no_known_shape_identifies_nobody(authority: Authority) -> None:
    found = read(authority.leaf(NOW, subject("QUALQUER", CPF), policy="1.2.3.4"))
    assert (found.kind, found.cpf, found.cnpj) == (Kind.OTHER, None, None)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        (subject(f"MARIA:{OTHER_CPF}"), {profile.PERSON_DATA: PERSON}),
        (subject("MARIA", OTHER_CPF), {profile.PERSON_DATA: PERSON}),
        (subject("MARIA"), {profile.PERSON_DATA: PERSON.replace(CPF, "52998224726")}),
        (subject("MARIA"), {profile.PERSON_DATA: PERSON[:30]}),
        (subject("MARIA"), {profile.PERSON_DATA: PERSON, profile.COMPANY_CNPJ: CNPJ}),
        (subject("EMPRESA", ALPHANUMERIC), {profile.COMPANY_CNPJ: CNPJ}),
        (subject("EMPRESA"), {profile.COMPANY_CNPJ: "12345678000196"}),
        (subject("EMPRESA"), {profile.COMPANY_CNPJ: "123456780001"}),
        (subject(f"MARIA:{OTHER_CPF}", CPF), {profile.REGISTRATION_AUTHORITY: "00000000000191"}),
        (subject("MARIA", "52998224726"), {}),
    ],
    ids=[
        "CN",
        "serialNumber",
        "digits",
        "truncated",
        "two holders",
        "two CNPJ",
        "CNPJ digits",
        "short",
        "new CN",
        "new digits",
    ],
)
def test_a_certificate_that_contradicts_itself_is_refused(
    authority: Authority, name: x509.Name, others: dict[str, str]
) -> None:
    with pytest.raises(Unreadable):
        read(authority.leaf(NOW, name, others=others))


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x04",
        b"\x04\x05abc",
        b"\x04\x03abcd",
        b"\x04\x84\x00\x00\x00\x03abc",
        b"\x04\x80abc",
        b"\x0c\x02\xff\xfe",
        b"\x02\x01\x05",
    ],
)
def test_a_broken_string_is_a_clear_error(value: bytes) -> None:
    with pytest.raises(Unreadable, match="otherName"):
        profile.der_string(value)


def test_a_long_string_is_read() -> None:
    assert profile.der_string(b"\x04\x81\x90" + b"A" * 0x90) == "A" * 0x90


@given(st.binary(max_size=200))
def test_no_bytes_break_the_string_reader(value: bytes) -> None:
    with contextlib.suppress(Unreadable):
        assert isinstance(profile.der_string(value), str)


@given(
    st.dictionaries(
        st.sampled_from([profile.PERSON_DATA, profile.COMPANY_CNPJ, profile.BUSINESS_NAME]), st.text(max_size=30)
    )
)
def test_no_content_breaks_the_reader(authority: Authority, others: dict[str, str]) -> None:
    try:
        found = read(authority.leaf(NOW, subject("X"), others=others))
        assert found.cpf is None or found.kind is Kind.PERSON
    except Unreadable:
        pass
