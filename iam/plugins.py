"""Finds what other packages bring, by entry point: targets (``iam.targets``) and sources (``iam.sources``).

A plugin's package is imported only when the configuration names it: being installed is not being trusted. Packs are
found in :mod:`iam.pack`, which imports nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TypeVar, cast

from iam.connector import EventFile, Source, Target
from iam.errors import Invalid

TARGETS, SOURCES = "iam.targets", "iam.sources"
P = TypeVar("P", Target, Source, EventFile)


def target(kind: str, given: Mapping[str, str], data: Path) -> Target:
    """A target of this kind with its settings; ``data`` is the data directory. Contacts nobody.

    Raises ``Invalid`` for a kind that no installed package brings or that two bring, a plugin that cannot be imported
    or is no target, and settings that it refuses.
    """
    return _make(TARGETS, kind, given, data, Target)  # type: ignore[type-abstract]


def source(kind: str, given: Mapping[str, str], data: Path) -> Source:
    """A source of this kind with its settings; as :func:`target`."""
    return _make(SOURCES, kind, given, data, Source)  # type: ignore[type-abstract]


def event_file(kind: str, given: Mapping[str, str], data: Path) -> EventFile:
    """A source of this kind that reads files handed over; as :func:`target`."""
    return _make(SOURCES, kind, given, data, EventFile)  # type: ignore[type-abstract]


def _make(group: str, kind: str, given: Mapping[str, str], data: Path, protocol: type[P]) -> P:
    entry = _find(group, kind)
    try:
        factory = cast("Callable[[Mapping[str, str], Path], object]", entry.load())
    except (ImportError, AttributeError) as error:
        raise Invalid(
            f"o plugin `{kind}` ({_package(entry)}) não pode ser carregado: {error}", code="plugin"
        ) from error
    if not callable(factory):
        raise Invalid(f"o plugin `{kind}` ({_package(entry)}) não se constrói: {entry.value}", code="plugin")
    made = factory(dict(given), data)
    if not isinstance(made, protocol):
        names = [name for name in vars(protocol) if not name.startswith("_") and callable(getattr(protocol, name))]
        lacks = ", ".join(name for name in names if not callable(getattr(made, name, None)))
        raise Invalid(
            f"o plugin `{kind}` ({_package(entry)}) não é um {protocol.__name__}: falta {lacks}", code="plugin"
        )
    return made


def _find(group: str, kind: str) -> EntryPoint:
    found = [entry for entry in entry_points(group=group) if entry.name == kind]
    if not found:
        known = ", ".join(sorted({entry.name for entry in entry_points(group=group)})) or "nenhum"
        raise Invalid(f"nenhum pacote instalado traz `{kind}` ({group}); há: {known}", code="plugin")
    if len({entry.value for entry in found}) > 1:
        packages = ", ".join(sorted(_package(entry) for entry in found))
        raise Invalid(f"mais de um pacote instalado traz `{kind}` ({group}): {packages}", code="plugin")
    return found[0]


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value
