"""A house with the packs in force, a test authority, two SEFAZ, two applications and a person who holds rights in them.

Endpoints are called as the edge calls them, with the request as the listener hands it over.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import inspect
import secrets
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson
import pytest
from joserfc.jwk import KeySet
from sqlalchemy import select

from iam import config, oauth, session
from iam.app import close, open_house
from iam.atos import client, concessao, orgao, pessoa, sujeito, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.papel import OPERADOR
from iam.context import Agente, Ctx, House
from iam.db import Database
from iam.http import Request, Response
from iam.icp_brasil.name import rfc4514, x5t_s256
from iam.icp_brasil.sample import Authority, Issued
from iam.journal import Entry
from iam.keys import USES, create_master
from iam.oauth import interaction

OPERATOR = Agente("sistema", "operador", "Teste", address="127.0.0.1")
PAPEIS = OPERADOR | {"importacao"}
CALLBACK = "https://app.example/callback"
LOOPBACK = "http://127.0.0.1:8765/callback"


@dataclass
class Browser:
    """Somebody's login session, and the cookie that stands for it."""

    login: session.Login
    cookie: str


@dataclass
class World:
    """Everything a test of the protocol needs, and the ways to ask."""

    house: House
    authority: Authority
    clock: list[datetime]
    certs: dict[str, Issued] = field(default_factory=dict)
    pessoa: str = ""
    vinculo: str = ""

    @property
    def now(self) -> datetime:
        return self.clock[0]

    def later(self, **span: float) -> None:
        self.clock[0] += timedelta(**span)

    def call(self, path: str, request: Request) -> Response:
        answer = oauth.ROUTES[path](self.house, request)
        if inspect.isawaitable(answer):
            return asyncio.run(_await(answer))
        return answer

    def post(self, path: str, form: Mapping[str, str] | bytes, cert: Issued | None = None, **headers: str) -> Response:
        body = form if isinstance(form, bytes) else urlencode(form).encode()
        sent = {
            "content-type": "application/x-www-form-urlencoded",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        request = Request(
            "POST",
            path,
            b"",
            tuple((k.encode(), v.encode()) for k, v in sent.items()),
            body,
            "192.0.2.7",
            cert.der if cert else None,
            cert is not None,
        )
        return self.call(path, request)

    def get(
        self, path: str, params: Mapping[str, str] | None = None, cert: Issued | None = None, /, **headers: str
    ) -> Response:
        sent = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in headers.items())
        query = urlencode(params or {}).encode()
        return self.call(
            path, Request("GET", path, query, sent, b"", "192.0.2.7", cert.der if cert else None, cert is not None)
        )

    def token(self, form: Mapping[str, str], cert: Issued | None = None) -> Response:
        return self.post("/oauth/token", form, cert)

    def machine(self, name: str, scope: str = "", **more: str) -> Response:
        """A client credentials request with the client's own certificate."""
        form = {"grant_type": "client_credentials", "client_id": name, **({"scope": scope} if scope else {}), **more}
        return self.token(form, self.certs[name])

    def introspect(self, token: str, by: str = "pdp") -> dict[str, object]:
        return body(self.post("/oauth/introspect", {"client_id": by, "token": token}, self.certs[by]))

    def entries(self) -> list[Entry]:
        """The journal, oldest first, once everything that waits is written."""
        self.house.recorder.flush_counted()
        self.house.recorder.stop()
        with self.house.reading() as db:
            return list(db.scalars(select(Entry).order_by(Entry.id)))

    def log_in(
        self, acr: str = "mfa", amr: tuple[str, ...] = ("pwd", "otp"), not_after: datetime | None = None
    ) -> Browser:
        with self.house.begin(OPERATOR) as ctx:
            row, cookie = session.start(
                ctx.db,
                pessoa.get(ctx.db, self.pessoa),
                acr,
                amr,
                self.now,
                address="192.0.2.7",
                user_agent="teste",
                not_after=not_after,
            )
            return Browser(session.Login(row, pessoa.get(ctx.db, self.pessoa)), cookie)

    def authorize(self, browser: Browser | None = None, **params: str) -> Response:
        headers = {"cookie": f"{session.COOKIE}={browser.cookie}"} if browser else {}
        return self.get("/oauth/authorize", params, **headers)

    def code(self, browser: Browser, **more: str) -> tuple[str, str]:
        """A code of an application the person consents to; answers it and its verifier."""
        verifier = secrets.token_urlsafe(48)
        asked = request(verifier, **more)
        answer = self.authorize(browser, **asked)
        if location(answer).startswith("/consentir"):
            back = interaction.grant(self.house, params(answer)["pedido"], browser.login)
            answer = self.authorize(browser, **dict(parse_qsl(urlsplit(back).query)))
        assert "code" in params(answer), location(answer)
        return params(answer)["code"], verifier

    def redeem(self, code: str, verifier: str, /, **more: str) -> Response:
        form = {"grant_type": "authorization_code", "client_id": "app", "code": code, "code_verifier": verifier}
        return self.token(form | {"redirect_uri": CALLBACK} | more)

    def refresh(self, token: str, **more: str) -> Response:
        return self.token({"grant_type": "refresh_token", "client_id": "app", "refresh_token": token} | more)

    def tokens(self, browser: Browser | None = None, **more: str) -> dict[str, str]:
        """What a person's login gives an application."""
        answer = self.redeem(*self.code(browser or self.log_in(), **more))
        assert answer.status == 200, answer.body
        said: dict[str, str] = orjson.loads(answer.body)
        return said

    def cut(self) -> None:
        """What an HR cut does to somebody: the vínculo and what rests on it, sessions and epochs."""
        with self.house.begin(OPERATOR) as ctx:
            tie = ctx.db.get(vinculo.Vinculo, self.vinculo)
            assert tie is not None
            tie.estado, tie.ate, tie.epoch = vinculo.ENCERRADO, self.now, tie.epoch + 1
            for right in concessao.historico(ctx.db, self.pessoa):
                right.revogada_em = self.now
            somebody = pessoa.get(ctx.db, self.pessoa)
            somebody.estado = pessoa.DESABILITADA
            somebody.login_epoch += 1
            sujeito.raise_epoch(ctx.db, [self.pessoa])


