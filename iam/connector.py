"""The two doors to other systems: a ``Target`` must agree with us, a ``Source`` tells us about people.

The outside world is never commanded, it is made to agree: ``plan`` compares what should be with what was observed and
names the steps, those that take away first and those that give last. It is pure, so the same function is the dry run,
the drift report, the revocation and, when it answers nothing after a second look, the proof. It never deletes an
account: the trail must survive. A connector imports this module, ``iam.errors`` and its own library, and nothing else
of the house.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO, Final, NewType, Protocol, runtime_checkable

from iam.errors import Invalid

NO_SESSIONS: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Account:
    """One account, as it should be or as it was seen.

    ``key`` is the opaque name that we and the target share, never a CPF. ``id`` is what the target itself knows the
    account by and never changes, whatever becomes of its name or place; empty when wanted, and where a name is for good.
    ``perfis`` are the target's own names (``<sistema>.<perfil>``), held directly or through anything that gives them.
    ``attributes`` always may hold ``nome`` and ``email``; an empty text is the absence of a value, and what is not named
    is none of our business. ``sessions_after`` (aware UTC) says when the oldest live session began: ``NO_SESSIONS`` when
    none lives or the target knows none, None when one lives of unknown age. In a wanted account it is the moment before
    which no living session may have begun, and None asks for nothing.
    """

    key: str
    enabled: bool
    perfis: frozenset[str] = frozenset()
    attributes: Mapping[str, str] = field(default_factory=dict)
    sessions_after: datetime | None = None
    id: str = ""


@dataclass(frozen=True, slots=True)
class Disable:
    """The account opens nothing any more. Always followed by ``EndSessions``."""


@dataclass(frozen=True, slots=True)
class EndSessions:
    """Every session and token of before dies, for good: also when the account is enabled again."""


@dataclass(frozen=True, slots=True)
class RemovePerfil:
    """The account leaves this perfil."""

    perfil: str


@dataclass(frozen=True, slots=True)
class Create:
    """The account comes to exist, disabled and without perfis. One that exists already is left as it is."""

    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SetAttribute:
    """The attribute holds this value alone; an empty text clears it."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class AddPerfil:
    """The account joins this perfil."""

    perfil: str


@dataclass(frozen=True, slots=True)
class Enable:
    """The account may be used: always the last change. Nothing that was issued before it was disabled may come back."""


Change = Disable | EndSessions | RemovePerfil | Create | SetAttribute | AddPerfil | Enable


def plan(wanted: Account | None, actual: Account | None) -> tuple[Change, ...]:
    """The changes that turn what *is* into what *should be*, in the order in which they must be applied.

    No account wanted is a disabled one wanted. A disabled account that does not exist needs nothing; one that exists
    loses its perfis and its sessions and is given nothing. Empty means agreement.
    """
    if wanted is None or not wanted.enabled:
        return () if actual is None else _out(actual)
    if actual is None:
        given = {name: value for name, value in sorted(wanted.attributes.items()) if value}
        return (Create(given), *(AddPerfil(perfil) for perfil in sorted(wanted.perfis)), Enable())
    removed = [RemovePerfil(perfil) for perfil in sorted(actual.perfis - wanted.perfis)]
    # A token of a living session still names the perfil that was removed; and a server may give old tokens their life
    # back when the account is enabled again, so they die first, while nobody can log in.
    live = actual.sessions_after != NO_SESSIONS
    ends = live and (bool(removed) or not actual.enabled or _stale(wanted, actual))
    return (
        *removed,
        *((EndSessions(),) if ends else ()),
        *(
            SetAttribute(name, value)
            for name, value in sorted(wanted.attributes.items())
            if not _same(name, value, actual.attributes.get(name, ""))
        ),
        *(AddPerfil(perfil) for perfil in sorted(wanted.perfis - actual.perfis)),
        *(() if actual.enabled else (Enable(),)),
    )


def _out(actual: Account) -> tuple[Change, ...]:
    cut: tuple[Change, ...] = ()
    if actual.enabled:
        cut = (Disable(), EndSessions())
    elif actual.sessions_after != NO_SESSIONS:
        cut = (EndSessions(),)
    return (*cut, *(RemovePerfil(perfil) for perfil in sorted(actual.perfis)))


def _stale(wanted: Account, actual: Account) -> bool:
    if wanted.sessions_after is None:
        return False
    return actual.sessions_after is None or actual.sessions_after < wanted.sessions_after


