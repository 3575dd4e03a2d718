"""The strict loader: everything doubtful is refused, with file and line, and nothing of a pack ever runs."""

from __future__ import annotations

import pytest

from iam.pack import read
from iam.policy import Policy, load
from iam.table import PackError, duration
from tests.policies.conftest import ACME, Build, Changes, Write

REFUSED = {
    "wrong header": ({"rules.csv": "sub,act,obj,effect,source\n"}, "acme/rules.csv:1", "wrong header"),
    "empty file": ({"rules.csv": ""}, "acme/rules.csv:1", "wrong header"),
    "missing column": ({"rules.csv": "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme,allow\n"}, ":2", "4 columns"),
    "extra column": ({"rules.csv": "sub,act,obj,eft,source\na,acme.ler,acme,allow,ACME-1,x\n"}, ":2", "6 columns"),
    "a comma that was not quoted": (
        {"words.csv": "word,nome,remedio,quem\nde_ferias,pessoa em férias,voltar, já,\n"},
        "acme/words.csv:2",
        "5 columns",
    ),
    "somebody whom nobody knows": (
        {"words.csv": ACME["words.csv"] + "outra,outra,ser outra,todos\n"},
        "acme/words.csv:3",
        "`todos` is not a known quem",
    ),
    "unknown act": (
        {"rules.csv": ACME["rules.csv"] + "acme-leitor,acme.lre,acme,allow,ACME-1\n"},
        "acme/rules.csv:4",
        "unknown act `acme.lre`",
    ),
    "unknown eft": (
        {"rules.csv": "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme,alow,ACME-1\n"},
        "acme/rules.csv:2",
        "`alow` is not a known eft",
    ),
    "unknown source": (
        {"rules.csv": "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme,allow,ACME-3\n"},
        "acme/rules.csv:2",
        "source `ACME-3`",
    ),
    "missing source": (
        {"rules.csv": "sub,act,obj,eft,source\nacme-leitor,acme.ler,acme,allow,\n"},
        "acme/rules.csv:2",
        "source ``",
    ),
    "unknown word": (
        {"rules.csv": ACME["rules.csv"] + "leitro,acme.ler,acme,allow,ACME-1\n"},
        "acme/rules.csv:4",
        "unknown word `leitro`",
    ),
    "duplicate line": (
        {"rules.csv": ACME["rules.csv"] + "acme-leitor,acme.ler,acme,allow,ACME-1\n"},
        "acme/rules.csv:4",
        "duplicate of line 2",
    ),
    "blank line": ({"rules.csv": ACME["rules.csv"] + "\n"}, "acme/rules.csv:4", "0 columns"),
    "comment line": ({"rules.csv": ACME["rules.csv"] + "# nada\n"}, "acme/rules.csv:4", "1 columns"),
    "stray space": (
        {"rules.csv": "sub,act,obj,eft,source\nacme-leitor, acme.ler,acme,allow,ACME-1\n"},
        "acme/rules.csv:2",
        "spaces around",
    ),
    "broken quotes": (
        {"words.csv": 'word,nome,remedio,quem\nde_ferias,"pessoa" em férias,voltar,\n'},
        "acme/words.csv:2",
        "not a line of CSV",
    ),
    "line break inside a field": (
        {"words.csv": 'word,nome,remedio,quem\nde_ferias,"pessoa\nem férias",voltar,\n'},
        "acme/words.csv:2",
        "control character",
    ),
    "byte order mark": ({"rules.csv": "\ufeff" + ACME["rules.csv"]}, "acme/rules.csv", "byte order mark"),
    "not UTF-8": ({"rules.csv": "sub,act,obj,eft,source\né".encode("latin-1")}, "acme/rules.csv", "UTF-8"),
    "glob in the middle": (
        {"rules.csv": ACME["rules.csv"] + "acme-leitor,acme.ler,a*me,allow,ACME-1\n"},
        "acme/rules.csv:4",
        "last character",
    ),
    "speaks of another's sistema": (
        {"rules.csv": ACME["rules.csv"] + "de_ferias,acme.ler,vfr,deny,ACME-2\n"},
        "acme/rules.csv:4",
        "not a sistema or órgão that this pack speaks for",
    ),
    "speaks of more than its own": (
        {"rules.csv": ACME["rules.csv"] + "de_ferias,acme.ler,*,deny,ACME-2\n"},
        "acme/rules.csv:4",
        "not a sistema or órgão that this pack speaks for",
    ),
    "no cases file": ({"cases.csv": None}, "acme/cases.csv", "missing"),
    "no cases": ({"cases.csv": "sub,act,obj,expect,source,about\n"}, "acme/cases.csv", "without cases"),
    "failing case: outcome": (
        {"cases.csv": "sub,act,obj,expect,source,about\nde_ferias,acme.ler,acme,allow,ACME-1,engano\n"},
        "acme/cases.csv:2",
        "the case fails: deny by ACME-2, expected allow by ACME-1",
    ),
    "failing case: article": (
        {"cases.csv": "sub,act,obj,expect,source,about\nde_ferias,acme.ler,acme,deny,ACME-1,engano\n"},
        "acme/cases.csv:2",
        "the case fails: deny by ACME-2, expected deny by ACME-1",
    ),
    "unknown file": ({"rulez.csv": "sub\n"}, "acme/rulez.csv", "is not a file of a pack"),
    "Python": ({"__init__.py": "raise SystemExit\n"}, "acme/__init__.py", "data only"),
    "not TOML": ({"pack.toml": "id = acme"}, "acme/pack.toml", "not TOML"),
    "unknown key": ({"pack.toml": ACME["pack.toml"] + "inforce = 1\n"}, "acme/pack.toml", "unknown key `inforce`"),
    "other id": (
        {"pack.toml": ACME["pack.toml"].replace('"acme"\n', '"acmee"\n', 1)},
        "pack.toml",
        "name of the folder",
    ),
    "bad date": (
        {"pack.toml": ACME["pack.toml"].replace("2025-01-01", '"01/01/2025"')},
        "acme/pack.toml",
        "`in_force` must be a date",
    ),
    "ends before it begins": (
        {"pack.toml": ACME["pack.toml"] + "until = 2024-12-31\n"},
        "acme/pack.toml",
        "later than `until`",
    ),
    "bad duration": (
        {"limits.csv": "obj,limit,value,source\nacme,access_token,5min,ACME-1\n"},
        "acme/limits.csv:2",
        "`5min` is not an ISO 8601 duration",
    ),
    "bad acr": ({"limits.csv": "obj,limit,value,source\nacme,acr,forte,ACME-1\n"}, "acme/limits.csv:2", "`forte`"),
    "unknown effect": ({"effects.csv": ACME["effects.csv"].replace("suspender", "cortar")}, ":2", "`cortar`"),
    "unknown alcance": ({"effects.csv": ACME["effects.csv"].replace("sistema", "tudo")}, ":2", "`tudo`"),
    "same id twice": (
        {"profiles.csv": ACME["profiles.csv"] + "acme-leitor,Outro,acme,,,ACME-1\n"},
        "acme/profiles.csv:3",
        "already in acme/profiles.csv:2",
    ),
    "sucessor that is not": (
        {"profiles.csv": ACME["profiles.csv"] + "acme-velho,Velho,acme,,acme-novo,ACME-1\n"},
        "acme/profiles.csv",
        "unknown sucessor",
    ),
    "secrecy category that is not": (
        {"profiles.csv": ACME["profiles.csv"] + "acme-x,X,acme,secreto,,ACME-1\n"},
        "acme/profiles.csv:3",
        "`secreto` is not a known sigilo",
    ),
    "scope of nothing": (
        {"scopes.csv": ACME["scopes.csv"] + "acme:gravar,acme,acme.gravar,ACME-1\n"},
        "acme/scopes.csv",
        "unknown sistema or função",
    ),
    "a sistema of another pack": (
        {
            "pack.toml": ACME["pack.toml"].replace('["acme", "acme-*"]', '["acme", "portaria"]'),
            "systems.csv": ACME["systems.csv"] + "portaria,Minha,acme-rh,RH,,Sistema,,ACME-1\n",
        },
        "",
        "`portaria` is also of pack",
    ),
    "allows on a sistema of another pack": (
        {
            "pack.toml": ACME["pack.toml"].replace('["acme", "acme-*"]', '["acme", "portaria"]'),
            "rules.csv": ACME["rules.csv"] + "acme-leitor,diario:ler,portaria,allow,ACME-1\n",
        },
        "acme/rules.csv:4",
        "`portaria` is of pack `casa`: another may only deny",
    ),
    "a word of the house with another meaning": (
        {"words.csv": ACME["words.csv"] + "operador,qualquer um,nada,instalacao\n"},
        "",
        "`operador` means something else in pack",
    ),
    "a restriction of a perfil of nobody": (
        {"restrictions.csv": "perfil,restricao,source\nacme-x,evento,ACME-1\n"},
        "acme/restrictions.csv",
        "unknown perfil `acme-x`",
    ),
    "órgão under nobody": (
        {"orgaos.csv": ACME["orgaos.csv"].replace("America/Sao_Paulo,,", "America/Sao_Paulo,acme-x,")},
        "acme/orgaos.csv",
        "unknown superior",
    ),
}


