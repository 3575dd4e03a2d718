"""``rh_csv``: personnel events as a CSV file, as contract and README describe it. RFC 4180, UTF-8, one event per line.

Header ``numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao``, exactly. A bad line is named
with its number and the reason and never stops the good ones around it. Only form is judged here; whether the event
makes sense is for the act that takes it in. It never holds more than one line in memory, or what follows a quote left open.

RFC 4180 lets a field between quotes have line breaks. Such an event is refused whole, with every line that belongs to it: what
somebody typed into ``observacao`` is never read as a line of its own.

As a source it reads every ``*.csv`` of a folder, in the order of their names: a file must get its name when it is
whole, and later files must have later names (``2026-01-05T0900.csv``).
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final

from iam.connector import Cursor, Evento, Rejected, settings
from iam.errors import Invalid, Unavailable

COLUMNS: Final = ("numero", "cpf", "matricula", "nome", "tipo", "data_efeito", "orgao", "orgao_destino", "observacao")
MANDATORY: Final = ("numero", "cpf", "tipo", "data_efeito")
LONGEST: Final = 16 * 1024
LENGTHS: Final = {
    "numero": 100,
    "matricula": 50,
    "nome": 200,
    "tipo": 100,
    "orgao": 100,
    "orgao_destino": 100,
    "observacao": 4000,
}
CPF: Final = re.compile(r"\d{11}|\d{3}\.\d{3}\.\d{3}-\d{2}", re.ASCII)
DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(Z|[+-]\d{2}:\d{2})", re.ASCII)
FIELD: Final = rb'(?:"(?:[^"]|"")*+"|(?!")[^,\r\n]*+)'
RECORD: Final = re.compile(rb"(?:%b,)*+%b\r?\n" % (FIELD, FIELD))
OPEN: Final = re.compile(rb'(?:%b,)*+"(?:[^"]|"")*+\Z' % FIELD)
FARTHEST: Final = 16 * 1024 * 1024
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class RhCsv:
    """Files of one source. Settings: ``fonte``, its name; ``folder``, where files arrive that are to be fetched."""

    def __init__(self, given: Mapping[str, str], data: Path) -> None:
        known = settings("rh_csv", given, ("fonte",), {"folder": ""})
        self._fonte = known["fonte"]
        self._folder = data / known["folder"] if known["folder"] else None

    def __repr__(self) -> str:
        return f"RhCsv(fonte={self._fonte!r}, folder={str(self._folder)!r})"

    def check(self) -> None:
        """Raises ``Unavailable`` when the folder cannot be read."""
        try:
            if self._folder is not None:
                next(self._folder.iterdir(), None)
        except OSError as error:
            raise Unavailable(f"a pasta da fonte {self._fonte} não pode ser lida: {error}") from error

    def events(self, after: Cursor | None) -> Iterator[tuple[Cursor, Evento | Rejected]]:
        """The lines of the folder's files after the cursor (file and line); a file with another header by its line 1 alone."""
        self.check()
        name, _, line = (after or "").rpartition(":")
        for path in sorted(self._folder.glob("*.csv")) if self._folder else ():
            if path.name < name:
                continue
            done = int(line) if path.name == name else 0
            try:
                with path.open("rb") as stream:
                    for number, said in self._told(stream, path.name):
                        if number > done:
                            yield Cursor(f"{path.name}:{number}"), said
            except OSError as error:
                raise Unavailable(f"o arquivo {path.name} não pode ser lido: {error}") from error

    def _told(self, stream: BinaryIO, file: str) -> Iterator[tuple[int, Evento | Rejected]]:
        """What :meth:`read` says, with where it was said."""
        try:
            for number, said in self.read(stream):
                yield number, replace(said, fonte=self._fonte, file=file) if isinstance(said, Rejected) else said
        except Invalid as error:
            yield 1, Rejected(1, error.message, self._fonte, file)

    def read(self, stream: BinaryIO) -> Iterator[tuple[int, Evento | Rejected]]:
        """Each line after the header, as an event or as rejected. Raises ``Invalid`` when the header is not ours."""
        number, lines = 0, _lines(stream)
        for number, start, raw in lines:
            if number == 1:
                _check_header(raw or b"")
            elif raw is None or OPEN.match(raw):
                more = _further(stream, start)
                yield number, Rejected(number, _unread(raw, number, more))
                if more is None:
                    return
                deque(islice(lines, more), maxlen=0)
            elif raw.strip():
                yield number, self._line(number, raw)
        if not number:
            raise Invalid(
                f"o arquivo está vazio; o cabeçalho é `{','.join(COLUMNS)}`", code="cabecalho", field="cabecalho"
            )

    def _line(self, number: int, raw: bytes) -> Evento | Rejected:
        try:
            fields = next(csv.reader([raw.decode("utf-8").rstrip("\r\n")], strict=True))
        except UnicodeDecodeError as error:
            return Rejected(number, f"não é UTF-8 (byte {error.start + 1}); na planilha, salve como «CSV UTF-8»")
        except (csv.Error, StopIteration):
            return Rejected(number, "aspas sem par ou fora do lugar")
        if len(fields) != len(COLUMNS):
            return Rejected(number, f"tem {len(fields)} campos; são {len(COLUMNS)}")
        values = {name: field.strip() for name, field in zip(COLUMNS, fields, strict=True)}
        for name, value in values.items():
            if CONTROL.search(value):
                return Rejected(number, f"`{name}` tem um caractere de controle")
            if not value and name in MANDATORY:
                return Rejected(number, f"falta `{name}`")
            if len(value) > LENGTHS.get(name, 100):
                return Rejected(number, f"`{name}` tem mais de {LENGTHS.get(name, 100)} caracteres")
        if not CPF.fullmatch(values["cpf"]):
            return Rejected(number, "`cpf` deve ter onze dígitos")
        moment = _moment(values["data_efeito"])
        if moment is None:
            return Rejected(number, "`data_efeito` deve ser uma data AAAA-MM-DD, ou um instante com fuso (ISO 8601)")
        cpf = values.pop("cpf").replace(".", "").replace("-", "")
        return Evento(fonte=self._fonte, cpf=cpf, **{**values, "data_efeito": moment})  # type: ignore[arg-type]


