"""Revocation lists: read from files, believed only when signed, and silence about a certificate is never consent.

Texts: RFC 5280 sections 5 and 6.3; GAP-ALL-08 (fail closed; a good status seen may be used for at most 15 minutes).
Something else fetches the files; whoever replaces one changes what is valid from the next question on. Whom any signed list on
file revokes is revoked, be it old, ended or dated ahead. One older than what was ever believed revives nobody: the
known one decides to its end, and then none; after a restart none at once. When nothing on file is believed any
more the last list that was decides for everybody alike, until it ends or :data:`GRACE` is over, whichever
comes first; then nobody is good.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TypeAlias, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

from iam.file import Stamp, stamp
from iam.icp_brasil.distribution_point import Place, points, usable
from iam.icp_brasil.name import MALFORMED
from iam.icp_brasil.truststore import fingerprint

log = logging.getLogger("iam.icp_brasil")

GRACE = timedelta(minutes=15)
Age: TypeAlias = "tuple[datetime, int]"
"""What grows from one list of an authority to the next: its date and, within one second, its number."""
_PEM = b"-----BEGIN X509 CRL-----"


class Status(StrEnum):
    """What the lists say of a certificate: not revoked, revoked, or nothing that can be believed."""

    GOOD = "good"
    REVOKED = "revoked"
    UNAVAILABLE = "unavailable"


@dataclass(slots=True)
class _File:
    path: Path
    stamp: Stamp | None = None
    lists: tuple[x509.CertificateRevocationList, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """A status and, for a good one, until when it may be repeated without asking again."""

    status: Status
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Of whose certificates a list speaks: the authority's fingerprint, and the points that limit it."""

    issuer: str
    points: frozenset[str]


