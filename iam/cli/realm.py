"""``portaria realm``: Keycloak's realm, rendered from the norms in force, kept in step with them, and imported."""

from __future__ import annotations

import argparse
import getpass
from pathlib import Path
from typing import TYPE_CHECKING

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, group
from iam.errors import Conflict, NotFound

if TYPE_CHECKING:
    from iam.policy import Policy

FILE = Path("keycloak-realm.json")


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    realm = group(commands, "realm", "o realm do Keycloak, escrito a partir das normas")
    made = command(realm, "render", render, "escreve o realm das normas em vigor")
    made.add_argument("--out", type=Path, metavar="ARQUIVO", help="se omitido, a saída padrão")
    made = command(realm, "check", check, "diz onde um arquivo difere das normas; termina com 1 se difere", json=True)
    made.add_argument("file", nargs="?", type=Path, default=FILE, metavar="ARQUIVO", help=f"{FILE} se omitido")
    made = command(
        realm,
        "import",
        import_,
        "cria o realm no servidor de um destino configurado",
        about="Nunca sobrescreve um realm que existe. A senha do administrador é pedida, ou lida de --password-file.",
    )
    made.add_argument("target", metavar="DESTINO", help="nome do destino em PORTARIA_TARGETS")
    made.add_argument("--user", required=True, help="administrador do servidor Keycloak")
    made.add_argument("--password-file", type=Path, metavar="ARQUIVO")


def _policy(args: argparse.Namespace) -> Policy:
    from iam.policy import load

    return load(terminal.settings(args).policies)


def render(args: argparse.Namespace) -> int:
    """The realm as a file."""
    from iam import realm

    text = realm.text(_policy(args))
    if args.out:
        args.out.write_text(text, "utf-8")
    else:
        print(text, end="")
    return 0


def check(args: argparse.Namespace) -> int:
    """Whether a file is what the norms say."""
    from iam import realm

    found = list(realm.check(_policy(args), args.file))
    terminal.answer(args, {"same": not found, "differences": list(found)}, *found)
    if found:
        raise Conflict(f"{args.file} difere das normas em {len(found)} ponto(s); `portaria realm render` o reescreve")
    return 0


def import_(args: argparse.Namespace) -> int:
    """The realm on a server."""
    from iam import plugins, realm

    given = terminal.settings(args)
    chosen = next((t for t in given.targets if t.name == args.target), None)
    if chosen is None:
        names = ", ".join(t.name for t in given.targets)
        raise NotFound(f"não há destino `{args.target}` em PORTARIA_TARGETS; há: {names}")
    if args.password_file:
        password = args.password_file.read_text("utf-8").strip()
    else:
        password = getpass.getpass(f"Senha de {args.user} no Keycloak: ")
    realm.import_(_policy(args), plugins.target(chosen.kind, chosen.options, given.data), args.user, password)
    print(f"Realm criado no destino {args.target}.")
    return 0
