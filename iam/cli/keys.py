"""``portaria keys``: new signing keys, each endorsed by the one before."""

from __future__ import annotations

import argparse

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, group

USES = ("token", "checkpoint", "receipt")


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    keys = group(commands, "keys", "as chaves que assinam tokens, diário e recibos")
    made = command(
        keys,
        "rotate",
        rotate,
        "troca as chaves de assinatura",
        about="A anterior assina a nova e continua publicada por 24 horas; os servidores passam a usar a nova em segundos.",
        json=True,
    )
    made.add_argument("--use", choices=USES, action="append", help="só deste uso; se omitido, as três")
    command(keys, "list", listed, "as chaves que há e houve", json=True)


def rotate(args: argparse.Namespace) -> int:
    """A new key for each use named, or for all."""
    from iam.ato import Ato
    from iam.atos.papel import CASA, OPERADOR

    uses = tuple(dict.fromkeys(args.use or USES))
    with terminal.opened(args) as house:
        with house.begin(terminal.operator(args)) as ctx:
            decision = ctx.require(Ato.CHAVE_RODAR, CASA, OPERADOR)
            made = {use: house.keys.rotate(ctx.db, use, ctx.now).kid for use in uses}
            ctx.record(decision, chaves=dict(made))
        house.keys.load()
    terminal.answer(args, {"keys": dict(made)}, *terminal.table(list(made.items())))
    return 0


def listed(args: argparse.Namespace) -> int:
    """Every key, oldest first."""
    with terminal.opened(args) as house:
        rows = house.keys.history()
    terminal.answer(
        args,
        {
            "keys": [
                {
                    "kid": row.kid,
                    "use": row.use,
                    "created_at": row.created_at.isoformat(),
                    "retired_at": row.retired_at.isoformat() if row.retired_at else None,
                    "predecessor": row.predecessor,
                }
                for row in rows
            ]
        },
        *terminal.table(
            [
                (r.use, r.kid, f"{r.created_at:%Y-%m-%d}", f"até {r.retired_at:%Y-%m-%d}" if r.retired_at else "em uso")
                for r in rows
            ]
        ),
    )
    return 0
