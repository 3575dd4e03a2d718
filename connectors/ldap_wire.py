"""How ``ldap`` reaches its directory: one connection, verified TLS before anything else, searches that are whole.

ldap3 verifies nothing unless told, and answers a search that the directory cut short as if it were the whole.
"""

from __future__ import annotations

import ssl
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from ldap3 import BASE, NONE, SAFE_SYNC, SCHEMA, SUBTREE, Connection, Server, Tls
from ldap3.core import exceptions as ldap_error
from ldap3.core.results import RESULT_SUCCESS

from iam.connector import existing, seconds
from iam.errors import Invalid, Unavailable

PAGE: Final = 500
PAGED_RESULTS: Final = "1.2.840.113556.1.4.319"  # RFC 2696
BINARY: Final = ("objectguid",)  # kept as hexadecimal digits
WRONG_ENTRY: Final = (
    ldap_error.LDAPConstraintViolationResult,
    ldap_error.LDAPInvalidAttributeSyntaxResult,
    ldap_error.LDAPInvalidDNSyntaxResult,
    ldap_error.LDAPNamingViolationResult,
    ldap_error.LDAPObjectClassViolationResult,
    ldap_error.LDAPUndefinedAttributeTypeResult,
)
T = TypeVar("T")
Entry = tuple[str, Mapping[str, list[str]]]
"""A DN and the attributes that were asked for, each with its values."""


class Wire:
    """The way to one directory. Settings: ``url``, ``bind_dn``, ``password``, ``ca_file``, ``suffix``, ``timeout``."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        self._set = given
        url = urlsplit(self._set["url"])
        if url.scheme not in ("ldap", "ldaps") or not url.hostname:
            raise Invalid(
                "a configuração `url` deve ser ldaps://servidor ou ldap://servidor", code="configuracao", field="url"
            )
        self._timeout = seconds(given, "timeout")
        ca_file = existing(given, "ca_file", data)
        self._implicit_tls = url.scheme == "ldaps"
        self._host, self._port = url.hostname, url.port or (636 if self._implicit_tls else 389)
        self._tls = Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(ca_file) if ca_file else None)
        self._kept: list[Connection] = []  # at most one; closed when this instance is no more
        self._turn = threading.Lock()  # the worker and whoever asks for a dry run share this instance
        weakref.finalize(self, _close, self._kept)
        self._suffix = self._set["suffix"]

    def _connect(self) -> Connection:
        """A new connection, TLS first; of a new Server, because ldap3's remembers for minutes who did not answer."""
        server = Server(
            self._host,
            self._port,
            use_ssl=self._implicit_tls,
            tls=self._tls,
            get_info=NONE,
            connect_timeout=self._timeout,
        )
        connection = Connection(
            server,
            user=self._set["bind_dn"],
            password=self._set["password"],
            client_strategy=SAFE_SYNC,
            raise_exceptions=True,
            check_names=False,
            receive_timeout=self._timeout,
        )
        try:
            connection.open(read_server_info=False)
            if not self._implicit_tls:
                connection.start_tls(read_server_info=False)
            connection.bind(read_server_info=False)
        except BaseException:
            _close([connection])
            raise
        return connection

    def call(self, operation: Callable[[Connection], T]) -> T:
        """Runs it on the kept connection; on a new one when the directory had closed that while it was idle."""
        with self._turn:
            return self._locked(operation)

    def _locked(self, operation: Callable[[Connection], T]) -> T:
        used = bool(self._kept)
        try:
            if not used:
                self._kept.append(self._connect())
            return operation(self._kept[0])
        except WRONG_ENTRY as error:
            raise Invalid(f"o diretório LDAP recusou o valor: {error.description} {error.message}".strip()) from error
        except (ldap_error.LDAPCommunicationError, ldap_error.LDAPSessionTerminatedByServerError) as error:
            _close(self._kept)
            if used and not isinstance(error, TimeoutError):  # what timed out may still be done, and is not done twice
                return self._locked(operation)
            raise Unavailable(f"o servidor LDAP {self._set['url']} não responde: {error}") from error
        except ldap_error.LDAPInvalidCredentialsResult as error:
            raise Unavailable(
                f"o servidor LDAP {self._set['url']} não aceitou a conta {self._set['bind_dn']}"
            ) from error
        except ldap_error.LDAPException as error:
            raise Unavailable(f"o servidor LDAP {self._set['url']} falhou: {error}") from error

    def search(self, base: str, query: str, attributes: list[str]) -> list[Entry]:
        """All that is found. One turn for all pages: a directory keeps the place of one search per connection."""

        def pages(connection: Connection) -> list[Entry]:
            found: list[Entry] = []
            cookie: bytes | None = None
            while True:
                _, result, response, _ = connection.search(
                    base, query, SUBTREE, attributes=attributes, paged_size=PAGE, paged_cookie=cookie
                )
                if result["result"] != RESULT_SUCCESS:  # a cut answer would pass for a smaller directory
                    reason = f"o servidor LDAP {self._set['url']} não entregou a busca inteira"
                    needs = "a conta de serviço precisa ler sem limite de tamanho"
                    raise Unavailable(f"{reason} ({result['description']}); {needs}")
                found += [_read(entry) for entry in response if entry["type"] == "searchResEntry"]
                control = (result.get("controls") or {}).get(PAGED_RESULTS)
                cookie = control["value"]["cookie"] if control else None
                if not cookie:
                    return found

        return self.call(pages)

    def modify(self, dn: str, changes: Mapping[str, list[tuple[str, list[str]]]]) -> None:
        """Changes one entry."""
        self.call(lambda connection: connection.modify(dn, changes))

    def suffix(self, of: str) -> str:
        """The naming context that holds a base (RFC 4512 section 5.1), unless the settings name it."""
        if not self._suffix:
            _, _, response, _ = self.call(
                lambda connection: connection.search("", "(objectClass=*)", BASE, attributes=["namingContexts"])
            )
            said = [name for entry in response for name in values_of(_read(entry), "namingContexts")]
            holding = [name for name in said if name and of.lower().endswith(name.lower())]
            if not holding:
                raise Unavailable(f"o servidor LDAP {self._set['url']} não diz a raiz de {of}; configure `suffix`")
            self._suffix = max(holding, key=len)
        return self._suffix

    def attribute_types(self) -> Mapping[str, object] | None:
        """What the directory's schema knows; None when it does not say."""
        server = Server(self._host, get_info=SCHEMA)
        self.call(server.get_info_from_server)
        types: Mapping[str, object] | None = server.schema.attribute_types if server.schema else None
        return types


def _read(entry: Mapping[str, Any]) -> Entry:
    raw = entry["raw_attributes"]
    return str(entry["dn"]), {
        name: [value.hex() if name.lower() in BINARY else value.decode("utf-8", "replace") for value in raw[name]]
        for name in raw
    }


def _close(kept: list[Connection]) -> None:
    """Ends the connection; after a failure ldap3 leaves its socket open."""
    while kept:
        connection = kept.pop()
        with suppress(ldap_error.LDAPException, OSError):
            connection.unbind()
        if connection.socket is not None:
            with suppress(OSError):
                connection.socket.close()


def values_of(entry: Entry, name: str) -> list[str]:
    """The attribute's values; the server may answer its name in another case."""
    return next((values for theirs, values in entry[1].items() if theirs.lower() == name.lower()), [])
