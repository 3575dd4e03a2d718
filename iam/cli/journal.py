"""``portaria journal``: the evidence: verified here or offline from a file, exported, and its head signed for keeping elsewhere."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import orjson

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, group
from iam.errors import Invalid

LONGEST = 16 * 1024 * 1024


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    journal = group(commands, "journal", "o diário: verificar, exportar, assinar a ponta")
    made = command(
        journal,
        "verify",
        verify,
        "confere a cadeia do diário, no banco ou só de um arquivo exportado",
        about="Mostra o primeiro registro alterado, retirado, inserido, trocado de lugar ou antedatado, e termina com 1.\n"
        "Com --checkpoint (uma ponta guardada fora) mostra também o fim cortado ou o todo reescrito.\n"
        "Os últimos registros, que nenhuma ponta assinada cobre ainda, são contados à parte.",
        json=True,
    )
    made.add_argument("file", nargs="?", type=Path, metavar="ARQUIVO", help="arquivo de `journal export`")
    made.add_argument("--checkpoint", type=Path, metavar="ARQUIVO", help="ponta guardada de `journal checkpoint`")
    made = command(journal, "export", export, "exporta o diário: uma linha JSON por chave, registro e ponta assinada")
    made.add_argument("--out", type=Path, metavar="ARQUIVO", help="se omitido, a saída padrão")
    made = command(journal, "checkpoint", checkpoint, "assina a ponta do diário, para guardar fora desta máquina")
    made.add_argument("--out", type=Path, metavar="ARQUIVO", help="se omitido, a saída padrão")


def verify(args: argparse.Namespace) -> int:
    """The chain, from the database or from a file alone."""
    from iam import sealer
    from iam.verification import ELSEWHERE, Verdict, verify

    kept = _kept(args.checkpoint) if args.checkpoint else None
    if args.file:
        verdict = verify(_lines(args.file), kept)
        if verdict.whole and not verdict.entries:
            verdict = Verdict(0, 0, 1, "o arquivo não tem registro algum")
    else:
        with terminal.opened(args) as house:
            sealer.seal(house.database, house.keys, house.clock())
            verdict = verify(sealer.export(house.database, house.keys), kept)
    lines = [f"{verdict.entries} registros e {verdict.checkpoints} pontas assinadas conferem"]
    if verdict.whole and verdict.uncovered and kept is None:
        lines.append(f"os últimos {verdict.uncovered} ainda não têm assinatura; deles responde só {ELSEWHERE}")
    lines += [f"observação: {note}" for note in verdict.notes]
    if not verdict.whole:
        lines += [f"registro {verdict.bad_seq}: {verdict.reason}", f"o que fazer: {verdict.advice}"]
    terminal.answer(
        args,
        {
            "whole": verdict.whole,
            "entries": verdict.entries,
            "checkpoints": verdict.checkpoints,
            "bad_seq": verdict.bad_seq,
            "reason": verdict.reason,
            "advice": verdict.advice,
            "uncovered": verdict.uncovered,
            "covered": {"seq": verdict.covered, "at": verdict.covered_at} if verdict.covered else None,
            "notes": list(verdict.notes),
        },
        *lines,
    )
    if not verdict.whole:
        raise Invalid(f"o diário não confere no registro {verdict.bad_seq}: {verdict.reason}", code="diario_alterado")
    return 0


def _kept(path: Path) -> Mapping[str, object]:
    """A checkpoint kept elsewhere: one JSON object, or an export whose last checkpoint counts."""
    found = [line for line in _lines(path) if line.get("kind", "checkpoint") == "checkpoint"]
    if not found or not isinstance(found[-1].get("seq"), int) or not isinstance(found[-1].get("hash"), str):
        raise Invalid(f"{path} não é uma ponta assinada do diário", code="ponta_invalida")
    return found[-1]


def _lines(path: Path) -> Iterator[Mapping[str, object]]:
    """The objects of a file of JSON lines; what is none stands as an object that no verification accepts."""
    with path.open("rb") as file:
        while raw := file.readline(LONGEST):
            if raw.strip():
                try:
                    value = _read(raw.strip())
                except ValueError:
                    value = None
                yield value if isinstance(value, dict) else {"kind": "ilegível"}


def _read(raw: bytes) -> object:
    """The JSON of a line; ValueError for what another reader might read as something else (RFC 8259 section 4)."""
    value = orjson.loads(raw)
    if orjson.dumps(value) != raw:  # not as it was exported: then at least no name twice
        json.loads(raw, object_pairs_hook=_once)
    return value


def _once(members: list[tuple[str, object]]) -> dict[str, object]:
    if len(dict(members)) != len(members):
        raise ValueError("a name twice")
    return dict(members)


def export(args: argparse.Namespace) -> int:
    """The whole journal as JSON lines. Taking it out of the house is itself recorded."""
    from iam import sealer
    from iam.ato import Ato
    from iam.atos.papel import CASA, OPERADOR

    with terminal.opened(args) as house:
        with house.begin(terminal.operator(args)) as ctx:
            decision = ctx.require(Ato.DIARIO_LER, CASA, OPERADOR)
            ctx.record(decision, exportado=args.out.name if args.out else "saída padrão")
        now = house.clock()
        sealer.seal(house.database, house.keys, now)
        sealer.checkpoint(house.database, house.keys, now)
        with _out(args.out) as write:
            for line in sealer.export(house.database, house.keys):
                write(orjson.dumps(line) + b"\n")
    return 0


def checkpoint(args: argparse.Namespace) -> int:
    """The head of the chain, signed now."""
    from sqlalchemy import select

    from iam import sealer

    with terminal.opened(args) as house:
        now = house.clock()
        sealer.seal(house.database, house.keys, now)
        sealer.checkpoint(house.database, house.keys, now)
        with house.reading() as db:
            last = db.scalar(select(sealer.Checkpoint).order_by(sealer.Checkpoint.seq.desc()).limit(1))
    if last is None:
        raise Invalid("o diário ainda não tem registro", code="diario_vazio")
    with _out(args.out) as write:
        write(orjson.dumps(sealer.point(last)) + b"\n")
    return 0


@contextlib.contextmanager
def _out(path: Path | None) -> Iterator[Callable[[bytes], int]]:
    """Where to write: a private file, whole or not at all, or standard output."""
    if path is None:
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    partial = path.with_name(path.name + ".parte")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file.write
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
