"""The marker ``requirement``: refuses ids that no pack knows, and records which claims a whole run proved.

Loaded by ``tests/conftest.py``. ``--requirement-record FILE`` (given by ``make test``) writes the record that
:mod:`iam.coverage` reads. A test counts as passed when all its cases passed; a case skipped because PostgreSQL is not
on this machine is not counted, because the same case ran on the embedded database. Works under pytest-xdist: the
claims travel with the reports, and only the process that collects the reports writes.
"""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from iam import coverage, pack
from iam.config import PACKS

MARK = "requirement"
NEUTRAL = "requirement-neutral"


@functools.cache
def known_ids(names: tuple[str, ...] = PACKS) -> tuple[frozenset[str], frozenset[str]]:
    """Ids a test may claim (requirements, gaps, rules of the house), and the duties of the applications it may not."""
    packs = [pack.read(pack.find(name)) for name in names]
    duties = frozenset(row["id"] for p in packs for row in p.tables["duties.csv"])
    return frozenset(i for p in packs for i in p.articles) - duties, duties


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--requirement-record", metavar="FILE", help="record which requirements this whole run proved")


def pytest_configure(config: pytest.Config) -> None:
    path = config.getoption("--requirement-record")
    if path and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Recorder(config.rootpath, config.rootpath / path), "requirement-recorder")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker(MARK) is None:
            continue
        item.user_properties += [(MARK, i) for i in claims(item)]
        callspec = getattr(item, "callspec", None)
        if callspec is not None and callspec.params.get("database_url") == "postgresql":
            item.user_properties.append((NEUTRAL, "skipped"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker(MARK) is None:
        return
    known, duties = known_ids()
    ids = claims(item)
    if not ids:
        pytest.fail(f"the marker `{MARK}` names no requirement", pytrace=False)
    for requirement in ids:
        if requirement in duties:
            pytest.fail(f"{requirement} is a duty of the application, not of the server", pytrace=False)
        if requirement not in known:
            pytest.fail(f"no pack knows the requirement {requirement}", pytrace=False)


def claims(item: pytest.Item) -> list[str]:
    """Every id the test claims, by its own marker or its class's or module's."""
    return [str(i) for mark in item.iter_markers(MARK) for i in mark.args]


class Recorder:
    """Adds up the reports of one run and writes the record at its end."""

    def __init__(self, root: Path, path: Path) -> None:
        self.root, self.path = root, path
        self.commit = coverage.present(root)
        self.claims: dict[str, tuple[str, ...]] = {}
        self.passed: dict[str, bool] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        claimed = [str(value) for name, value in report.user_properties if name == MARK]
        if not claimed:
            return
        name = report.nodeid.partition("[")[0]
        if report.skipped and (NEUTRAL, "skipped") in [(str(n), v) for n, v in report.user_properties]:
            return
        self.claims[name] = tuple(sorted({*claimed, *self.claims.get(name, ())}))
        if report.failed or report.skipped:
            self.passed[name] = False
        elif report.when == "call":
            self.passed.setdefault(name, True)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        whole = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        if session.shouldstop or session.shouldfail or not whole:
            self.said = "requirements: the run did not reach its end; nothing recorded"
        elif not self.commit or coverage.present(self.root) != self.commit:
            self.said = "requirements: no commit, or the source changed during the run; nothing recorded"
        else:
            proofs = {n: coverage.Proof(ids, self.passed.get(n, False)) for n, ids in self.claims.items()}
            coverage.write(self.path, self.commit, proofs)
            good = {r for p in proofs.values() if p.passed for r in p.requirements}
            bad = {r for p in proofs.values() if not p.passed for r in p.requirements}
            self.said = f"requirements: {len(good - bad)} ids proved at {self.commit[:12]}, written to {self.path.name}"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.write_line(self.said)
