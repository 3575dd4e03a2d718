"""Which requirements of the norms are proved, by which passing test, at which state of the source.

A test claims requirements with the marker ``requirement``; the plugin in ``tests/`` writes one record per run of the
whole suite. A claim counts only when every case of the test passed and the source is still what was tested. A record
of another commit, or of files changed since, proves nothing. This module reads; it never decides what a test is worth.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from iam.errors import Invalid

if TYPE_CHECKING:
    from iam.policy import Policy

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds the sources; in a checkout, the root of the repository."""
RECORD = ROOT / ".portaria" / "coverage.json"
SOURCES = ("iam", "connectors", "admin_ui", "policies", "tests", "pyproject.toml", "keycloak-realm.json")
HOUSE = "casa"
"""The house's own pack: its lines are ours, so they are not counted among what the norms demand."""


class Report(TypedDict):
    """What ``portaria policy coverage --json`` prints. ``proved`` and ``pending`` add up to ``total``."""

    total: int
    proved: dict[str, list[str]]
    pending: list[str]
    relying: dict[str, str]


@dataclass(frozen=True, slots=True)
class Proof:
    """One marked test: what it claims, and whether all its cases passed."""

    requirements: tuple[str, ...]
    passed: bool


def present(root: Path = ROOT) -> str:
    """Name the present state of the source: the commit, and ``+digest`` of what differs from it.

    Empty where there is no git history (an installed wheel): nothing was tested there, so nothing is proved.
    """
    head = _git(root, "rev-parse", "--verify", "HEAD").decode().strip()
    if not head:
        return ""
    changed = _git(root, "diff", "--binary", "HEAD", "--", *SOURCES)
    added = _git(root, "ls-files", "-z", "--others", "--exclude-standard", "--", *SOURCES).split(b"\0")
    digest = hashlib.sha256(changed)
    for name in filter(None, added):
        content = (root / name.decode()).read_bytes()
        digest.update(name + b"\0" + hashlib.sha256(content).digest())
    return f"{head}+{digest.hexdigest()[:16]}" if changed or any(added) else head


def _git(root: Path, *words: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(root), *words], capture_output=True, check=False)  # noqa: S607 the user's git
    except OSError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def write(record_path: Path, commit: str, proofs: Mapping[str, Proof]) -> None:
    """Keep the result of one run of the whole suite, whole or not at all, in place of the one before."""
    tests = {name: {"requirements": list(p.requirements), "passed": p.passed} for name, p in sorted(proofs.items())}
    record_path.parent.mkdir(parents=True, exist_ok=True)
    draft = record_path.with_suffix(".tmp")
    draft.write_text(json.dumps({"commit": commit, "tests": tests}, indent=1) + "\n", "utf-8")
    draft.replace(record_path)


def read(record_path: Path, commit: str) -> dict[str, Proof]:
    """Give the proofs of this very commit; none without a record of it. Raises Invalid for a broken record."""
    if not commit or not record_path.is_file():
        return {}
    try:
        record = json.loads(record_path.read_text("utf-8"))
        if record["commit"] != commit:
            return {}
        return {name: Proof(tuple(t["requirements"]), t["passed"] is True) for name, t in record["tests"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(f"o registro de cobertura `{record_path}` não pode ser lido: rode `make test`") from error


def report(policy: Policy, record_path: Path | None = None, commit: str | None = None) -> Report:
    """Tell every requirement of the norms in force as proved by named tests, or pending.

    ``relying`` holds the duties of the relying applications with what the server gives each. A requirement with a
    failing proof is pending, whatever other tests say. Without arguments: this checkout, its record, its commit.
    """
    proofs = read(record_path or RECORD, present() if commit is None else commit)
    good: dict[str, list[str]] = {}
    bad: set[str] = set()
    for name, proof in sorted(proofs.items()):
        for requirement in proof.requirements:
            good.setdefault(requirement, []).append(name)
            if not proof.passed:
                bad.add(requirement)
    norms = [pack for pack in policy.packs.values() if pack.id != HOUSE]
    demanded = [requirement for pack in norms for requirement in pack.requirements]
    proved = {r: good[r] for r in demanded if r in good and r not in bad}
    return Report(
        total=len(demanded),
        proved=proved,
        pending=[r for r in demanded if r not in proved],
        relying={row["id"]: row["gives"] for pack in norms for row in pack.tables["duties.csv"]},
    )
