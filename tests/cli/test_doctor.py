"""``portaria doctor`` stops at nothing that does not keep it from looking further."""

from __future__ import annotations

from tests.cli.conftest import Portaria


def test_a_database_that_others_can_read_hides_nothing_else(installed: Portaria) -> None:
    installed.data.chmod(0o755)
    (installed.data / "portaria.db").chmod(0o644)
    done = installed("doctor", "--json")
    assert done.status == 1
    found = {f["name"]: f["state"] for f in done.told["findings"]}
    assert found["arquivo do banco"] == "falha"
    assert found["banco de dados"] == "OK"
    assert {"chaves", "diário", "destino diretorio"} <= found.keys()
