"""The protocol as an outsider meets it: our own listeners, real TLS, real certificates."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from iam.demo.outsider import Outsider
from iam.icp_brasil.sample import Authority
from tests.house import Served, shared

__all__ = ["shared"]


Caller = Callable[..., Outsider]


@pytest.fixture
def outsider(shared: Served) -> Iterator[Caller]:
    """Somebody outside, who hangs up when the test ends."""
    known: list[Outsider] = []

    def somebody(client: str = "", cert: str = "", key: str = "") -> Outsider:
        who = Outsider(shared.home.data / "ca.pem", cert, key) if cert else shared.outsider(client)
        known.append(who)
        return who

    yield somebody
    for who in known:
        who.close()


@pytest.fixture
def authority(shared: Served) -> Authority:
    """The authority that the house trusts."""
    return Authority.read(shared.home.data)


def ask_token(
    shared: Served, who: Outsider, client: str = "sefaz-mt-pucomex", **more: str
) -> tuple[int, dict[str, object]]:
    form = {"grant_type": "client_credentials", "client_id": client, **more}
    answer = who.form(f"{shared.mtls}/oauth/token", form)
    return answer.status, answer.json()


def with_certificate(
    shared: Served, authority: Authority, tmp_path: Path, name: str, since: float = 0, days: float = 365
) -> tuple[str, str]:
    """A new certificate of this authority with the subject of sefaz-mt, and its key."""
    from cryptography import x509

    known = x509.load_pem_x509_certificates(Path(str(shared.world.clients["sefaz-mt"]["cert"])).read_bytes())[0]
    cert, key = authority.leaf(shared.home.clock(), known.subject, since=since, days=days).write(tmp_path, name)
    return str(cert), str(key)


def test_a_sefaz_gets_its_token_and_the_decision_point_sees_it_active(shared: Served, outsider: Caller) -> None:
    status, said = ask_token(shared, outsider("sefaz-mt"))
    assert status == 200, said
    token = str(said["access_token"])
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["sefaz_uf"] == "MT"
    assert set(claims["scope"].split()) == {"pucomex:ANEXANEXAR", "pucomex:DIMPCONSEF", "pucomex:PCCENOTCAL"}
    pdp = outsider("pdp")
    seen = pdp.form(f"{shared.mtls}/oauth/introspect", {"client_id": "pdp", "token": token}).json()
    assert seen["active"] is True
    status, said = ask_token(shared, outsider("pdp"), "pdp")
    assert status == 200
    bearer = {"Authorization": f"Bearer {said['access_token']}", "Content-Type": "application/json"}
    question = {
        "subject": {"type": "client", "id": "sefaz-mt-pucomex"},
        "action": {"name": "ANEXANEXAR"},
        "resource": {"type": "sistema", "id": "pucomex"},
    }
    url = f"{shared.mtls}/access/v1/evaluation"
    assert pdp.ask("POST", url, json.dumps(question).encode(), bearer).json()["decision"] is True


def test_no_certificate_no_token_on_either_listener(shared: Served, outsider: Caller) -> None:
    for base in (shared.mtls, shared.issuer):
        nobody = outsider()
        form = {"grant_type": "client_credentials", "client_id": "sefaz-mt-pucomex"}
        answer = nobody.form(f"{base}/oauth/token", form)
        assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
        assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(("name", "since", "days"), [("expired", -10, 5), ("future", 5, 365), ("unregistered", 0, 365)])
def test_a_certificate_that_is_not_the_registered_one_is_refused(
    shared: Served, outsider: Caller, authority: Authority, tmp_path: Path, name: str, since: float, days: float
) -> None:
    cert, key = with_certificate(shared, authority, tmp_path, name, since, days)
    assert ask_token(shared, outsider(cert=cert, key=key))[0] == 401


def test_a_chain_outside_the_trust_store_and_anothers_certificate_are_refused(
    shared: Served, outsider: Caller, tmp_path: Path
) -> None:
    other = Authority.create(shared.home.clock())
    cert, key = other.equipment(shared.home.clock(), "x.example", "00394460005887", "X").write(tmp_path, "x")
    assert ask_token(shared, outsider(cert=str(cert), key=str(key)))[0] == 401
    assert ask_token(shared, outsider("sefaz-sp"))[0] == 401


def test_a_token_is_useless_on_another_connection(shared: Served, outsider: Caller) -> None:
    status, said = ask_token(shared, outsider("pdp"), "pdp")
    assert status == 200
    bearer = {"Authorization": f"Bearer {said['access_token']}", "Content-Type": "application/json"}
    for who, base in ((outsider("rh"), shared.mtls), (outsider(), shared.mtls), (outsider("pdp"), shared.issuer)):
        assert who.ask("POST", f"{base}/access/v1/evaluation", b"{}", bearer).status == 401


def test_what_is_not_built_is_not_found(shared: Served, outsider: Caller) -> None:
    for path in ("/oauth/par", "/oauth/register", "/oauth/device_authorization", "/access/v1/search/subject"):
        assert outsider().ask("POST", shared.issuer + path, b"{}").status == 404
