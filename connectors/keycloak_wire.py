"""How ``keycloak`` reaches its server: one kept connection over verified TLS, and what each of its failures means."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

from keycloak import KeycloakAdmin
from keycloak.exceptions import KeycloakError

from iam.connector import existing, seconds
from iam.errors import Conflict, Invalid, Unavailable

IMPORT_TIMEOUT: Final = 900
T = TypeVar("T")


class Wire:
    """The way to one realm. Settings: ``url``, ``realm``, ``client_id``, ``client_secret``, ``ca_file``, ``timeout``."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        self._set = given
        url = urlsplit(given["url"])
        if url.scheme != "https" or not url.hostname:
            raise Invalid("a configuração `url` deve ser https://servidor", code="configuracao", field="url")
        self._timeout = seconds(given, "timeout")
        ca_file = existing(given, "ca_file", data)
        self._verify: str | bool = str(ca_file) if ca_file else True
        self._kept: KeycloakAdmin | None = None
        self._turn = threading.Lock()  # the worker and whoever asks for a dry run share this instance

    def call(self, operation: Callable[[KeycloakAdmin], T], *, missing: T | None = None) -> T:
        """Runs it; ``missing`` is the answer when what it names is not there. A failure ends the kept connection."""
        with self._turn:
            return self._locked(operation, missing)

    def _locked(self, operation: Callable[[KeycloakAdmin], T], missing: T | None) -> T:
        admin = self._kept or KeycloakAdmin(
            server_url=self._set["url"],
            realm_name=self._set["realm"],
            client_id=self._set["client_id"],
            client_secret_key=self._set["client_secret"],
            verify=self._verify,
            timeout=self._timeout,
            max_retries=0,  # the worker tries again, with back-off, and looks first
        )
        self._kept = admin
        try:
            return operation(admin)
        except KeycloakError as error:
            if error.response_code == 404 and missing is not None and b"Realm" not in (error.response_body or b""):
                return missing
            if error.response_code == 409:
                raise Conflict(f"o Keycloak já tem isto: {_text(error)}") from error
            if error.response_code == 400 and admin.connection.token:
                raise Invalid(f"o Keycloak recusou o valor: {_text(error)}") from error
            self._kept = None
            realm = f"o Keycloak {self._set['url']} (realm {self._set['realm']})"
            raise Unavailable(f"{realm} não atende: {_text(error)}") from error
        except TypeError as error:  # the library's word for an answer that is not Keycloak's
            self._kept = None
            raise Unavailable(f"{self._set['url']} não respondeu como um Keycloak: {error}"[:300]) from error

    def user(self, id: str) -> Mapping[str, object] | None:
        """The user of this id, None when the server itself, and not something before it, says that there is none."""
        return self.call(lambda admin: _by_id(admin, id))

    def import_realm(self, user: str, password: str, realm: Mapping[str, object]) -> None:
        """Makes the realm as this administrator. Raises ``Conflict`` for one that exists, ``Invalid``, ``Unavailable``."""
        # A realm of several norms takes a minute; asked again while the first is at work, the server would make it twice.
        admin = KeycloakAdmin(
            server_url=self._set["url"],
            username=user,
            password=password,
            verify=self._verify,
            timeout=IMPORT_TIMEOUT,
            max_retries=0,
        )
        try:
            admin.connection.get_token()
        except KeycloakError as error:
            raise Unavailable(f"o Keycloak {self._set['url']} não atende {user}: {_text(error)}") from error
        try:
            admin.import_realm(dict(realm))
        except KeycloakError as error:
            if error.response_code == 409:
                raise Conflict(f"o Keycloak já tem o realm {self._set['realm']}") from error
            if error.response_code in (400, 500):
                raise Invalid(f"o Keycloak recusou o realm: {_text(error)}") from error
            raise Unavailable(f"o Keycloak {self._set['url']} não atende: {_text(error)}") from error


def _by_id(admin: KeycloakAdmin, id: str) -> Mapping[str, object] | None:
    try:
        return admin.get_user(id)
    except KeycloakError as error:
        if error.response_code == 404 and b"User not found" in (error.response_body or b""):
            return None
        raise


def _text(error: KeycloakError) -> str:
    """The server's words, on one line and without what we sent."""
    text = (
        error.error_message.decode("utf-8", "replace")
        if isinstance(error.error_message, bytes)
        else str(error.error_message)
    )
    return f"{error.response_code or 'sem resposta'}: {' '.join(text.split())[:300]}"
