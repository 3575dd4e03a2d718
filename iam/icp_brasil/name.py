"""Thumbprints and distinguished names, compared as RFC 8705 asks.

Texts: RFC 8705 sections 2.1.2 and 3.1, RFC 4514 (string form), RFC 4517 section 4.2.15 (distinguishedNameMatch).
Names are compared attribute by attribute, never as strings: two spellings of one name are one name.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import NameOID

from iam.errors import Invalid

# Short names seen in the field beside those RFC 4514 itself lists.
_NAMES = {
    "serialNumber": NameOID.SERIAL_NUMBER,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "businessCategory": NameOID.BUSINESS_CATEGORY,
    "jurisdictionCountryName": NameOID.JURISDICTION_COUNTRY_NAME,
    "organizationIdentifier": NameOID.ORGANIZATION_IDENTIFIER,
    "emailAddress": NameOID.EMAIL_ADDRESS,
    "E": NameOID.EMAIL_ADDRESS,
}
MALFORMED = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    CryptographyDeprecationWarning,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
"""What `cryptography` raises for a certificate or list that breaks its own grammar."""

_DER_STRINGS = ("\x0c", "\x13", "\x16")
_Form = tuple[frozenset[tuple[str, str | bytes]], ...]


def x5t_s256(der: bytes) -> str:
    """The RFC 8705 thumbprint: base64url of SHA-256 of the DER, without padding."""
    return urlsafe_b64encode(hashlib.sha256(der).digest()).rstrip(b"=").decode("ascii")


def rfc4514(name: x509.Name) -> str:
    """A name as RFC 4514 writes it, most specific first; attributes without a short name there stay dotted OIDs."""
    return name.rfc4514_string()


def parse_dn(text: str) -> x509.Name:
    """Read an RFC 4514 string. Invalid when it is not one or is empty."""
    try:
        name = x509.Name.from_rfc4514_string(text, _NAMES)
    except (ValueError, KeyError, UnicodeDecodeError):
        name = x509.Name([])
    if not name.rdns:
        raise Invalid("o nome distinto não está no formato RFC 4514", code="dn_invalido", field="subject_dn")
    return name


def same_dn(registered: str, subject: x509.Name) -> bool:
    """Whether the registered RFC 4514 string names `subject`: same RDNs in the same order, values caseIgnoreMatch."""
    return _form(parse_dn(registered), _written) == _form(subject, _text)


def _form(name: x509.Name, value: Callable[[str | bytes], str | bytes]) -> _Form:
    return tuple(frozenset((a.oid.dotted_string, _folded(value(a.value))) for a in rdn) for rdn in name.rdns)


def _text(value: str | bytes) -> str | bytes:
    return value


def _written(value: str | bytes) -> str | bytes:
    """A value written as `#` and hex holds the DER of a string (RFC 4514 section 2.4): its content is what counts."""
    if (
        isinstance(value, str)
        and value[:1] in _DER_STRINGS
        and len(value[2:].encode("utf-8")) == ord(value[1:2] or "\0")
    ):
        return value[2:]
    return value


def _folded(value: str | bytes) -> str | bytes:
    return " ".join(value.split()).casefold() if isinstance(value, str) else value
