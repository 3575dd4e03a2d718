"""What every test may ask for. The real servers live in ``tests/servers.py``; the requirement marks in their plugin."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest_plugins = ["tests.requirement_plugin", "tests.servers", "tests.house", "tests.outage"]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked ``real("haproxy")`` needs that program: skipped where it is not, a failure with REAL=1."""
    from tests import servers  # imported as a plugin first, so that its asserts explain themselves

    for mark in item.iter_markers("real"):
        for program in mark.args:
            if servers.find(program, "/usr/sbin", "/usr/local/sbin") is None:
                servers.missing(program)


@pytest.fixture
def now() -> datetime:
    """A Monday morning: 2026-01-05 09:00 UTC. Acts take the time as a parameter, so nobody freezes a clock."""
    return datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database, SQLAlchemy URL: the test runs on both engines, on PostgreSQL where it is installed."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'portaria.db'}"
    url: str = request.getfixturevalue("postgresql_url")
    return url
