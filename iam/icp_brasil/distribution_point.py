"""Of which certificates a revocation list speaks: an authority may publish one list for all, or several for some each.

Texts: RFC 5280 sections 4.2.1.13, 5.2.5 and 6.3.3 (b). A list limited by name speaks of the certificates that name the
same distribution point, and of no others: silence in another's list says nothing. Points are known by a digest of
their URI. A list limited in any other way (reasons, kinds, another's certificates) is not believed at all.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Place:
    """Where a certificate would stand in its authority's lists: serial number, and the points it names."""

    serial: int
    points: frozenset[str]

    @staticmethod
    def of(certificate: x509.Certificate) -> Place:
        """The place of a certificate; ValueError when its extensions cannot be read."""
        return Place(certificate.serial_number, _named(certificate))

    @staticmethod
    def read(text: str) -> Place:
        """What :meth:`__str__` wrote; ValueError for anything else."""
        serial, *points = text.split(":")
        return Place(int(serial, 16), frozenset(points))

    def __str__(self) -> str:
        """`<serial>:<point>:<point>…`, all in hex."""
        return ":".join((f"{self.serial:x}", *sorted(self.points)))


def points(crl: x509.CertificateRevocationList) -> frozenset[str]:
    """The points that a list is limited to; none for one that speaks of every certificate of its authority."""
    limits = _limits(crl)
    return _uris(limits.full_name) if limits is not None and limits.full_name else frozenset()


def usable(crl: x509.CertificateRevocationList) -> bool:
    """Whether a list speaks of all reasons and directly, and is limited by name at most; a delta list is not."""
    limits = _limits(crl)
    if any(e.critical and not isinstance(e.value, x509.IssuingDistributionPoint) for e in crl.extensions):
        return False
    if limits is None:
        return True
    partial = limits.only_some_reasons or limits.only_contains_ca_certs or limits.only_contains_user_certs
    if partial or limits.indirect_crl or limits.only_contains_attribute_certs or limits.relative_name is not None:
        return False
    return limits.full_name is None or bool(_uris(limits.full_name))


def _limits(crl: x509.CertificateRevocationList) -> x509.IssuingDistributionPoint | None:
    found = (e.value for e in crl.extensions if isinstance(e.value, x509.IssuingDistributionPoint))
    return next(found, None)


def _named(certificate: x509.Certificate) -> frozenset[str]:
    """The points of a certificate where its own authority tells all reasons."""
    try:
        found = certificate.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    except x509.ExtensionNotFound:
        return frozenset()
    own = (p.full_name for p in found if p.full_name and p.reasons is None and p.crl_issuer is None)
    return frozenset().union(*map(_uris, own))


def _uris(names: Iterable[x509.GeneralName]) -> frozenset[str]:
    uris = (name.value for name in names if isinstance(name, x509.UniformResourceIdentifier))
    return frozenset(hashlib.sha256(uri.encode()).hexdigest()[:_DIGITS] for uri in uris)
