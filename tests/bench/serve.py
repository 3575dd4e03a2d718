"""Serves an installation in a process of its own, as ``portaria serve`` does; says ``ready`` when it listens."""

from __future__ import annotations

import sys
from pathlib import Path

from iam import config
from iam.app import close, open_house, owning, run
from iam.worker import Worker


def main(data: Path, *, worker: bool) -> None:
    """Until it is told to end."""
    with owning(data):
        house = open_house(config.read({}, DATA=str(data)))
        loop = Worker(house)
        if worker:
            loop.start()
        run(house, ready=lambda: print("ready", flush=True))
        if worker:
            loop.stop()
        close(house)


if __name__ == "__main__":
    main(Path(sys.argv[1]), worker="worker" in sys.argv[2:])