def _check_header(raw: bytes) -> None:
    try:
        header = next(csv.reader([raw.decode("utf-8-sig").rstrip("\r\n")], strict=True), [])
    except (UnicodeDecodeError, csv.Error):
        header = []
    if tuple(header) != COLUMNS:
        semicolons = len(header) == 1 and ";" in header[0]
        hint = "; este arquivo separa os campos por ponto e vírgula: salve-o com vírgulas" if semicolons else ""
        said = f"o cabeçalho deve ser exatamente `{','.join(COLUMNS)}`{hint}"
        raise Invalid(said, code="cabecalho", field="cabecalho")


def _lines(stream: BinaryIO) -> Iterator[tuple[int, int, bytes | None]]:
    """Each physical line with its number and place; None for one that is too long, which is passed over piece by piece."""
    number, start = 0, _place(stream)
    while raw := stream.readline(LONGEST + 1):
        number += 1
        whole = raw.endswith(b"\n") or len(raw) <= LONGEST
        line = raw if whole else None
        while not whole:
            raw = stream.readline(LONGEST + 1)
            whole = not raw or raw.endswith(b"\n")
        yield number, start, line
        start = _place(stream)


def _place(stream: BinaryIO) -> int:
    return stream.tell() if stream.seekable() else 0


def _further(stream: BinaryIO, start: int) -> int | None:
    """How many more lines the event has that starts there: none where its quotes are wrong, as that line alone is bad.

    None when that cannot be told, in a stream that cannot be read twice or before ``FARTHEST``.
    """
    if not stream.seekable():
        return None
    here, reach = stream.tell(), 4 * LONGEST
    while reach <= FARTHEST:
        stream.seek(start)
        text = stream.read(reach)
        stream.seek(here)
        at_end = len(text) < reach
        text = text + b"\n" if at_end else text.rstrip(b'"')  # it may be the first of two
        if record := RECORD.match(text):
            return record[0].rstrip(b"\r\n").count(b"\n")
        if at_end or (b"\n" in text and not OPEN.match(text)):
            return 0
        reach *= 4
    return None


def _unread(raw: bytes | None, number: int, more: int | None) -> str:
    """Why an event was not read that is too long or leaves a quote open."""
    reason = f"linha maior que {LONGEST} bytes" if raw is None else "aspas sem par ou fora do lugar"
    if more is None:
        return f"{reason}; nada depois desta linha foi lido"
    return f"quebra de linha entre aspas, até a linha {number + more}; é um evento por linha" if more else reason


def _moment(text: str) -> date | datetime | None:
    """A date or an aware moment of a year that a personnel file can mean; None for anything else."""
    try:
        moment: date = date.fromisoformat(text) if DATE.fullmatch(text) else datetime.fromisoformat(text)
    except ValueError:
        return None
    if not (DATE.fullmatch(text) or MOMENT.fullmatch(text)) or not 1900 <= moment.year <= 2200:
        return None
    return moment