@dataclass(slots=True)
class Lists:
    """The lists of some files, read again whenever a file changes. Safe among threads.

    ``authorities`` are those whose lists are believed: :class:`iam.icp_brasil.chain.Trust` says who they are.
    """

    files: list[_File]
    authorities: Sequence[x509.Certificate] = ()
    generation: int = 0
    _signed: dict[tuple[int, str], bool] = field(default_factory=dict)
    _last: dict[Scope, x509.CertificateRevocationList] = field(default_factory=dict)
    _filed: dict[Scope, tuple[x509.CertificateRevocationList, ...]] = field(default_factory=dict)
    _lost: dict[Scope, datetime] = field(default_factory=dict)
    _behind: set[Scope] = field(default_factory=set)
    _never_before: dict[Scope, Age] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @staticmethod
    def of(paths: Sequence[Path]) -> Lists:
        """Lists in these files, PEM (several allowed) or DER. A missing file is a list that says nothing."""
        return Lists([_File(path) for path in paths])

    def never_before(self, known: Mapping[Scope, Age]) -> None:
        """What was believed before this process began: no older list makes anybody good."""
        with self._lock:
            for scope, age in known.items():
                self._never_before[scope] = max(age, self._never_before.get(scope, age))

    def fresh(self) -> Mapping[Scope, Age]:
        """The lists that are believed beyond what :meth:`never_before` was told."""
        with self._lock:
            ages = {scope: _age(found) for scope, found in self._last.items()}
            return {s: age for s, age in ages.items() if s not in self._never_before or self._never_before[s] < age}

    def refresh(self, now: datetime) -> int:
        """Read again what changed (time, inode or size) and return the generation, which grows with every change."""
        for file in self.files:
            found = stamp(file.path)
            if found != file.stamp:
                with self._lock:
                    if found != file.stamp:
                        file.lists = _read(file.path)
                        file.stamp = found
                        self._signed.clear()
                        self.generation += 1
                    for issuer in self.authorities:
                        self._look(issuer, now)
        return self.generation

    def status(self, place: Place, issuer: x509.Certificate, now: datetime) -> Answer:
        """What the newest believable lists of `issuer` that speak of a certificate say of it at `now` (aware)."""
        with self._lock:
            self._look(issuer, now)
            name = fingerprint(issuer)
            speak = [
                scope
                for scope in self._last.keys() | self._filed.keys()
                if scope.issuer == name and (not scope.points or scope.points & place.points)
            ]
            ends = {scope: until for scope in speak if scope in self._last and now <= (until := self._until(scope))}
            told = [self._last[scope] for scope in ends if scope in self._lost or scope in self._behind]
            told += [found for scope in speak for found in self._filed.get(scope, ())]
        if any(found.get_revoked_certificate_by_serial_number(place.serial) is not None for found in told):
            return Answer(Status.REVOKED)
        return Answer(Status.GOOD, min(ends.values())) if ends else Answer(Status.UNAVAILABLE)

    def knows(self, issuer: x509.Certificate) -> bool:
        """Whether any list claims to be of this issuer, believable or not, or one of it was ever believed."""
        present = any(found.issuer == issuer.subject for file in self.files for found in file.lists)
        return present or any(scope.issuer == fingerprint(issuer) for scope in self._last)

    def unusable(self, now: datetime) -> int:
        """How many files hold nothing, or a list that is not believed; else how many lists were lost, or put back older."""
        self.refresh(now)
        with self._lock:
            bad = sum(1 for file in self.files if not file.lists or not all(self._good(x, now) for x in file.lists))
            for issuer in self.authorities:
                self._look(issuer, now)
            return bad or len(self._lost.keys() | self._behind)

    def until(self, now: datetime) -> datetime:
        """When the first of the lists that were ever believed is without a successor; `now` when one is already, or is not on file."""
        self.refresh(now)
        with self._lock:
            for issuer in self.authorities:
                self._look(issuer, now)
            ends = (
                max(now, self._until(scope)) if scope in self._last else now
                for scope in self._last.keys() | self._behind
            )
            return min(ends, default=now)

    def _look(self, issuer: x509.Certificate, now: datetime) -> None:
        """Take note of the lists of an authority on file: the newest of each scope decides from now on, and none before it."""
        name = fingerprint(issuer)
        newest: dict[Scope, x509.CertificateRevocationList] = {}
        self._filed = {scope: lists for scope, lists in self._filed.items() if scope.issuer != name}
        for found in sorted((x for file in self.files for x in file.lists if self._is_of(x, issuer)), key=_age):
            scope = Scope(name, points(found))
            self._filed[scope] = (*self._filed.get(scope, ()), found)
            if _in_time(found, now):
                newest[scope] = found
        for scope, found in newest.items():
            last = self._last.get(scope, found)
            if _age(found) >= max(_age(last), self._never_before.get(scope, _age(last))):
                self._last[scope] = found
                self._behind.discard(scope)
            elif scope not in self._behind:
                self._behind.add(scope)
                log.error("a lista de revogados de %s é mais antiga que a já conhecida: não se usa", _name(found))
        for scope in self._last:
            if scope.issuer == name and scope not in newest:
                self._lost.setdefault(scope, now)
            elif scope.issuer == name:
                self._lost.pop(scope, None)

    def _until(self, scope: Scope) -> datetime:
        """How long the list that decides for a scope does so: to its end, or for :data:`GRACE` once none is on file."""
        ends = cast(datetime, self._last[scope].next_update_utc)
        return min(ends, self._lost[scope] + GRACE) if scope in self._lost else ends

    def _good(self, found: x509.CertificateRevocationList, now: datetime) -> bool:
        return _in_time(found, now) and any(self._is_of(found, issuer) for issuer in self.authorities)

    def _is_of(self, found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
        return found.issuer == issuer.subject and self._is_signed(found, issuer)

    def _is_signed(self, found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
        key = (id(found), fingerprint(issuer))
        if key not in self._signed:
            self._signed[key] = signed(found, issuer)
            if not self._signed[key]:
                log.error("uma lista de revogados de %s tem assinatura errada", _name(found))
        return self._signed[key]


def _read(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """A file that cannot be read says nothing, so its certificates fail closed."""
    try:
        return read(path)
    except (OSError, *MALFORMED) as error:
        log.error("a lista de revogados %s não pode ser usada: %s", path, error)  # noqa: TRY400  # the line says it all
        return ()


def read(path: Path) -> tuple[x509.CertificateRevocationList, ...]:
    """The lists of a file that can be believed, PEM (several allowed) or DER; raises OSError or one of MALFORMED."""
    data = path.read_bytes()
    found = (
        [x509.load_pem_x509_crl(_PEM + part) for part in data.split(_PEM)[1:]]
        if _PEM in data
        else [x509.load_der_x509_crl(data)]
    )
    return tuple(crl for crl in found if usable(crl))


def _in_time(found: x509.CertificateRevocationList, now: datetime) -> bool:
    ends = found.next_update_utc
    return ends is not None and found.last_update_utc <= now <= ends


def signed(found: x509.CertificateRevocationList, issuer: x509.Certificate) -> bool:
    """Whether this authority's key signed the list."""
    try:
        return found.is_signature_valid(cast(CertificateIssuerPublicKeyTypes, issuer.public_key()))
    except MALFORMED:
        return False


def _age(crl: x509.CertificateRevocationList) -> Age:
    return crl.last_update_utc, number(crl)


def _name(crl: x509.CertificateRevocationList) -> str:
    return crl.issuer.rfc4514_string()


def number(crl: x509.CertificateRevocationList) -> int:
    """The list's number (RFC 5280 section 5.2.3), 0 when it has none."""
    try:
        return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    except x509.ExtensionNotFound:
        return 0
