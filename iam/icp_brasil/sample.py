"""A chain of authorities that looks like ICP-Brasil's and is worth nothing: for the demonstration and the tests.

Texts: DOC-ICP-04 v8.1 and Resolução CG ICP-Brasil 211/2024 (the shapes). Every authority says TESTE in its name, and
the trust store takes such a root only when told that this is a test. An installation never makes or holds one.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from iam.icp_brasil import profile

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
ITI = "Instituto Nacional de Tecnologia da Informacao - ITI"
ROOT = "Autoridade Certificadora Raiz Brasileira v99 TESTE"
FIRST, SECOND = "AC TESTE v1", "AC TESTE MULTIPLA v1"
A1, A3, SE_S, AE_S = "2.16.76.1.2.1.99", "2.16.76.1.2.3.99", "2.16.76.1.2.201.99", "2.16.76.1.2.203.99"
_URL = "http://icp-brasil.invalid/teste"
_CLIENT = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.EMAIL_PROTECTION)
_SERVER = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its private key and the authorities above it, nearest first."""

    certificate: x509.Certificate
    key: Key
    above: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        """The certificate as TLS carries it."""
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        """The certificate and, after it, the intermediates (without the root)."""
        return _pem(self.certificate, *(c for c in self.above if c.issuer != c.subject))

    @property
    def key_pem(self) -> bytes:
        """The private key, unencrypted PKCS#8."""
        form = serialization.PrivateFormat.PKCS8
        return self.key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """Write `name.pem` and `name.key` (0600) and return their paths."""
        paths = directory / f"{name}.pem", directory / f"{name}.key"
        paths[0].write_bytes(self.pem)
        _write_private(paths[1], self.key_pem)
        return paths


@dataclass(frozen=True, slots=True)
class Authority:
    """The issuing authority of a sample chain. Every leaf it issues has the shape its method's name says."""

    issuer: Issued
    rsa: bool = False

    @staticmethod
    def create(now: datetime, *, rsa: bool = False) -> Authority:
        """A new root and two levels below it, valid for ten years from `now`; EC P-256 unless `rsa`."""
        root = _authority(now, ROOT, ITI, None, rsa=rsa)
        first = _authority(now, FIRST, ROOT, root, rsa=rsa)
        return Authority(_authority(now, SECOND, FIRST, first, rsa=rsa), rsa)

    @staticmethod
    def read(directory: Path) -> Authority:
        """The authority that `write` left in a directory. OSError, ValueError or TypeError when it is not there."""
        chain = x509.load_pem_x509_certificates((directory / "ca.pem").read_bytes())
        key = serialization.load_pem_private_key((directory / "ca.key").read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
            raise TypeError("ca.key is neither an EC nor an RSA key")
        return Authority(Issued(chain[0], key, tuple(chain[1:])), isinstance(key, rsa.RSAPrivateKey))

    @property
    def bundle(self) -> bytes:
        """The issuing authority first, then up to the root, in PEM."""
        return _pem(self.issuer.certificate, *self.issuer.above)

    def write(self, directory: Path, now: datetime) -> None:
        """Write `ca.pem`, `ca.key` (0600), an empty `ca.crl`, and `server.pem` and `server.key` for localhost."""
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "ca.pem").write_bytes(self.bundle)
        _write_private(directory / "ca.key", self.issuer.key_pem)
        (directory / "ca.crl").write_bytes(self.crl(now))
        self.server(now, ("localhost",), ("127.0.0.1", "::1")).write(directory, "server")

    def crl(
        self, now: datetime, revoked: Mapping[int, datetime] | None = None, *, days: float = 365, number: int = 1
    ) -> bytes:
        """The revocation list in PEM: `revoked` maps serial numbers to dates; it ends `days` after `now`."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.issuer.certificate.subject)
            .last_update(now - timedelta(minutes=1))
            .next_update(now + timedelta(days=days))
            .add_extension(_key_identifier(self.issuer), critical=False)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for serial, when in (revoked or {}).items():
            builder = builder.add_revoked_certificate(
                x509.RevokedCertificateBuilder()
                .serial_number(serial)
                .revocation_date(when)
                .add_extension(x509.CRLReason(x509.ReasonFlags.affiliation_changed), critical=False)
                .build()
            )
        return builder.sign(self.issuer.key, hashes.SHA512()).public_bytes(serialization.Encoding.PEM)

    def person(self, now: datetime, name: str, cpf: str, *, policy: str = A3, days: float = 365) -> Issued:
        """A natural person in the old profile: CPF in the subjectAltName and in the common name."""
        data = f"01021980{cpf}{'0' * 11}{'123456'.zfill(15)}SSPSP"
        others = {
            profile.PERSON_DATA: data,
            profile.PERSON_CEI: "0" * 12,
            profile.PERSON_VOTER: "0" * 19,
        }
        return self.leaf(now, _subject(f"{name}:{cpf}"), others=others, policy=policy, days=days)

    def person_new(self, now: datetime, name: str, cpf: str, *, policy: str = A3, days: float = 365) -> Issued:
        """A natural person as Resolução 211 has it: CPF in the subject's serialNumber."""
        others = {profile.REGISTRATION_AUTHORITY: "00000000000191"}
        return self.leaf(now, _subject(name, serial=cpf), others=others, policy=policy, days=days)

    def company(self, now: datetime, name: str, cnpj: str, *, responsible: str = "52998224725") -> Issued:
        """A legal person in the old profile (e-CNPJ) with the person responsible."""
        others = {
            profile.RESPONSIBLE_DATA: f"01021980{responsible}{'0' * 26}",
            profile.RESPONSIBLE_NAME: "RESPONSAVEL DE TESTE",
            profile.COMPANY_CNPJ: cnpj,
            profile.COMPANY_CEI: "0" * 12,
        }
        return self.leaf(now, _subject(f"{name}:{cnpj}"), others=others, policy=A1)

    def seal(self, now: datetime, name: str, cnpj: str, *, alternative: bool = True) -> Issued:
        """An electronic seal (SE-S), with the CNPJ in the subjectAltName too if `alternative`, as in the field."""
        others = {profile.COMPANY_CNPJ: cnpj} if alternative else {}
        return self.leaf(now, _subject(name, serial=cnpj), others=others, policy=SE_S)

    def equipment(self, now: datetime, host: str, cnpj: str, owner: str, *, days: float = 365) -> Issued:
        """A machine of an órgão in the SSL/TLS profile (item 7.1.4.4), usable as server and as client."""
        subject = x509.Name(
            (
                x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, owner),
                x509.NameAttribute(NameOID.BUSINESS_CATEGORY, "Government Entity"),
                x509.NameAttribute(NameOID.SERIAL_NUMBER, cnpj),
                x509.NameAttribute(NameOID.JURISDICTION_COUNTRY_NAME, "BR"),
                x509.NameAttribute(NameOID.COMMON_NAME, host),
            )
        )
        return self.leaf(now, subject, hosts=(host,), policy=A1, usages=_SERVER, days=days)

    def server(self, now: datetime, hosts: Sequence[str], addresses: Sequence[str] = ()) -> Issued:
        """A server's certificate for these names and addresses, valid for the year that browsers accept."""
        return self.leaf(now, _subject(hosts[0]), hosts=hosts, addresses=addresses, policy=AE_S, usages=_SERVER)

    def leaf(
        self,
        now: datetime,
        subject: x509.Name,
        *,
        others: Mapping[str, str] | None = None,
        hosts: Sequence[str] = (),
        addresses: Sequence[str] = (),
        policy: str = A3,
        usages: Sequence[ObjectIdentifier] = _CLIENT,
        since: float = 0,
        days: float = 365,
        string: int = 0x04,
    ) -> Issued:
        """Any leaf: valid for `days` from `since` days after `now`; `string` is the DER tag of the otherNames."""
        key = _new_key(rsa=self.rsa)
        start = now - timedelta(minutes=5) + timedelta(days=since)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.issuer.certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(start + timedelta(days=days))
            .add_extension(_key_identifier(self.issuer), critical=False)
            .add_extension(_leaf_usage(encipherment=self.rsa), critical=True)
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
            .add_extension(_policies(policy), critical=False)
            .add_extension(_distribution(), critical=False)
            .add_extension(_authority_access(), critical=False)
        )
        names: list[x509.GeneralName] = [
            x509.OtherName(ObjectIdentifier(o), _string(string, v)) for o, v in (others or {}).items()
        ]
        names += [x509.DNSName(host) for host in hosts]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        above = (self.issuer.certificate, *self.issuer.above)
        return Issued(builder.sign(self.issuer.key, hashes.SHA256()), key, above)