async def _await(answer: Awaitable[Response]) -> Response:
    return await answer


def body(answer: Response) -> dict[str, object]:
    said: dict[str, object] = orjson.loads(answer.body)
    return said


def key_set(world: World) -> KeySet:
    """The published keys, as an application reads them."""
    return KeySet.import_key_set(orjson.loads(world.get("/oauth/jwks").body))


def refused(answer: Response, error: str = "invalid_grant", status: int = 400) -> None:
    assert (answer.status, body(answer)["error"]) == (status, error), answer.body
    assert header(answer, "cache-control") == "no-store"
    assert "access_token" not in body(answer)


def claims(token: str) -> dict[str, object]:
    part = token.split(".")[1]
    said: dict[str, object] = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said


def header(answer: Response, name: str) -> str:
    return next((v for k, v in answer.headers if k == name), "")


def location(answer: Response) -> str:
    return header(answer, "location")


def params(answer: Response) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(location(answer)).query))


def request(verifier: str, **more: str) -> dict[str, str]:
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
    asked = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": CALLBACK,
        "scope": "openid mt-ipva:consultar mt-ipva:alterar",
        "state": "estado",
        "nonce": "unico",
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    return {k: v for k, v in (asked | more).items() if v}


@pytest.fixture
def world(tmp_path: Path, database_url: str) -> Iterator[World]:
    clock = [datetime.now(UTC).replace(microsecond=0)]
    authority = Authority.create(clock[0])
    authority.write(tmp_path, clock[0])
    create_master(tmp_path / "master.key")
    settings = config.read({}, DATA=str(tmp_path), DEMO="true", DATABASE_URL=database_url)
    empty = Database(settings.database)
    empty.create()
    empty.engine.dispose()
    house = open_house(settings, lambda: clock[0])
    with house.begin(OPERATOR) as ctx:
        for use in USES:
            house.keys.rotate(ctx.db, use, ctx.now)
    house.keys.load()
    made = World(house, authority, clock)
    _people(made)
    yield made
    close(house)