@pytest.mark.parametrize(("changes", "where", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_doubtful_is_refused_with_file_and_line(
    acme: Write, with_house: Build, changes: Changes, where: str, message: str
) -> None:
    with pytest.raises(PackError) as refused:
        with_house(acme(changes))
    assert where in refused.value.where
    assert message in refused.value.message
    assert "\n" not in str(refused.value)


def test_the_unspoiled_pack_is_accepted(acme: Write, with_house: Build) -> None:
    policy = with_house(acme())
    decision = policy.decide({"acme-leitor"}, "acme.ler", "acme")
    assert decision.allowed
    assert str(decision.source) == "ACME-1 (Art. 1)"


def test_quoted_articles_are_sources_of_a_pack_without_requirements(acme: Write, with_house: Build) -> None:
    toml = ACME["pack.toml"] + '[articles]\n"ACME-1" = "Só entra quem tem perfil."\n"ACME-2" = "Férias são férias."\n'
    policy = with_house(acme({"pack.toml": toml, "requirements.csv": None}))
    assert policy.article("ACME-2").text == "Férias são férias."


def test_a_pack_that_is_not_installed_is_refused_by_name() -> None:
    with pytest.raises(PackError, match="pack `nenhum`: is not installed"):
        load(["casa", "nenhum"])


def test_the_house_must_be_in_force() -> None:
    with pytest.raises(PackError, match="the house's own pack `casa`"):
        load(["coana"])


def test_a_pack_named_twice_is_refused() -> None:
    with pytest.raises(PackError, match="names a pack twice"):
        load(["casa", "coana", "coana"])


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT5M", 300), ("P1D", 86400), ("P1Y2M", 425 * 86400), ("P1DT1S", 86401)]
)
def test_durations_are_iso_8601(text: str, seconds: int) -> None:
    assert duration(text).total_seconds() == seconds


@pytest.mark.parametrize("text", ["", "P", "PT", "5", "P1H", "-PT5M", "pt5m", "PT5M "])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an ISO 8601 duration"):
        duration(text)


def test_reading_does_not_touch_the_folder(acme: Write) -> None:
    folder = acme()
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    read(folder)
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


CATEGORIES = ("confidencial", "reservado", "restrito", "ostensivo")


@pytest.mark.requirement("MT128-7.2")
@pytest.mark.parametrize("sigilo", [*CATEGORIES, "secreto", "Restrito", "público", "restrito ostensivo", "-"])
def test_a_classification_is_one_of_the_four_categories_or_is_refused(
    acme: Write, with_house: Build, sigilo: str
) -> None:
    folder = acme({"profiles.csv": ACME["profiles.csv"].replace("acme,,,ACME-1", f"acme,{sigilo},,ACME-1")})
    if sigilo in CATEGORIES:
        perfil = with_house(folder).perfil("acme-leitor")
        assert perfil is not None
        assert perfil.sigilo == sigilo
    else:
        with pytest.raises(PackError, match=f"acme/profiles.csv:2: `{sigilo}` is not a known sigilo"):
            with_house(folder)


def test_every_perfil_of_the_systems_of_mt_is_of_one_category(policy: Policy) -> None:
    assert {p.sigilo for p in policy.packs["mt128"].perfis} <= set(CATEGORIES)
