"""Files that others replace while we run, and files that hold a key."""

from __future__ import annotations

import base64
import os
import secrets
from pathlib import Path
from typing import TypeAlias

Stamp: TypeAlias = tuple[int, int, int]
"""Time of the last change (nanoseconds), inode and size."""


def stamp(path: Path) -> Stamp | None:
    """What changes when the file at `path` (or what a link there leads to) is replaced; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def new_secret(path: Path) -> None:
    """32 random bytes in base64, in a new file that its owner alone may read; FileExistsError when there is one."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(base64.b64encode(secrets.token_bytes(32)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
