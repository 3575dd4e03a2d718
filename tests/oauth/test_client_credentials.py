"""RFC 6749 §4.4 over RFC 8705, RFC 9068 and RFC 8707: a SEFAZ's system asks for a token (Portaria Cotec 62/2020)."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import orjson
import pytest
from joserfc import jwt
from sqlalchemy import event

from iam import recorder
from iam.atos import client, concessao, credencial, sujeito
from iam.atos.conceder import conceder, revogar
from iam.http import Request, Response
from iam.icp_brasil.name import x5t_s256
from iam.icp_brasil.sample import Authority
from iam.oauth.errors import Denied
from iam.oauth.grant import token
from tests.oauth.world import OPERATOR, PAPEIS, World, body, claims, header, key_set, refused

FORM = {"grant_type": "client_credentials", "client_id": "mt"}


def test_a_sefaz_gets_exactly_its_transactions_bound_to_its_certificate(world: World) -> None:
    answer = world.machine("mt")
    assert answer.status == 200, answer.body
    assert header(answer, "cache-control") == "no-store"
    said = body(answer)
    assert said["token_type"] == "Bearer"
    assert said["scope"] == "pucomex:ANEXANEXAR pucomex:DIMPCONSEF"
    keys = key_set(world)
    token_ = jwt.decode(str(said["access_token"]), keys, algorithms=["ES256"])
    assert token_.header["typ"] == "at+jwt"
    assert token_.header["kid"]
    c = token_.claims
    assert c["iss"] == world.house.settings.issuer
    assert c["sub"] == c["client_id"] == "mt"
    assert c["aud"] == "urn:portaria:sistema:pucomex"
    assert c["cnf"] == {"x5t#S256": x5t_s256(world.certs["mt"].der)}
    assert (c["sefaz_uf"], c["orgao"], c["norma"]) == ("MT", "sefaz-mt", ["cotec62"])
    assert 0 < c["exp"] - c["iat"] <= 300
    assert said["expires_in"] == c["exp"] - c["iat"]
    assert world.entries()[-1].jti == c["jti"]


@pytest.mark.requirement("COTEC62-1-1.2")
def test_a_transaction_not_granted_is_never_in_the_token_and_the_refusal_is_logged(world: World) -> None:
    refused(world.machine("sp", "pucomex:DIMPCOSFAZ pucomex:PCCENOTCAL"), "invalid_scope", 400)
    last = world.entries()[-1]
    assert (last.allowed, last.requirement, last.agente) == (False, "COTEC62-1-1.2", "client:sp")


@pytest.mark.requirement("COTEC62-1")
def test_a_client_without_any_transaction_is_refused_every_scope_of_pucomex(world: World) -> None:
    codes = [s.name for s in world.house.policy.scopes("pucomex")]
    assert len(codes) == 5
    for code in codes:
        refused(world.machine("pdp", code), "invalid_scope", 400)
    assert {e.requirement for e in world.entries()[-5:]} == {"COTEC62-1"}


@pytest.mark.requirement("COTEC62-1-1.1")
def test_a_sefaz_not_integrated_is_not_recognised_however_valid_its_certificate(world: World) -> None:
    valid = world.authority.equipment(world.now, "pr.example.gov.br", "00394460005887", "PR")
    form = {"grant_type": "client_credentials", "client_id": "pr", "scope": "pucomex:DIMPCONSEF"}
    refused(world.token(form, valid), "invalid_client", 401)
    assert world.entries()[-1].requirement == "COTEC62-1-1.1"


@pytest.mark.requirement("COTEC62-1-2-II")
def test_what_is_enabled_for_one_sefaz_gives_the_other_nothing(world: World) -> None:
    refused(world.machine("sp", "pucomex:ANEXANEXAR"), "invalid_scope", 400)
    with world.house.begin(OPERATOR) as ctx:
        right = next(r for r in concessao.vigentes(ctx.db, "sefaz-mt", ctx.now) if r.perfil == "ANEXANEXAR")
        revogar(ctx, right, motivo="teste", papeis=PAPEIS)
    assert body(world.machine("mt"))["scope"] == "pucomex:DIMPCONSEF"
    assert body(world.machine("sp"))["scope"] == "pucomex:DIMPCOSFAZ"


@pytest.mark.requirement("COTEC62-1-2-III.1")
def test_a_certificate_outside_icp_brasil_is_refused(world: World) -> None:
    other = Authority.create(world.now).equipment(world.now, "mt.example.gov.br", "00394460005887", "MT")
    refused(world.token(FORM, other), "invalid_client", 401)
    last = world.entries()[-1]
    assert (last.allowed, last.requirement) == (False, "COTEC62-1-2-III.1")


@pytest.mark.requirement("COTEC62-1-2-III.2")
def test_a_request_outside_mutual_tls_is_refused_and_a_token_is_useless_with_another_certificate(world: World) -> None:
    refused(world.token(FORM), "invalid_client", 401)
    assert world.entries()[-1].requirement == "COTEC62-1-2-III.2"
    token_ = str(body(world.machine("mt"))["access_token"])
    assert claims(token_)["cnf"] == {"x5t#S256": x5t_s256(world.certs["mt"].der)}
    mine, another = world.certs["mt"], world.certs["sp"]
    bearer = f"Bearer {token_}"
    asked = {"token": token_}
    assert world.post("/oauth/introspect", asked, mine, authorization=bearer).status == 200
    assert world.post("/oauth/introspect", asked, another, authorization=bearer).status == 401
    assert world.post("/oauth/introspect", asked, authorization=bearer).status == 401


def test_expired_future_and_revoked_certificates_are_refused_by_their_article(world: World) -> None:
    day = 1.0
    subject = world.certs["mt"].certificate.subject
    expired = world.authority.leaf(world.now, subject, since=-10 * day, days=5)
    refused(world.token(FORM, expired), "invalid_client", 401)
    future = world.authority.leaf(world.now, subject, since=5 * day)
    refused(world.token(FORM, future), "invalid_client", 401)
    serial = world.certs["mt"].certificate.serial_number
    (world.house.data / "ca.crl").write_bytes(world.authority.crl(world.now, {serial: world.now}, number=2))
    world.later(seconds=2)
    refused(world.machine("mt"), "invalid_client", 401)
    assert [e.requirement for e in world.entries()[-3:]] == ["COTEC62-1-2-III.1"] * 3


def test_a_new_certificate_of_the_same_subject_never_authenticates_before_it_is_registered(world: World) -> None:
    renewed = world.authority.leaf(world.now, world.certs["mt"].certificate.subject)
    refused(world.token(FORM, renewed), "invalid_client", 401)
    assert world.entries()[-1].requirement == "COTEC62-4-II.2"


def test_a_certificate_that_was_ended_stops_at_once(world: World) -> None:
    assert world.machine("mt").status == 200
    with world.house.begin(OPERATOR) as ctx:
        (proof,) = client.certificates(ctx.db, "mt")
        credencial.revogar(ctx, proof, motivo="teste", papeis=PAPEIS)
    refused(world.machine("mt"), "invalid_client", 401)


def test_a_client_outside_the_norms_follows_rfc_8705_by_subject(world: World) -> None:
    renewed = world.authority.leaf(world.now, world.certs["pdp"].certificate.subject)
    form = {"grant_type": "client_credentials", "client_id": "pdp"}
    assert world.token(form, renewed).status == 200
    refused(world.token(form, world.certs["auditoria"]), "invalid_client", 401)


def test_another_clients_certificate_or_id_is_refused(world: World) -> None:
    refused(world.token(FORM, world.certs["sp"]), "invalid_client", 401)
    assert world.entries()[-1].requirement == "COTEC62-4-II.2"
    refused(world.token(FORM | {"client_id": "ninguem"}, world.certs["mt"]), "invalid_client", 401)
    assert world.entries()[-1].agente == "anonimo:"


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "bearer"])
def test_made_up_clients_are_counted_and_do_not_fill_the_journal(
    world: World, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COALESCE_SECONDS", 3600.0)
    before = len(world.entries())
    for n in range(30):
        form = {"grant_type": "client_credentials", "client_id": f"inventado-{n}", "token": "x"}
        if path == "bearer":
            assert world.post("/oauth/introspect", form, authorization="Bearer x").status == 401
        else:
            assert world.post(path, form).status == 401
    said = [orjson.loads(line.payload or b"") for line in world.entries()[before:]]
    assert len(said) <= 2, "what came before the writer woke, and the rest"
    assert sum(line.get("vezes", 1) for line in said) == 30
    assert path == "bearer" or said[0]["client_id"] == f"inventado-{said[0].get('vezes', 1) - 1}"


def test_a_certificate_header_is_never_believed(world: World) -> None:
    der = world.certs["mt"].der
    import base64

    forged = f":{base64.b64encode(der).decode()}:"
    answer = world.post("/oauth/token", FORM, client_cert=forged, x_ssl_client_cert=forged)
    refused(answer, "invalid_client", 401)


def test_secrets_and_assertions_are_not_client_authentication_here(world: World) -> None:
    mine = world.certs["mt"]
    refused(world.token(FORM | {"client_secret": "x"}, mine), "invalid_client", 401)
    refused(world.token(FORM | {"client_assertion": "x"}, mine), "invalid_client", 401)
    answer = world.post("/oauth/token", FORM, mine, authorization="Basic bXQ6eA==")
    refused(answer, "invalid_client", 401)
    assert header(answer, "www-authenticate")


def test_a_suspended_client_gets_nothing(world: World) -> None:
    assert world.machine("mt").status == 200
    with world.house.begin(OPERATOR) as ctx:
        program = ctx.db.get(client.Client, "mt")
        assert program is not None
        program.estado = "suspenso"
        sujeito.raise_epoch(ctx.db, ["mt"])
    refused(world.machine("mt"), "invalid_client", 401)
    assert world.entries()[-1].requirement == "COTEC62-1-1.1"


def test_the_scope_and_its_resource(world: World) -> None:
    ours = "urn:portaria:sistema:pucomex"
    assert world.machine("mt", resource=ours).status == 200
    refused(world.machine("mt", resource="urn:portaria:sistema:nenhum"), "invalid_target", 400)
    refused(world.machine("mt", resource="https://api.example"), "invalid_target", 400)
    refused(world.machine("mt", resource="urn:portaria:sistema:dec"), "invalid_target", 400)
    refused(world.machine("mt", "pucomex:DIMPCONSEF decisoes"), "invalid_target", 400)
    refused(world.machine("mt", "pucomex:INVENTADA"), "invalid_scope", 400)
    for identity in ("openid", "openid pucomex:DIMPCONSEF", "pucomex:DIMPCONSEF offline_access"):
        answer = world.machine("mt", identity)
        refused(answer, "invalid_scope", 400)
        assert "client_credentials identifies no person" in str(body(answer)["error_description"])
    refused(world.machine("mt", 'pucomex:"ANEXANEXAR"'), "invalid_scope", 400)
    assert body(world.machine("mt", "pucomex:DIMPCONSEF pucomex:DIMPCONSEF"))["scope"] == "pucomex:DIMPCONSEF"
    assert body(world.machine("pdp"))["scope"] == "decisoes"
    refused(world.machine("pdp", "diario"), "invalid_scope", 400)


def test_resource_named_twice_is_one_and_two_different_ones_are_no_target(world: World) -> None:
    ours = b"resource=urn%3Aportaria%3Asistema%3Apucomex"
    asked = b"grant_type=client_credentials&client_id=mt&"
    assert world.post("/oauth/token", asked + ours + b"&" + ours + b"&resource=", world.certs["mt"]).status == 200
    for other in (b"resource=urn%3Aportaria%3Asistema%3Atram", b"resource=x", b"resource=%20"):
        for both in (ours + b"&" + other, other + b"&" + ours):
            refused(world.post("/oauth/token", asked + both, world.certs["mt"]), "invalid_target", 400)
            last = world.entries()[-1]
            assert (last.agente, last.requirement) == ("client:mt", "CASA-16")
            assert b"recurso_ambiguo" in (last.payload or b"")
    refused(world.post("/oauth/introspect", b"client_id=pdp&token=x&" + ours + b"&" + ours), "invalid_request", 400)


def test_no_refusal_reads_the_database_on_the_event_loop(world: World) -> None:
    readers: set[threading.Thread] = set()

    @event.listens_for(world.house.database.engine, "before_cursor_execute")
    def _seen(*_: object) -> None:
        readers.add(threading.current_thread())

    assert world.machine("mt").status == 200
    refused(world.token(FORM, world.certs["sp"]), "invalid_client", 401)
    refused(world.machine("mt", "decisoes"), "invalid_scope", 400)
    event.remove(world.house.database.engine, "before_cursor_execute", _seen)
    assert readers
    assert threading.main_thread() not in readers


def test_a_client_of_two_sistemas_must_say_which_and_resource_narrows_to_it(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        conceder(
            ctx,
            "sefaz-mt",
            "tram",
            ctx.policy.perfis("tram")[0].id,
            vinculo=None,
            origem="t",
            fundamento="t",
            restricao={"transportador": ["00394460005887"]},
            papeis=PAPEIS,
        )
        scopes = ctx.policy.scopes_of(ctx.policy.perfis("tram")[0].id, "tram")
    assert scopes, "the class must give scopes for this test to mean anything"
    refused(world.machine("mt"), "invalid_target", 400)
    both = f"pucomex:DIMPCONSEF {min(scopes)}"
    refused(world.machine("mt", both), "invalid_target", 400)
    answer = world.machine("mt", both, resource="urn:portaria:sistema:pucomex")
    assert body(answer)["scope"] == "pucomex:DIMPCONSEF"
    assert claims(str(body(answer)["access_token"]))["aud"] == "urn:portaria:sistema:pucomex"


def test_a_token_never_outlives_what_it_rests_on(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        for right in concessao.vigentes(ctx.db, "sefaz-sp", ctx.now):
            right.vigente_ate = ctx.now + timedelta(seconds=90)
        sujeito.touch(ctx.db, ["sefaz-sp"])
    assert body(world.machine("sp"))["expires_in"] == 90
    world.later(seconds=91)
    refused(world.machine("sp"), "invalid_scope", 400)
    short = world.authority.leaf(world.now, world.certs["pdp"].certificate.subject, days=6 / 1440)
    answer = world.token({"grant_type": "client_credentials", "client_id": "pdp"}, short)
    assert int(str(body(answer)["expires_in"])) <= 60


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (b"grant_type=client_credentials&client_id=mt&client_id=mt", "invalid_request"),
        (b"grant_type=client_credentials&client_id=mt&scope=a&scope=b", "invalid_request"),
        (b"grant_type=client_credentials&client_id=mt&grant_type=client_credentials", "invalid_request"),
        (b"client_id=mt", "invalid_request"),
        (b"grant_type=client_credentials", "invalid_request"),
        (b"grant_type=password&client_id=mt&username=a&password=b", "unsupported_grant_type"),
        (b"grant_type=authorization_code&client_id=mt&code=x", "unauthorized_client"),
        (b"grant_type=%ff&client_id=mt", "invalid_request"),
        (b"grant_type=client_credentials&client_id=mt%00", "invalid_request"),
        (b"", "invalid_request"),
    ],
)
def test_malformed_and_misplaced_requests(world: World, form: bytes, error: str) -> None:
    refused(world.post("/oauth/token", form, world.certs["mt"]), error, 400)
    assert world.entries()[-1].allowed is False


def test_only_post_of_a_form(world: World) -> None:
    assert world.get("/oauth/token").status == 405
    request = Request("POST", "/oauth/token", headers=((b"content-type", b"application/json"),), body=b"{}")
    refused(world.call("/oauth/token", request), "invalid_request", 400)


def test_descriptions_are_ascii_and_never_repeat_the_request(world: World) -> None:
    for form in (
        FORM | {"scope": "<script>\u00e7"},
        FORM | {"client_id": "<script>"},
        FORM | {"grant_type": "<script>"},
    ):
        answer = world.token(form, world.certs["mt"])
        assert b"<script" not in answer.body
        assert str(body(answer)["error_description"]).isascii()


def test_after_the_cut_of_a_sefaz_no_request_in_flight_gets_a_token(world: World) -> None:
    """Fifty requests race the commit of a cut: whatever is minted was recorded before it."""
    request_body = b"grant_type=client_credentials&client_id=mt&scope=pucomex:DIMPCONSEF"
    headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
    request = Request("POST", "/oauth/token", b"", headers, request_body, "192.0.2.7", world.certs["mt"].der, True)
    assert world.machine("mt").status == 200
    started, done = threading.Event(), threading.Event()

    def cut() -> None:
        started.wait()
        with world.house.begin(OPERATOR) as ctx:
            right = next(r for r in concessao.vigentes(ctx.db, "sefaz-mt", ctx.now) if r.perfil == "DIMPCONSEF")
            revogar(ctx, right, motivo="corte", papeis=PAPEIS)
            sujeito.raise_epoch(ctx.db, ["sefaz-mt"])
        done.set()

    async def race() -> list[Response]:
        thread = threading.Thread(target=cut)
        thread.start()
        first = [asyncio.ensure_future(token(world.house, request)) for _ in range(25)]
        await asyncio.sleep(0)
        started.set()
        rest = [asyncio.ensure_future(token(world.house, request)) for _ in range(25)]
        answers = await asyncio.gather(*first, *rest)
        await asyncio.to_thread(done.wait)
        after = await asyncio.gather(*(token(world.house, request) for _ in range(10)))
        assert all(a.status == 400 for a in after)
        return list(answers)

    answers = asyncio.run(race())
    entries = world.entries()
    revoked = next(e.id for e in entries if e.ato == "concessao:revogar")
    minted = {e.jti for e in entries if e.jti and e.id < revoked}
    assert not [e for e in entries if e.jti and e.id > revoked]
    given = {claims(str(body(a)["access_token"]))["jti"] for a in answers if a.status == 200}
    assert given <= minted
    assert len(answers) == 50


def test_every_description_is_what_rfc_6749_allows() -> None:
    from authlib.oauth2.base import invalid_error_characters

    assert not invalid_error_characters(Denied("invalid_request", "a parameter is repeated").description)
