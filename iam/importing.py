"""What existed before Portaria comes in: people, vínculos, concessões, programs and sources, from CSV, with its origin recorded.

Our own mechanism; the columns are documented in :mod:`iam.import_table`. Every line is an act of its own kind, in the norm's
words, and the whole file one more. A bad line is told with its number and reason and never stops the good ones around it. The same file
again changes nothing: in particular, what was imported once and has ended since does not come back (MT128-13.3).
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from iam import batch, session
from iam.ato import Ato
from iam.atos import credencial
from iam.atos.papel import CASA, OPERADOR
from iam.atos.pessoa import Pessoa
from iam.context import Agente, Ctx, House
from iam.errors import Invalid, PortariaError, Refused
from iam.import_table import KINDS, Apply, Kind
from iam.login import activation
from iam.login.activation import Activation

APLICADA, INALTERADA, REJEITADA = "aplicada", "inalterada", "rejeitada"
CHUNK = 100
LONGEST = 64 * 1024 * 1024
FORMULA = ("=", "+", "@")


class Access(StrEnum):
    """What a person needs in order to come in for the first time, once this import has ended."""

    LINK = "receberia link"
    HAS_LINK = "já tem link em vigor"
    HAS_SENHA = "já tem senha"
    NO_VINCULO = "sem vínculo em vigor"


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one line of the file: its number, one of the three words, what to tell, whom it is about.

    ``access`` is told of lines about people.
    """

    number: int
    result: str
    text: str
    subject: str = ""
    access: Access | None = None


def load(
    house: House,
    agente: Agente,
    kind: str,
    path: Path,
    *,
    origem: str = "",
    dry_run: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Line]:
    """Imports a file, or with ``dry_run`` shows what that would do and changes nothing at all.

    ``progress`` is told how many lines are done: each time that they are so for good, or have been tried.
    ``origem`` is what each row will say it came from; the file's name and digest by default. Raises Invalid when the file as
    a whole cannot be read, Refused when the policy does not let this be done.
    """
    shape = KINDS[kind]
    raw = _read(path)
    rows = _rows(raw, shape)
    digest = hashlib.sha256(raw).hexdigest()
    apply = shape.bind(origem or f"importacao:{path.name}:{digest[:12]}", path.parent)
    done: list[Line] = []
    if dry_run:
        with batch.undone(house, agente) as ctx:
            while chunk := list(islice(rows, CHUNK)):
                done += _lines(ctx, chunk, apply, [])
                progress(len(done))
        return done
    while chunk := list(islice(rows, CHUNK)):
        refused: list[Refused] = []
        with house.begin(agente) as ctx:
            done += _lines(ctx, chunk, apply, refused)
        for refusal in refused:
            house.refuse(agente, refusal)
        progress(len(done))
        batch.pause(house)
    with house.begin(agente) as ctx:
        decision = ctx.require(Ato.IMPORTACAO_EXECUTAR, CASA, OPERADOR)
        counts = {word: sum(line.result == word for line in done) for word in (APLICADA, INALTERADA, REJEITADA)}
        ctx.record(decision, tipo=kind, arquivo=path.name, sha256=digest, linhas=counts)
    return done


def _lines(
    ctx: Ctx, rows: Iterable[tuple[int, Mapping[str, str] | str]], apply: Apply, refused: list[Refused]
) -> list[Line]:
    ctx.require(Ato.IMPORTACAO_EXECUTAR, CASA, OPERADOR)
    done = [
        Line(number, REJEITADA, row) if isinstance(row, str) else _line(ctx, number, row, apply, refused)
        for number, row in rows
    ]
    return [replace(line, access=_access(ctx, line.subject)) for line in done]


def _line(ctx: Ctx, number: int, row: Mapping[str, str], apply: Apply, refused: list[Refused]) -> Line:
    try:
        with ctx.db.begin_nested():
            changed, text, subject = apply(ctx, row)
            ctx.db.flush()
    except Refused as refusal:
        refused.append(refusal)
        return Line(number, REJEITADA, refusal.message)
    except PortariaError as error:
        return Line(number, REJEITADA, error.message)
    except IntegrityError:
        return Line(number, REJEITADA, "contradiz o que já está registrado")
    return Line(number, APLICADA if changed else INALTERADA, text, subject)


