"""The real servers as fixtures: slapd, PostgreSQL, Keycloak; each private, on free loopback ports, ended by its pid.

A server that is not on the machine skips the test and names the way to get it; with TEST_REAL=1 that is a failure.
Should the test run itself be killed, the kernel ends what it started (setpriv).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import psycopg
import pytest

from tests.tls import Authority, make_authority

KEYCLOAK_VERSION = "26.7.3"
CACHE = Path(os.environ.get("TEST_CACHE") or Path.home() / ".cache" / "portaria")


def missing(server: str) -> NoReturn:
    """Skips, or fails where every real server must be there."""
    if os.environ.get("TEST_REAL") == "1":
        pytest.fail(f"{server} is not on this machine and TEST_REAL=1; run `make test-servers`", pytrace=False)
    pytest.skip(f"{server} is not on this machine; run `make test-servers`")


_GIVEN: set[int] = set()


def free_port() -> int:
    """A loopback port that nobody listens on, and that this run was not given before.

    From below those that the kernel gives to outgoing connections: one of those may be taken before the server begins.
    """
    while True:
        port = random.randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            if port not in _GIVEN:
                _GIVEN.add(port)
                return port


def find(name: str, *folders: str) -> str | None:
    """A program on the path or in one of the folders, which may be patterns; the newest wins."""
    found = sorted(str(p) for folder in folders for p in Path("/").glob(f"{folder.lstrip('/')}/{name}"))
    return shutil.which(name) or (found[-1] if found else None)


@contextmanager
def running(
    command: Sequence[str],
    log: Path,
    *,
    stop: signal.Signals = signal.SIGTERM,
    user: str | None = None,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """The process, ended with ``stop`` and, if it will not, killed. Its output goes to ``log``, ``env`` into its environment."""
    setpriv = shutil.which("setpriv")
    prefix = [setpriv, "--pdeathsig", "KILL", "--"] if setpriv else []
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*prefix, *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            env={**os.environ, **(env or {})},
        )
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait(process: subprocess.Popen[bytes], ready: Callable[[], bool], seconds: float, log: Path) -> None:
    """Until it is ready; fails with the end of its log when it ended or took too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            pytest.fail(f"{process.args!r} did not start:\n{log.read_text(errors='replace')[-3000:]}", pytrace=False)
        time.sleep(0.05)


def listening(port: int) -> bool:
    """Whether something accepts connections there."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


# -- a private authority for the servers' own TLS
# --------------------------------------------------------------------------


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """The CA of the servers of this run."""
    return make_authority(tmp_path_factory.mktemp("authority"))


# -- slapd
# -----------------------------------------------------------------------------------------------------------------

SUFFIX = "dc=sefaz,dc=example"
SLAPD_CONF = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/ad.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload ppolicy
pidfile {folder}/slapd.pid
TLSCACertificateFile {ca}
TLSCertificateFile {cert}
TLSCertificateKeyFile {key}
database mdb
suffix "{suffix}"
rootdn "cn=root,{suffix}"
rootpw {root_password}
directory {folder}/db
dbnosync
limits dn.exact="cn=portaria,{suffix}" size=unlimited
index uid,cn,member eq
overlay ppolicy
ppolicy_default "cn=politica,{suffix}"
access to attrs=userPassword by dn.exact="cn=portaria,{suffix}" write by anonymous auth by * none
access to dn.subtree="ou=pessoas,{suffix}" by dn.exact="cn=portaria,{suffix}" write by * none
access to dn.subtree="ou=grupos,{suffix}" by dn.exact="cn=portaria,{suffix}" write by * none
access to * by dn.exact="cn=portaria,{suffix}" read by * none
"""
# Active Directory's attributes for plain slapd, to try the way of disabling and the id that need them.
AD_SCHEMA = """
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
    SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.32473.1.1 NAME 'adPerson' SUP inetOrgPerson STRUCTURAL
    MAY ( userAccountControl $ objectGUID ) )
"""
SLAPD_LDIF = """
dn: {suffix}
objectClass: domain
dc: sefaz

dn: cn=politica,{suffix}
objectClass: device
objectClass: pwdPolicy
cn: politica
pwdAttribute: userPassword
pwdLockout: TRUE
pwdMaxFailure: 100

dn: cn=portaria,{suffix}
objectClass: applicationProcess
objectClass: simpleSecurityObject
cn: portaria
userPassword: {password}

dn: ou=pessoas,{suffix}
objectClass: organizationalUnit
ou: pessoas

dn: ou=grupos,{suffix}
objectClass: organizationalUnit
ou: grupos
"""


@dataclass
class Slapd:
    """A directory with ``ou=pessoas`` and ``ou=grupos``: all that the service account ``cn=portaria`` may write."""

    program: str
    folder: Path
    port: int
    ca: Path
    password: str
    root_password: str
    process: subprocess.Popen[bytes] | None = None
    suffix: str = SUFFIX

    @property
    def url(self) -> str:
        return f"ldaps://localhost:{self.port}"

    @property
    def root_dn(self) -> str:
        return f"cn=root,{self.suffix}"

    def settings(self, **more: str) -> dict[str, str]:
        """What the connector ``ldap`` needs to be told."""
        return {
            "url": self.url,
            "bind_dn": f"cn=portaria,{self.suffix}",
            "password": self.password,
            "people": f"ou=pessoas,{self.suffix}",
            "groups": f"ou=grupos,{self.suffix}",
            "ca_file": str(self.ca),
            **more,
        }

    @contextmanager
    def started(self) -> Iterator[None]:
        """The server runs in the block; again and again, with what it holds."""
        log = self.folder / "slapd.log"
        command = [
            self.program,
            "-f",
            str(self.folder / "slapd.conf"),
            "-h",
            f"ldaps://127.0.0.1:{self.port}",
            "-d",
            "0",
        ]
        with running(command, log) as process:
            wait(process, lambda: listening(self.port), 60, log)
            yield


