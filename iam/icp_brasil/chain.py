"""The verdict about a certificate: whether its chain ends in ICP-Brasil's root and whether it still stands.

Texts: RFC 5280 section 6; Portaria Cotec 62/2020 art. 1 §2 III; GAP-ALL-08. The signatures and the path are checked by
`cryptography`, the profile's peculiarities (no subjectAltName in the new one) and revocation here.
The verdict is one word of a closed set, which the policy turns into a decision; this module refuses nobody.
Intermediates come from the store alone: what a caller sends beside its certificate is not used.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, PolicyBuilder, Store, VerificationError

from iam.icp_brasil.crl import Lists, Status
from iam.icp_brasil.distribution_point import Place
from iam.icp_brasil.name import MALFORMED, rfc4514, x5t_s256
from iam.icp_brasil.truststore import TrustStore, directly_issued, fingerprint

VALIDO = ""
EXPIRADO = "certificado_expirado"
AINDA_NAO_VALIDO = "certificado_ainda_nao_valido"
DESCONHECIDO = "certificado_desconhecido"
REVOGADO = "certificado_revogado"
ESTADO_INDISPONIVEL = "estado_do_certificado_indisponivel"
MALFORMADO = "certificado_malformado"
SEM_USO_DE_CLIENT = "certificado_sem_uso_de_client"
WORDS = frozenset(
    (EXPIRADO, AINDA_NAO_VALIDO, DESCONHECIDO, REVOGADO, ESTADO_INDISPONIVEL, MALFORMADO, SEM_USO_DE_CLIENT)
)

_DEPTH = 6
_MAX_DER = 64 * 1024
_CACHED = 4096
_UNDERSTOOD = frozenset(
    (
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.CERTIFICATE_POLICIES,
    )
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. `word` is "" for a valid certificate, else one of WORDS.

    `x5t` is the RFC 8705 thumbprint; `subject_dn` RFC 4514; `chain` SHA-256 fingerprints (hex), leaf first, empty
    when no chain was found; `listed` what revocation lists know it by, `<issuer's SHA-256>:<`:class:`Place` `>`, "" without a
    chain; `certificate` None when the DER cannot be read.
    """

    word: str
    x5t: str
    subject_dn: str = ""
    not_before: datetime | None = None
    not_after: datetime | None = None
    chain: tuple[str, ...] = ()
    listed: str = ""
    certificate: x509.Certificate | None = None

    @property
    def valid(self) -> bool:
        """Whether the certificate may be believed to name its holder."""
        return not self.word


@dataclass(frozen=True, slots=True)
class _Known:
    verdict: Verdict
    generation: int
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class _Listed:
    generation: int
    since: datetime
    until: datetime


