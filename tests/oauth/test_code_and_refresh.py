"""RFC 6749 §4.1.3 and §6, RFC 7636, RFC 9700, OpenID Connect Core: from code to logout."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import threading
from urllib.parse import urlencode

import pytest
from joserfc import jwt
from sqlalchemy import select, text

from iam import recorder, session
from iam.atos import client, concessao, pessoa, sujeito, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder, revogar
from iam.http import Request, Response
from iam.oauth.grant import token
from iam.oauth.tables import Authorization, AuthorizationCode, RefreshToken
from tests.oauth.world import (
    CALLBACK,
    OPERATOR,
    PAPEIS,
    World,
    body,
    claims,
    give,
    header,
    key_set,
    location,
    params,
    refused,
    request,
)


def test_a_person_gets_tokens_whose_scopes_come_from_her_concessoes(world: World) -> None:
    browser = world.log_in()
    said = world.tokens(browser)
    assert said["scope"] == "openid mt-ipva:consultar"
    c = claims(said["access_token"])
    assert c["aud"] == "urn:portaria:sistema:mt-ipva"
    assert (c["perfil"], c["orgao"], c["norma"], c["acr"]) == ("mt-consulta", "sefaz-mt", ["mt128"], "mfa")
    assert c["categoria_sigilo"] == "restrito"
    assert c["auth_time"] == int(browser.login.session.auth_time.timestamp())
    assert c["sub"] not in ("52998224725", "ana", "app")
    assert not c.keys() & {"name", "email", "cpf", "matricula", "preferred_username"}
    assert "52998224725" not in str(c)
    identity = jwt.decode(said["id_token"], key_set(world), algorithms=["ES256"]).claims
    half = hashlib.sha256(said["access_token"].encode()).digest()[:16]
    assert identity["at_hash"] == base64.urlsafe_b64encode(half).rstrip(b"=").decode()
    assert (identity["aud"], identity["nonce"], identity["sub"]) == ("app", "unico", c["sub"])
    assert (identity["acr"], identity["amr"], identity["sid"]) == ("mfa", ["pwd", "otp"], identity["sid"])
    entry = world.entries()[-1]
    assert (entry.jti, entry.pessoa, entry.sistema) == (c["jti"], world.pessoa, "mt-ipva")


@pytest.mark.requirement("MT128-2-VIII")
def test_a_token_lists_profile_and_actions_of_one_system(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        give(ctx, world.pessoa, ctx.db.get(vinculo.Vinculo, world.vinculo), "mt-nfe", "mt-operacao")
    c = claims(world.tokens(scope="")["access_token"])
    assert (c["aud"], c["perfil"], c["scope"]) == ("urn:portaria:sistema:mt-ipva", "mt-consulta", "mt-ipva:consultar")
    both = request("v" * 43, scope="openid mt-ipva:consultar mt-nfe:consultar")
    assert params(world.authorize(world.log_in(), **both))["error"] == "invalid_target"


def test_omitted_scope_means_everything_held_of_the_sistema(world: World) -> None:
    said = world.tokens(scope="")
    assert said["scope"] == "mt-ipva:consultar"
    assert "id_token" not in said


def test_secrets_are_kept_as_digests(world: World) -> None:
    browser = world.log_in()
    code, verifier = world.code(browser)
    said = body(world.redeem(code, verifier))
    with world.house.reading() as db:
        kept = " ".join(
            str(row) for t in ("authorization_code", "refresh_token") for row in db.execute(text(f"SELECT * FROM {t}"))
        )
    assert code not in kept
    assert str(said["refresh_token"]) not in kept


@pytest.mark.parametrize(
    "more",
    [
        {"code_verifier": "x" * 43},
        {"redirect_uri": CALLBACK + "x"},
        {"client_id": "outro"},
        {"code": "x"},
    ],
)
def test_a_code_is_only_for_its_client_its_verifier_and_its_redirect_uri(world: World, more: dict[str, str]) -> None:
    code, verifier = world.code(world.log_in())
    refused(world.redeem(code, verifier, **more))
    assert world.redeem(code, verifier).status == 200, "a failed attempt does not use the code up"


def test_a_redirect_uri_that_was_named_must_be_named_again(world: World) -> None:
    code, verifier = world.code(world.log_in())
    form = {"grant_type": "authorization_code", "client_id": "app", "code": code, "code_verifier": verifier}
    refused(world.token(form))
    assert world.token(form | {"redirect_uri": CALLBACK}).status == 200
    with world.house.begin(OPERATOR) as ctx:
        client.cadastrar(
            ctx, "so-uma", "Uma só", "aplicacao", sistema="mt-ipva", redirect_uris=[CALLBACK],
            scopes=["mt-ipva:consultar"], papeis=PAPEIS,
        )  # fmt: skip
    code, verifier = world.code(world.log_in(), client_id="so-uma", redirect_uri="", scope="mt-ipva:consultar")
    assert world.token(form | {"client_id": "so-uma", "code": code, "code_verifier": verifier}).status == 200


@pytest.mark.parametrize("verifier", ["", "x" * 42, "x" * 129, "é" * 43])
def test_a_missing_or_malformed_verifier(world: World, verifier: str) -> None:
    code, _ = world.code(world.log_in())
    answer = world.redeem(code, verifier)
    assert answer.status == 400
    assert body(answer)["error"] == "invalid_request"


def test_a_code_lives_a_minute(world: World) -> None:
    code, verifier = world.code(world.log_in())
    world.later(seconds=61)
    refused(world.redeem(code, verifier))


def test_a_code_replayed_by_its_client_ends_what_it_gave(world: World) -> None:
    code, verifier = world.code(world.log_in())
    said = body(world.redeem(code, verifier))
    assert world.introspect(str(said["access_token"]))["active"] is True
    refused(world.redeem(code, verifier))
    assert world.introspect(str(said["access_token"])) == {"active": False}
    refused(world.refresh(str(said["refresh_token"])))


def test_a_replay_again_and_again_is_counted_and_changes_nothing_that_was_written(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "COALESCE_SECONDS", 3600.0)
    code, verifier = world.code(world.log_in())
    said = body(world.redeem(code, verifier))
    assert world.post("/oauth/revoke", {"client_id": "app", "token": str(said["refresh_token"])}).status == 200
    before, ended = len(world.entries()), world.now
    world.later(seconds=30)
    for _ in range(20):
        refused(world.redeem(code, verifier))
    assert len(world.entries()) == before + 2
    with world.house.reading() as db:
        given = db.scalars(select(Authorization)).one()
    assert (given.ended_at, given.reason, given.epoch) == (ended, "revogada_pelo_client", 1)


def test_a_code_replayed_by_anybody_else_ends_nothing(world: World) -> None:
    code, verifier = world.code(world.log_in())
    said = body(world.redeem(code, verifier))
    refused(world.redeem(code, verifier, client_id="outro"))
    refused(world.redeem(code, "y" * 43))
    assert world.introspect(str(said["access_token"]))["active"] is True
    assert world.refresh(str(said["refresh_token"])).status == 200


def test_one_of_many_concurrent_uses_of_a_code_wins(world: World) -> None:
    from urllib.parse import urlencode

    code, verifier = world.code(world.log_in())
    form = {
        "grant_type": "authorization_code",
        "client_id": "app",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": CALLBACK,
    }
    headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
    asked = Request("POST", "/oauth/token", b"", headers, urlencode(form).encode(), "192.0.2.7")

    async def race() -> list[Response]:
        return list(await asyncio.gather(*(token(world.house, asked) for _ in range(8))))

    answers = asyncio.run(race())
    assert sorted(a.status for a in answers) == [200] + [400] * 7
    with world.house.reading() as db:
        assert len(db.scalars(select(AuthorizationCode)).all()) == 1


def test_refresh_rotates_without_grace_and_reuse_ends_the_family(world: World) -> None:
    first = world.tokens()
    second = body(world.refresh(first["refresh_token"]))
    assert second["refresh_token"] != first["refresh_token"]
    assert second["scope"] == first["scope"]
    old, new = claims(first["id_token"]), claims(str(second["id_token"]))
    assert (old["sub"], old["auth_time"], old["sid"]) == (new["sub"], new["auth_time"], new["sid"])
    assert "nonce" not in new
    refused(world.refresh(first["refresh_token"]))
    assert world.introspect(str(second["access_token"])) == {"active": False}
    refused(world.refresh(str(second["refresh_token"])))


def test_a_stolen_refresh_token_is_no_good_to_another_client_and_its_try_ends_nothing(world: World) -> None:
    said = world.tokens()
    refused(world.refresh(said["refresh_token"], client_id="outro"))
    assert world.refresh(said["refresh_token"]).status == 200


def test_refresh_narrows_and_never_widens(world: World) -> None:
    said = world.tokens(scope="openid profile mt-ipva:consultar")
    narrow = body(world.refresh(said["refresh_token"], scope="openid"))
    assert narrow["scope"] == "openid"
    refused(world.refresh(str(narrow["refresh_token"]), scope="openid cpf"), "invalid_scope")
    wide = body(world.refresh(str(narrow["refresh_token"])))
    assert wide["scope"] == "openid profile mt-ipva:consultar"
    refused(world.refresh(str(wide["refresh_token"]), resource="urn:portaria:sistema:mt-nfe"), "invalid_target")


def test_code_and_refresh_are_for_one_resource_however_often_it_is_named(world: World) -> None:
    ours, other = (f"resource=urn:portaria:sistema:{s}" for s in ("mt-ipva", "mt-nfe"))
    code, verifier = world.code(world.log_in())
    form = {"grant_type": "authorization_code", "client_id": "app", "code": code, "code_verifier": verifier}
    asked = urlencode(form | {"redirect_uri": CALLBACK})
    refused(world.post("/oauth/token", f"{asked}&{ours}&{other}".encode()), "invalid_target")
    said = body(world.post("/oauth/token", f"{asked}&{ours}&{ours}".encode()))
    asked = urlencode({"grant_type": "refresh_token", "client_id": "app", "refresh_token": str(said["refresh_token"])})
    refused(world.post("/oauth/token", f"{asked}&{ours}&{other}".encode()), "invalid_target")
    assert world.post("/oauth/token", f"{asked}&{ours}&{ours}".encode()).status == 200


def test_the_login_session_ends_its_tokens_unless_offline_access(world: World) -> None:
    online = world.log_in()
    here = world.tokens(online)
    away = world.tokens(world.log_in(), scope="openid offline_access mt-ipva:consultar")
    assert "offline_access" in away["scope"]
    with world.house.begin(OPERATOR) as ctx:
        pessoa.get(ctx.db, world.pessoa).login_epoch += 1
    refused(world.refresh(here["refresh_token"]))
    assert world.introspect(here["access_token"]) == {"active": False}
    assert world.introspect(away["access_token"])["active"] is True
    assert world.refresh(away["refresh_token"]).status == 200


def test_a_cut_ends_every_token_path_and_a_return_gives_nothing_back(world: World) -> None:
    browser = world.log_in()
    said = world.tokens(browser, scope="openid offline_access mt-ipva:consultar")
    code, verifier = world.code(browser)
    world.cut()
    bearer = {"authorization": f"Bearer {said['access_token']}"}
    for _ in ("out", "returned"):
        refused(world.refresh(said["refresh_token"]))
        refused(world.redeem(code, verifier))
        assert world.introspect(said["access_token"]) == {"active": False}
        assert world.get("/oauth/userinfo", **bearer).status == 401
        with world.house.begin(OPERATOR) as ctx:
            pessoa.get(ctx.db, world.pessoa).estado = pessoa.HABILITADA
            tie = abrir(
                ctx,
                world.pessoa,
                "sefaz-mt",
                "123",
                tipo="servidor",
                de=ctx.now,
                fonte="t",
                papeis=frozenset({"operador"}),
            )
            conceder(
                ctx, world.pessoa, "mt-ipva", "mt-consulta", vinculo=tie, origem="t", fundamento="t", papeis=PAPEIS
            )
    refusals = {e.requirement for e in world.entries() if not e.allowed and e.ato == "token:emitir"}
    assert any(r.startswith("MT128-13") for r in refusals)


@pytest.mark.parametrize("what", ["concessao", "vinculo", "client", "pessoa"])
def test_whatever_it_rests_on_ends_it(world: World, what: str) -> None:
    said = world.tokens(scope="openid offline_access mt-ipva:consultar")
    with world.house.begin(OPERATOR) as ctx:
        if what == "concessao":
            for right in concessao.vigentes(ctx.db, world.pessoa, ctx.now):
                revogar(ctx, right, motivo="t", papeis=PAPEIS)
        elif what == "vinculo":
            tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
            assert tie is not None
            tie.epoch += 1
        elif what == "client":
            program = ctx.db.get(client.Client, "app")
            assert program is not None
            sujeito.raise_epoch(ctx.db, ["app"])
        else:
            sujeito.raise_epoch(ctx.db, [world.pessoa])
    assert world.introspect(said["access_token"]) == {"active": False}
    refused(world.refresh(said["refresh_token"]))


def test_a_token_ends_with_the_vinculo_or_the_concessao(world: World) -> None:
    from datetime import timedelta

    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        assert tie is not None
        tie.ate = world.now + timedelta(seconds=120)
    assert int(world.tokens()["expires_in"]) == 120
    world.later(seconds=121)
    answer = world.authorize(world.log_in(), client_id="app")
    assert answer.status == 400


def test_the_minimum_acr_holds_at_exchange_and_refresh(world: World) -> None:
    said = world.tokens()
    code, verifier = world.code(world.log_in())
    with world.house.begin(OPERATOR) as ctx:
        for row in ctx.db.scalars(select(Authorization)):
            row.acr = "senha"
    refused(world.redeem(code, verifier))
    assert world.entries()[-1].requirement == "GAP-ALL-01"
    refused(world.refresh(said["refresh_token"]))


def test_userinfo_tells_by_scope(world: World) -> None:
    said = world.tokens(scope="openid mt-ipva:consultar")
    answer = world.get("/oauth/userinfo", authorization=f"Bearer {said['access_token']}")
    assert body(answer) == {"sub": claims(said["access_token"])["sub"]}
    said = world.tokens(scope="openid profile cpf matricula mt-ipva:consultar")
    answer = world.post("/oauth/userinfo", {}, authorization=f"Bearer {said['access_token']}")
    told = body(answer)
    assert (told["name"], told["cpf"], told["matricula"]) == ("Ana Beatriz", "52998224725", "123")


def test_userinfo_refuses_other_tokens(world: World) -> None:
    assert world.get("/oauth/userinfo").status == 401
    machine = str(body(world.machine("mt"))["access_token"])
    answer = world.get("/oauth/userinfo", None, world.certs["mt"], authorization=f"Bearer {machine}")
    assert answer.status == 403
    assert 'error="insufficient_scope"' in header(answer, "www-authenticate")
    without = world.tokens(scope="mt-ipva:consultar")["access_token"]
    assert world.get("/oauth/userinfo", authorization=f"Bearer {without}").status == 403
    for value in ("Bearer x", "Bearer", "Bearer a b", f"Bearer {world.tokens()['id_token']}"):
        answer = world.get("/oauth/userinfo", authorization=value)
        assert answer.status == 401
        assert 'error="invalid_token"' in header(answer, "www-authenticate")
    token_ = world.tokens()["access_token"]
    assert world.get("/oauth/userinfo", {"access_token": token_}).status == 401, "never in the query"


def test_logout_with_an_id_token_ends_the_session_and_its_tokens(world: World) -> None:
    browser = world.log_in()
    said = world.tokens(browser)
    cookie = {"cookie": f"{session.COOKIE}={browser.cookie}"}
    assert location(world.get("/oauth/logout", {}, **cookie)) == "/sair"
    assert location(world.get("/oauth/logout", {"id_token_hint": said["id_token"], "client_id": "app"})) == "/"
    assert world.get("/oauth/logout", {"id_token_hint": said["access_token"]}, **cookie).status == 400
    evil = {"id_token_hint": said["id_token"], "post_logout_redirect_uri": "https://evil.example"}
    assert world.get("/oauth/logout", evil, **cookie).status == 400
    world.later(minutes=10)
    answer = world.get("/oauth/logout", {"id_token_hint": said["id_token"]}, **cookie)
    assert location(answer) == "/"
    assert "Max-Age=0" in header(answer, "set-cookie")
    refused(world.refresh(said["refresh_token"]))
    with world.house.reading() as db:
        assert db.scalars(select(session.LoginSession)).one().ended_by == "client:app"


def test_refresh_tokens_end_when_nobody_uses_them(world: World) -> None:
    said = world.tokens(scope="openid offline_access mt-ipva:consultar")
    world.later(hours=9)
    refused(world.refresh(said["refresh_token"]))
    with world.house.reading() as db:
        assert db.scalars(select(RefreshToken)).one().used_at is None


def test_after_the_commit_of_a_cut_no_refresh_in_flight_gives_a_token(world: World) -> None:
    """Fifty refreshes of fifty logins race the HR cut: whatever was minted was recorded before the cut's commit."""
    given = [world.tokens(scope="openid offline_access mt-ipva:consultar")["refresh_token"] for _ in range(25)]
    started = threading.Event()

    def cut() -> None:
        started.wait()
        world.cut()

    def form(value: str) -> Request:
        body_ = urlencode({"grant_type": "refresh_token", "client_id": "app", "refresh_token": value}).encode()
        headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
        return Request("POST", "/oauth/token", b"", headers, body_, "192.0.2.7")

    async def race() -> list[Response]:
        thread = threading.Thread(target=cut)
        thread.start()
        asked = [asyncio.ensure_future(token(world.house, form(value))) for value in given]
        await asyncio.sleep(0.02)
        started.set()
        answers = await asyncio.gather(*asked)
        await asyncio.to_thread(thread.join)
        return list(answers)

    answers = asyncio.run(race())
    assert all(a.status in (200, 400) for a in answers)
    for answer in answers:
        if answer.status == 200:
            said = body(answer)
            assert world.introspect(str(said["access_token"])) == {"active": False}
            refused(world.refresh(str(said["refresh_token"])))
    entries = world.entries()
    minted = [e for e in entries if e.jti]
    assert len(minted) == 25 + sum(a.status == 200 for a in answers)