def make_slapd(folder: Path, authority: Authority) -> Slapd:
    """A directory with its base entries, not yet running."""
    program, add = find("slapd", "/usr/sbin", "/usr/lib/openldap"), find("slapadd", "/usr/sbin")
    if program is None or add is None:
        missing("slapd")
    certificate, key = authority.issue(f"slapd-{uuid4().hex[:8]}", hosts=["localhost", "127.0.0.1"])
    slapd = Slapd(program, folder, free_port(), authority.ca, uuid4().hex, uuid4().hex)
    (folder / "db").mkdir()
    (folder / "ad.schema").write_text(AD_SCHEMA)
    values = {"suffix": SUFFIX, "folder": folder, "ca": authority.ca, "cert": certificate, "key": key}
    (folder / "slapd.conf").write_text(SLAPD_CONF.format(root_password=slapd.root_password, **values))
    ldif = folder / "base.ldif"
    ldif.write_text(SLAPD_LDIF.format(suffix=SUFFIX, password=slapd.password))
    subprocess.run([add, "-f", str(folder / "slapd.conf"), "-l", str(ldif)], check=True, capture_output=True)
    return slapd


@pytest.fixture(scope="session")
def slapd(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Slapd]:
    """A real OpenLDAP over TLS, with the password policy overlay."""
    server = make_slapd(tmp_path_factory.mktemp("slapd"), authority)
    with server.started():
        yield server


# -- PostgreSQL
# --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql_cluster() -> Iterator[str]:
    """A private PostgreSQL: the folder of its socket. Durability is off, except where a test asks for it."""
    folders = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
    initdb, postgres = find("initdb", *folders), find("postgres", *folders)
    if initdb is None or postgres is None:
        missing("PostgreSQL")
    folder = Path(tempfile.mkdtemp(prefix="portaria-pg-"))
    user = "postgres" if os.geteuid() == 0 else None  # the server refuses to run as root
    try:
        if user:
            shutil.chown(folder, user)
        command = [
            initdb,
            "-D",
            str(folder / "data"),
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        subprocess.run(command, check=True, capture_output=True, user=user, cwd=folder)
        options = "fsync=off full_page_writes=off synchronous_commit=off listen_addresses= max_connections=200".split()
        command = [postgres, "-D", str(folder / "data"), "-k", str(folder), *(f"-c{option}" for option in options)]
        log = folder / "log"
        with running(command, log, stop=signal.SIGINT, user=user) as process:
            wait(process, lambda: _answers(folder), 60, log)
            yield str(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _answers(folder: Path) -> bool:
    try:
        psycopg.connect(host=str(folder), user="postgres", dbname="postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def postgresql_url(postgresql_cluster: str) -> Iterator[str]:
    """An empty database of its own, as a SQLAlchemy URL; gone after the test."""
    name = f"t{uuid4().hex}"
    with psycopg.connect(host=postgresql_cluster, user="postgres", dbname="postgres", autocommit=True) as db:
        db.execute(f"CREATE DATABASE {name}".encode())
        yield f"postgresql+psycopg://postgres@/{name}?host={postgresql_cluster}"
        db.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


# -- Keycloak
# ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Keycloak:
    """A running server: https on loopback with a certificate of ``ca``, and its first administrator."""

    url: str
    ca: Path
    user: str
    password: str

    @property
    def context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.ca))

    def admin(self, realm: str = "master") -> Any:
        """A ``keycloak.KeycloakAdmin`` for the realm."""
        from keycloak import KeycloakAdmin

        return KeycloakAdmin(
            server_url=self.url, username=self.user, password=self.password, realm_name=realm, user_realm_name="master",
            verify=str(self.ca), timeout=300, max_retries=0,
        )  # fmt: skip

    @contextmanager
    def realm(self, content: dict[str, object]) -> Iterator[Any]:
        """Imports the realm, hands over its administrator, deletes it."""
        master = self.admin()
        master.import_realm(content)
        try:
            yield self.admin(str(content["realm"]))
        finally:
            self.admin().delete_realm(str(content["realm"]))


@pytest.fixture(scope="session")
def keycloak(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Keycloak]:
    """A real Keycloak over TLS that asks for client certificates; in memory."""
    home = CACHE / f"keycloak-{KEYCLOAK_VERSION}"
    if not (home / ".built").is_file() or shutil.which("java") is None:
        missing(f"Keycloak {KEYCLOAK_VERSION}")
    folder = tmp_path_factory.mktemp("keycloak")
    certificate, key = authority.issue("keycloak", hosts=["localhost", "127.0.0.1"])
    port, management = free_port(), free_port()
    command = [
        str(home / "bin" / "kc.sh"), "start", "--optimized", "--cache=local", "--hostname-strict=false",
        f"--https-port={port}", "--http-host=127.0.0.1", f"--https-certificate-file={certificate}",
        f"--https-certificate-key-file={key}", f"--truststore-paths={authority.ca}",
        f"--http-management-port={management}", "--http-management-scheme=http", "--log-level=warn",
    ]  # fmt: skip
    server = Keycloak(f"https://localhost:{port}", authority.ca, "admin", uuid4().hex)
    env = {
        "KC_BOOTSTRAP_ADMIN_USERNAME": server.user,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": server.password,
        "JAVA_OPTS_APPEND": "-Xmx512m -XX:TieredStopAtLevel=1",
    }
    log = folder / "keycloak.log"
    with running(command, log, env=env) as process:
        wait(process, lambda: _ready(f"http://127.0.0.1:{management}/health/ready"), 180, log)
        yield server


def _ready(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
