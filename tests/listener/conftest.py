"""The listeners that these tests talk to: two TLS ports, and two sockets for a proxy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from iam.icp_brasil.sample import Authority
from iam.listener import Front, Tls
from tests.listener.server import NOW, Running, running


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Authority]:
    directory = tmp_path_factory.mktemp("pki")
    authority = Authority.create(NOW)
    authority.write(directory, NOW)
    return directory, authority


@pytest.fixture(scope="module")
def endpoints(house: tuple[Path, Authority]) -> tuple[Tls, Tls]:
    directory, _ = house
    files = directory / "server.pem", directory / "server.key"
    return Tls("127.0.0.1", 0, *files), Tls("127.0.0.1", 0, *files, mtls=True)


@pytest.fixture
def server(house: tuple[Path, Authority], endpoints: tuple[Tls, Tls]) -> Iterator[Running]:
    with running(endpoints, house[0] / "ca.pem") as found:
        yield found


@pytest.fixture
def front(house: tuple[Path, Authority], tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    ordinary, mutual = tmp_path / "web.sock", tmp_path / "mtls.sock"
    with running((Front(ordinary), Front(mutual, mtls=True)), house[0] / "ca.pem"):
        yield ordinary, mutual
