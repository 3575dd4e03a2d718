"""The CPU time of a process and its children, and which processor a process may use."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROCESSORS = sorted(os.sched_getaffinity(0))
TICK = os.sysconf("SC_CLK_TCK")


def cpu(pid: int) -> float:
    """Seconds of user and system time of a process and all its living descendants."""
    ticks: dict[int, int] = {}
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            fields = (folder / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            ticks[int(folder.name)] = int(fields[11]) + int(fields[12])
            children.setdefault(int(fields[1]), []).append(int(folder.name))
    total, left = 0, [pid]
    while left:
        one = left.pop()
        total += ticks.get(one, 0)
        left += children.get(one, [])
    return total / TICK


def memory(pid: int) -> int:
    """Resident mebibytes of one process."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


def pin(pid: int) -> None:
    """Puts every thread of a server on the second processor, if there is one."""
    for thread in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(int(thread.name), set(PROCESSORS[1:2] or PROCESSORS))


@contextmanager
def apart() -> Iterator[None]:
    """Keeps this process, the client, on the first processor while the block runs."""
    os.sched_setaffinity(0, set(PROCESSORS[:1]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(PROCESSORS))
