"""``portaria backup`` and ``restore``: encrypted copies, and the proof that they open (TRAM-12-II)."""

from __future__ import annotations

import argparse
import contextlib
from pathlib import Path

from iam import config
from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command
from iam.config import Settings
from iam.errors import Invalid


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    made = command(
        commands,
        "backup",
        backup,
        "grava uma cópia cifrada, com o servidor atendendo ou não",
        about="A chave fica num arquivo à parte: quem tem a cópia e não a chave não tem nada. Crie-a uma vez:\n"
        "  portaria backup --new-key CHAVE",
        json=True,
    )
    made.add_argument("file", nargs="?", type=Path, metavar="ARQUIVO", help="a cópia a gravar")
    made.add_argument("--key", type=Path, metavar="CHAVE", help="arquivo da chave da cópia")
    made.add_argument("--new-key", type=Path, metavar="CHAVE", help="cria o arquivo de uma chave nova e termina")
    made = command(
        commands,
        "restore",
        restore,
        "restaura uma cópia num diretório e banco vazios, ou ensaia a restauração",
        about="Confere cada byte e o diário. Tudo o que foi emitido antes deixa de valer, também o que veio depois da cópia;\n"
        "as pessoas entram de novo. Com --test nada é tocado: a cópia é aberta à parte, conferida e o ensaio registrado.",
        json=True,
    )
    made.add_argument("file", type=Path, metavar="ARQUIVO")
    made.add_argument("--key", type=Path, required=True, metavar="CHAVE")
    made.add_argument("--test", action="store_true", help="só ensaia, e registra no diário desta instalação")
    made.add_argument("--force", action="store_true", help="põe de lado o que há no destino (diretório `antes`)")


def backup(args: argparse.Namespace) -> int:
    """A copy, or a new key for copies."""
    from iam import backup as copies
    from iam import sealed_file

    if args.new_key:
        if args.file or args.key:
            raise Invalid("--new-key usa-se só", code="uso")
        sealed_file.new_key(args.new_key)
        terminal.answer(
            args,
            {"key": str(args.new_key), "id": copies.fingerprint(sealed_file.read_key(args.new_key))},
            f"Chave criada em {args.new_key}: guarde-a longe das cópias e desta máquina.",
        )
        return 0
    if not args.file or not args.key:
        raise Invalid("informe o arquivo da cópia e --key CHAVE (ou --new-key para criar a chave)", code="uso")
    key = sealed_file.read_key(args.key)
    with terminal.opened(args) as house:
        made = copies.backup(house, args.file, key, terminal.operator(args))
    size = args.file.stat().st_size
    terminal.answer(
        args,
        {
            "file": str(args.file),
            "bytes": size,
            "manifest": made.digest,
            "seq": made.seq,
            "key": copies.fingerprint(key),
        },
        f"{args.file}: {size // 1024} KiB, diário até {made.seq}, manifesto {made.digest[:16]}",
        "Ensaie a restauração de tempos em tempos: portaria restore ARQUIVO --key CHAVE --test",
    )
    return 0


def restore(args: argparse.Namespace) -> int:
    """Puts a copy in place, or tries it."""
    from iam import restore as copies
    from iam import sealed_file
    from iam.app import owning

    key = sealed_file.read_key(args.key)
    if args.test:
        with terminal.opened(args) as house:
            found, verdict = copies.test(house, args.file, key, terminal.operator(args))
        entries = f", {verdict.entries} registros do diário conferem" if verdict else ""
        terminal.answer(
            args,
            {"test": True, "manifest": found.digest, "made_at": found.made_at, "seq": found.seq},
            f"A cópia de {found.made_at} abre e está inteira{entries}. O ensaio foi registrado.",
        )
        return 0

    def settings(folder: Path) -> Settings:
        return config.read(None, DATA=str(folder))

    place = terminal.settings(args)
    data = place.data
    with owning(data) if place.sqlite else contextlib.nullcontext():
        made = copies.restore(settings, args.file, key, terminal.operator(args), data, force=args.force)
    terminal.answer(
        args,
        {"test": False, "manifest": made.digest, "made_at": made.made_at, "seq": made.seq, "data": str(data)},
        f"Restaurada em {data} a cópia de {made.made_at} (diário até {made.seq}).",
        "Nada do que foi emitido antes vale; ao iniciar, o servidor ajusta os destinos ao que foi restaurado.",
        "Confira com: portaria doctor",
    )
    return 0
