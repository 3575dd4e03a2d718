"""One sample chain for the whole session; every test issues what it needs from it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from iam.icp_brasil.chain import Trust
from iam.icp_brasil.crl import Lists
from iam.icp_brasil.sample import Authority
from iam.icp_brasil.truststore import load

NOW = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority.create(NOW)


@dataclass
class Checked:
    """A trust with its list on disk, so that a test can revoke."""

    trust: Trust
    path: Path
    authority: Authority
    number: int = 1

    def revoke(self, *serials: int, now: datetime = NOW, days: float = 365) -> None:
        self.number += 1
        self.path.write_bytes(self.authority.crl(now, dict.fromkeys(serials, now), number=self.number, days=days))


@pytest.fixture
def checked(authority: Authority, tmp_path: Path) -> Checked:
    path = tmp_path / "ca.crl"
    path.write_bytes(authority.crl(NOW))
    return Checked(Trust(load(authority.bundle, test=True), Lists.of([path])), path, authority)