def _people(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        for id, uf in (("sefaz-mt", "MT"), ("sefaz-sp", "SP"), ("rfb", None)):
            orgao.cadastrar(ctx, id, id.upper(), uf=uf, tz="America/Cuiaba", superior=None, papeis=OPERADOR)
        for id, org, codes in (("mt", "sefaz-mt", ("ANEXANEXAR", "DIMPCONSEF")), ("sp", "sefaz-sp", ("DIMPCOSFAZ",))):
            register(ctx, world, id, "norma", orgao=org)
            for code in codes:
                conceder(ctx, org, "pucomex", code, vinculo=None, origem="teste", fundamento="teste", papeis=PAPEIS)
        register(ctx, world, "pdp", "interno", orgao="sefaz-mt", scopes=["decisoes"])
        register(ctx, world, "auditoria", "interno", orgao="sefaz-mt", scopes=["diario"])
        register(ctx, world, "ipva-servidor", "aplicacao", orgao="sefaz-mt", sistema="mt-ipva")
        register(ctx, world, "ipva-pdp", "aplicacao", orgao="sefaz-mt", sistema="mt-ipva", scopes=["decisoes"])
        identity = ["openid", "profile", "cpf", "matricula"]
        ours, nfe = ([s.name for s in ctx.policy.scopes(sistema)] for sistema in ("mt-ipva", "mt-nfe"))
        client.cadastrar(
            ctx,
            "app",
            "IPVA",
            "aplicacao",
            sistema="mt-ipva",
            redirect_uris=[CALLBACK, LOOPBACK],
            scopes=[*identity, *ours],
            papeis=PAPEIS,
        )
        client.cadastrar(
            ctx,
            "outro",
            "NFe",
            "aplicacao",
            sistema="mt-nfe",
            redirect_uris=[CALLBACK],
            scopes=[*identity, *nfe],
            papeis=PAPEIS,
        )
        ana = pessoa.cadastrar(ctx, "52998224725", "Ana Beatriz", "ana", origem="teste", papeis=OPERADOR)
        tie = abrir(ctx, ana.id, "sefaz-mt", "123", tipo="servidor", de=ctx.now, fonte="teste", papeis=OPERADOR)
        give(ctx, ana.id, tie, "mt-ipva", "mt-consulta")
        world.pessoa, world.vinculo = ana.id, tie.id


def register(
    ctx: Ctx,
    world: World,
    id: str,
    kind: str,
    *,
    orgao: str | None = None,
    sistema: str | None = None,
    scopes: Sequence[str] = (),
) -> None:
    issued = world.authority.equipment(ctx.now, f"{id}.example.gov.br", "00394460005887", id.upper())
    world.certs[id] = issued
    client.cadastrar(
        ctx,
        id,
        id,
        kind,
        impressao=x5t_s256(issued.der),
        subject_dn=rfc4514(issued.certificate.subject),
        papeis=PAPEIS,
        orgao=orgao,
        sistema=sistema,
        scopes=scopes,
    )


def give(
    ctx: Ctx,
    sujeito_id: str,
    tie: vinculo.Vinculo | None,
    sistema: str,
    perfil: str,
    *,
    ate: datetime | None = None,
    restricao: Mapping[str, list[str]] | None = None,
) -> None:
    conceder(
        ctx,
        sujeito_id,
        sistema,
        perfil,
        vinculo=tie,
        origem="teste",
        fundamento="teste",
        papeis=PAPEIS,
        ate=ate,
        restricao=restricao,
    )


def tied(ctx: Ctx, world: World, orgao: str, matricula: str, ate: datetime | None = None) -> vinculo.Vinculo:
    """Another vínculo of the person, from now."""
    return abrir(
        ctx, world.pessoa, orgao, matricula, tipo="servidor", de=ctx.now, fonte="teste", papeis=PAPEIS, ate=ate
    )
