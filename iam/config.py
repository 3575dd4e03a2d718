"""Every setting, read once from ``PORTARIA_*`` or the TOML file named by ``PORTARIA_CONFIG``, into one frozen value.

Nothing else reads the environment. An unsafe or unknown setting refuses to start, whoever's it may be: a server that is almost
secure is not secure, and a misspelt name is a setting that somebody believes in. The README documents each one; a test keeps the
two in step.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

PACKS = ("casa", "cotec62", "dec7", "mt128", "tram", "coana")
PREFIX = "PORTARIA_"


class Unsafe(Exception):
    """A setting is missing, unknown or unsafe; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class TargetSettings:
    """One configured instance of a target, or of a source: its name, its kind (entry point) and its own settings."""

    name: str
    kind: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Settings:
    """The installation. Paths are absolute; ``issuer`` and ``mtls`` are base URLs without a final slash."""

    data: Path
    issuer: str
    mtls: str
    host: str
    port: int
    mtls_port: int
    database: str
    master_key: Path
    tls_cert: Path
    tls_key: Path
    trust: Path
    crls: tuple[Path, ...]
    policies: tuple[str, ...]
    targets: tuple[TargetSettings, ...]
    socket: Path | None = None
    client_cert_header: bool = False
    tls_versions: tuple[str, ...] = ("TLSv1.2", "TLSv1.3")
    trust_pins: tuple[str, ...] = ()
    demo: bool = False
    sources: tuple[TargetSettings, ...] = ()

    @property
    def sqlite(self) -> bool:
        """Whether the database is the embedded one, which a single process owns."""
        return self.database.startswith("sqlite")

    @property
    def database_file(self) -> Path | None:
        """Where the embedded database is; None for PostgreSQL's."""
        return Path(self.database.removeprefix("sqlite:///")) if self.sqlite else None


NAMES = (
    "DATA CONFIG ISSUER MTLS_ISSUER HOST PORT MTLS_PORT DATABASE_URL MASTER_KEY_FILE TLS_CERT TLS_KEY TRUST_FILE "
    "CRL_FILES POLICIES TARGETS SOURCES SOCKET CLIENT_CERT_HEADER TLS_VERSIONS TRUST_PINS DEMO"
).split()


def read(environ: Mapping[str, str] | None = None, **override: str) -> Settings:
    """Settings from the environment, then the TOML file, then the defaults of the data directory.

    Raises :class:`Unsafe` with one clear line for the first setting that cannot be used.
    """
    env = dict(os.environ if environ is None else environ)
    given = {k[len(PREFIX) :]: v for k, v in env.items() if k.startswith(PREFIX)}
    if "CONFIG" in given:
        given = _file(Path(given["CONFIG"])) | given
    data = Path(override.get("DATA") or given.get("DATA") or "data").resolve()
    if (data / "portaria.toml").is_file():
        given = _file(data / "portaria.toml") | given
    given |= override
    for name in given:
        if name not in NAMES and not name.startswith(("TARGET_", "SOURCE_")):
            raise Unsafe(f"{PREFIX}{name} não é uma configuração; o README tem a lista delas")
    return _settings(data, given)


def _file(path: Path) -> dict[str, str]:
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise Unsafe(f"o arquivo de configuração {path} não pode ser lido: {error.strerror}") from error
    except ValueError as error:
        raise Unsafe(f"o arquivo de configuração {path} não é TOML em UTF-8: {error}") from error
    for name, value in values.items():
        if not isinstance(value, str | int):
            raise Unsafe(f"{path}: `{name}` deve ser um texto, um número inteiro, true ou false")
    return {name.upper(): value if isinstance(value, str) else str(value).lower() for name, value in values.items()}


def _port(given: Mapping[str, str], name: str, default: int) -> int:
    try:
        value = int(given.get(name, default))
    except ValueError as error:
        raise Unsafe(f"{PREFIX}{name} deve ser um número de porta") from error
    if not 0 < value < 65536:
        raise Unsafe(f"{PREFIX}{name} deve estar entre 1 e 65535")
    return value


