"""Signing keys: made here, encrypted at rest under a key that lives outside the database, each signed by the one before.

Three uses that never mix: ``token`` (RFC 9068, OIDC), ``checkpoint`` and ``receipt`` (the journal's evidence). ES256 only.
A retired token key stays in the JWKS while tokens it signed may live. Private keys are never exported.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import orjson
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import JSON, ForeignKey, LargeBinary, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.config import Unsafe
from iam.db import Base, Database, one_of, unique_while
from iam.file import new_secret

ES256 = ec.ECDSA(hashes.SHA256())
USES = ("token", "checkpoint", "receipt")
KEPT = timedelta(hours=24)
TICK = timedelta(microseconds=1)
LOCK = 7304128


def b64url(raw: bytes) -> str:
    """Base64url without padding (RFC 7515 §2)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64url_decode(text: str) -> bytes:
    """The reverse of :func:`b64url`; raises ValueError on anything that is not base64url."""
    if not text.isascii() or "=" in text or "+" in text or "/" in text:
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key(Base):
    """One key pair and its history. Of each use one key signs: the one that is not retired."""

    __tablename__ = "key"
    __table_args__ = (one_of("use", USES), unique_while("key_live", "use", "retired_at IS NULL"))

    kid: Mapped[str] = mapped_column(primary_key=True)
    use: Mapped[str]
    public: Mapped[dict[str, str]] = mapped_column(JSON)
    private: Mapped[bytes] = mapped_column(LargeBinary, repr=False)
    created_at: Mapped[datetime]
    predecessor: Mapped[str | None] = mapped_column(ForeignKey("key.kid"), default=None)
    endorsement: Mapped[str | None] = mapped_column(default=None)
    retired_at: Mapped[datetime | None] = mapped_column(default=None)


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key ready to sign, imported once."""

    kid: str
    key: ec.EllipticCurvePrivateKey

    def sign(self, data: bytes) -> bytes:
        """The raw 64-byte ES256 signature (RFC 7518 §3.4)."""
        r, s = decode_dss_signature(self.key.sign(data, ES256))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")

    def jws(self, typ: str, payload: bytes) -> str:
        """A compact JWS (RFC 7515 §3.1) with ``kid`` and ``typ``."""
        signed = f"{_head(self.kid, typ)}.{b64url(payload)}"
        return f"{signed}.{b64url(self.sign(signed.encode()))}"


@lru_cache(maxsize=64)
def _head(kid: str, typ: str) -> str:
    return b64url(orjson.dumps({"alg": "ES256", "kid": kid, "typ": typ}))


def verify_jws(text: str, public: dict[str, str]) -> bytes | None:
    """The payload of a compact ES256 JWS when its signature is by ``public`` (a JWK), else None."""
    try:
        head, body, signature = text.split(".")
        if orjson.loads(b64url_decode(head)).get("alg") != "ES256":
            return None
        raw = b64url_decode(signature)
        if len(raw) != 64:
            return None
        der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
        import_public(public).verify(der, f"{head}.{body}".encode(), ES256)
        return b64url_decode(body)
    except (ValueError, KeyError, AttributeError, InvalidSignature):
        return None


def import_public(jwk: dict[str, str]) -> ec.EllipticCurvePublicKey:
    """A P-256 public key from its JWK; ValueError when it is none."""
    return _point(jwk["x"], jwk["y"])


@lru_cache(maxsize=64)
def _point(x: str, y: str) -> ec.EllipticCurvePublicKey:
    px, py = int.from_bytes(b64url_decode(x), "big"), int.from_bytes(b64url_decode(y), "big")
    return ec.EllipticCurvePublicNumbers(px, py, ec.SECP256R1()).public_key()


def thumbprint(jwk: dict[str, str]) -> str:
    """RFC 7638: the SHA-256 of the required members, base64url; our ``kid``."""
    required = {k: jwk[k] for k in ("crv", "kty", "x", "y")}
    return b64url(hashlib.sha256(orjson.dumps(required, option=orjson.OPT_SORT_KEYS)).digest())


def create_master(path: Path) -> None:
    """A new master key, readable by its owner only. Never overwrites one: that would lose every signing key."""
    new_secret(path)


def read_master(path: Path) -> bytes:
    """The 32 bytes that encrypt keys and secrets at rest. Refuses a missing, short or shared file."""
    try:
        if path.stat().st_mode & 0o077:
            raise Unsafe(f"outros podem ler {path}; rode chmod 600 nele")
        raw = base64.b64decode(path.read_bytes(), validate=False)
    except OSError as error:
        raise Unsafe(f"a chave mestra {path} não pode ser lida: {error.strerror}") from error
    except ValueError as error:
        raise Unsafe(f"a chave mestra {path} não tem 32 bytes em base64") from error
    if len(raw) != 32:
        raise Unsafe(f"a chave mestra {path} não tem 32 bytes em base64")
    return raw


class Vault:
    """Encrypts small secrets at rest (AES-256-GCM), each tied to what it is for."""

    def __init__(self, master: bytes) -> None:
        self._aead = AESGCM(master)
        self._mac = hashlib.blake2b(b"portaria mac", key=master, digest_size=32).digest()

    def seal(self, secret: bytes, purpose: str) -> bytes:
        """Ciphertext that opens only for the same purpose."""
        nonce = secrets.token_bytes(12)
        return nonce + self._aead.encrypt(nonce, secret, purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The secret; :class:`Unsafe` when the master key is another or the bytes were changed."""
        try:
            return self._aead.decrypt(sealed[:12], sealed[12:], purpose.encode())
        except (InvalidTag, ValueError) as error:
            raise Unsafe("a chave mestra não abre este banco de dados; é a de outra instalação?") from error

    def mac(self, data: bytes, purpose: str) -> bytes:
        """A keyed digest of 32 bytes, for values that must be found again but not read."""
        return hashlib.blake2b(data, key=self._mac, person=purpose.encode()[:16], digest_size=32).digest()


