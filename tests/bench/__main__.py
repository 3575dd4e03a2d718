"""``python -m tests.bench``: figures as JSON lines on standard output, the same as a table on standard error.

Nothing here passes or fails: a machine's speed is no property of the code. What is compared runs in one process's reach, in turn,
and is told as CPU time per request or as a ratio, because both survive a busy machine better than requests a second.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from tests.bench import cut, decision, introspection, statements, token
from tests.bench.figure import Absent, Figure, Options

BENCHES: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "token": token.run,
    "introspection": introspection.run,
    "decision": decision.run,
    "cut": cut.run,
    "statements": statements.run,
}


def main(args: Sequence[str]) -> int:
    """Runs what was asked for; 0 always, unless it could not be measured at all."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default: 7)")
    parser.add_argument("--seconds", type=float, default=3.0, help="length of one load run (default: 3)")
    parser.add_argument("--peers", action="store_true", help="install with npm the peer that is missing")
    parser.add_argument(
        "--no-worker", action="store_true", help="serve without worker and sealer, to see what they cost"
    )
    given = parser.parse_args(args)
    options = Options(given.rounds, given.seconds, given.peers, not given.no_worker)
    figures: list[Figure] = []
    for name in given.only or BENCHES:
        print(f"{name} …", file=sys.stderr, flush=True)
        try:
            for figure in BENCHES[name](options):
                figures.append(figure)
                print(json.dumps(asdict(figure), ensure_ascii=False), flush=True)
        except Absent as absent:
            print(f"{name}: {absent}", file=sys.stderr, flush=True)
    table(figures)
    return 0 if figures else 1


def table(figures: Sequence[Figure]) -> None:
    """The figures for a reader."""
    width = max((len(f.case) for f in figures), default=0)
    last = ""
    for f in figures:
        if f.bench != last:
            print(f"\n{f.bench}", file=sys.stderr)
            last = f.bench
        value = "not measured" if f.value is None else f"{f.value:.3f}"
        held = "OPEN" if f.value is None else "met" if f.goal is None or f.value <= f.goal else "MISSED"
        goal = "" if f.goal is None else f"   goal ≤ {f.goal:g}: {held}"
        more = "  ".join(f"{k} {v}" for k, v in f.more.items())
        print(f"  {f.case:{width}}  {value:>12} {f.unit:20}{goal}  {more}".rstrip(), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
