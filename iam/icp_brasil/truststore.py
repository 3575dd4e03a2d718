"""The authorities we believe: ICP-Brasil's roots as anchors, its authorities as intermediates, and nothing else.

Texts: Portaria Cotec 62/2020 art. 1 §2 III and IV; DOC-ICP-01 (the roots); RFC 5280 section 6.1 (anchors).
An anchor is known by its fingerprint, since anybody can make a root with the same name. A leaf never enters: a
self-signed certificate registered for a client is that client's own affair and must not come to sign others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.x509.oid import NameOID

from iam.icp_brasil.name import MALFORMED

ROOTS = {
    "caa53fc6091c6951887c976e378f6ef89aa6377c55d97b6475422b71ed7e9b17": "v5",
    "6e0bff069a26994c15de2c4888cc54af84882e5495b7fbf66be9ccffec7489f6": "v10",
    "1406710058180fa4081aab3f246f1702429c552a11fa3143b84c88cb3ab8e5e7": "v11",
    "d8478e37ce19c690cf657381e68fe600e4e1a042536830f06847e03e554c4b01": "v12",
}
"""SHA-256 (DER) of the roots in use; others that ITI publishes are named by the operator."""


class NotIcpBrasil(ValueError):
    """The bundle holds what must not be believed; the message names the certificate. Nothing of it is used."""


@dataclass(frozen=True, slots=True)
class TrustStore:
    """A bundle that passed. `version` is a digest of its content: another one means that the trust changed."""

    anchors: tuple[x509.Certificate, ...]
    intermediates: tuple[x509.Certificate, ...]
    version: str

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """SHA-256 (hex) of every certificate, sorted."""
        return tuple(sorted(fingerprint(c) for c in (*self.anchors, *self.intermediates)))


def fingerprint(certificate: x509.Certificate) -> str:
    """SHA-256 of the DER in lower-case hex."""
    return certificate.fingerprint(SHA256()).hex()


def load(pem: bytes, *, test: bool = False, pinned: Collection[str] = ()) -> TrustStore:
    """Read a PEM bundle of roots and intermediates in any order. NotIcpBrasil, naming the culprit, otherwise.

    `pinned` are fingerprints of roots accepted beside ROOTS; `test` accepts any root of the right form, for a
    demonstration or a test only.
    """
    try:
        found = x509.load_pem_x509_certificates(pem)
        anchors = tuple(c for c in found if _is_authority(c) and _signed_itself(c))
        intermediates = tuple(c for c in found if c not in anchors)
        for certificate in found:
            if not _is_authority(certificate):
                raise NotIcpBrasil(f"{certificate.subject.rfc4514_string()} não é uma autoridade certificadora")
            if not _named_icp_brasil(certificate.subject):
                raise NotIcpBrasil(f"{certificate.subject.rfc4514_string()} não é da ICP-Brasil (C=BR, O=ICP-Brasil)")
        accepted = ROOTS.keys() | {pin.replace(":", "").lower() for pin in pinned}
        for anchor in anchors:
            if not test and fingerprint(anchor) not in accepted:
                raise NotIcpBrasil(f"a raiz {fingerprint(anchor)} não é da ICP-Brasil nem está em PORTARIA_TRUST_PINS")
        _check_issued(anchors, intermediates)
    except NotIcpBrasil:
        raise
    except MALFORMED as error:
        raise NotIcpBrasil(f"a cadeia não pode ser lida: {error}") from None
    if not anchors:
        raise NotIcpBrasil("a cadeia não tem nenhuma raiz")
    digest = hashlib.sha256("".join(sorted(fingerprint(c) for c in found)).encode("ascii"))
    return TrustStore(anchors, intermediates, digest.hexdigest())


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        if not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca:
            return False
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return False


def _signed_itself(certificate: x509.Certificate) -> bool:
    return directly_issued(certificate, certificate)


def directly_issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` named and signed it."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *MALFORMED):
        return False
    return True


def _check_issued(anchors: tuple[x509.Certificate, ...], intermediates: tuple[x509.Certificate, ...]) -> None:
    """Every intermediate must be signed, level by level, from an anchor of the same bundle."""
    reached, left = list(anchors), list(intermediates)
    while left:
        signed = [c for c in left if any(directly_issued(c, issuer) for issuer in reached)]
        if not signed:
            raise NotIcpBrasil(f"{left[0].subject.rfc4514_string()} não foi emitida sob uma raiz da cadeia")
        reached += signed
        left = [c for c in left if c not in signed]


def _named_icp_brasil(name: x509.Name) -> bool:
    country = [a.value for a in name.get_attributes_for_oid(NameOID.COUNTRY_NAME)]
    organization = [a.value for a in name.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    return country == ["BR"] and organization == ["ICP-Brasil"]
