"""The personnel file: a bad line is named and rejected, the good ones around it pass, and memory stays small."""

from __future__ import annotations

import io
import tracemalloc
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.rh_csv import RhCsv
from iam.connector import Evento, Rejected
from iam.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

HEADER = "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
GOOD = "1,11144477735,M-1,Ana Brito,desligamento,2026-01-05,sefaz-mt,,\n"


@pytest.fixture
def source(tmp_path: Path) -> RhCsv:
    return RhCsv({"fonte": "rh-mt", "folder": "rh"}, tmp_path)


def read(source: RhCsv, text: str | bytes) -> list[tuple[int, Evento | Rejected]]:
    return list(source.read(io.BytesIO(text.encode() if isinstance(text, str) else text)))


def test_a_good_line_is_an_event(source: RhCsv) -> None:
    assert read(source, HEADER + GOOD) == [
        (
            2,
            Evento(
                fonte="rh-mt",
                numero="1",
                cpf="11144477735",
                matricula="M-1",
                nome="Ana Brito",
                tipo="desligamento",
                data_efeito=date(2026, 1, 5),
                orgao="sefaz-mt",
                orgao_destino="",
                observacao="",
            ),
        )
    ]


@pytest.mark.parametrize(
    ("line", "field", "value"),
    [
        ("1,111.444.777-35,,,licenca_inicio,2026-01-05,,,", "cpf", "11144477735"),
        ('1,11144477735,,"Brito, Ana ""Nina""",x,2026-01-05,,,', "nome", 'Brito, Ana "Nina"'),
        ("1,11144477735,,Conceição Ñandú,x,2026-01-05,,,", "nome", "Conceição Ñandú"),
        ("1,11144477735,,,x,2026-01-05T09:00:00-04:00,,,", "data_efeito", datetime(2026, 1, 5, 13, tzinfo=UTC)),
        ("1,11144477735,,,x,2026-01-05T13:00Z,,,", "data_efeito", datetime(2026, 1, 5, 13, tzinfo=UTC)),
        ("1,11144477735,,,x,2024-02-29,,,=cmd|calc", "observacao", "=cmd|calc"),
    ],
)
def test_what_a_line_may_look_like(source: RhCsv, line: str, field: str, value: object) -> None:
    [(_, event)] = read(source, HEADER + line + "\r\n")
    assert isinstance(event, Evento)
    assert getattr(event, field) == value


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,11144477735,,,x,2026-01-05,,", "8 campos"),
        ("1,11144477735,,,x,2026-01-05,,,,", "10 campos"),
        (",11144477735,,,x,2026-01-05,,,", "falta `numero`"),
        ("1,,,,x,2026-01-05,,,", "falta `cpf`"),
        ("1,11144477735,,,,2026-01-05,,,", "falta `tipo`"),
        ("1,11144477735,,,x,,,,", "falta `data_efeito`"),
        ("1,1114447773,,,x,2026-01-05,,,", "onze dígitos"),
        ("1,１１１４４４７７７３５,,,x,2026-01-05,,,", "onze dígitos"),
        ("1,11144477735,,,x,05/01/2026,,,", "AAAA-MM-DD"),
        ("1,11144477735,,,x,2026-02-30,,,", "AAAA-MM-DD"),
        ("1,11144477735,,,x,20260105,,,", "AAAA-MM-DD"),
        ("1,11144477735,,,x,0001-01-01,,,", "AAAA-MM-DD"),
        ("1,11144477735,,,x,2026-01-05T09:00:00,,,", "AAAA-MM-DD"),
        ('1,11144477735,,"Ana,x,2026-01-05,,,', "aspas"),
        ('1,11144477735,,"Ana"b,x,2026-01-05,,,', "aspas"),
        ("1,11144477735,,A\0na,x,2026-01-05,,,", "controle"),
        ("1,11144477735,,A\x1b[2Jna,x,2026-01-05,,,", "controle"),
        ("1,11144477735,,A\rna,x,2026-01-05,,,", ""),
        (f"1,11144477735,,{'a' * 201},x,2026-01-05,,,", "200 caracteres"),
        (f"1,11144477735,,,x,2026-01-05,,,{'a' * 20000}", "16384 bytes"),
        (f"1,11144477735,,,x,2026-01-05,,,{'a' * 100000}", "16384 bytes"),
        (b"1,11144477735,,Concei\xe7\xe3o,x,2026-01-05,,,", "UTF-8"),
    ],
)
def test_a_bad_line_is_named_and_the_good_ones_around_it_pass(source: RhCsv, line: str | bytes, reason: str) -> None:
    raw = line if isinstance(line, bytes) else line.encode()
    before, (number, bad), after = read(source, HEADER.encode() + GOOD.encode() + raw + b"\n" + GOOD.encode())
    assert isinstance(bad, Rejected)
    assert (number, bad.line) == (3, 3)
    assert reason in bad.reason
    assert isinstance(before[1], Evento)
    assert after == (4, before[1])


def test_an_open_quote_does_not_swallow_the_next_line(source: RhCsv) -> None:
    said = [event for _, event in read(source, HEADER + '1,11144477735,,"Ana\n' + GOOD)]
    assert isinstance(said[0], Rejected)
    assert isinstance(said[1], Evento)


