"""The papers and the package beside the code: they must say what is there, and ship what they name."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from iam import config, plugins
from iam.errors import Invalid

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements.lock", "requirements-test.lock")
PIN = re.compile(r"^([a-z0-9-]+)(?:\[[a-z,]+\])?==(\S+) ", re.MULTILINE)
# `casbin` is the frozen old name of pycasbin; its SQLAlchemy adapter brings it back and stores law as rows.
FORBIDDEN = {"casbin", "casbin-sqlalchemy-adapter", "pysaml2"}


def text(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("name", config.NAMES)
def test_the_readme_explains_every_setting(name: str) -> None:
    assert re.search(rf"^\| `PORTARIA_{name}` \| \S", text("README.md"), re.MULTILINE)


def test_the_readme_names_no_setting_that_does_not_exist() -> None:
    told = set(re.findall(r"^\| `PORTARIA_([A-Z_]+)` \|", text("README.md"), re.MULTILINE))
    assert told == set(config.NAMES)


@pytest.mark.parametrize("kind", ["diretorio", "ldap", "keycloak", "rh_csv"])
def test_the_readme_tells_which_options_each_connector_takes(kind: str, tmp_path: Path) -> None:
    row = re.search(rf"^\| `{kind}`[^|]*\|([^|]*)\|([^|]*)\|$", text("README.md"), re.MULTILINE)
    assert row is not None
    required, optional = (re.findall(r"`([a-z_]+)`", cell) for cell in row.groups())
    make = plugins.source if kind == "rh_csv" else plugins.target
    with pytest.raises(Invalid, match="não conhece") as refusal:
        make(kind, {**dict.fromkeys(required, "x"), "nada": "x"}, tmp_path)
    assert refusal.value.message.rpartition(": ")[2].split(", ") == sorted({*required, *optional})
    for name in required:
        with pytest.raises(Invalid, match=f"precisa da configuração `{name}`"):
            make(kind, dict.fromkeys({*required} - {name}, "x"), tmp_path)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_hashes_and_none_names_a_host(lock: str) -> None:
    body = text(lock)
    assert not re.search(r"https?://|--index|--extra-index|--find-links|--trusted-host", body)
    blocks = re.split(r"^(?=[a-z0-9])", body, flags=re.MULTILINE)[1:]
    assert [b.split()[0] for b in blocks if "--hash=sha256:" not in b] == []


def test_the_test_lock_agrees_with_the_one_that_ships() -> None:
    shipped, tested = (dict(PIN.findall(text(lock))) for lock in LOCKS)
    assert shipped.items() <= tested.items()


@pytest.mark.parametrize("lock", LOCKS)
def test_no_forbidden_library_is_pinned(lock: str) -> None:
    assert FORBIDDEN & set(dict(PIN.findall(text(lock)))) == set()


def test_every_dependency_is_pinned_and_used() -> None:
    pinned = dict(PIN.findall(text("requirements.lock")))
    declared = {re.split(r"[\[>=<]", d)[0] for d in PROJECT["project"]["dependencies"]}
    assert declared <= set(pinned)
    source = "\n".join(
        p.read_text("utf-8") for f in ("iam", "connectors", "admin_ui") for p in (ROOT / f).rglob("*.py")
    )
    # These are used without an import: a driver named in a URL, a loop and a parser uvicorn finds, time zones.
    silent = {"psycopg": "postgresql+psycopg://", "tzdata": "zoneinfo", "uvloop": "uvloop", "httptools": "httptools"}
    imports = {"argon2-cffi": "argon2", "pyopenssl": "OpenSSL", "python-keycloak": "keycloak", "pycasbin": "casbin"}
    unused = {d for d in declared if not re.search(rf"\b{re.escape(silent.get(d) or imports.get(d, d))}", source)}
    assert unused == set()


def test_every_data_file_of_the_packages_ships_with_them() -> None:
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [p for f in ("iam", "connectors", "admin_ui", "policies") for p in (ROOT / f).rglob("*") if p.is_file()]
    left = [p.name for p in files if p.suffix not in {".py", ".pyc"} and not any(fnmatch(p.name, x) for x in patterns)]
    assert left == []


@pytest.mark.parametrize("group", ["iam.targets", "iam.sources"])
def test_every_plugin_of_ours_arrives_by_its_entry_point(group: str) -> None:
    ours = PROJECT["project"]["entry-points"][group]
    for name, value in ours.items():
        (found,) = entry_points(group=group, name=name)
        assert found.value == value
        assert callable(found.load())


def test_every_folder_of_a_norm_is_offered() -> None:
    folders = {p.name for p in (ROOT / "policies").iterdir() if (p / "pack.toml").is_file()}
    assert set(PROJECT["project"]["entry-points"]["iam.policies"]) == folders == set(config.PACKS)


def components() -> list[str]:
    """What the code is made of, as a reader of the tree sees it: one name per module or folder beside its siblings."""
    found = ["admin_ui", "policies"]
    for house in ("iam", "connectors"):
        inside = sorted((ROOT / house).iterdir())
        names = [p.name for p in inside if p.suffix == ".py" or any(p.glob("*.py"))]
        found += [f"{house}/{n.removesuffix('.py')}" for n in names if not n.startswith("_")]
    return found


def test_every_module_has_its_layer() -> None:
    contracts = PROJECT["tool"]["importlinter"]["contracts"]
    (layers,) = (c["layers"] for c in contracts if c["type"] == "layers")
    placed = {m.strip(" ()") for layer in layers for m in layer.split(":")}
    ours = {c.replace("/", ".") for c in components() if not c.startswith(("connectors", "policies"))}
    assert {m for m in ours if not re.match(r"iam\.cli_?", m)} <= placed


def architecture() -> dict[str, tuple[str, str]]:
    """Component, or glob over several, → (security controls, privacy controls): the tables of ARCHITECTURE.md."""
    told = {}
    for line in text("ARCHITECTURE.md").splitlines():
        cells = [c.strip() for c in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 4:
            for name in re.findall(r"`([^`]+)`", cells[0]):
                told[name] = (cells[2], cells[3])
    return told


@pytest.mark.requirement("TRAM-12-III.2")
@pytest.mark.parametrize("component", components())
def test_every_component_has_its_security_and_its_privacy_controls_written_down(component: str) -> None:
    told = [controls for name, controls in architecture().items() if fnmatch(component, name)]
    assert len(told) == 1
    assert all(len(control) > 20 for control in told[0])


@pytest.mark.requirement("TRAM-12-III.1")
def test_the_architecture_is_of_these_components_and_no_others() -> None:
    assert [name for name in architecture() if not any(fnmatch(c, name) for c in components())] == []
    assert [c for c in components() if not any(fnmatch(c, name) for name in architecture())] == []


@pytest.mark.parametrize("paper", ["README.md", "ARCHITECTURE.md", "DECISIONS.md", "CHANGELOG.md", "SECURITY.md"])
def test_every_path_a_paper_links_exists(paper: str) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", text(paper))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_license_is_the_whole_one() -> None:
    assert PROJECT["project"]["license"] == "Apache-2.0"
    assert "Version 2.0, January 2004" in text("LICENSE")
