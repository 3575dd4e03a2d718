"""A new installation: its keys, its tables, the units of the norms, and the first cadastrador by a one-time link.

Our own mechanism. All of it or nothing: what was written is taken away again when a later step fails. A second time is refused
and changes nothing, because a new master key would lose every signing key.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from sqlalchemy import inspect

from iam import migrations, policy, restore
from iam.app import close, open_house
from iam.ato import Ato
from iam.atos import orgao, pessoa
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.papel import CASA, OPERADOR
from iam.config import Settings, Unsafe
from iam.context import Agente, Ctx
from iam.db import Database
from iam.errors import Conflict, Invalid
from iam.icp_brasil import document, truststore
from iam.keys import USES, create_master
from iam.login import activation
from iam.norm import legal_day

ORIGEM = "instalacao"
FUNDAMENTO = "primeiro cadastrador da instalação"
CERTIFICATE_DAYS = 397
_LOGIN = re.compile(r"[a-z0-9][a-z0-9._-]{2,63}", re.ASCII)


@dataclass(frozen=True, slots=True)
class First:
    """The first cadastrador, as the operator names her."""

    nome: str
    cpf: str
    login: str
    orgao: str
    matricula: str
    email: str | None = None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A server certificate that the operator brings: PEM chain and key."""

    chain: bytes
    key: bytes


def install(
    settings: Settings,
    first: First,
    *,
    trust: bytes,
    certificate: Certificate | None,
    written: str,
    agente: Agente,
    clock: Callable[[], datetime],
) -> str:
    """Makes the installation and answers the link of its first cadastrador. ``written`` is the text of ``portaria.toml``.

    Raises Conflict when there is one already, Invalid or :class:`Unsafe` for what cannot be used; then nothing is left behind.
    """
    _refuse_second(settings)
    cpf, login = document.cpf(first.cpf), login_name(first.login)
    for column, value in (("nome", first.nome), ("matricula", first.matricula)):
        if not value.strip() or not value.isprintable():
            raise Invalid(f"`{column}` está vazio ou tem um caractere de controle", code="valor_invalido", field=column)
    rules = policy.load(settings.policies, legal_day(clock()))
    if rules.orgao(first.orgao) is None:
        raise Invalid(f"órgão desconhecido: `{first.orgao}`", code="orgao_desconhecido", field="orgao")
    _check_trust(trust, settings)
    pair = certificate or self_signed(settings, clock())
    _check_pair(pair)
    with _Writer(settings) as files:
        files.write(settings.trust, trust)
        files.write(settings.tls_cert, pair.chain)
        files.write(settings.tls_key, pair.key, private=True)
        files.master(settings.master_key)
        files.write(settings.data / "portaria.toml", written.encode(), private=True)
        database = Database(settings.database)
        files.database()
        migrations.upgrade(database)
        database.engine.dispose()
        files.protect()
        house = open_house(settings, clock)
        try:
            with house.begin(agente) as ctx:
                decision = ctx.require(Ato.INSTALACAO_INICIAR, CASA, OPERADOR)
                for use in USES:
                    house.keys.rotate(ctx.db, use, ctx.now)
                units(ctx)
                path = _cadastrador(ctx, first, cpf, login)
                ctx.record(decision, versao=migrations.head(), normas=sorted(rules.packs), emissor=settings.issuer)
        finally:
            close(house)
        files.keep()
    return settings.issuer + path


def units(ctx: Ctx) -> int:
    """Every órgão and unit that the packs name, those above first; answers how many. Again changes nothing."""
    left = {o.id: o for o in ctx.policy.orgaos()}
    done: set[str] = set()
    while left:
        for o in [o for o in left.values() if o.superior not in left]:
            orgao.cadastrar(ctx, o.id, o.nome, uf=o.uf or None, tz=o.tz, superior=o.superior or None, papeis=OPERADOR)
            done.add(o.id)
            del left[o.id]
    return len(done)


def login_name(text: str) -> str:
    """A login in its one form: lower case, and never one that could be read as a CPF."""
    name = text.strip().lower()
    if not _LOGIN.fullmatch(name) or name.replace(".", "").replace("-", "").isdigit():
        raise Invalid(
            "o login deve ter de 3 a 64 letras minúsculas, algarismos, ponto, hífen ou sublinhado, e não ser só número",
            code="login_invalido",
            field="login",
        )
    return name


