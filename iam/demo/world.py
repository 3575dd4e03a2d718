"""The demonstration's world: a test authority, units, people, programs and what they hold, in one data directory.

Everything goes through the same acts as in a real installation, with its origin recorded as ``demonstracao``. Nothing here
is secret: keys and passwords are written to ``demo.json``, and the server refuses to trust this authority outside a demo.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from iam.atos import client, credencial, fonte, orgao, pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.client import APLICACAO, INTERNO, NORMA
from iam.atos.conceder import conceder
from iam.atos.papel import CASA, OPERADOR, ORGAO
from iam.context import Agente, Ctx, House
from iam.icp_brasil import crl
from iam.icp_brasil.document import is_cpf
from iam.icp_brasil.name import MALFORMED, rfc4514, x5t_s256
from iam.icp_brasil.sample import Authority, Issued
from iam.keys import USES, create_master
from iam.login import password, totp

ORIGEM = "demonstracao"
FUNDAMENTO = "carga inicial da demonstração"
OPERATOR = Agente("sistema", "operador", "Demonstração", address="127.0.0.1", user_agent="portaria demo")
PAPEIS = OPERADOR | {"importacao"}
CALLBACK = "http://127.0.0.1:8765/callback"
SIGNED_OUT = "http://127.0.0.1:8765/signed-out"
TRANSACTIONS = {"mt": ("ANEXANEXAR", "DIMPCONSEF", "PCCENOTCAL"), "sp": ("DIMPCONSEF", "DIMPCOSFAZ")}
APPS = {
    "mt-ipva": ("IPVA — Lançamento e cobrança", "mt-operacao"),
    "mt-nfe": ("NFe — Gestão da nota fiscal eletrônica", "mt-consulta"),
    "mt-itcd": ("ITCD — Transmissão causa mortis e doações", "mt-manutencao"),
}
# key: (nome, login, órgão, tipo, perfis in portaria, restriction to órgãos, holds the apps)
PEOPLE = {
    "servidora": ("Ana Beatriz Moreira", "ana.moreira", "sefaz-mt-gipva", "servidor", (), None, True),
    "cadastrador": (
        "Bruno Teles Carvalho",
        "bruno.carvalho",
        "sefaz-mt-gpdd",
        "servidor",
        ("cadastrador",),
        None,
        False,
    ),
    "cadastrador_setorial": (
        "Célia Nogueira Prado",
        "celia.prado",
        "sefaz-mt-gipva",
        "servidor",
        ("cadastrador_setorial",),
        ["sefaz-mt-gipva"],
        False,
    ),
    "gestor": ("Davi Antunes Rocha", "davi.rocha", "sefaz-mt-gipva", "servidor", ("gestor",), ["sefaz-mt-gipva"], True),
    "chefia": (
        "Elisa Campos Duarte",
        "elisa.duarte",
        "sefaz-mt-gipva",
        "servidor",
        ("chefia",),
        ["sefaz-mt-gipva"],
        False,
    ),
    "procurador": ("Fábio Lins Barreto", "fabio.barreto", "sefa-pa", "representante", (), None, False),
    "perito": ("Gabriela Souto Maia", "gabriela.maia", "rfb", "externo", (), None, False),
    "auditor": ("Heitor Vasques Lima", "heitor.lima", "sefaz-mt-suic", "servidor", ("auditor",), None, False),
}
# What the others hold, where the norm restricts it: COANA-P10.2 (one event), DEC7-2-I.1 (one outorgante).
HOLD: dict[str, tuple[tuple[str, str, dict[str, list[str]]], ...]] = {
    "perito": (("vfr", "coana-perito", {"evento": ["EV-2026-0001"]}),),
    "procurador": (("dec", "dec-procurador-digital", {"outorgante": ["11222333000181"]}),),
}


@dataclass(slots=True)
class Person:
    """One of the demonstration's people, with everything needed to act as her."""

    id: str
    cpf: str
    nome: str
    login: str
    password: str
    totp: str
    vinculo: str
    matricula: str
    orgao: str
    cert: str = ""
    key: str = ""

    def published(self) -> dict[str, str]:
        """What ``demo.json`` tells of her."""
        names = ("cpf", "login", "password", "totp", "cert", "key", "nome", "matricula", "orgao")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class World:
    """What ``demo.json`` is made of."""

    clients: dict[str, dict[str, object]] = field(default_factory=dict)
    apps: dict[str, dict[str, object]] = field(default_factory=dict)
    people: dict[str, dict[str, str]] = field(default_factory=dict)

    def save(self, path: Path, **more: object) -> None:
        """Writes the file whole or not at all."""
        document = {**more, "clients": self.clients, "apps": self.apps, "people": self.people}
        write_whole(path, json.dumps(document, ensure_ascii=False, indent=1).encode())

    @staticmethod
    def load(path: Path) -> World:
        """The world as it was saved; raises OSError or ValueError when it cannot be read."""
        document = json.loads(path.read_text("utf-8"))
        return World(document["clients"], document["apps"], document["people"])