class Keyring:
    """The keys in use, loaded once; read again after a rotation."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database, self._vault = database, vault
        self._signers: dict[str, Signer] = {}
        self._public: dict[str, dict[str, str]] = {}
        self.load()

    def load(self) -> None:
        """Reads every key; private ones only of those that still sign."""
        with self._database.read() as db:
            rows = db.scalars(select(Key).order_by(Key.created_at)).all()
        signers = {}
        for row in rows:
            if row.retired_at is None:
                signers[row.use] = self._signer(row)
        self._signers, self._public = signers, {row.kid: row.public for row in rows}
        self._rows: Sequence[Key] = rows

    def refresh(self) -> None:
        """Loads again if another process rotated a key since."""
        with self._database.read() as db:
            signing = set(db.scalars(select(Key.kid).where(Key.retired_at.is_(None))))
        if signing != {signer.kid for signer in self._signers.values()}:
            self.load()

    def _signer(self, row: Key) -> Signer:
        key = serialization.load_der_private_key(self._vault.open(row.private, f"key {row.kid}"), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise Unsafe(f"a chave {row.kid} não é de curva elíptica")
        return Signer(row.kid, key)

    def signer(self, use: str) -> Signer:
        """The key that signs for ``use``."""
        return self._signers[use]

    def public(self, kid: str) -> dict[str, str] | None:
        """The public JWK of a key that ever signed, also for another use; None when unknown."""
        return self._public.get(kid)

    def jwks(self, now: datetime) -> list[dict[str, str]]:
        """The keys relying parties need: every one of ``token`` in use or retired less than a day ago, and the receipts'."""
        return [
            row.public | {"kid": row.kid, "use": "sig", "alg": "ES256"}
            for row in self._rows
            if row.use in ("token", "receipt") and (row.retired_at is None or row.retired_at + KEPT > now)
        ]

    def history(self) -> Sequence[Key]:
        """Every key, oldest first, for the journal's export."""
        return self._rows

    def rotate(self, db: Session, use: str, now: datetime) -> Key:
        """A new key for ``use`` inside the caller's transaction, endorsed by its predecessor, which is retired.

        Two at once take turns, so that each key has one successor. Call :meth:`load` after the commit.
        """
        if not self._database.sqlite:
            db.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        old = db.scalar(select(Key).where(Key.use == use, Key.retired_at.is_(None)))
        if old is not None:  # the history is read in this order, whatever was done to the clock meanwhile
            now = max(now, old.created_at + TICK)
        private = ec.generate_private_key(ec.SECP256R1())
        numbers = private.public_key().public_numbers()
        jwk = {
            "kty": "EC",
            "crv": "P-256",
            "x": b64url(numbers.x.to_bytes(32, "big")),
            "y": b64url(numbers.y.to_bytes(32, "big")),
        }
        kid = thumbprint(jwk)
        der = private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        new = Key(kid=kid, use=use, public=jwk, private=self._vault.seal(der, f"key {kid}"), created_at=now)
        if old is not None:
            statement = {"use": use, "kid": kid, "jwk": jwk, "at": now.isoformat()}
            new.predecessor = old.kid
            new.endorsement = self._signer(old).jws("key+jws", orjson.dumps(statement, option=orjson.OPT_SORT_KEYS))
            old.retired_at = now
            db.flush()
        db.add(new)
        return new