def _cadastrador(ctx: Ctx, first: First, cpf: str, login: str) -> str:
    somebody = pessoa.cadastrar(ctx, cpf, first.nome.strip(), login, origem=ORIGEM, email=first.email, papeis=OPERADOR)
    tie = abrir(
        ctx,
        somebody.id,
        first.orgao,
        first.matricula.strip(),
        tipo="servidor",
        de=ctx.now,
        fonte=ORIGEM,
        papeis=OPERADOR,
    )
    conceder(
        ctx,
        somebody.id,
        CASA,
        "cadastrador",
        vinculo=tie,
        origem=ORIGEM,
        fundamento=FUNDAMENTO,
        papeis=OPERADOR,
    )
    return activation.create(ctx, somebody, papeis=OPERADOR)


def _refuse_second(settings: Settings) -> None:
    if restore.unfinished(settings):
        raise Conflict("uma restauração não terminou aqui; nada foi mudado", code="ja_instalada")
    found = [p for p in (settings.data / "portaria.toml", settings.master_key) if p.exists()]
    if settings.database_file and settings.database_file.exists():
        found.append(settings.database_file)
    if not found and not settings.sqlite and tables(settings):
        raise Conflict("o banco de dados já tem as tabelas de uma instalação; nada foi mudado", code="ja_instalada")
    if found:
        raise Conflict(f"já existe uma instalação aqui ({found[0]}); nada foi mudado", code="ja_instalada")


def tables(settings: Settings) -> bool:
    """Whether the database holds any table of ours."""
    database = Database(settings.database)
    try:
        return inspect(database.engine).has_table("key")
    finally:
        database.engine.dispose()


def _check_trust(pem: bytes, settings: Settings) -> None:
    try:
        truststore.load(pem, test=settings.demo, pinned=settings.trust_pins)
    except truststore.NotIcpBrasil as error:
        raise Unsafe(f"a cadeia de confiança não serve: {error}") from error


def _check_pair(pair: Certificate) -> None:
    try:
        certificate = x509.load_pem_x509_certificates(pair.chain)[0]
        key = serialization.load_pem_private_key(pair.key, None)
    except (ValueError, TypeError) as error:
        raise Invalid(
            "o certificado ou a chave do servidor não podem ser lidos", code="certificado_do_servidor"
        ) from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if certificate.public_key().public_bytes(*form) != key.public_key().public_bytes(*form):
        raise Invalid("a chave não é a do certificado do servidor", code="certificado_do_servidor")


def self_signed(settings: Settings, now: datetime) -> Certificate:
    """A certificate for the installation's own names, that browsers will not trust until a real one takes its place."""
    hosts = dict.fromkeys(urlsplit(url).hostname or "localhost" for url in (settings.issuer, settings.mtls))
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, next(iter(hosts))[:64])])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName([_host(h) for h in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Certificate(certificate.public_bytes(pem), private)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


class _Writer:
    """Writes the files of an installation, and takes back every one of them unless told to keep them."""

    def __init__(self, settings: Settings) -> None:
        self._settings, self._made, self._kept = settings, list[Path](), False
        self._new_folder = not settings.data.exists()

    def __enter__(self) -> Self:
        self._settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._settings.data.chmod(0o700)
        return self

    def write(self, path: Path, content: bytes, *, private: bool = False) -> None:
        """A new file; one that is there already is the operator's and must be what is written."""
        if path.exists():
            if path.read_bytes() != content:
                raise Conflict(f"{path} já existe com outro conteúdo; nada foi mudado", code="ja_instalada")
            return
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o644)
        self._made.append(path)
        with os.fdopen(fd, "wb") as file:
            file.write(content)

    def master(self, path: Path) -> None:
        """A new master key."""
        create_master(path)
        self._made.append(path)

    def database(self) -> None:
        """The database about to be filled."""
        if path := self._settings.database_file:
            self._made += [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))]

    def protect(self) -> None:
        """The embedded database is its owner's only."""
        if self._settings.database_file:
            self._settings.database_file.chmod(0o600)

    def keep(self) -> None:
        """The installation is whole."""
        self._kept = True

    def __exit__(self, *_: object) -> None:
        if self._kept:
            return
        for path in reversed(self._made):
            path.unlink(missing_ok=True)
        if self._new_folder and not any(self._settings.data.iterdir()):
            self._settings.data.rmdir()


def toml(values: Sequence[tuple[str, str]]) -> str:
    """The text of ``portaria.toml``: only what was chosen, so that the defaults of a later version apply."""
    lines = ["# Configuração desta instalação; cada PORTARIA_* do ambiente prevalece sobre a linha correspondente."]
    for name, value in values:
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(f'{name.lower()} = "{escaped}"')
    return "\n".join(lines) + "\n"
