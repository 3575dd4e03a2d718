"""A tiny norm in a folder, that each test spoils in its own way, and the policy of the six packs that we ship."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

from iam.pack import find, read
from iam.policy import Policy, build, load

SHIPPED = ("cotec62", "dec7", "mt128", "tram", "coana", "casa")

ACME = {
    "pack.toml": """
id = "acme"
title = "Portaria ACME nº 1"
short = "Portaria ACME nº 1"
code = "ACME"
issuer = "ACME"
in_force = 2025-01-01
sistemas = ["acme", "acme-*"]
orgaos = ["acme-rh"]
silence = "ACME-1"
""",
    "requirements.csv": (
        "id,article,kind,text,actor,acceptance\n"
        "ACME-1,Art. 1,token,Só entra quem tem perfil.,Todos,Sem perfil é recusado.\n"
        "ACME-2,Art. 2,token,Quem está de férias não entra.,Todos,De férias é recusado.\n"
    ),
    "systems.csv": "id,nome,orgao,gestor,superior,descricao,nota,source\nacme,Acme,acme-rh,RH,,Sistema,,ACME-1\n",
    "functions.csv": "id,sistema,nome,source\nacme.ler,acme,Ler,ACME-1\n",
    "profiles.csv": "id,nome,sistema,sigilo,sucessor,source\nacme-leitor,Leitor,acme,,,ACME-1\n",
    "words.csv": "word,nome,remedio,quem\nde_ferias,pessoa em férias,voltar das férias,\n",
    "rules.csv": (
        "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme,allow,ACME-1\nde_ferias,acme.ler,acme,deny,ACME-2\n"
    ),
    "scopes.csv": "scope,sistema,funcao,source\nacme:ler,acme,acme.ler,ACME-1\n",
    "effects.csv": (
        "id,event,alcance,perfil,effect,source,basis,description\n"
        "ACME-EV-1,ferias,sistema,,suspender,ACME-2,expresso,Suspenso nas férias\n"
    ),
    "limits.csv": "obj,limit,value,source\nacme,access_token,PT2M,ACME-1\nacme,guarda,P9Y,ACME-1\n",
    "orgaos.csv": "id,nome,uf,tz,superior,source\nacme-rh,RH da Acme,SP,America/Sao_Paulo,,ACME-1\n",
    "cases.csv": (
        "sub,act,obj,expect,source,about\n"
        "acme-leitor,acme.ler,acme,allow,ACME-1,quem tem o perfil lê\n"
        "acme-leitor de_ferias,acme.ler,acme,deny,ACME-2,de férias não lê\n"
        ",acme.ler,acme,deny,ACME-1,sem perfil não lê\n"
    ),
}


Changes = Mapping[str, str | bytes | None]


class Write(Protocol):
    """Writes the tiny pack; ``acme({"rules.csv": ...})`` replaces a file, ``None`` leaves it out."""

    def __call__(self, changes: Changes | None = None) -> Path: ...


class Build(Protocol):
    """A policy of the house's pack, some shipped ones by name, and packs read from folders."""

    def __call__(self, *folders: Path, names: tuple[str, ...] = ()) -> Policy: ...


@pytest.fixture(scope="session")
def policy() -> Policy:
    return load(SHIPPED)


@pytest.fixture
def acme(tmp_path: Path) -> Write:
    def write(changes: Changes | None = None) -> Path:
        folder = tmp_path / "acme"
        folder.mkdir(exist_ok=True)
        for name, content in {**ACME, **(changes or {})}.items():
            if content is not None:
                (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return write


@pytest.fixture
def with_house() -> Build:
    def make(*folders: Path, names: tuple[str, ...] = ()) -> Policy:
        shipped = [read(find(name)) for name in ("casa", *names)]
        return build([*shipped, *(read(f) for f in folders)])

    return make
