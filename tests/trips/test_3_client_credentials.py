"""Trip 3: a SEFAZ gets its token by mutual TLS, on our own listener and behind HAProxy (RFC 9440), and nobody else does."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iam import search
from iam.atos import concessao
from iam.atos.conceder import conceder, revogar
from iam.demo.outsider import Answer, Outsider
from iam.demo.world import OPERATOR, PAPEIS
from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority
from iam.keys import b64url_decode
from tests.house import Served, introspect, make, serving
from tests.servers import find, listening, missing, running, wait

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"


@pytest.fixture(params=["direct", "haproxy"])
def front(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Served]:
    """A served house, reached directly or through HAProxy with the configuration that we document."""
    data = tmp_path / "data"
    url = f"sqlite:///{data / 'portaria.db'}"
    if request.param == "direct":
        with serving(make(data, url)) as served:
            yield served
        return
    haproxy = find("haproxy", "/usr/sbin")
    if haproxy is None:
        missing("HAProxy")
    folder = tmp_path / "run"
    folder.mkdir(mode=0o700)
    home = make(data, url, SOCKET=str(folder / "portaria.sock"), CLIENT_CERT_HEADER="true")
    settings = home.house.settings
    pem = tmp_path / "portaria.pem"
    pem.write_bytes(settings.tls_cert.read_bytes() + settings.tls_key.read_bytes())
    text = CONFIGURATION.read_text("utf-8")
    for ours, here in {
        "/etc/haproxy/portaria.pem": str(pem),
        "/etc/portaria/ca.pem": str(settings.trust),
        "/run/portaria/portaria.sock": str(settings.socket),
        "*:8443": f"127.0.0.1:{settings.port}",
        "*:8444": f"127.0.0.1:{settings.mtls_port}",
    }.items():
        assert ours in text
        text = text.replace(ours, here)
    configuration, log = tmp_path / "haproxy.cfg", tmp_path / "haproxy.log"
    configuration.write_text(text)
    subprocess.run([haproxy, "-c", "-f", str(configuration)], check=True, capture_output=True)
    with serving(home) as served, running([haproxy, "-db", "-f", str(configuration)], log) as process:
        wait(process, lambda: listening(settings.mtls_port), 20, log)
        yield served


def ask(served: Served, caller: Outsider, scope: str = "pucomex:ANEXANEXAR", base: str = "", **more: str) -> Answer:
    form = {"grant_type": "client_credentials", "client_id": "sefaz-mt-pucomex", "scope": scope}
    return caller.form(f"{base or served.mtls}/oauth/token", form | more)


def refusals(served: Served) -> set[str]:
    """The requirement ids under which token requests were refused."""
    served.house.recorder.flush()
    with served.house.reading() as db:
        found = search.find(db, search.Filter(ato="token:emitir", allowed=False))
    return {entry.requirement for entry, _ in found}


def other(served: Served, name: str, **leaf: object) -> Outsider:
    """Somebody with another certificate: of the same authority, or of one that only looks like it."""
    authority = Authority.create(datetime.now(UTC)) if leaf.pop("unknown", False) else Authority.read(served.home.data)
    when = datetime.now(UTC) - (timedelta(days=30) if leaf.pop("expired", False) else timedelta())
    issued = authority.equipment(when, "pucomex.sefaz.mt.gov.br", "00394460005887", "SECRETARIA DE FAZENDA MT", days=5)
    cert, key = issued.write(served.home.data, name)
    served.met.append(Outsider(served.home.data / "ca.pem", str(cert), str(key)))
    return served.met[-1]


@pytest.mark.requirement("COTEC62-1-1.2", "COTEC62-1-2-III.2")
def test_a_sefaz_gets_exactly_the_transactions_it_holds_bound_to_its_certificate(front: Served) -> None:
    caller = front.outsider("sefaz-mt")
    held = front.world.clients["sefaz-mt"]["scopes"]
    assert isinstance(held, list)
    answer = ask(front, caller, " ".join(held))
    assert answer.status == 200, answer.body
    token = str(answer.json()["access_token"])
    head, claims = (json.loads(b64url_decode(part)) for part in token.split(".")[:2])
    der = x5t_s256(_der(Path(caller.cert)))
    assert (head["typ"], head["alg"]) == ("at+jwt", "ES256")
    assert sorted(claims["scope"].split()) == sorted(held)
    assert claims["aud"] == "urn:portaria:sistema:pucomex"
    assert (claims["sefaz_uf"], claims["sub"], claims["cnf"]) == ("MT", "sefaz-mt-pucomex", {"x5t#S256": der})
    assert 0 < claims["exp"] - claims["iat"] <= 300
    seen = introspect(front, token)
    assert (seen["active"], seen["cnf"]) == (True, {"x5t#S256": der})

    missing_one = ask(front, caller, f"{held[0]} pucomex:PCCENOTCUM")
    assert (missing_one.status, missing_one.json()["error"]) == (400, "invalid_scope")
    outside_tls = ask(front, front.outsider(), base=front.issuer)
    assert (outside_tls.status, outside_tls.json()["error"]) == (401, "invalid_client")
    assert {"COTEC62-1-1.2", "COTEC62-1-2-III.2"} <= refusals(front)


def _der(pem: Path) -> bytes:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificates(pem.read_bytes())[0].public_bytes(Encoding.DER)


@pytest.mark.parametrize("kind", ["none", "unknown chain", "expired", "unregistered", "another's"])
def test_any_other_certificate_is_refused_with_its_article(front: Served, kind: str) -> None:
    callers: dict[str, Callable[[], Outsider]] = {
        "none": front.outsider,
        "unknown chain": lambda: other(front, "impostor", unknown=True),
        "expired": lambda: other(front, "vencido", expired=True),
        "unregistered": lambda: other(front, "nao-registrado"),
        "another's": lambda: front.outsider("sefaz-sp"),
    }
    answer = ask(front, callers[kind]())
    assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
    assert any(id.startswith("COTEC62-") for id in refusals(front))


def test_a_certificate_revoked_in_the_list_is_refused_as_soon_as_the_file_changes(front: Served) -> None:
    caller = front.outsider("sefaz-mt")
    assert ask(front, caller).status == 200
    authority, now = Authority.read(front.home.data), datetime.now(UTC)
    from cryptography import x509

    serial = x509.load_pem_x509_certificates(Path(caller.cert).read_bytes())[0].serial_number
    (front.home.data / "ca.crl").write_bytes(authority.crl(now, {serial: now}, number=2))
    answer = ask(front, caller)
    assert (answer.status, answer.json()["error"]) == (401, "invalid_client")
    (front.home.data / "ca.crl").write_bytes(authority.crl(now, number=3))
    assert ask(front, caller).status == 200
    (front.home.data / "ca.crl").unlink()
    impostor = ask(front, other(front, "impostor", unknown=True))
    assert impostor.status == 401
    assert any(id.startswith("COTEC62-1-2-III") for id in refusals(front))


@pytest.mark.parametrize(
    "name", ["Client-Cert", "client-cert", "Client_Cert", "CLIENT-CERT", "X-Client-Cert", "X-SSL-Client-Cert"]
)
def test_a_certificate_header_sent_by_a_client_is_never_believed(front: Served, name: str) -> None:
    victim = base64.b64encode(_der(Path(str(front.world.clients["sefaz-mt"]["cert"])))).decode()
    for caller, base in (
        (front.outsider(), front.mtls),
        (front.outsider(), front.issuer),
        (front.outsider("sefaz-sp"), front.mtls),
    ):
        form = b"grant_type=client_credentials&client_id=sefaz-mt-pucomex&scope=pucomex:ANEXANEXAR"
        headers = {"Content-Type": "application/x-www-form-urlencoded", name: f":{victim}:"}
        answer = caller.ask("POST", f"{base}/oauth/token", form, headers)
        assert answer.status in (400, 401), answer.body
        assert b"access_token" not in answer.body


@pytest.mark.requirement("COTEC62-1-2-II")
def test_each_pair_of_sefaz_and_transaction_is_enabled_and_disabled_on_its_own(front: Served) -> None:
    mt, sp = front.outsider("sefaz-mt"), front.outsider("sefaz-sp")
    assert ask(front, sp, "pucomex:ANEXANEXAR", client_id="sefaz-sp-pucomex").json()["error"] == "invalid_scope"
    with front.house.begin(OPERATOR) as ctx:
        conceder(
            ctx, "sefaz-sp", "pucomex", "ANEXANEXAR", vinculo=None, origem="teste", fundamento="teste", papeis=PAPEIS
        )
    given = ask(front, sp, "pucomex:ANEXANEXAR", client_id="sefaz-sp-pucomex")
    assert given.status == 200
    kept = str(ask(front, mt, "pucomex:DIMPCONSEF").json()["access_token"])
    lost = str(ask(front, mt, "pucomex:ANEXANEXAR").json()["access_token"])
    with front.house.begin(OPERATOR) as ctx:
        (right,) = [c for c in concessao.vigentes(ctx.db, "sefaz-mt", ctx.now) if c.perfil == "ANEXANEXAR"]
        revogar(ctx, right, motivo="teste", papeis=frozenset({"operador"}))
    assert ask(front, mt, "pucomex:ANEXANEXAR").json()["error"] == "invalid_scope"
    assert introspect(front, lost) == {"active": False}
    assert introspect(front, kept)["active"] is True
    assert introspect(front, str(given.json()["access_token"]))["active"] is True


def test_a_certificate_revoked_takes_its_tokens_along(front: Served) -> None:
    token, caller = front.token("auditoria", "diario"), front.outsider("auditoria")
    header = {"Authorization": f"Bearer {token}"}
    assert caller.ask("GET", f"{front.mtls}/api/diario?limite=1", headers=header).status == 200
    authority, now = Authority.read(front.home.data), datetime.now(UTC)
    from cryptography import x509

    serial = x509.load_pem_x509_certificates(Path(caller.cert).read_bytes())[0].serial_number
    (front.home.data / "ca.crl").write_bytes(authority.crl(now, {serial: now}, number=2))
    assert caller.ask("GET", f"{front.mtls}/api/diario?limite=1", headers=header).status == 401
    assert introspect(front, token) == {"active": False}
