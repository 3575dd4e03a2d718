"""The architecture, as tests: what a reviewer would otherwise have to remember. Design rules, checked on the source."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

from iam import norm, pack
from iam.ato import Ato
from iam.config import PACKS

ROOT = Path(__file__).resolve().parent.parent
HOUSES = ("iam", "connectors", "admin_ui")
LONGEST = 400
CITATION = re.compile(
    r"\b(?:COTEC62|DEC7|MT128|TRAM|COANA|CASA|GAP-[A-Z0-9]+)-[A-Z0-9][A-Za-z0-9]*(?:[.-][A-Za-z0-9]+)*"
)
RFC = re.compile(r"\bRFC ?(\d+)")

# Who may commit or open a Session: the context of every act, and the writers of the journal beneath it.
COMMITTERS = {"iam/context.py", "iam/db.py", "iam/recorder.py", "iam/sealer.py"}
# Who may open a writing transaction besides, each for books of its own that no norm rules:
WRITERS = {
    "iam/worker.py": "marks held by nobody any more, what failed and rests, up to when something periodic was done",
    "iam/news.py": "how far a source was read, and what of it could not be taken in",
    "iam/reconcile.py": "the lease on a mark, and an account's id on its target",
    "iam/revocation.py": "how new the revocation lists are that were ever believed",
    "iam/oauth/expiry.py": "what the protocol kept and nobody can redeem any more",
    "iam/restore.py": "the epochs of a copy, raised before anybody can open it",
    "admin_ui/app.py": "when a session was last used",
}
# Who may read the clock: the edges. Everything else takes `now`.
CLOCKS = {"iam/app.py", "iam/worker.py", "iam/conformance.py"}
CLOCK_EDGES = ("iam/cli", "iam/demo", "iam/migrations/")
# The names of the functions that put an act to the policy.
ASKS = {"require", "decide"}
MAKES_DECISIONS = "iam/policy.py"
READS_ENVIRONMENT = "iam/config.py"
# Where a framework's globals are at home.
FRAMEWORK_EDGES = ("iam/api/", "admin_ui/")


def modules(*folders: str) -> list[Path]:
    return sorted(p for f in folders for p in (ROOT / f).rglob("*.py") if "__pycache__" not in p.parts)


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"), str(path))


def calls(path: Path) -> list[tuple[str, int]]:
    """Every call as the dotted words that name it, with its line."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            words, at = [], node.func
            while isinstance(at, ast.Attribute):
                words.append(at.attr)
                at = at.value
            words.append(at.id if isinstance(at, ast.Name) else "")
            found.append((".".join(reversed(words)), node.lineno))
    return found


@functools.cache
def articles() -> frozenset[str]:
    packs = [pack.read(pack.find(name)) for name in PACKS]
    return frozenset(i for p in packs for i in p.articles) | {r["id"] for p in packs for r in p.tables["duties.csv"]}


def test_every_module_says_what_it_is() -> None:
    silent = [
        named(p) for p in modules(*HOUSES, "tests") if p.read_text("utf-8").strip() and not ast.get_docstring(tree(p))
    ]
    assert silent == []


def test_policies_are_data() -> None:
    strange = [
        named(p)
        for p in (ROOT / "policies").rglob("*")
        if p.is_file() and p.suffix not in {".csv", ".toml", ".conf", ".md"}
    ]
    assert strange == []


def test_only_the_policy_makes_a_decision() -> None:
    makers = {named(p) for p in modules(*HOUSES) for name, _ in calls(p) if name.split(".")[-1] == "Decision"}
    assert makers == {MAKES_DECISIONS}


def test_only_the_context_and_the_journal_commit() -> None:
    culprits = [
        f"{named(p)}:{line}"
        for p in modules(*HOUSES)
        for name, line in calls(p)
        if named(p) not in COMMITTERS and (name.endswith(".commit") or name.split(".")[-1] == "Session")
    ]
    assert culprits == []


def test_who_opens_a_writing_transaction_is_named() -> None:
    writers = {named(p) for p in modules(*HOUSES) for name, _ in calls(p) if name.endswith("database.write")}
    assert writers - COMMITTERS == WRITERS.keys()


def test_only_the_edges_read_the_clock() -> None:
    clocks = {"now", "utcnow", "today"}
    culprits = []
    for path in modules(*HOUSES):
        if named(path) in CLOCKS or named(path).startswith(CLOCK_EDGES):
            continue
        for name, line in calls(path):
            *owner, last = name.split(".")
            if (last in clocks and owner and owner[-1] in {"datetime", "date"}) or name in {
                "time.time",
                "time.time_ns",
            }:
                culprits.append(f"{named(path)}:{line} {name}")
    assert culprits == []


