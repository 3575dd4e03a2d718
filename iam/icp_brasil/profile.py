"""Who holds a certificate: a person, a company, a machine or an electronic seal, in the old and in the new profile.

Texts: DOC-ICP-04 v8.1 items 7.1.2.3, 7.1.2.4 and 7.1.4 (old); Resolução CG ICP-Brasil 211/2024 (new: the number moved
to the subject's serialNumber). Both coexist until the last old certificate expires.
A seal is recognised by its policy alone and is never a person. Two places that disagree about the holder make the
certificate unreadable: it is refused, never resolved in favour of one. Only what identifies is read; birth date, NIS,
RG and voter registration stay in the certificate.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.x509.oid import NameOID

from iam.icp_brasil.document import is_cnpj, is_cpf
from iam.icp_brasil.name import MALFORMED

PERSON_DATA = "2.16.76.1.3.1"
RESPONSIBLE_NAME = "2.16.76.1.3.2"
COMPANY_CNPJ = "2.16.76.1.3.3"
RESPONSIBLE_DATA = "2.16.76.1.3.4"
PERSON_VOTER = "2.16.76.1.3.5"
PERSON_CEI = "2.16.76.1.3.6"
COMPANY_CEI = "2.16.76.1.3.7"
BUSINESS_NAME = "2.16.76.1.3.8"
REGISTRATION_AUTHORITY = "2.16.76.1.4.5.1"

POLICIES = "2.16.76.1.2."
_TYPES = {
    "1": "A1",
    "2": "A2",
    "3": "A3",
    "4": "A4",
    "101": "S1",
    "102": "S2",
    "103": "S3",
    "104": "S4",
    "201": "SE-S",
    "202": "SE-H",
    "203": "AE-S",
    "204": "AE-H",
    "303": "T3",
    "304": "T4",
    "401": "AE-S",
    "402": "AE-H",
    "500": "A CF-e-SAT",
    "550": "OM-BR",
}
_STRINGS = {0x04: "latin-1", 0x0C: "utf-8", 0x13: "ascii", 0x16: "ascii"}
_ZEROS = re.compile(r"0*")
_SUFFIX = re.compile(r"(?P<name>.*):(?P<number>[0-9]{11}|[0-9A-Z]{12}[0-9]{2})", re.DOTALL)


class Kind(StrEnum):
    """What sort of holder a certificate has; OTHER identifies nobody whom this house could know."""

    PERSON = "person"
    COMPANY = "company"
    EQUIPMENT = "equipment"
    SEAL = "seal"
    OTHER = "other"


class Unreadable(Exception):
    """The certificate contradicts itself or its profile; the message says where, in English."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The holder. `cpf` is set only for a person, `cnpj` only for the others; None when the certificate has none.

    `type` is the ICP-Brasil type by policy OID ("A3", "SE-S"...; "" unknown); `name` the common name without the
    number that the Receita Federal's convention appends.
    """

    kind: Kind
    type: str
    name: str
    cpf: str | None = None
    cnpj: str | None = None
    policies: tuple[str, ...] = ()


def der_string(value: bytes) -> str:
    """The text of one DER OCTET, UTF8, Printable or IA5 string; Unreadable when truncated or of another type."""
    if len(value) < 2 or value[0] not in _STRINGS:
        raise Unreadable("otherName is not an OCTET STRING, UTF8String, PrintableString or IA5String")
    length, start = value[1], 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 2 or len(value) < 2 + octets:
            raise Unreadable("otherName has a broken length")
        length, start = int.from_bytes(value[2 : 2 + octets]), 2 + octets
    if len(value) != start + length:
        raise Unreadable("otherName is truncated or has trailing bytes")
    try:
        return value[start:].decode(_STRINGS[value[0]])
    except UnicodeDecodeError:
        raise Unreadable("otherName is not in its declared character set") from None


def read(certificate: x509.Certificate) -> Profile:
    """The holder of a certificate. Unreadable when malformed or when two places disagree about who that is."""
    try:
        return _read(certificate)
    except MALFORMED as error:
        raise Unreadable(f"certificate is malformed: {type(error).__name__}") from None


def _read(certificate: x509.Certificate) -> Profile:
    policies = _policies(certificate)
    kind = next((_TYPES[p] for p in map(_policy_type, policies) if p in _TYPES), "")
    others, hosts = _alternative_names(certificate)
    name, suffix = _common_name(certificate.subject)
    serial = _one(certificate.subject, NameOID.SERIAL_NUMBER)
    if kind.startswith("SE-"):
        return Profile(Kind.SEAL, kind, name, None, _cnpj(others, serial, suffix), policies)
    if PERSON_DATA in others:
        if COMPANY_CNPJ in others or hosts:
            raise Unreadable("subjectAltName names a person and a company or host")
        return Profile(Kind.PERSON, kind, name, _cpf(others, serial, suffix), None, policies)
    if hosts or BUSINESS_NAME in others or kind in {"AE-S", "AE-H", "A CF-e-SAT", "OM-BR"}:
        return Profile(Kind.EQUIPMENT, kind, name, None, _cnpj(others, serial, suffix), policies)
    if COMPANY_CNPJ in others:
        return Profile(Kind.COMPANY, kind, name, None, _cnpj(others, serial, suffix), policies)
    if kind in {"A3", "A4"} and serial is not None and len(serial) == 11:
        return Profile(Kind.PERSON, kind, name, _cpf(others, serial, suffix), None, policies)
    if serial is not None and is_cnpj(serial):
        return Profile(Kind.COMPANY, kind, name, None, _cnpj(others, serial, suffix), policies)
    return Profile(Kind.OTHER, kind, name, None, None, policies)


def _policies(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
    except x509.ExtensionNotFound:
        return ()
    return tuple(policy.policy_identifier.dotted_string for policy in found)


def _policy_type(oid: str) -> str:
    return oid.removeprefix(POLICIES).split(".")[0] if oid.startswith(POLICIES) else ""


def _alternative_names(certificate: x509.Certificate) -> tuple[dict[str, str], bool]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return {}, False
    others: dict[str, str] = {}
    for other in names.get_values_for_type(x509.OtherName):
        oid = other.type_id.dotted_string
        if oid.startswith("2.16.76.1."):
            if oid in others:
                raise Unreadable(f"otherName {oid} is repeated")
            others[oid] = der_string(other.value)
    hosts = names.get_values_for_type(x509.DNSName) or names.get_values_for_type(x509.IPAddress)
    return others, bool(hosts)


def _one(subject: x509.Name, oid: x509.ObjectIdentifier) -> str | None:
    found = subject.get_attributes_for_oid(oid)
    if len(found) > 1:
        raise Unreadable(f"subject has {oid.dotted_string} more than once")
    return str(found[0].value).strip() if found else None


def _common_name(subject: x509.Name) -> tuple[str, str]:
    text = _one(subject, NameOID.COMMON_NAME) or ""
    match = _SUFFIX.fullmatch(text)
    return (match["name"].strip(), match["number"]) if match else (text, "")


def _agree(what: str, *claims: str | None) -> str | None:
    """The one number that every place giving one gives; zeros mean that the place gives none (item 7.1.2.4)."""
    given = {claim for claim in claims if claim and not _ZEROS.fullmatch(claim)}
    if len(given) > 1:
        raise Unreadable(f"the certificate gives more than one {what}")
    return given.pop() if given else None


def _cpf(others: dict[str, str], serial: str | None, suffix: str) -> str | None:
    data = others.get(PERSON_DATA)
    if data is not None and len(data) < 45:
        raise Unreadable("the holder's data (2.16.76.1.3.1) is truncated")
    number = _agree("CPF", data[8:19] if data else None, serial, suffix)
    if number is not None and not is_cpf(number):
        raise Unreadable("the holder's CPF is not valid")
    return number


def _cnpj(others: dict[str, str], serial: str | None, suffix: str) -> str | None:
    stated = others.get(COMPANY_CNPJ)
    if stated is not None and len(stated) != 14:
        raise Unreadable("the holder's CNPJ (2.16.76.1.3.3) has not 14 positions")
    # A server's serialNumber may be the CPF of a natural person who owns it (item 7.1.4.4): that is no CNPJ.
    numbers = [number for number in (serial, suffix) if number and len(number) == 14]
    number = _agree("CNPJ", stated, *numbers)
    if number is not None and not is_cnpj(number):
        raise Unreadable("the holder's CNPJ is not valid")
    return number
