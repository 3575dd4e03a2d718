"""Puts the demonstration together: prepares the directory once, serves, tells the story, writes ``demo.json``, goes on serving."""

from __future__ import annotations

import random
import secrets
import shlex
import sys
import threading
from pathlib import Path

from sqlalchemy import select

from iam import config, migrations
from iam.app import close, open_house, owning, run, utcnow
from iam.atos.pessoa import Pessoa
from iam.context import House
from iam.db import Database
from iam.demo.story import NotSeen, Story
from iam.demo.world import APPS, OPERATOR, Person, World, build, first_keys, new_cpf, person, prepare
from iam.icp_brasil.sample import Authority
from iam.keys import Key
from iam.worker import Worker

PUBLISHED = "demo.json"


def main(folder: Path, port: str, mtls_port: str, *, once: bool) -> int:
    """``portaria demo``; 0 when every step was seen to happen (with ``--once``) or when it was interrupted, 1 otherwise.

    While ``demo.json`` is there the story of this start has ended, and everything it names answered.
    Raises :class:`~iam.config.Unsafe` for a directory that holds a real installation, or a demonstration of another version.
    """
    data = folder.resolve()
    _refuse_real(data)
    override = {
        "DATA": str(data),
        "DATABASE_URL": f"sqlite:///{data / 'portaria.db'}",
        "PORT": port,
        "MTLS_PORT": mtls_port,
        "ISSUER": f"https://localhost:{port}",
        "MTLS_ISSUER": f"https://localhost:{mtls_port}",
        "DEMO": "true",
    }
    settings = config.read(None, **override)
    prepare(data, utcnow())
    with owning(data):
        (data / PUBLISHED).unlink(missing_ok=True)  # of an earlier start, perhaps on other ports
        _tables(settings)
        _save_settings(data, settings)
        house = open_house(settings)
        try:
            return _serve(house, once=once)
        finally:
            close(house)


def _refuse_real(data: Path) -> None:
    """A demonstration writes its own settings and people: never over those of an installation."""
    if (data / "portaria.toml").exists() and not config.read({}, DATA=str(data)).demo:
        raise config.Unsafe(f"em {data} há uma instalação, e não uma demonstração; escolha outro diretório com --data")


def _tables(settings: config.Settings) -> None:
    database = Database(settings.database)
    try:
        migrations.upgrade(database)
        if migrations.differs(database):
            raise config.Unsafe(
                f"a demonstração em {settings.data} é de outra versão; apague o diretório, ou escolha outro com --data"
            )
    finally:
        database.engine.dispose()


def _save_settings(data: Path, settings: config.Settings) -> None:
    """So that with ``PORTARIA_DATA`` every command works on this demonstration."""
    lines = [f'issuer = "{settings.issuer}"', f'mtls_issuer = "{settings.mtls}"', "demo = true"]
    lines += [f'port = "{settings.port}"', f'mtls_port = "{settings.mtls_port}"']
    (data / "portaria.toml").write_text("\n".join(lines) + "\n", "utf-8")


def _tell(line: str) -> None:
    print(line, flush=True)


def _serve(house: House, *, once: bool) -> int:
    world = _world(house)
    worker = Worker(house)
    worker.start()
    stop, listening = threading.Event(), threading.Event()
    outcome: list[int] = []

    def tell() -> None:
        listening.wait()
        try:
            _story(house, world)
            again = f"Para que fique atendendo: portaria demo --data {shlex.quote(str(house.data))}"
            _tell(again if once else f"Abra {house.settings.issuer} no navegador. Ctrl-C encerra.")
            outcome.append(0)
        except NotSeen as failed:
            print(f"\nA história parou: {failed}", file=sys.stderr, flush=True)
            outcome.append(1)
        except Exception as failed:  # noqa: BLE001 - whatever broke, the terminal must say it and the exit status too
            print(f"\nA história parou: {failed!r}", file=sys.stderr, flush=True)
            outcome.append(1)
        if once:
            stop.set()

    teller = threading.Thread(target=tell, name="portaria-story", daemon=True)
    teller.start()
    try:
        run(house, ready=listening.set, stop=stop if once else None)
    except OSError as failed:
        print(f"portaria: {failed.strerror or failed}", file=sys.stderr)
        return 1
    finally:
        worker.stop()
    return outcome[0] if outcome else 1 if once else 0


def _world(house: House) -> World:
    with house.reading() as db:
        ready = db.scalars(select(Key.kid).limit(1)).first() is not None
        peopled = db.scalars(select(Pessoa.id).limit(1)).first() is not None
    if not ready:
        _tell("Preparando a demonstração: autoridade de teste, chaves, unidades, pessoas e programas.")
        first_keys(house)
    path = house.data / "world.json"
    if path.exists() and peopled:
        _tell(f"Seguindo com os dados de {house.data}.")
        return World.load(path)
    return build(house, path)


def _story(house: House, world: World) -> None:
    _tell(f"\nPortaria em {house.settings.issuer} e, por TLS mútuo, em {house.settings.mtls}")
    _tell(f"Normas em vigor: {', '.join(house.policy.packs)}")
    app = world.apps["mt-ipva"]
    with house.begin(OPERATOR) as ctx:
        taken = set(ctx.db.scalars(select(Pessoa.cpf)))
        cpf = new_cpf(random.SystemRandom(), taken)
        perfis = {"mt-ipva": APPS["mt-ipva"][1], "mt-nfe": APPS["mt-nfe"][1]}
        login = f"joana.{secrets.token_hex(3)}"
        who: Person = person(
            ctx, Authority.read(house.data), "Joana Ferraz Duque", login, cpf, "sefaz-mt-gipva", apps=perfis
        )
    story = Story(house.data, house.settings.issuer, house.settings.mtls, world.clients, app, who, _tell)
    story.play()
    data, settings = house.data, house.settings
    world.save(
        data / PUBLISHED,
        issuer=settings.issuer,
        mtls=settings.mtls,
        ca=str(data / "ca.pem"),
        ca_key=str(data / "ca.key"),
        crl=str(data / "ca.crl"),
    )
    _tell(f"\nA história terminou e tudo respondeu. Pessoas, senhas e certificados: {data / PUBLISHED}")