def _access(ctx: Ctx, id: str) -> Access | None:
    somebody = ctx.db.get(Pessoa, id) if id else None
    if somebody is None:
        return None
    if credencial.vigente(ctx.db, id, credencial.SENHA) is not None:
        return Access.HAS_SENHA
    if not session.may_enter(ctx.db, somebody, ctx.now):
        return Access.NO_VINCULO
    mine = select(Activation.id).where(Activation.pessoa == id, Activation.ended_at.is_(None))
    mine = mine.where(Activation.epoch == somebody.login_epoch, Activation.expires_at > ctx.now)
    return Access.LINK if ctx.db.scalar(mine.limit(1)) is None else Access.HAS_LINK


def links(house: House, agente: Agente, ids: Iterable[str], path: Path) -> int:
    """Makes a link for each of these people who has none and needs one, and writes all to a private file; answers how many.

    All of them or none. A link that was given to somebody before stays good.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("cpf", "login", "link"))
    count = 0
    try:
        with house.begin(agente) as ctx:
            for id in ids:
                somebody = ctx.db.get(Pessoa, id)
                if somebody is not None and _access(ctx, id) is Access.LINK:
                    made = activation.create(ctx, somebody, papeis=OPERADOR)
                    writer.writerow((somebody.cpf, somebody.login, house.settings.issuer + made))
                    count += 1
            if count:
                with os.fdopen(
                    os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8"
                ) as file:
                    file.write(out.getvalue())
    except BaseException:
        if count:
            path.unlink(missing_ok=True)
        raise
    return count


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > LONGEST:
            raise Invalid(f"{path} tem mais de {LONGEST // 1024**2} MiB; divida o arquivo", code="arquivo_grande")
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{path} não pode ser lido: {error.strerror}", code="arquivo") from error


def _rows(raw: bytes, shape: Kind) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    """Each line after the header with its number: its fields by column, or what is wrong with it."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise Invalid(
            f"linha {line}: o arquivo deve ser UTF-8; na planilha, salve como «CSV UTF-8»", code="arquivo"
        ) from error
    if "\0" in text:
        raise Invalid("o arquivo tem um caractere NUL", code="arquivo")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(next(reader, ()))
    except csv.Error:
        header = ()
    if header not in shape.headers:
        expected = ",".join(shape.headers[0])
        semicolons = len(header) == 1 and ";" in header[0]
        hint = "; este arquivo separa os campos por ponto e vírgula: salve-o com vírgulas" if semicolons else ""
        raise Invalid(f"o cabeçalho deve ser exatamente `{expected}`{hint}", code="cabecalho", field="cabecalho")
    return _fields(reader, shape, header)


def _fields(
    reader: Iterator[list[str]], shape: Kind, header: tuple[str, ...]
) -> Iterator[tuple[int, Mapping[str, str] | str]]:
    number = 2
    while True:
        try:
            values = next(reader, None)
        except csv.Error as error:
            yield number, f"aspas sem par ou fora do lugar ({error}); nada depois desta linha foi lido"
            return
        if values is None:
            return
        here, number = number, reader.line_num + 1  # type: ignore[attr-defined]
        if any(v.strip() for v in values):
            yield here, _checked(values, shape, header)


def _checked(values: Sequence[str], shape: Kind, header: tuple[str, ...]) -> Mapping[str, str] | str:
    if len(values) != len(header):
        return f"tem {len(values)} campos; são {len(header)}"
    row = dict.fromkeys(shape.later, "") | {name: v.strip() for name, v in zip(header, values, strict=True)}
    for name, value in row.items():
        if not value.isprintable():
            return f"`{name}` tem um caractere de controle"
        if len(value) > 2000:
            return f"`{name}` é longo demais"
        if not value and name in shape.required:
            return f"falta `{name}`"
        if value.startswith(FORMULA):
            return f"`{name}` começa por `{value[0]}`: parece fórmula de planilha"
    return row
