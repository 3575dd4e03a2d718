"""A demonstration that cannot be had: one clear line, the right exit status, and nothing published that does not answer."""

from __future__ import annotations

import socket
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers import free_port
from tests.trips.test_0_demo import PORTARIA, environment, once


def demo(*args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PORTARIA, "demo", *args], capture_output=True, text=True, timeout=120, env=environment(), check=False
    )


@contextmanager
def taken() -> Iterator[int]:
    """A port that somebody else listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        yield listening.getsockname()[1]


def test_a_start_that_fails_publishes_no_address_of_an_earlier_one(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    once(data)
    with taken() as port:
        second = demo("--data", str(data), "--port", str(port), "--mtls-port", str(free_port()), "--once")
    assert second.returncode == 1
    assert second.stderr.count("\n") == 1
    assert f"não é possível atender na porta {port}" in second.stderr
    assert not (data / "demo.json").exists(), "who waits for it would read ports where nothing answers"
    once(data)
    assert (data / "demo.json").exists()


def test_who_serves_on_a_taken_port_is_told_which(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    once(data)
    with taken() as port:
        env = environment(PORTARIA_DATA=str(data), PORTARIA_PORT=str(port))
        refused = subprocess.run([*PORTARIA, "serve"], capture_output=True, text=True, timeout=60, env=env, check=False)
    assert refused.returncode == 1
    assert f"portaria: não é possível atender na porta {port}" in refused.stderr.splitlines()[-1]


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "8443.5", ""])
def test_a_port_that_is_none_is_wrong_usage(port: str, tmp_path: Path) -> None:
    for option in ("--port", "--mtls-port"):
        refused = demo("--data", str(tmp_path / "demo"), f"{option}={port}", "--once")
        assert refused.returncode == 2
        assert refused.stderr.count("\n") == 1
        assert option in refused.stderr
    assert not (tmp_path / "demo").exists()


def test_in_a_directory_that_others_can_read_its_files_are_private(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    data.mkdir(mode=0o755)
    once(data)
    open_to_others = [file.name for file in data.iterdir() if stat.S_IMODE(file.stat().st_mode) & 0o077]
    assert open_to_others == []
