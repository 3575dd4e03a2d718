"""A certificate logs in the person it names, and nobody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from iam.icp_brasil import chain, profile
from iam.icp_brasil.chain import Trust
from iam.icp_brasil.crl import Lists
from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority
from iam.icp_brasil.truststore import load
from iam.login.certificate import NAO_E_DE_PESSOA, SEM_CERTIFICADO, SEM_CPF, WORDS, identify

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
CPF, CNPJ = "52998224725", "12345678000195"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


@pytest.fixture
def trust(authority: Authority, tmp_path: Path) -> Trust:
    (tmp_path / "ca.crl").write_bytes(authority.crl(NOW))
    return Trust(load(authority.bundle, test=True), Lists.of([tmp_path / "ca.crl"]))


@pytest.mark.parametrize("shape", ["person", "person_new"])
def test_both_profiles_log_their_holder_in(trust: Trust, authority: Authority, shape: str) -> None:
    issued = getattr(authority, shape)(NOW, "MARIA DE TESTE", CPF)
    found = identify(issued.der, trust, NOW)
    assert (found.word, found.cpf, found.nome, found.x5t) == ("", CPF, "MARIA DE TESTE", x5t_s256(issued.der))


def test_no_certificate_no_login(trust: Trust) -> None:
    assert identify(None, trust, NOW).word == SEM_CERTIFICADO


@pytest.mark.parametrize("shape", ["company", "seal", "machine"])
def test_a_company_a_seal_or_a_machine_is_nobodys_login(trust: Trust, authority: Authority, shape: str) -> None:
    issued = {
        "company": lambda: authority.company(NOW, "EMPRESA", CNPJ, responsible=CPF),
        "seal": lambda: authority.seal(NOW, "ORGAO", CNPJ),
        "machine": lambda: authority.equipment(NOW, "a.example", CNPJ, "ORGAO"),
    }[shape]()
    found = identify(issued.der, trust, NOW)
    assert (found.word, found.cpf) == (NAO_E_DE_PESSOA, "")


def test_a_certificate_without_cpf_identifies_nobody(trust: Trust, authority: Authority) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MARIA")])
    issued = authority.leaf(NOW, name, others={profile.PERSON_DATA: "01021980" + "0" * 37})
    assert identify(issued.der, trust, NOW).word == SEM_CPF


def test_a_certificate_that_contradicts_itself_identifies_nobody(trust: Trust, authority: Authority) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "MARIA:11144477735")])
    issued = authority.leaf(NOW, name, others={profile.PERSON_DATA: f"01021980{CPF}" + "0" * 26})
    found = identify(issued.der, trust, NOW)
    assert (found.word, found.cpf) == (chain.MALFORMADO, "")


def test_a_certificate_that_does_not_stand_identifies_nobody(trust: Trust, authority: Authority) -> None:
    expired = authority.person(NOW - timedelta(days=100), "MARIA", CPF, days=10)
    stranger = Authority.create(NOW).person(NOW, "MARIA", CPF)
    assert identify(expired.der, trust, NOW).word == chain.EXPIRADO
    assert identify(stranger.der, trust, NOW).word == chain.DESCONHECIDO
    assert identify(b"nonsense", trust, NOW).word == chain.MALFORMADO
    assert {identify(der, trust, NOW).cpf for der in (expired.der, stranger.der, b"nonsense")} == {""}
    assert chain.EXPIRADO in WORDS
