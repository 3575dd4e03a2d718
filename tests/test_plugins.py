"""A package of somebody else brings a target, a source and a norm by entry point alone; a wrong one is named."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from iam import plugins
from iam.conformance import Connect, TargetContract
from iam.connector import Evento, Target
from iam.errors import Invalid, Unavailable
from iam.policy import load

CODE = '''
"""A plugin: a directory of one JSON file per account, and a source of one event."""

import dataclasses, json
from datetime import date
from iam.connector import *
from iam.connector import settings
from iam.errors import NotFound, Unavailable

class Pasta:
    def __init__(self, given, data):
        self.folder = data / settings("pasta", given, ("folder",), {})["folder"]

    def check(self):
        if not self.folder.is_dir():
            raise Unavailable(f"a pasta {self.folder.name} nao existe")

    def keys(self):
        self.check()
        for path in self.folder.iterdir():
            yield path.name

    def _path(self, key):
        self.check()
        return self.folder / key if key.isalnum() and key.isascii() and len(key) < 100 else None

    def observe(self, key, id=""):
        path = self._path(key)
        if path is None or not path.exists():
            return None
        seen = json.loads(path.read_text())
        return Account(key, seen["enabled"], frozenset(seen["perfis"]), seen["attributes"], NO_SESSIONS)

    def apply(self, key, change, id=""):
        seen = self.observe(key)
        if isinstance(change, Create):
            seen = seen or Account(key, False, attributes=dict(change.attributes))
        elif seen is None:
            if isinstance(change, (SetAttribute, AddPerfil, Enable)):
                raise NotFound(f"{key} nao existe")
            return
        match change:
            case Disable(): seen = dataclasses.replace(seen, enabled=False)
            case Enable(): seen = dataclasses.replace(seen, enabled=True)
            case RemovePerfil(p): seen = dataclasses.replace(seen, perfis=seen.perfis - {p})
            case AddPerfil(p): seen = dataclasses.replace(seen, perfis=seen.perfis | {p})
            case SetAttribute(n, v): seen = dataclasses.replace(seen, attributes={**seen.attributes, n: v})
        whole = {"enabled": seen.enabled, "perfis": sorted(seen.perfis), "attributes": seen.attributes}
        self._path(key).write_text(json.dumps(whole))

DAY = date(2026, 1, 5)

class Um:
    def __init__(self, given, data):
        self.fonte = settings("um", given, ("fonte",), {})["fonte"]
    def check(self): pass
    def events(self, after):
        if after is None:
            yield Cursor("1"), Evento(self.fonte, "1", "11144477735", "", "", "desligamento", DAY, "", "", "")

class Meio:
    def __init__(self, given, data): pass
    def check(self): pass
    def keys(self): return iter(())

CONSTANTE = 3
'''
ENTRY_POINTS = """
[iam.targets]
pasta = exemplo_portaria:Pasta
meio = exemplo_portaria:Meio
constante = exemplo_portaria:CONSTANTE
sem_modulo = exemplo_que_falta:X
sem_nome = exemplo_portaria:Nada
ldap = exemplo_portaria:Pasta
[iam.sources]
um = exemplo_portaria:Um
[iam.policies]
exemplo = exemplo_norma.exemplo
"""
NORMA = {
    "pack.toml": """
