"""``portaria serve``, ``worker`` and ``demo``: the processes that stay."""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, port
from iam.config import Settings, Unsafe


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    command(
        commands,
        "serve",
        serve,
        "atende, com o worker no mesmo processo",
        about="Com o banco embutido um só processo usa o diretório de dados; com PostgreSQL, vários nós atendem.",
    )
    command(commands, "worker", worker, "só ajusta os destinos, sem atender (exige PostgreSQL)")
    made = command(
        commands,
        "demo",
        demo,
        "uma instalação de demonstração que conta a sua história e continua atendendo",
        about="Tudo fica num diretório só, com banco embutido e uma autoridade de teste: pessoas e senhas em demo.json.",
        data=False,
    )
    made.add_argument("--data", metavar="DIR", default="demo", help="diretório da demonstração (./demo)")
    made.add_argument("--port", metavar="PORTA", type=port, default="8443", help="porta HTTPS (8443)")
    made.add_argument("--mtls-port", metavar="PORTA", type=port, default="8444", help="porta de TLS mútuo (8444)")
    made.add_argument("--once", action="store_true", help="termina depois da história; 0 só se cada passo foi visto")


def serve(args: argparse.Namespace) -> int:
    """Serves until SIGTERM or SIGINT."""
    from iam.app import close, open_house, owning, run
    from iam.worker import Worker

    given = terminal.installed(terminal.settings(args))
    _log()
    with owning(given.data) if given.sqlite else contextlib.nullcontext():
        _upgrade(given)
        house = open_house(given)
        working = Worker(house)
        working.start()
        where = str(given.socket) if given.socket else f"{given.issuer} (TLS mútuo: {given.mtls})"
        try:
            run(house, ready=lambda: print(f"Portaria atende em {where}", flush=True))
        finally:
            working.stop()
            close(house)
    return 0


def worker(args: argparse.Namespace) -> int:
    """Works until SIGTERM or SIGINT."""
    from iam.app import close, open_house
    from iam.worker import Worker

    given = terminal.installed(terminal.settings(args))
    if given.sqlite:
        raise Unsafe(
            "com o banco embutido o worker roda dentro de `portaria serve`; um worker à parte exige PostgreSQL"
        )
    _log()
    _upgrade(given)
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    house = open_house(given)
    working = Worker(house)
    working.start()
    print("Worker ajustando: " + ", ".join(sorted(house.targets)), flush=True)
    try:
        ended.wait()
    finally:
        working.stop()
        close(house)
    return 0


def demo(args: argparse.Namespace) -> int:
    """The demonstration, in a directory of its own."""
    from iam.demo.run import main

    os.umask(0o077)  # the directory may have been made by somebody less careful
    return main(Path(args.data), args.port, args.mtls_port, once=args.once)


def _upgrade(given: Settings) -> None:
    """Brings the database to this version's shape before anybody works on it."""
    from iam import migrations
    from iam.db import Database

    database = Database(given.database)
    try:
        migrations.upgrade(database)
    finally:
        database.engine.dispose()


def _log() -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)