def _same(name: str, wanted: str, actual: str) -> bool:
    """Directories fold the case of e-mail addresses and the runs of blanks in names; neither is a difference."""
    left, right = " ".join(wanted.split()), " ".join(actual.split())
    return left.casefold() == right.casefold() if name == "email" else left == right


@runtime_checkable
class Target(Protocol):
    """A system that must agree with us. Every method may be called twice.

    Constructed as ``(settings, data)``: the instance's own settings, lower-cased names, and the data directory. The
    constructor refuses unknown and missing settings (``Invalid``) and contacts nobody.
    """

    def check(self) -> None:
        """Raises ``Unavailable``, with the reason, when the system cannot be worked with now."""

    def keys(self) -> Iterator[str]:
        """The key of every account there, each once, also of disabled ones; for finding those that belong to nobody."""

    def observe(self, key: str, id: str = "") -> Account | None:
        """What is, read anew from the system: the account of this key, compared as the system itself compares names.

        ``id`` is the account's own, once it was seen: one that was given another name, or another place, is found by it
        wherever it is. None means that the system says there is neither, and only that: what cannot be told, because it
        may not be read or because key and id now name two accounts, is raised (``Unavailable``, ``Conflict``).
        """

    def apply(self, key: str, change: Change, id: str = "") -> None:
        """One step, idempotent, on the account that ``observe`` finds.

        One that is not there has already lost; giving to it raises ``NotFound``.
        """


Cursor = NewType("Cursor", str)
"""How far a Source was read; opaque to everybody else."""


@dataclass(frozen=True, slots=True)
class Evento:
    """One personnel event as a Source tells it; form is checked, sense is judged by the act that takes it in.

    ``data_efeito`` is a date (from 00:00 of the órgão's legal time) or an aware datetime. ``cpf`` is eleven digits.
    Texts that the source leaves out are empty. ``numero`` is unique within ``fonte``.
    """

    fonte: str
    numero: str
    cpf: str
    matricula: str
    nome: str
    tipo: str
    data_efeito: date | datetime
    orgao: str
    orgao_destino: str
    observacao: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A line that is no event: its number in the file, from 1, and the reason, in Portuguese for who sent it.

    A Source says also in which ``file``, and of which ``fonte``. A file that is none of its kind is rejected by its line 1.
    """

    line: int
    reason: str
    fonte: str = ""
    file: str = ""


@runtime_checkable
class Source(Protocol):
    """A system that tells us about people. Constructed as a Target is."""

    def check(self) -> None:
        """Raises ``Unavailable``, with the reason, when the system cannot be read now."""

    def events(self, after: Cursor | None) -> Iterator[tuple[Cursor, Evento | Rejected]]:
        """What comes after the cursor, oldest first, each with the cursor to remember once it is taken in.

        What cannot be read as an event is told too, once: a cut may be in it.
        """


@runtime_checkable
class EventFile(Protocol):
    """A Source whose events also come as a file that somebody hands over."""

    def read(self, stream: BinaryIO) -> Iterator[tuple[int, Evento | Rejected]]:
        """Line number and what the line says, as a stream. Raises ``Invalid`` when the file is none of its kind."""


def settings(
    kind: str, given: Mapping[str, str], required: Collection[str], optional: Mapping[str, str]
) -> dict[str, str]:
    """One instance's settings with defaults filled in; ``Invalid``, without values, for a missing or unknown one."""
    for name in required:
        if not given.get(name):
            raise Invalid(f"o conector {kind} precisa da configuração `{name}`", code="configuracao", field=name)
    for name in given:
        if name not in required and name not in optional:
            known = ", ".join(sorted({*required, *optional}))
            raise Invalid(
                f"o conector {kind} não conhece a configuração `{name}`; conhece: {known}",
                code="configuracao",
                field=name,
            )
    return {**optional, **given}


def seconds(given: Mapping[str, str], name: str) -> int:
    """A setting that is a whole number of seconds, at least one; ``Invalid`` for anything else."""
    if not given[name].isdigit() or not int(given[name]):
        raise Invalid(f"a configuração `{name}` deve ser um número de segundos", code="configuracao", field=name)
    return int(given[name])


def existing(given: Mapping[str, str], name: str, data: Path) -> Path | None:
    """The file that a setting names, from the data directory; None when it names none, ``Invalid`` when it is not there."""
    if not given[name]:
        return None
    path = data / given[name]
    if not path.is_file():
        raise Invalid(
            f"a configuração `{name}` nomeia um arquivo que não existe: {path}", code="configuracao", field=name
        )
    return path