@pytest.mark.parametrize(
    ("typed", "more"),
    [
        ("pedido\n{}fim", 2),
        ("\r\n{}", 2),
        ('disse ""sim""\r\n\r\n{}"",\n', 4),
        ("a" * 200_000 + "\n{}", 2),
        ("a" * 16 * 1024 + '""' * 24 * 1024 + "\n{}" + "a" * 200_000, 2),
        ('a","b\n{}', 2),
    ],
)
def test_what_somebody_typed_between_quotes_is_never_read_as_a_line(source: RhCsv, typed: str, more: int) -> None:
    forged = GOOD.replace("1,", "666,", 1)
    event = f'2,11144477735,M-1,,afastamento,2026-01-05,,,"{typed.format(forged)}"\r\n'
    before, (number, bad), after = read(source, HEADER + GOOD + event + GOOD)
    assert (number, isinstance(bad, Rejected)) == (3, True)
    assert isinstance(bad, Rejected)
    assert f"quebra de linha entre aspas, até a linha {3 + more}" in bad.reason
    assert isinstance(before[1], Evento)
    assert after == (4 + more, before[1])


def test_where_an_open_quote_cannot_be_followed_nothing_after_it_is_read(source: RhCsv) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    text = HEADER + GOOD + '2,11144477735,,,x,2026-01-05,,,"a\n' + GOOD
    _, (number, bad) = list(source.read(Pipe(text.encode())))
    assert number == 3
    assert isinstance(bad, Rejected)
    assert "nada depois desta linha foi lido" in bad.reason


def test_the_mark_of_excel_and_blank_lines_are_no_matter(source: RhCsv) -> None:
    assert len(read(source, "\ufeff" + HEADER + "\n" + GOOD + "\n  \n" + GOOD.rstrip())) == 2


def test_a_header_may_be_quoted_as_any_field_may(source: RhCsv) -> None:
    """RFC 4180 section 2.5: each field may or may not be enclosed in double quotes."""
    quoted = ",".join(f'"{name}"' for name in HEADER.strip().split(","))
    assert len(read(source, f"{quoted}\r\n{GOOD}")) == 1


def test_semicolons_are_named_as_the_cause(source: RhCsv) -> None:
    with pytest.raises(Invalid, match="ponto e vírgula"):
        read(source, HEADER.replace(",", ";"))


@pytest.mark.parametrize(
    "text",
    ["", "\n", HEADER.replace(",", ";"), "numero,cpf\n", HEADER.upper(), GOOD, "x" * 50000, "\0", '"numero"x,cpf'],
)
def test_a_file_of_another_kind_is_refused_whole(source: RhCsv, text: str) -> None:
    with pytest.raises(Invalid, match="cabeçalho"):
        read(source, text)


@given(st.binary(max_size=300))
def test_no_bytes_make_it_fail_otherwise(rest: bytes) -> None:
    for number, said in RhCsv({"fonte": "x"}, Path()).read(io.BytesIO(HEADER.encode() + rest)):
        assert number > 1
        assert isinstance(said, Evento | Rejected)


class Endless(io.RawIOBase):
    """A file of one line without end, given piece by piece."""

    def __init__(self, size: int) -> None:
        self.left, self.first = size, HEADER.encode()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        piece = self.first or b"a" * min(self.left, len(view))
        self.first = b""
        view[: len(piece)] = piece
        self.left -= len(piece)
        return len(piece)


def test_a_line_without_end_costs_no_memory(source: RhCsv) -> None:
    tracemalloc.start()
    try:
        said = list(source.read(io.BufferedReader(Endless(50_000_000))))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [number for number, _ in said] == [2]
    assert peak < 1_000_000


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        path = tmp_path / "rh"
        path.mkdir()
        return path

    def test_events_and_what_is_none_come_in_the_order_of_the_files_and_go_on_after_the_cursor(
        self, source: RhCsv, folder: Path
    ) -> None:
        bad = "2,x,,,x,2026-01-05,,,\n"
        (folder / "2026-01-06.csv").write_text(HEADER + GOOD.replace("1,", "3,", 1))
        (folder / "2026-01-05.csv").write_text(HEADER + GOOD + bad + GOOD.replace("1,", "2,", 1))
        (folder / "2026-01-04.csv").write_text("outra coisa\n")
        (folder / "2026-01-07.csv.tmp").write_text(HEADER + GOOD)
        found = list(source.events(None))
        assert [said.numero if isinstance(said, Evento) else (said.file, said.line) for _, said in found] == [
            ("2026-01-04.csv", 1),
            "1",
            ("2026-01-05.csv", 3),
            "2",
            "3",
        ]
        rejected = [said for _, said in found if isinstance(said, Rejected)]
        assert {said.fonte for said in rejected} == {"rh-mt"}
        assert ("cabeçalho" in rejected[0].reason, "onze dígitos" in rejected[1].reason) == (True, True)
        for number, (cursor, _) in enumerate(found):
            assert list(source.events(cursor)) == found[number + 1 :]

    def test_a_folder_that_is_not_there_is_unavailable(self, source: RhCsv) -> None:
        with pytest.raises(Unavailable):
            source.check()
        with pytest.raises(Unavailable):
            list(source.events(None))


def test_a_moment_keeps_its_zone(source: RhCsv) -> None:
    [(_, event)] = read(source, HEADER + "1,11144477735,,,x,2026-01-05T09:00:00-04:00,,,")
    assert isinstance(event, Evento)
    assert isinstance(event.data_efeito, datetime)
    assert event.data_efeito.tzinfo == timezone(timedelta(hours=-4))


def test_the_name_of_the_source_is_needed(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="fonte"):
        RhCsv({}, tmp_path)
