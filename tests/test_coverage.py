"""A requirement is proved by a named test that passed on this very source, and by nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from iam import coverage, policy
from iam.config import PACKS
from iam.errors import Invalid

ROOT = Path(__file__).resolve().parent.parent
COMMIT = "0" * 40


@pytest.fixture(scope="module")
def law() -> policy.Policy:
    return policy.load(PACKS)


def proof(*requirements: str, passed: bool = True) -> coverage.Proof:
    return coverage.Proof(requirements, passed)


def test_without_a_record_nothing_is_proved(law: policy.Policy, tmp_path: Path) -> None:
    report = coverage.report(law, tmp_path / "none.json", COMMIT)
    assert report["total"] == len(report["pending"]) == 296
    assert report["proved"] == {}


def test_the_applications_44_duties_say_what_the_server_gives(law: policy.Policy, tmp_path: Path) -> None:
    relying = coverage.report(law, tmp_path / "none.json", COMMIT)["relying"]
    assert len(relying) == 44
    assert all(relying.values())
    assert relying.keys().isdisjoint(coverage.report(law, tmp_path / "none.json", COMMIT)["pending"])


def test_proved_and_pending_add_up_and_never_overlap(law: policy.Policy, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    coverage.write(record, COMMIT, {"tests/test_a.py::test_a": proof("MT128-13.1", "TRAM-12-III.1", "GAP-ALL-01")})
    report = coverage.report(law, record, COMMIT)
    assert report["proved"] == {
        "MT128-13.1": ["tests/test_a.py::test_a"],
        "TRAM-12-III.1": ["tests/test_a.py::test_a"],
    }
    assert len(report["proved"]) + len(report["pending"]) == report["total"] == 296
    assert set(report["proved"]).isdisjoint(report["pending"])


def test_a_failing_proof_leaves_its_requirement_pending(law: policy.Policy, tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    coverage.write(record, COMMIT, {"a": proof("MT128-13.1"), "b": proof("MT128-13.1", passed=False)})
    assert "MT128-13.1" in coverage.report(law, record, COMMIT)["pending"]


@pytest.mark.parametrize("other", ["1" * 40, COMMIT + "+0123456789abcdef", ""])
def test_a_record_of_another_state_proves_nothing(law: policy.Policy, tmp_path: Path, other: str) -> None:
    record = tmp_path / "record.json"
    coverage.write(record, COMMIT, {"a": proof("MT128-13.1")})
    assert coverage.report(law, record, other)["proved"] == {}


@pytest.mark.parametrize("broken", ["", "{", "[]", "{}", json.dumps({"commit": COMMIT, "tests": {"a": 1}})])
def test_a_broken_record_is_a_clear_error(law: policy.Policy, tmp_path: Path, broken: str) -> None:
    record = tmp_path / "record.json"
    record.write_text(broken, "utf-8")
    with pytest.raises(Invalid, match="make test"):
        coverage.report(law, record, COMMIT)


def git(root: Path, *words: str) -> None:
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    subprocess.run(["git", "-C", str(root), *identity, *words], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init", "-q")
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests/test_it.py").write_text(CASES, "utf-8")
    (tmp_path / ".gitignore").write_text("__pycache__/\n.portaria/\n", "utf-8")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


CASES = """
import pytest

@pytest.mark.requirement("MT128-13.1")
@pytest.mark.parametrize("n", [1, 2])
def test_every_case_passes(n): pass

@pytest.mark.requirement("MT128-13.2")
@pytest.mark.parametrize("n", [1, 0])
def test_one_case_fails(n): assert n

@pytest.mark.requirement("TRAM-12-III.1")
@pytest.mark.parametrize("n", [1, 0])
def test_one_case_is_skipped(n): n or pytest.skip("no server")

@pytest.mark.requirement("TRAM-12-IV.1")
@pytest.mark.parametrize("database_url", ["sqlite", "postgresql"])
def test_engine(database_url): database_url == "sqlite" or pytest.skip("no PostgreSQL")

@pytest.mark.requirement("MT128-999")
def test_unknown(): pass

@pytest.mark.requirement("MT128-R1")
def test_duty(): pass

@pytest.mark.requirement()
def test_nothing_claimed(): pass

def test_claims_nothing(): pass
"""


def run(root: Path, *words: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.requirement_plugin", "-p", "no:cacheprovider"]
    options = [
        "-o",
        "markers=requirement",
        "--import-mode=importlib",
        "--requirement-record",
        ".portaria/coverage.json",
    ]
    path = {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/local/bin:/usr/bin:/bin"}
    return subprocess.run(
        [*command, *options, *words], cwd=root, env=path, capture_output=True, text=True, check=False
    ).stdout


@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "xdist"])
def test_a_run_records_what_it_proved(repository: Path, workers: tuple[str, ...]) -> None:
    said = run(repository, *workers)
    commit = coverage.present(repository)
    assert len(commit) == 40
    proofs = coverage.read(repository / ".portaria/coverage.json", commit)
    assert {n.partition("::")[2]: p.passed for n, p in proofs.items()} == {
        "test_every_case_passes": True,
        "test_one_case_fails": False,
        "test_one_case_is_skipped": False,
        "test_engine": True,
        "test_unknown": False,
        "test_duty": False,
    }
    assert "no pack knows the requirement MT128-999" in said
    assert "MT128-R1 is a duty of the application" in said
    assert "names no requirement" in said


def test_a_run_cut_short_records_nothing(repository: Path) -> None:
    assert "did not reach its end" in run(repository, "-x")
    assert not (repository / ".portaria/coverage.json").exists()


def test_a_changed_or_added_file_is_another_state(repository: Path) -> None:
    clean = coverage.present(repository)
    (repository / "tests/test_it.py").write_text("def test_nothing(): pass\n", "utf-8")
    changed = coverage.present(repository)
    (repository / "tests/test_more.py").write_text("", "utf-8")
    added = coverage.present(repository)
    assert len({clean, changed, added}) == 3
    assert changed.startswith(f"{clean}+")


def test_what_does_not_change_the_server_changes_no_state(repository: Path) -> None:
    clean = coverage.present(repository)
    (repository / "notes.txt").write_text("minhas notas", "utf-8")
    assert coverage.present(repository) == clean


def test_a_folder_without_history_proves_nothing(tmp_path: Path) -> None:
    assert coverage.present(tmp_path) == ""
