"""The grammar of the command in Portuguese, over argparse, which speaks English."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable
from typing import NoReturn

Commands = argparse._SubParsersAction  # noqa: SLF001 - argparse gives the type no public name
_MESSAGES = (
    (r"the following arguments are required: (.*)", r"falta \1"),
    (r"unrecognized arguments: (.*)", r"argumento desconhecido: \1"),
    (r"argument (.*): expected one argument", r"\1 pede um valor"),
    (r"argument (.*): expected at least one argument", r"\1 pede ao menos um valor"),
    (r"argument (.*): invalid choice: (.*) \(choose from (.*)\)", r"\1: \2 não serve; escolha entre \3"),
    (r"argument (.*): invalid (.*) value: (.*)", r"\1: \3 não é um valor válido"),
    (r"argument (.*): not allowed with argument (.*)", r"\1 não se usa com \2"),
    (r"one of the arguments (.*) is required", r"falta um destes: \1"),
    (r"ambiguous option: (.*) could match (.*)", r"opção ambígua: \1 (\2)"),
)


class _Help(argparse.RawDescriptionHelpFormatter):
    def add_usage(
        self,
        usage: str | None,
        actions: Iterable[argparse.Action],
        groups: Iterable[argparse._MutuallyExclusiveGroup],
        prefix: str | None = None,
    ) -> None:
        super().add_usage(usage, actions, groups, "uso: " if prefix is None else prefix)


class Parser(argparse.ArgumentParser):
    """A parser that explains itself, and complains, in Portuguese."""

    def __init__(self, **options: object) -> None:
        options = {"formatter_class": _Help, "add_help": False, "allow_abbrev": False, **options}
        super().__init__(**options)  # type: ignore[arg-type]
        self._positionals.title = "argumentos"
        self._optionals.title = "opções"
        self.add_argument("-h", "--help", action="help", help="mostra esta ajuda e termina")

    def error(self, message: str) -> NoReturn:
        """Usage error: one line and status 2."""
        for pattern, said in _MESSAGES:
            message = re.sub(f"^{pattern}$", said, message)
        self.exit(2, f"{self.prog}: {message} (veja {self.prog} --help)\n")


def port(text: str) -> str:
    """A TCP port as it was typed; ValueError, a usage error, when it is none."""
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise ValueError(text)
    return text


def command(
    commands: Commands[Parser],
    name: str,
    run: Callable[[argparse.Namespace], int],
    summary: str,
    *,
    about: str = "",
    data: bool = True,
    json: bool = False,
) -> Parser:
    """One command of a section: its help, ``--data`` when it works on an installation, ``--json`` when it answers something."""
    made = commands.add_parser(
        name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.\n\n{about}".strip()
    )
    if data:
        made.add_argument("--data", metavar="DIR", help="diretório de dados (ou PORTARIA_DATA; se omitido, ./data)")
    if json:
        made.add_argument("--json", action="store_true", help="responde em JSON")
    made.set_defaults(run=run, name=made.prog, data=None, json=False)
    return made


def group(commands: Commands[Parser], name: str, summary: str) -> Commands[Parser]:
    """A command that has commands of its own."""
    made = commands.add_parser(name, help=summary, description=f"{summary[:1].upper()}{summary[1:]}.")
    return made.add_subparsers(title="comandos", metavar="COMANDO", required=True)
