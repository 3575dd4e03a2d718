"""``keycloak-realm.json`` says what the packs say; the real server takes it and gives a person just her scopes."""

from __future__ import annotations

import base64
import hashlib
import http.cookiejar
import json
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyotp
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from iam import plugins, realm
from iam.conformance import agree
from iam.connector import Account
from iam.errors import Conflict, Invalid, Unavailable
from iam.policy import Policy, load
from tests.servers import Keycloak
from tests.tls import Authority

FILE = Path(__file__).parent.parent / "keycloak-realm.json"
pytestmark = pytest.mark.timeout(900)  # the import alone takes half a minute on a machine with nothing else to do
SECRET = "um segredo desta instalacao"
REDIRECT = "https://app.example/callback"


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load(["casa", "cotec62", "dec7", "mt128", "tram", "coana"])


@pytest.fixture(scope="module")
def content(policy: Policy) -> dict[str, Any]:
    return realm.render(policy)


def test_the_file_is_what_the_packs_say(policy: Policy) -> None:
    assert realm.check(policy, FILE) == []
    assert realm.text(policy) == FILE.read_text("utf-8"), "run `portaria realm render`"


def test_the_order_of_the_packs_changes_nothing(policy: Policy) -> None:
    assert realm.text(load(["coana", "tram", "mt128", "dec7", "cotec62", "casa"])) == realm.text(policy)


def test_a_file_changed_by_hand_is_found(policy: Policy, tmp_path: Path) -> None:
    changed = json.loads(FILE.read_text("utf-8"))
    changed["accessTokenLifespan"] = 86400
    changed["clients"] = [c for c in changed["clients"] if c["clientId"] != "mt-aidf"]
    changed["groups"][0]["subGroups"].append({"name": "tudo", "realmRoles": []})
    changed["scopeMappings"][0]["roles"] = []
    path = tmp_path / "realm.json"
    path.write_text(json.dumps(changed))
    said = "\n".join(realm.check(policy, path))
    assert "accessTokenLifespan: 86400 devia ser 300" in said
    assert "clients.mt-aidf: falta no arquivo" in said
    assert "tudo: não vem de nenhuma norma" in said
    assert "scopeMappings" in said


@pytest.mark.parametrize("text", ["", "{", "\0", "[" * 100000])
def test_a_file_that_is_no_json_is_refused(policy: Policy, tmp_path: Path, text: str) -> None:
    path = tmp_path / "realm.json"
    path.write_text(text)
    with pytest.raises(Invalid):
        realm.check(policy, path)
    with pytest.raises(Invalid):
        realm.check(policy, tmp_path / "none.json")


def test_every_perfil_is_a_role_and_a_group_and_every_scope_has_just_its_perfis(
    policy: Policy, content: dict[str, Any]
) -> None:
    roles = {role["name"] for role in content["roles"]["realm"]}
    grouped = {role for group in content["groups"] for sub in group["subGroups"] for role in sub["realmRoles"]}
    assert (
        roles
        == grouped
        == {f"{s.id}.{p.id}" for s in policy.sistemas() if s.id != "portaria" for p in policy.perfis(s.id)}
    )
    given = {mapping["clientScope"]: set(mapping["roles"]) for mapping in content["scopeMappings"]}
    assert given["mt-aidf:suprimir"] == {"mt-aidf.mt-manutencao"}
    assert given["pucomex:ANEXANEXAR"] == {"pucomex.ANEXANEXAR"}
    assert all(given.values()), "a scope without roles would be anybody's"


def test_nobody_holds_anything_because_a_file_was_imported(content: dict[str, Any]) -> None:
    assert [user["username"] for user in content["users"]] == ["service-account-portaria"]
    assert "secret" not in json.dumps(content).replace("client-secret", "")
    for client in content["clients"]:
        assert client["redirectUris"] == []
        assert not client["directAccessGrantsEnabled"]
        if client["clientAuthenticatorType" if "clientAuthenticatorType" in client else "clientId"] == "client-x509":
            assert client["enabled"] is False


def test_a_target_without_realms_is_refused(policy: Policy, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="keycloak"):
        realm.import_(policy, plugins.target("diretorio", {}, tmp_path), "admin", "x")


class Installation:
    """The realm as an installation imports it, configured for the target ``sso``."""

    def __init__(self, server: Keycloak, policy: Policy, data: Path) -> None:
        self.server, self.name = server, f"portaria-{uuid4().hex[:8]}"
        self.options = {"url": server.url, "realm": self.name, "client_secret": SECRET, "ca_file": str(server.ca)}
        self.target = plugins.target("keycloak", self.options, data)
        realm.import_(policy, self.target, server.user, server.password)
        self.admin = server.admin(self.name)
        self.endpoint = f"{server.url}/realms/{self.name}/protocol/openid-connect"

    def client(self, client: str, **more: object) -> None:
        id = self.admin.get_client_id(client)
        self.admin.update_client(id, {**self.admin.get_client(id), **more})

    def post(self, path: str, context: ssl.SSLContext | None = None, /, **form: str) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(f"{self.endpoint}/{path}", urllib.parse.urlencode(form).encode())
        try:
            with urllib.request.urlopen(request, context=context or self.server.context, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def installed(keycloak: Keycloak, policy: Policy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    made = Installation(keycloak, policy, tmp_path_factory.mktemp("installed"))
    yield made
    keycloak.admin().delete_realm(made.name)


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


class Browser:
    """What a browser does on Keycloak's plain pages: cookies, forms, redirects; it stops at the application."""

    def __init__(self, context: ssl.SSLContext) -> None:
        class Stop(urllib.request.HTTPRedirectHandler):
            def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
                return (
                    None
                    if newurl.startswith(REDIRECT)
                    else super().redirect_request(req, fp, code, msg, headers, newurl)
                )

        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self.opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), cookies, Stop())

    def open(self, url: str, **form: str) -> tuple[str, str]:
        """The page, and where the application was sent (or empty)."""
        try:
            with self.opener.open(url, urllib.parse.urlencode(form).encode() if form else None, timeout=60) as answer:
                return answer.read().decode(), ""
        except urllib.error.HTTPError as error:
            with error:
                return error.read().decode(), error.headers.get("Location", "")

    def submit(self, page: str, **form: str) -> tuple[str, str]:
        action = re.search(r'<form[^>]*action="([^"]+)"', page)
        assert action is not None, page[:2000]
        hidden = dict(re.findall(r'<input type="hidden"[^>]*name="([^"]+)" value="([^"]*)"', page))
        return self.open(action[1].replace("&amp;", "&"), **{**hidden, **form})


