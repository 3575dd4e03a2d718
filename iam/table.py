"""Strict CSV (RFC 4180) with line numbers: what a pack's tables are read with.

casbin's own reader drops unknown lines, splits quoted commas and accepts typos; a rule of law must not vanish that
way. Nothing is skipped here: whatever is not exactly as declared is a :class:`PackError` naming file and line.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from importlib.resources.abc import Traversable

_DURATION = re.compile(
    r"P(?=.)(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?", re.ASCII
)
_DAYS = (365, 30, 7, 1)
_SECONDS = (3600, 60, 1)


class PackError(Exception):
    """A pack that cannot be trusted. The message is one line: file, line number and what is wrong there."""

    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where
        self.message = message


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its place (``file:line``) and its fields by column."""

    where: str
    fields: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.fields[column]

    def error(self, message: str) -> PackError:
        """The error that names this line."""
        return PackError(self.where, message)

    def need(self, *columns: str) -> None:
        """Refuse an empty value in any of ``columns``."""
        for column in columns:
            if not self.fields[column]:
                raise self.error(f"`{column}` must not be empty")

    def one_of(self, column: str, values: Sequence[str]) -> str:
        """The value of ``column``, which must be one of ``values``."""
        if self.fields[column] not in values:
            raise self.error(f"`{self.fields[column]}` is not a known {column}: expected one of {', '.join(values)}")
        return self.fields[column]


def text(file: Traversable, where: str) -> str:
    """The whole of a small UTF-8 file without byte order mark; :class:`PackError` otherwise."""
    try:
        content = file.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PackError(where, f"cannot be read as UTF-8 text: {error}") from error
    if content.startswith("\ufeff") or "\0" in content:
        raise PackError(where, "has a byte order mark or a NUL character")
    return content


def rows(content: str, where: str, columns: Sequence[str]) -> Iterator[Row]:
    """The lines of a table whose header is exactly ``columns``; refuses everything else, with its line."""
    reader = csv.reader(content.splitlines(keepends=True), strict=True)
    seen: dict[tuple[str, ...], int] = {}
    line = 1
    try:
        header = next(reader, None)
        if header != list(columns):
            raise PackError(f"{where}:1", f"wrong header: expected {','.join(columns)}")
        line = reader.line_num + 1
        for values in reader:
            place = f"{where}:{line}"
            if len(values) != len(columns):
                raise PackError(place, f"{len(values)} columns instead of {len(columns)}")
            for column, value in zip(columns, values, strict=True):
                if value != value.strip() or any(ord(c) < 32 for c in value):
                    raise PackError(place, f"`{column}` has spaces around it or a control character")
            key = tuple(values)
            if key in seen:
                raise PackError(place, f"duplicate of line {seen[key]}")
            seen[key] = line
            yield Row(place, dict(zip(columns, values, strict=True)))
            line = reader.line_num + 1
    except csv.Error as error:
        raise PackError(f"{where}:{line}", f"not a line of CSV: {error}") from error


@lru_cache(maxsize=256)
def duration(value: str) -> timedelta:
    """An ISO 8601 duration; a year counts 365 days and a month 30. Raises :class:`ValueError`."""
    match = _DURATION.fullmatch(value)
    if match is None:
        raise ValueError(f"`{value}` is not an ISO 8601 duration such as PT15M or P2Y")
    parts = [int(p or 0) for p in match.groups()]
    days = sum(n * d for n, d in zip(parts[:4], _DAYS, strict=True))
    return timedelta(days=days, seconds=sum(n * s for n, s in zip(parts[4:], _SECONDS, strict=True)))
