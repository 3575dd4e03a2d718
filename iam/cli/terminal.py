"""What commands share at the edge: the installation they work on, who acts, and how they answer."""

from __future__ import annotations

import argparse
import json
import os
import pwd
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from iam import config
from iam.config import Settings, Unsafe

if TYPE_CHECKING:
    from iam.context import Agente, House
    from iam.journal import JSON

UNFINISHED = "uma restauração não terminou aqui; rode de novo `portaria restore --force ARQUIVO --key CHAVE`"


def settings(args: argparse.Namespace, **override: str) -> Settings:
    """The settings of the installation that ``--data`` or the environment names."""
    if args.data:
        override["DATA"] = args.data
    return config.read(None, **override)


def installed(given: Settings) -> Settings:
    """The same settings when there is an installation; :class:`Unsafe` with what to do otherwise."""
    from iam import restore

    if restore.unfinished(given):
        raise Unsafe(UNFINISHED)
    if not given.master_key.exists() or (given.database_file and not given.database_file.exists()):
        raise Unsafe(f"não há instalação em {given.data}; rode `portaria init`, ou aponte PORTARIA_DATA para uma")
    return given


@contextmanager
def opened(args: argparse.Namespace) -> Iterator[House]:
    """The house of the installation, closed again when the command ends.

    :class:`Unsafe` with what to do for a database that a program of another version made.
    """
    from iam.app import close, open_house

    given = installed(settings(args))
    _same_version(given)
    house = open_house(given)
    try:
        yield house
    finally:
        close(house)


def _same_version(given: Settings) -> None:
    from iam import migrations
    from iam.db import Database

    database = Database(given.database)
    try:
        migrations.check(database)
    finally:
        database.engine.dispose()


def operator(args: argparse.Namespace) -> Agente:
    """The person at the machine: the account of the operating system and the command, as the journal's workstation."""
    from iam.context import Agente

    account = pwd.getpwuid(os.getuid()).pw_name
    return Agente("sistema", "operador", account, socket.gethostname(), f"{args.name} (conta {account})")


def answer(args: argparse.Namespace, document: JSON, *lines: str) -> None:
    """The answer: as JSON when asked, else in lines."""
    if args.json:
        print(json.dumps(document, ensure_ascii=False, indent=1))
    else:
        for line in lines:
            print(line)


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = ()) -> list[str]:
    """Lines with columns under each other."""
    every = [*([header] if header else []), *rows]
    widths = [max(len(row[i]) for row in every) for i in range(len(every[0]))] if every else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in every]


def progress(unit: str) -> Callable[[int], None]:
    """Tells a person at the terminal how far a long work is, on one line; nothing where nobody looks."""

    def told(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{count} {unit}\x1b[K\r", end="", file=sys.stderr, flush=True)

    return told