def test_a_person_logs_in_with_two_factors_and_gets_just_the_scopes_of_her_perfil(installed: Installation) -> None:
    attributes = {"nome": "Ana Brito", "email": "ana@sefaz.example"}
    account = Account(uuid4().hex, enabled=True, perfis=frozenset({"mt-aidf.mt-operacao"}), attributes=attributes)
    agree(installed.target, account)
    password = "Uma senha bem comprida 1"
    user = installed.admin.get_user_id(account.key)
    installed.admin.set_user_password(user, password, temporary=False)
    installed.client("mt-aidf", redirectUris=[REDIRECT])
    verifier = uuid4().hex * 2
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    scopes = "openid mt-aidf:consultar mt-aidf:alterar mt-aidf:suprimir"
    query = {"client_id": "mt-aidf", "redirect_uri": REDIRECT, "response_type": "code", "scope": scopes}
    start = f"{installed.endpoint}/auth?{urllib.parse.urlencode(query)}"
    browser = Browser(installed.server.context)
    assert "invalid_request" in browser.open(start)[1], "without PKCE nobody gets a code"
    page, _ = browser.open(f"{start}&code_challenge={challenge}&code_challenge_method=S256")
    assert 'lang="pt-BR"' in page
    page, location = browser.submit(page, username=account.key, password=password)
    assert not location, "a password alone must not be enough"
    secret = re.search(r'name="totpSecret" value="([^"]+)"', page)
    assert secret is not None, page[:3000]
    _, location = browser.submit(
        page, totp=pyotp.TOTP(base64.b32encode(secret[1].encode()).decode()).now(), userLabel="x"
    )
    code = urllib.parse.parse_qs(urllib.parse.urlsplit(location).query)["code"][0]
    status, got = installed.post(
        "token",
        grant_type="authorization_code",
        client_id="mt-aidf",
        code=code,
        redirect_uri=REDIRECT,
        code_verifier=verifier,
    )
    assert status == 200, got
    access = claims(got["access_token"])
    assert {s for s in access["scope"].split() if ":" in s} == {"mt-aidf:consultar", "mt-aidf:alterar"}
    assert access["realm_access"]["roles"] == ["mt-aidf.mt-operacao"]
    assert "urn:portaria:sistema:mt-aidf" in access["aud"]
    assert access["exp"] - access["iat"] == 300
    assert not {"email", "name", "given_name", "preferred_username"} & access.keys()
    agree(installed.target, replace(account, enabled=False))
    again = {"grant_type": "refresh_token", "client_id": "mt-aidf", "refresh_token": got["refresh_token"]}
    assert installed.post("token", **again)[0] == 400


def test_a_sefaz_gets_its_transaction_by_its_certificate_and_without_it_nothing(
    installed: Installation, authority: Authority
) -> None:
    ask = {"grant_type": "client_credentials", "client_id": "sefaz-mt", "scope": "pucomex:ANEXANEXAR"}
    assert installed.post("token", **ask)[0] in (400, 401), "disabled until its certificate is registered"
    subject = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "SEFAZ MT"), x509.NameAttribute(NameOID.COUNTRY_NAME, "BR")]
    )
    installed.client("sefaz-mt", enabled=True, attributes={"x509.subjectdn": "C=BR,CN=SEFAZ MT"})
    user = installed.admin.get_client_service_account_user(installed.admin.get_client_id("sefaz-mt"))
    certified, other = installed.server.context, installed.server.context
    certified.load_cert_chain(*authority.issue("sefaz-mt", subject=subject))
    other.load_cert_chain(*authority.issue("sefaz-sp"))
    status, got = installed.post("token", certified, **ask)
    assert status != 200 or "pucomex:ANEXANEXAR" not in got["scope"], "nothing was granted yet"
    installed.admin.assign_realm_roles(user["id"], [installed.admin.get_realm_role("pucomex.ANEXANEXAR")])
    status, got = installed.post("token", certified, **ask)
    assert status == 200, got
    access = claims(got["access_token"])
    assert "pucomex:ANEXANEXAR" in access["scope"].split()
    assert "x5t#S256" in access["cnf"]
    assert json.loads(base64.urlsafe_b64decode(got["access_token"].split(".")[0] + "=="))["alg"] == "ES256"
    for context in (None, other):
        assert installed.post("token", context, **ask)[0] in (400, 401)


def test_a_realm_that_lives_is_not_overwritten(installed: Installation, policy: Policy) -> None:
    with pytest.raises(Conflict, match=installed.name):
        realm.import_(policy, installed.target, installed.server.user, installed.server.password)


def test_an_administrator_that_the_server_does_not_know_is_refused(installed: Installation, policy: Policy) -> None:
    with pytest.raises(Unavailable) as refusal:
        realm.import_(policy, installed.target, "admin", "senha errada")
    assert "senha errada" not in refusal.value.message
