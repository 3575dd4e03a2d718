"""``portaria plan``: what every target would have to change about a person; nothing when they agree."""

from __future__ import annotations

import argparse

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command
from iam.errors import NotFound


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    made = command(
        commands,
        "plan",
        plan,
        "o que cada destino teria de mudar sobre uma pessoa",
        about="Observa os destinos e não muda nada. Vazio quer dizer que todos estão de acordo.",
        json=True,
    )
    made.add_argument("pessoa", metavar="PESSOA", help="CPF ou login")


def plan(args: argparse.Namespace) -> int:
    """The drift of one person, target by target."""
    from iam.atos import pessoa
    from iam.reconcile import drift

    with terminal.opened(args) as house:
        with house.reading() as db:
            somebody = pessoa.by_login(db, args.pessoa)
        if somebody is None:
            raise NotFound(f"não há pessoa com o CPF ou login `{args.pessoa}`")
        found = drift(house, somebody.id)
    lines: list[str] = []
    for one in found:
        lines.append(
            f"{one.target}: {'de acordo' if not one.changes else f'{len(one.changes)} mudança(s) em {one.key}'}"
        )
        lines += [f"  {change!r}" for change in one.changes]
    terminal.answer(
        args,
        {
            "pessoa": somebody.id,
            "login": somebody.login,
            "destinos": {one.target: [repr(change) for change in one.changes] for one in found},
        },
        *lines,
    )
    return 0