class Trust:
    """The verifier over one trust store and its revocation lists. Safe among threads.

    A good verdict is kept until the first date that could change it (a certificate's or a list's end) or until a list
    changes; every other verdict is found anew.
    """

    def __init__(self, store: TrustStore, lists: Lists) -> None:
        self.store, self.lists = store, lists
        lists.authorities = (*store.anchors, *store.intermediates)
        self._anchors = Store(list(store.anchors))
        self._known: dict[str, _Known] = {}
        self._listed: dict[str, _Listed] = {}
        self._paths: dict[str, tuple[x509.Certificate, ...]] = {}
        self._lock = threading.Lock()

    @property
    def version(self) -> str:
        """Digest of the trust store in use, for the journal."""
        return self.store.version

    def verify(self, der: bytes, now: datetime) -> Verdict:
        """Judge the DER of one client certificate at `now` (aware). Never raises for what is in the DER."""
        x5t = x5t_s256(der)
        generation = self.lists.refresh(now)
        known = self._known.get(x5t)
        if known is not None and known.generation == generation and known.since <= now <= known.until:
            return known.verdict
        verdict = self._judge(der, x5t, now, generation)
        if verdict.word:
            self._known.pop(x5t, None)
        return verdict

    def recheck(self, listed: str, now: datetime) -> str:
        """What the lists say at `now` of a certificate that was valid before: "" when it is good, else one of WORDS.

        `listed` is its :attr:`Verdict.listed`.
        """
        generation = self.lists.refresh(now)
        known = self._listed.get(listed)
        if known is not None and known.generation == generation and known.since <= now <= known.until:
            return VALIDO
        issuer, _, place = listed.partition(":")
        path = self._path(issuer)
        if not path:
            return DESCONHECIDO
        word, ends = self._asked([(Place.read(place), path[0]), *_places(path)], now)
        if not word:
            with self._lock:
                if len(self._listed) >= _CACHED:
                    del self._listed[next(iter(self._listed))]
                self._listed[listed] = _Listed(generation, now.astimezone(UTC), min(ends))
        return word

    def _path(self, issuer: str) -> tuple[x509.Certificate, ...]:
        """The authority with this fingerprint and those above it, () when it is not in the store."""
        if issuer not in self._paths:
            authorities = {fingerprint(c): c for c in self.lists.authorities}
            found = [authorities[issuer]] if issuer in authorities else []
            while found and found[-1] not in self.store.anchors:
                found.append(
                    next(c for c in self.lists.authorities if c not in found and directly_issued(found[-1], c))
                )
            self._paths[issuer] = tuple(found)
        return self._paths[issuer]

    def _judge(self, der: bytes, x5t: str, now: datetime, generation: int) -> Verdict:
        try:
            certificate = x509.load_der_x509_certificate(der[: _MAX_DER + 1])
            extensions = {e.oid: e for e in certificate.extensions}
            found = Verdict(
                word=VALIDO,
                x5t=x5t,
                subject_dn=rfc4514(certificate.subject),
                not_before=certificate.not_valid_before_utc,
                not_after=certificate.not_valid_after_utc,
                certificate=certificate,
            )
            certificate.public_key()
        except MALFORMED:
            return Verdict(MALFORMADO, x5t)
        if any(e.critical and oid not in _UNDERSTOOD for oid, e in extensions.items()):
            return replace(found, word=MALFORMADO)
        chain = self._chain(certificate, now)
        if not chain:
            return replace(found, word=DESCONHECIDO)
        fingerprints = tuple(map(fingerprint, chain))
        found = replace(found, chain=fingerprints, listed=f"{fingerprints[1]}:{Place.of(certificate)}")
        if now > certificate.not_valid_after_utc:
            return replace(found, word=EXPIRADO)
        if now < certificate.not_valid_before_utc:
            return replace(found, word=AINDA_NAO_VALIDO)
        if not _for_clients(extensions):
            return replace(found, word=SEM_USO_DE_CLIENT)
        return self._revocation(found, chain, now, generation)

    def _chain(self, certificate: x509.Certificate, now: datetime) -> list[x509.Certificate]:
        """The path to an anchor, leaf first, [] when there is none. Sought within the leaf's own time, judged apart."""
        moment = min(max(now, certificate.not_valid_before_utc), certificate.not_valid_after_utc)
        authorities = ExtensionPolicy.permit_all().require_present(
            x509.BasicConstraints, Criticality.AGNOSTIC, _authority
        )
        verifier = (
            PolicyBuilder()
            .store(self._anchors)
            .time(moment)
            .max_chain_depth(_DEPTH)
            .extension_policies(ca_policy=authorities, ee_policy=ExtensionPolicy.permit_all())
            .build_client_verifier()
        )
        try:
            return verifier.verify(certificate, list(self.store.intermediates)).chain
        except (VerificationError, *MALFORMED):
            return []

    def _revocation(self, found: Verdict, chain: list[x509.Certificate], now: datetime, generation: int) -> Verdict:
        word, ends = self._asked(_places(chain), now)
        if word:
            return replace(found, word=word)
        ends += [certificate.not_valid_after_utc for certificate in chain]
        with self._lock:
            if len(self._known) >= _CACHED:
                del self._known[next(iter(self._known))]
            self._known[found.x5t] = _Known(found, generation, now.astimezone(UTC), min(ends))
        return found

    def _asked(self, pairs: Sequence[tuple[Place, x509.Certificate]], now: datetime) -> tuple[str, list[datetime]]:
        """What the lists say of a chain, leaf first, as places and issuers: a word, and when each good status ends.

        The leaf needs a good status. An authority, brought in by the operator, is asked about when a list exists.
        """
        ends: list[datetime] = []
        for level, (place, issuer) in enumerate(pairs):
            if level and not self.lists.knows(issuer):
                continue
            answer = self.lists.status(place, issuer, now)
            if answer.status is Status.REVOKED:
                return REVOGADO, []
            if answer.status is Status.UNAVAILABLE:
                return ESTADO_INDISPONIVEL, []
            if answer.until is not None:
                ends.append(answer.until)
        return VALIDO, ends


def _places(chain: Sequence[x509.Certificate]) -> list[tuple[Place, x509.Certificate]]:
    return [(Place.of(certificate), issuer) for certificate, issuer in pairwise(chain)]


def _authority(_: object, __: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("not an authority")


def _for_clients(extensions: Mapping[x509.ObjectIdentifier, x509.Extension[x509.ExtensionType]]) -> bool:
    """Whether the leaf may sign a TLS handshake as a client (DOC-ICP-04 item 7.1.2) and is no authority."""
    constraints = extensions.get(ExtensionOID.BASIC_CONSTRAINTS)
    if constraints is not None and isinstance(constraints.value, x509.BasicConstraints) and constraints.value.ca:
        return False
    usage = extensions.get(ExtensionOID.KEY_USAGE)
    if usage is not None and isinstance(usage.value, x509.KeyUsage) and not usage.value.digital_signature:
        return False
    extended = extensions.get(ExtensionOID.EXTENDED_KEY_USAGE)
    if extended is None or not isinstance(extended.value, x509.ExtendedKeyUsage):
        return False
    return ExtendedKeyUsageOID.CLIENT_AUTH in extended.value
