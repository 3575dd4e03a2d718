"""What a page of another site may do with the protocol: ask by a form, and read the answers that are its program's own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from iam.demo.outsider import Pkce
from tests.admin_ui.conftest import Tab
from tests.house import Served, request_of

pytestmark = pytest.mark.real("chromium")
Tabs = Callable[..., Tab]
FETCH = """async ([url, method, headers, body]) => {
    const answer = await fetch(url, {method, headers, body});
    return [answer.status, await answer.json(), answer.headers.get("www-authenticate") || ""];
}"""
SUBMIT = """([action, fields]) => {
    const form = Object.assign(document.createElement("form"), {method: "post", action});
    for (const [name, value] of Object.entries(fields))
        form.append(Object.assign(document.createElement("input"), {type: "hidden", name, value}));
    document.body.append(form);
    form.submit();
}"""


class _Blank(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!DOCTYPE html><title>app</title><body></body>")

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def site() -> Iterator[str]:
    """The origin of an application whose pages are blank."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Blank) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def arrive(she: Tab, asked: dict[str, str]) -> dict[str, list[str]]:
    """Through login and consent to the application; answers what it was told."""
    she.open(f"/oauth/authorize?{urlencode(asked)}")
    she.log_in("gestor", go=False)
    if she.page.locator("#consentir").count():
        she.page.click("#consentir")
    she.page.wait_for_url(f"{asked['redirect_uri']}?**")
    return parse_qs(urlsplit(she.page.url).query)


def test_a_program_in_a_page_redeems_its_code_reads_userinfo_and_revokes(tab: Tabs, shared: Served, site: str) -> None:
    she, app, pkce = tab(java_script_enabled=True), shared.world.apps["mt-nfe"], Pkce.new()
    asked = request_of(app, pkce, redirect_uri=f"{site}/callback")
    (code,) = arrive(she, asked)["code"]

    def fetch(path: str, form: dict[str, str] | None, bearer: str = "") -> tuple[int, dict[str, str], str]:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        method, body = ("GET", None) if form is None else ("POST", urlencode(form))
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        status, said, challenge = she.page.evaluate(FETCH, [shared.issuer + path, method, headers, body])
        return status, said, challenge

    form = {"grant_type": "authorization_code", "client_id": asked["client_id"], "code": code}
    form |= {"redirect_uri": asked["redirect_uri"], "code_verifier": pkce.verifier}
    status, said, _ = fetch("/oauth/token", form)
    assert status == 200, said
    token = said["access_token"]
    status, claims, _ = fetch("/oauth/userinfo", None, token)
    assert (status, claims["name"]) == (200, shared.home.person("gestor")["nome"])
    revoke = f"fetch('{shared.issuer}/oauth/revoke', {{method: 'POST', body: new URLSearchParams({{token: '{token}', "
    assert she.page.evaluate(revoke + f"client_id: '{asked['client_id']}'}})}}).then(answer => answer.status)") == 200
    status, _, challenge = fetch("/oauth/userinfo", None, token)
    assert status == 401
    assert 'error="invalid_token"' in challenge
    assert fetch("/oauth/token", form)[1]["error"] == "invalid_grant"


def test_who_is_logged_in_is_known_to_a_request_that_comes_by_a_form(tab: Tabs, shared: Served, site: str) -> None:
    """OpenID Connect Core §3.1.2.1: the authorization endpoint supports POST, where ``SameSite=Lax`` keeps the cookie back."""
    she, app = tab(java_script_enabled=True), shared.world.apps["mt-itcd"]
    uri = f"{site}/callback"
    assert "code" in arrive(she, request_of(app, Pkce.new(), redirect_uri=uri))

    again = request_of(app, Pkce.new(), redirect_uri=uri, state="outro", prompt="none")
    she.page.evaluate(SUBMIT, [f"{shared.issuer}/oauth/authorize", again])
    she.page.wait_for_url(f"{uri}?*state=outro*")
    assert "code" in parse_qs(urlsplit(she.page.url).query), she.page.url