def _new_key(*, rsa: bool) -> Key:
    return _new_rsa_key() if rsa else ec.generate_private_key(ec.SECP256R1())


def _new_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def _pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def _write_private(path: Path, data: bytes) -> None:
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _subject(common: str, *, unit: str = SECOND, serial: str | None = None) -> x509.Name:
    parts = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "BR"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "ICP-Brasil"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit),
    ]
    if serial is not None:
        parts.append(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial))
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _authority(now: datetime, common: str, unit: str, above: Issued | None, *, rsa: bool) -> Issued:
    key = _new_key(rsa=rsa)
    subject = _subject(common, unit=unit)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(above.certificate.subject if above else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=730))
        .not_valid_after(now + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(True, 0 if common == SECOND else None), critical=True)
        .add_extension(_authority_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if above is None:
        return Issued(builder.sign(key, hashes.SHA512()), key)
    oids = ("2.16.76.1.1.0",) if common == FIRST else (A1, A3, SE_S, AE_S)
    builder = (
        builder.add_extension(_key_identifier(above), critical=False)
        .add_extension(_policies(*oids), critical=False)
        .add_extension(_distribution(), critical=False)
    )
    return Issued(builder.sign(above.key, hashes.SHA512()), key, (above.certificate, *above.above))


def _leaf_usage(*, encipherment: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, True, encipherment, False, False, False, False, False, False)


def _authority_usage() -> x509.KeyUsage:
    return x509.KeyUsage(False, False, False, False, False, True, True, False, False)


def _key_identifier(issuer: Issued) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())


def _policies(*oids: str) -> x509.CertificatePolicies:
    return x509.CertificatePolicies([x509.PolicyInformation(ObjectIdentifier(o), [f"{_URL}/dpc.pdf"]) for o in oids])


def _distribution() -> x509.CRLDistributionPoints:
    urls = (f"{_URL}/1.crl", f"{_URL}/2.crl")
    return x509.CRLDistributionPoints(
        [x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None) for url in urls]
    )


def _authority_access() -> x509.AuthorityInformationAccess:
    location = x509.UniformResourceIdentifier(f"{_URL}/ac.p7b")
    return x509.AuthorityInformationAccess(
        [x509.AccessDescription(x509.oid.AuthorityInformationAccessOID.CA_ISSUERS, location)]
    )


def _string(tag: int, text: str) -> bytes:
    data = text.encode("utf-8")
    if len(data) > 127:
        raise ValueError("a sample's text is at most 127 bytes")
    return bytes((tag, len(data))) + data