def write_whole(path: Path, content: bytes) -> None:
    """Writes a private file so that a reader sees the old content or the new, never a part."""
    partial = path.with_suffix(".tmp")
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def prepare(data: Path, now: datetime) -> None:
    """The parts of a demonstration that a house stands on: test authority, server certificate, master key. Idempotent."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (data / "ca.key").exists():
        publish(Authority.read(data), data / "ca.crl", now)
    else:
        Authority.create(now).write(data, now)
    if not (data / "master.key").exists():
        create_master(data / "master.key")


def publish(authority: Authority, path: Path, now: datetime) -> None:
    """The test authority's list with a new date, as an authority does every day: whoever put an older one back meanwhile, or
    comes back after a year, goes on. Whom the file revokes stays revoked; a file that is no list of it is left as it is.
    """
    with contextlib.suppress(OSError, *MALFORMED):
        known = [found for found in crl.read(path) if crl.signed(found, authority.issuer.certificate)]
        revoked = {one.serial_number: one.revocation_date_utc for found in known for one in found}
        if known:  # dated this very moment, so that it is newer than what came a moment ago
            dated = now + timedelta(minutes=1)
            write_whole(path, authority.crl(dated, revoked, number=1 + max(map(crl.number, known))))


def first_keys(house: House) -> None:
    """The first signing key of each use."""
    with house.begin(OPERATOR) as ctx:
        for use in USES:
            house.keys.rotate(ctx.db, use, ctx.now)
    house.keys.load()


def units(ctx: Ctx) -> None:
    """Every órgão and unit that the packs name, those above first."""
    left = {o.id: o for o in ctx.policy.orgaos()}
    done: set[str] = set()
    while left:
        ready = [o for o in left.values() if not o.superior or o.superior in done or o.superior not in left]
        for o in ready:
            orgao.cadastrar(ctx, o.id, o.nome, uf=o.uf or None, tz=o.tz, superior=o.superior or None, papeis=OPERADOR)
            done.add(o.id)
            del left[o.id]


def build(house: House, path: Path | None = None) -> World:
    """Everything the demonstration has, in one transaction: all of it or none, and ``path`` with it."""
    world = World()
    authority = Authority.read(house.data)
    with house.begin(OPERATOR) as ctx:
        units(ctx)
        for uf, codes in TRANSACTIONS.items():
            world.clients[f"sefaz-{uf}"] = _sefaz(ctx, authority, uf, codes)
        world.clients["pdp"] = _machine(ctx, authority, "pdp", "Ponto de decisão das aplicações", ["decisoes"])
        world.clients["rh"] = _machine(ctx, authority, "rh", "Sistema de RH da SEFAZ-MT", ["pessoa:evento"])
        fonte.cadastrar(
            ctx, "rh-sefaz-mt", "RH da SEFAZ-MT", client=_id(world, "rh"), orgaos=["sefaz-mt"], papeis=OPERADOR
        )
        world.clients["rh"]["fonte"] = "rh-sefaz-mt"
        world.clients["auditoria"] = _machine(ctx, authority, "auditoria", "Auditoria de TI", ["diario"])
        for sistema, (nome, _perfil) in APPS.items():
            world.apps[sistema] = _app(ctx, sistema, nome)
        taken: set[str] = set()
        for role, (nome, login, unit, tipo, perfis, orgaos, holds) in PEOPLE.items():
            cpf = new_cpf(random.Random(role), taken)  # noqa: S311 - the same people in every demonstration
            apps = {s: p for s, (_, p) in APPS.items()} if holds else {}
            who = person(ctx, authority, nome, login, cpf, unit, tipo=tipo, apps=apps)
            for perfil in perfis:
                _give(ctx, who, CASA, perfil, {ORGAO: orgaos} if orgaos else None)
            for sistema, perfil, restricao in HOLD.get(role, ()):
                _give(ctx, who, sistema, perfil, restricao)
            world.people[role] = who.published()
        if path is not None:
            world.save(path)
    return world


def _id(world: World, name: str) -> str:
    return str(world.clients[name]["client_id"])


def _sefaz(ctx: Ctx, authority: Authority, uf: str, codes: tuple[str, ...]) -> dict[str, object]:
    id, cnpj = f"sefaz-{uf}", "00394460005887"
    issued = authority.equipment(ctx.now, f"pucomex.sefaz.{uf}.gov.br", cnpj, f"SECRETARIA DE FAZENDA {uf.upper()}")
    made = _register(ctx, issued, f"sefaz-{uf}-pucomex", f"Sistema externo da {id.upper()}", NORMA, orgao=id)
    for code in codes:
        conceder(ctx, id, "pucomex", code, vinculo=None, origem=ORIGEM, fundamento=FUNDAMENTO, papeis=PAPEIS)
    return made | {"scopes": [f"pucomex:{code}" for code in codes], "resource": "urn:portaria:sistema:pucomex"}


def _machine(ctx: Ctx, authority: Authority, id: str, nome: str, scopes: list[str]) -> dict[str, object]:
    issued = authority.equipment(ctx.now, f"{id}.sefaz.mt.gov.br", "03507415000578", "SEFAZ MT")
    made = _register(ctx, issued, id, nome, INTERNO, orgao="sefaz-mt", scopes=scopes)
    return made | {"scopes": scopes, "resource": "urn:portaria:sistema:portaria"}


def _register(
    ctx: Ctx, issued: Issued, id: str, nome: str, kind: str, *, orgao: str, scopes: list[str] | None = None
) -> dict[str, object]:
    cert, key = issued.write(ctx.house.data, id)
    client.cadastrar(
        ctx,
        id,
        nome,
        kind,
        orgao=orgao,
        impressao=x5t_s256(issued.der),
        subject_dn=rfc4514(issued.certificate.subject),
        scopes=scopes or (),
        papeis=PAPEIS,
    )
    return {"client_id": id, "cert": str(cert), "key": str(key)}


def _app(ctx: Ctx, sistema: str, nome: str) -> dict[str, object]:
    scopes = ["openid", "profile", "cpf", "matricula", "offline_access", *(s.name for s in ctx.policy.scopes(sistema))]
    id = f"app-{sistema}"
    client.cadastrar(
        ctx,
        id,
        nome,
        APLICACAO,
        sistema=sistema,
        redirect_uris=[CALLBACK],
        post_logout_redirect_uris=[SIGNED_OUT],
        scopes=scopes,
        papeis=PAPEIS,
    )
    return {
        "client_id": id,
        "redirect_uri": CALLBACK,
        "post_logout_redirect_uri": SIGNED_OUT,
        "auth": "none",
        "scopes": scopes,
        "resource": f"urn:portaria:sistema:{sistema}",
    }


def person(
    ctx: Ctx,
    authority: Authority,
    nome: str,
    login: str,
    cpf: str,
    unit: str,
    *,
    tipo: str = "servidor",
    apps: Mapping[str, str] | None = None,
) -> Person:
    """Somebody who can log in at once, with both factors or with a certificate, and what she holds."""
    senha, seed = secrets.token_urlsafe(12), totp.new_secret()
    row = pessoa.cadastrar(ctx, cpf, nome, login, origem=ORIGEM, email=f"{login}@exemplo.gov.br", papeis=OPERADOR)
    tie = abrir(ctx, row.id, unit, str(100000 + int(cpf[:5])), tipo=tipo, de=ctx.now, fonte=ORIGEM, papeis=OPERADOR)
    credencial.cadastrar(ctx, row.id, credencial.SENHA, segredo=password.hash(senha).encode(), papeis=OPERADOR)
    sealed = ctx.house.vault.seal(seed.encode(), f"totp {row.id}")
    credencial.cadastrar(ctx, row.id, credencial.TOTP, segredo=sealed, papeis=OPERADOR)
    issued = authority.person(ctx.now, _ascii(nome), cpf)
    cert, key = issued.write(ctx.house.data, login)
    who = Person(row.id, cpf, nome, login, senha, seed, tie.id, tie.matricula, unit, str(cert), str(key))
    for sistema, perfil in (apps or {}).items():
        _give(ctx, who, sistema, perfil, None)
    return who


def _give(ctx: Ctx, who: Person, sistema: str, perfil: str, restricao: Mapping[str, list[str]] | None) -> None:
    tie = ctx.db.get(vinculo.Vinculo, who.vinculo)
    conceder(
        ctx,
        who.id,
        sistema,
        perfil,
        vinculo=tie,
        origem=ORIGEM,
        fundamento=FUNDAMENTO,
        restricao=restricao,
        papeis=PAPEIS,
    )


def new_cpf(dice: random.Random, taken: set[str]) -> str:
    """A CPF with right check digits that nobody in ``taken`` has; adds it there."""
    while True:
        base = f"{dice.randrange(10**9):09d}"
        cpf = next((f"{base}{digits:02d}" for digits in range(100) if is_cpf(f"{base}{digits:02d}")), "")
        if cpf and cpf not in taken:
            taken.add(cpf)
            return cpf


def _ascii(nome: str) -> str:
    return unicodedata.normalize("NFKD", nome).encode("ascii", "ignore").decode().upper()