def test_only_the_configuration_reads_the_environment() -> None:
    culprits = [
        f"{named(p)}:{node.lineno}"
        for p in modules(*HOUSES)
        if named(p) != READS_ENVIRONMENT
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv"} and ast.unparse(node.value) == "os"
    ]
    assert culprits == []


def test_framework_globals_stay_at_the_edge() -> None:
    culprits = [
        named(p)
        for p in modules(*HOUSES)
        if not named(p).startswith(FRAMEWORK_EDGES)
        for node in ast.walk(tree(p))
        if isinstance(node, ast.ImportFrom | ast.Import)
        and "flask"
        in {*(a.name.split(".")[0] for a in node.names), (getattr(node, "module", None) or "").split(".")[0]}
        and named(p) != "iam/app.py"
    ]
    assert culprits == []


@pytest.mark.parametrize("ato", Ato)
def test_every_act_is_required_by_the_code_and_ruled_by_a_pack(ato: Ato) -> None:
    asked = {
        named(p)
        for p in modules("iam", "admin_ui")
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute | ast.Name)
        and (node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id) in ASKS
        and any(ast.unparse(a) == f"Ato.{ato.name}" for a in (*node.args, *(k.value for k in node.keywords)))
    }
    assert asked, f"no code asks the policy about {ato}"
    rules = [r for name in PACKS for r in pack.read(pack.find(name)).rules if norm.matches(ato, r.act) and r.allow]
    assert rules, f"no pack allows {ato} to anybody"


def test_every_cited_provision_exists() -> None:
    """``MT128-13.1`` must be an id of a pack; ``MT128-13`` stands for every id that begins with it."""
    cited = {(named(p), c) for p in modules(*HOUSES, "tests") for c in CITATION.findall(documentation(p))}
    stems = {a[: m.start()] for a in articles() for m in re.finditer(r"[.-]", a)} | articles()
    assert sorted((where, c) for where, c in cited if c not in stems) == []


def documentation(path: Path) -> str:
    nodes = [
        n
        for n in ast.walk(tree(path))
        if isinstance(n, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    return "\n".join(filter(None, map(ast.get_docstring, nodes)))


def test_every_cited_rfc_has_a_number_an_rfc_can_have() -> None:
    strange = [
        f"{named(p)}: RFC {n}"
        for p in modules(*HOUSES)
        for n in RFC.findall(p.read_text("utf-8"))
        if not 791 <= int(n) <= 9999
    ]
    assert strange == []


def test_no_module_is_a_drawer_for_everything() -> None:
    drawers = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "service"}
    assert [named(p) for p in modules(*HOUSES, "tests") if drawers & {p.stem, *p.relative_to(ROOT).parts}] == []


def test_no_file_tells_more_than_one_story() -> None:
    long = {
        named(p): n
        for p in modules("iam", "connectors", "admin_ui")
        if (n := len(p.read_text("utf-8").splitlines())) > LONGEST
    }
    assert long == {}


def test_what_an_error_says_begins_small_and_ends_without_a_full_stop() -> None:
    """It is quoted by the command, by problems and by pages, each in its own sentence."""
    ours = {"Conflict", "Invalid", "NotFound", "Unavailable", "Unsafe"}
    sentences = [
        f"{named(p)}:{node.lineno} {first.value}"
        for p in modules(*HOUSES)
        for node in ast.walk(tree(p))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ours and node.args
        for first in node.args[:1]
        if isinstance(first, ast.Constant)
        and isinstance(first.value, str)
        and (first.value.endswith(".") or (first.value[:1].isupper() and not first.value[1:2].isupper()))
    ]
    assert sentences == []


def test_every_folder_of_tests_mirrors_a_source() -> None:
    sources = {p.name for f in HOUSES for p in (ROOT / f).iterdir() if p.is_dir()} | {*HOUSES, "policies"}
    sources |= {p.stem for p in (ROOT / "iam").glob("*.py")}
    free = {"trips", "bench"}
    folders = {p.name for p in (ROOT / "tests").iterdir() if p.is_dir() and not p.name.startswith(("_", "."))}
    assert folders - sources - free == set()


def test_nothing_is_left_for_later_in_a_comment() -> None:
    later = re.compile(r"#\s*(TODO|FIXME|XXX|HACK)\b")
    assert [named(p) for p in modules(*HOUSES, "tests") if later.search(p.read_text("utf-8"))] == []
