"""What a benchmark answers, and how it is asked."""

from __future__ import annotations

import statistics
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.servers import wait


class Absent(Exception):
    """A benchmark cannot run on this machine; the message says what is missing and how to get it."""


def started(peer: subprocess.Popen[bytes], ready: Callable[[], bool], seconds: float, log: Path) -> None:
    """Waits for a peer; Absent when it does not start, with the end of its log: what needs no peer is measured all the same."""
    try:
        wait(peer, ready, seconds, log)
    except pytest.fail.Exception as failed:
        raise Absent(f"without the peer: {failed}") from failed


@dataclass(frozen=True)
class Options:
    """How much to measure: interleaved rounds, seconds of load in each, whether to install peers, whether the worker runs."""

    rounds: int = 7
    seconds: float = 3.0
    install: bool = False
    worker: bool = True


@dataclass(frozen=True)
class Figure:
    """One number with its unit, and the goal it is held against, if there is one; None when it could not be measured."""

    bench: str
    case: str
    value: float | None
    unit: str
    goal: float | None = None
    more: dict[str, float | str] = field(default_factory=dict)


def median(values: Sequence[float]) -> float:
    """The middle one, rounded for people."""
    return round(statistics.median(values), 4)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the ratios within a round: what happened to the machine happened to both."""
    return median([a / b for a, b in zip(ours, theirs, strict=True)])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
