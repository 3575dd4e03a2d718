"""An outsider's means: HTTPS with or without a client certificate, and a browser of forms and cookies. Standard library only.

The story uses the server through this and nothing else, so that what it shows is what anybody would see.
"""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import secrets
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    def json(self) -> dict[str, object]:
        """The JSON object of the body; empty when it is none."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


@dataclass(slots=True)
class Outsider:
    """Somebody out there, trusting the demonstration's authority, with a certificate of their own or without."""

    ca: Path
    cert: str = ""
    key: str = ""
    cookies: dict[str, str] = field(default_factory=dict)
    _connections: dict[str, http.client.HTTPSConnection] = field(default_factory=dict)

    def ask(self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Answer:
        """One request, redirects not followed; the connection is kept."""
        parts = urlsplit(url)
        connection = self._connections.get(parts.netloc)
        if connection is None:
            context = ssl.create_default_context(cafile=str(self.ca))
            context.verify_flags |= ssl.VERIFY_X509_STRICT  # as Python 3.13 does by itself
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
            connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=context, timeout=20)
            self._connections[parts.netloc] = connection
        sent = dict(headers or {})
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        try:
            connection.request(method, target or "/", body, sent)
            response = connection.getresponse()
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            connection.close()
            connection.request(method, target or "/", body, sent)
            response = connection.getresponse()
        content = response.read()
        for name, value in response.getheaders():
            if name.lower() == "set-cookie":
                key, _, rest = value.partition("=")
                text = rest.split(";")[0]
                if "max-age=0" in value.lower() or not text:
                    self.cookies.pop(key, None)
                else:
                    self.cookies[key] = text
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content, url)

    def close(self) -> None:
        """Hangs up."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def form(self, url: str, data: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Answer:
        """A form-encoded POST."""
        sent = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self.ask("POST", url, urlencode(data).encode(), sent)

    def send(self, url: str, document: object, headers: Mapping[str, str] | None = None) -> Answer:
        """A JSON POST."""
        return self.ask(
            "POST", url, json.dumps(document).encode(), {"Content-Type": "application/json", **(headers or {})}
        )

    def browse(self, answer: Answer, stop: str) -> Answer:
        """Follows redirects with GET until a page, or until one leads to ``stop`` (which is not asked)."""
        for _ in range(10):
            location = answer.headers.get("location")
            if answer.status not in (302, 303) or location is None:
                return answer
            url = urljoin(answer.url, location)
            if url.startswith(stop):
                return Answer(answer.status, answer.headers, b"", url)
            answer = self.ask("GET", url)
        return answer

    def submit(self, page: Answer, button: str, values: Mapping[str, str]) -> Answer:
        """Fills the form of a page that has the button of this id, and presses it."""
        form = _Forms.find(page.body.decode(), button)
        action = urljoin(page.url, form.action or page.url)
        return self.form(
            action, {**form.fields, **values}, {"Origin": f"https://{urlsplit(action).netloc}", "Referer": page.url}
        )


class _Forms(HTMLParser):
    def __init__(self, button: str) -> None:
        super().__init__()
        self.button, self.action, self.found = button, "", False
        self.fields: dict[str, str] = {}
        self._action: str = ""
        self._fields: dict[str, str] = {}

    @staticmethod
    def find(html: str, button: str) -> _Forms:
        forms = _Forms(button)
        forms.feed(html)
        return forms

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        if tag == "form":
            self._action, self._fields = given.get("action", ""), {}
        name = given.get("name", "")
        if tag == "input" and name:
            kind = given.get("type", "text")
            if kind not in ("radio", "checkbox") or "checked" in given:
                self._fields[name] = given.get("value", "")
        if given.get("id") == self.button and tag in ("button", "input"):
            self.found = True
            if name:
                self._fields[name] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.found and not self.action and not self.fields:
            self.action, self.fields = self._action, self._fields


@dataclass(frozen=True, slots=True)
class Pkce:
    """A verifier and its S256 challenge (RFC 7636)."""

    verifier: str
    challenge: str

    @staticmethod
    def new() -> Pkce:
        """A random pair."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        return Pkce(verifier, base64.urlsafe_b64encode(digest).rstrip(b"=").decode())


def query(url: str) -> dict[str, str]:
    """The parameters of a URL."""
    return dict(parse_qsl(urlsplit(url).query))
