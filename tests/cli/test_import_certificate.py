"""Portaria Cotec 62 art. 1 § 2 III: a certificate that is not of ICP-Brasil is refused already when it is attached."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from iam.icp_brasil.sample import Authority
from tests.cli.conftest import Done, Portaria

HEADER = "client_id,nome,kind,orgao,sistema,certificado,impressao,subject_dn,redirect_uris,scopes\n"


def self_signed(now: datetime) -> bytes:
    """A certificate that vouches for itself."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "rs")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(x509.random_serial_number())
    made = made.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=90))
    return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@pytest.mark.requirement("COTEC62-1-2-III.1")
def test_the_certificate_of_a_sefaz_is_attached_only_when_its_chain_ends_in_icp_brasil(
    installed: Portaria, authority: Path, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    good, stranger = (
        issuer.equipment(now, "pucomex.sefaz.rs.gov.br", "00394460005887", "SEFAZ RS").pem
        for issuer in (Authority.read(authority), Authority.create(now))
    )
    for name, pem in (("self-signed", self_signed(now)), ("stranger", stranger)):
        assert attach(installed, tmp_path, name, pem).status == 1
    assert installed.rows("SELECT id FROM client WHERE kind = 'norma'") == []
    refused = installed.rows("SELECT requirement FROM entry WHERE ato = 'client:cadastrar' AND NOT allowed")
    assert refused == [("COTEC62-1-2-III.1",)] * 2
    assert attach(installed, tmp_path, "good", good).status == 0
    assert installed.rows("SELECT id, orgao FROM client WHERE kind = 'norma'") == [("good", "sefaz-rs")]


def attach(portaria: Portaria, folder: Path, name: str, pem: bytes) -> Done:
    (folder / f"{name}.pem").write_bytes(pem)
    file = folder / f"{name}.csv"
    file.write_text(f"{HEADER}{name},Sistema da SEFAZ-RS,norma,sefaz-rs,,{name}.pem,,,,\n", "utf-8")
    return portaria("import", "clients", file)