id = "exemplo"
title = "Portaria de exemplo nº 1, de 5 de janeiro de 2026"
short = "Portaria de exemplo 1/2026"
code = "EXEMPLO"
issuer = "Secretaria de Exemplo"
in_force = 2026-01-05
sistemas = ["exemplo"]
orgaos = ["sefaz-exemplo"]
silence = "Art. 1"
[articles]
"Art. 1" = "Art. 1º Só o fiscal consulta."
""",
    "systems.csv": "id,nome,orgao,gestor,superior,descricao,nota,source\nexemplo,Exemplo,,,,Um sistema,,Art. 1\n",
    "profiles.csv": "id,nome,sistema,sigilo,sucessor,source\nexemplo-fiscal,Fiscal,exemplo,,,Art. 1\n",
    "functions.csv": "id,sistema,nome,source\nexemplo.consultar,exemplo,Consultar,Art. 1\n",
    "scopes.csv": "scope,sistema,funcao,source\nexemplo:consultar,exemplo,exemplo.consultar,Art. 1\n",
    "rules.csv": "sub,act,obj,eft,source\nexemplo-fiscal,exemplo.consultar,exemplo,allow,Art. 1\n",
    "limits.csv": "obj,limit,value,source\nexemplo,acr,mfa,Art. 1\n",
    "cases.csv": "sub,act,obj,expect,source,about\nexemplo-fiscal,exemplo.consultar,exemplo,allow,Art. 1,o fiscal\n",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A site directory with the package installed, as pip leaves it."""
    folder = tmp_path / "site"
    info = folder / "portaria_exemplo-1.0.dist-info"
    norma = folder / "exemplo_norma" / "exemplo"
    info.mkdir(parents=True)
    norma.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: portaria-exemplo\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(ENTRY_POINTS)
    (folder / "exemplo_portaria.py").write_text(CODE)
    (folder / "exemplo_norma" / "__init__.py").write_text("raise SystemExit('a pack is never imported')")
    for name, text in NORMA.items():
        (norma / name).write_text(text.lstrip())
    monkeypatch.syspath_prepend(str(folder))
    yield folder
    sys.modules.pop("exemplo_portaria", None)


class TestTargetOfAPlugin(TargetContract):
    """The author's own test: two fixtures, and the whole contract."""

    @pytest.fixture
    def connect(self, site: Path, tmp_path: Path) -> Connect:
        (tmp_path / "contas").mkdir()
        return lambda: plugins.target("pasta", {"folder": "contas"}, tmp_path)

    @pytest.fixture
    def broken(self, site: Path, tmp_path: Path) -> Target:
        return plugins.target("pasta", {"folder": "nenhuma"}, tmp_path)


def test_a_source_of_a_plugin_tells_its_event(site: Path, tmp_path: Path) -> None:
    source = plugins.source("um", {"fonte": "rh-exemplo"}, tmp_path)
    [(cursor, event)] = source.events(None)
    assert isinstance(event, Evento)
    assert (event.fonte, event.tipo) == ("rh-exemplo", "desligamento")
    assert list(source.events(cursor)) == []


def test_a_norm_of_a_plugin_decides_once_it_is_named_and_only_then(site: Path) -> None:
    assert load(["casa"]).sistema("exemplo") is None
    policy = load(["casa", "exemplo"])
    decision = policy.decide({"exemplo-fiscal"}, "exemplo.consultar", "exemplo")
    assert (decision.allowed, decision.source.pack, decision.source.article) == (True, "exemplo", "Art. 1")
    assert "exemplo_norma" not in sys.modules


def test_being_installed_is_not_being_imported(site: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="pasta"):
        plugins.target("outra", {}, tmp_path)
    assert "exemplo_portaria" not in sys.modules


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nenhum", ("nenhum", "diretorio", "keycloak", "ldap")),
        ("ldap", ("mais de um", "portaria ", "portaria-exemplo 1.0")),
        ("meio", ("meio", "portaria-exemplo", "Target", "observe", "apply")),
        ("constante", ("constante", "portaria-exemplo")),
        ("sem_modulo", ("sem_modulo", "exemplo_que_falta")),
        ("sem_nome", ("sem_nome", "Nada")),
    ],
)
def test_a_wrong_kind_is_refused_with_what_is_wrong(
    site: Path, tmp_path: Path, kind: str, words: tuple[str, ...]
) -> None:
    with pytest.raises(Invalid) as refusal:
        plugins.target(kind, {}, tmp_path)
    for word in words:
        assert word in refusal.value.message


def test_ours_arrive_the_same_way(tmp_path: Path) -> None:
    target = plugins.target("diretorio", {}, tmp_path)
    target.check()
    reader = plugins.event_file("rh_csv", {"fonte": "rh-mt"}, tmp_path)
    header = b"numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
    [(number, event)] = reader.read(io.BytesIO(header + b"1,11144477735,,,desligamento,2026-01-05,,,\n"))
    assert number == 2
    assert isinstance(event, Evento)


def test_a_source_without_files_is_no_reader_of_files(site: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="EventFile"):
        plugins.event_file("um", {"fonte": "x"}, tmp_path)


def test_a_setting_that_a_plugin_refuses_is_named(site: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="folder"):
        plugins.target("pasta", {}, tmp_path)
    with pytest.raises(Unavailable):
        plugins.target("pasta", {"folder": "nenhuma"}, tmp_path).check()