def _base(name: str, url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme != "https" or not parts.netloc or parts.query or parts.fragment or parts.path not in ("", "/"):
        raise Unsafe(f"{PREFIX}{name} deve ser uma origem https sem caminho, como https://acesso.example.gov.br")
    return f"https://{parts.netloc}"


def _yes(given: Mapping[str, str], name: str) -> bool:
    value = given.get(name, "false").lower()
    if value not in ("0", "1", "true", "false"):
        raise Unsafe(f"{PREFIX}{name} deve ser true ou false")
    return value in ("1", "true")


def _settings(data: Path, given: Mapping[str, str]) -> Settings:
    port, mtls_port = _port(given, "PORT", 8443), _port(given, "MTLS_PORT", 8444)
    if port == mtls_port:
        raise Unsafe("PORTARIA_PORT e PORTARIA_MTLS_PORT devem ser portas diferentes")
    database = given.get("DATABASE_URL", f"sqlite:///{data / 'portaria.db'}")
    if not database.startswith(("sqlite:///", "postgresql+psycopg://")):
        raise Unsafe("PORTARIA_DATABASE_URL deve começar com sqlite:/// ou postgresql+psycopg://")
    versions = tuple(v.strip() for v in given.get("TLS_VERSIONS", "TLSv1.2,TLSv1.3").split(",") if v.strip())
    if not versions or not set(versions) <= {"TLSv1.2", "TLSv1.3"}:
        raise Unsafe("PORTARIA_TLS_VERSIONS só pode ter TLSv1.2 e TLSv1.3, e ao menos uma delas")
    socket = Path(given["SOCKET"]).resolve() if given.get("SOCKET") else None
    header = _yes(given, "CLIENT_CERT_HEADER")
    if header and socket is None:
        raise Unsafe(
            "PORTARIA_CLIENT_CERT_HEADER só vale num socket unix reservado (PORTARIA_SOCKET): "
            "numa porta TCP qualquer programa diria ter qualquer certificado"
        )
    policies = tuple(p.strip() for p in given.get("POLICIES", ",".join(PACKS)).split(",") if p.strip())
    if "casa" not in policies:
        raise Unsafe("PORTARIA_POLICIES deve ter `casa`, as regras da própria casa")
    if len(set(policies)) != len(policies):
        raise Unsafe("PORTARIA_POLICIES tem a mesma norma duas vezes")
    return Settings(
        data=data,
        issuer=_base("ISSUER", given.get("ISSUER", f"https://localhost:{port}")),
        mtls=_base("MTLS_ISSUER", given.get("MTLS_ISSUER", f"https://localhost:{mtls_port}")),
        host=given.get("HOST", "127.0.0.1"),
        port=port,
        mtls_port=mtls_port,
        database=database,
        master_key=Path(given.get("MASTER_KEY_FILE", data / "master.key")).resolve(),
        tls_cert=Path(given.get("TLS_CERT", data / "server.pem")).resolve(),
        tls_key=Path(given.get("TLS_KEY", data / "server.key")).resolve(),
        trust=Path(given.get("TRUST_FILE", data / "ca.pem")).resolve(),
        crls=tuple(Path(p).resolve() for p in given.get("CRL_FILES", str(data / "ca.crl")).split(",") if p),
        policies=policies,
        targets=_instances(given, "TARGET", "diretorio=diretorio"),
        sources=_instances(given, "SOURCE", ""),
        socket=socket,
        client_cert_header=header,
        tls_versions=versions,
        trust_pins=_pins(given.get("TRUST_PINS", "")),
        demo=_yes(given, "DEMO"),
    )


def _pins(text: str) -> tuple[str, ...]:
    pins = tuple(pin.strip().replace(":", "").lower() for pin in text.split(",") if pin.strip())
    if any(len(pin) != 64 or set(pin) - set("0123456789abcdef") for pin in pins):
        raise Unsafe("PORTARIA_TRUST_PINS deve ter resumos SHA-256 de raízes, em hexadecimal, separados por vírgula")
    return pins


def _instances(given: Mapping[str, str], what: str, default: str) -> tuple[TargetSettings, ...]:
    """The targets (``TARGETS``, ``TARGET_<NAME>_<OPTION>``) or, in the same way, the sources."""
    kinds: dict[str, str] = {}
    for part in filter(None, given.get(f"{what}S", default).split(",")):
        name, _, kind = (p.strip() for p in part.partition("="))
        if not name.isidentifier() or not name.islower() or not kind:
            raise Unsafe(f"{PREFIX}{what}S: `{part.strip()}` deve ser nome=tipo, o nome em letras minúsculas")
        if name in kinds:
            raise Unsafe(f"{PREFIX}{what}S tem `{name}` duas vezes")
        kinds[name] = kind
    options: dict[str, dict[str, str]] = {name: {} for name in kinds}
    for key, value in given.items():
        if key.startswith(f"{what}_"):
            name = _owner(kinds, what, key)
            options[name][key.removeprefix(f"{what}_{name.upper()}_").lower()] = value
    return tuple(TargetSettings(name, kind, options[name]) for name, kind in kinds.items())


def _owner(names: Iterable[str], what: str, key: str) -> str:
    """Whose option this is: of ``ad`` and ``ad_novo`` both at the beginning of a key, the longer one's."""
    owners = [name for name in names if key.startswith(f"{what}_{name.upper()}_")]
    if not owners:
        raise Unsafe(f"{PREFIX}{key} não é de nenhum dos nomes que {PREFIX}{what}S tem")
    return max(owners, key=len)
