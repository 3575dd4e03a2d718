"""Reads one regulation folder and refuses anything doubtful (the norm as data; see ``policies/README.md``).

A pack is found by entry point (group ``iam.policies``), located by the top-level name of its value and never
imported, so that nothing in it can run. What the norm says is data; this module only checks its form: what a line
means is the business of :mod:`iam.policy`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import entry_points
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path
from typing import TypeVar

from iam.decision import Source
from iam.norm import (
    LEGAL_TIME,
    Article,
    Case,
    Effect,
    Funcao,
    Limit,
    Orgao,
    Pack,
    Perfil,
    Restriction,
    Rule,
    Scope,
    Sistema,
    Word,
)
from iam.table import PackError, Row, duration, rows, text

GROUP = "iam.policies"
ALCANCES = ("pessoa", "vinculo", "sistema", "nenhum")
EFFECTS = ("revogar", "desabilitar", "suspender", "pendencia", "nenhum")
ACRS = ("senha", "mfa", "icp-brasil")
QUEM = ("pessoa", "client", "instalacao", "")
SIGILOS = ("confidencial", "reservado", "restrito", "ostensivo", "")
HOUSE_ARTICLES = {"GAP": "lacuna da norma, padrão do sistema", "CASA": "regra da casa"}

TABLES = {
    "requirements.csv": "id article kind text actor acceptance",
    "duties.csv": "id duty article gives",
    "gaps.csv": "id issue default",
    "systems.csv": "id nome orgao gestor superior descricao nota source",
    "profiles.csv": "id nome sistema sigilo sucessor source",
    "functions.csv": "id sistema nome source",
    "scopes.csv": "scope sistema funcao source",
    "rules.csv": "sub act obj eft source",
    "words.csv": "word nome remedio quem",
    "effects.csv": "id event alcance perfil effect source basis description",
    "events.csv": "event nome",
    "approvals.csv": "act obj caso step papel quorum source",
    "limits.csv": "obj limit value source",
    "restrictions.csv": "perfil restricao source",
    "conflicts.csv": "perfil perfil_2 source",
    "roles.csv": "id nome article holder_kind held_by obtained_by ends_by powers incompatibilities",
    "orgaos.csv": "id nome uf tz superior source",
    "transactions.csv": "transacao uf orgao disponivel source",
    "holders.csv": "conjunto perfil perfil_nome item titular substituto base autorizado_por jurisdicao source",
    "classes.csv": "id nome tipo article vinculacao habilitado_por dados pode limites canais fim notas",
    "cases.csv": "sub act obj expect source about",
}
_TOML = {"id", "title", "short", "code", "issuer", "url", "in_force", "until", "sistemas", "orgaos", "tz", "silence"}


def find(name: str) -> Path:
    """The folder of the pack of this entry-point name, located without importing it; :class:`PackError` otherwise."""
    found = {(e.value, str(e.dist.name if e.dist else "")) for e in entry_points(group=GROUP, name=name)}
    if len(found) != 1:
        problem = "is not installed" if not found else f"is offered by {len(found)} packages"
        raise PackError(f"pack `{name}`", f"{problem}: no single entry point of group {GROUP} has this name")
    top, *rest = found.pop()[0].split(".")
    spec = find_spec(top)
    for place in (spec.submodule_search_locations if spec else None) or ():
        folder = Path(place, *rest)
        if folder.is_dir():
            return folder
    raise PackError(f"pack `{name}`", f"its entry point names the folder `{top}`, which is not there")


def read(folder: Traversable) -> Pack:
    """The pack in ``folder``; :class:`PackError` with file and line for anything that is not exactly in order."""
    files = {}
    for entry in folder.iterdir():
        if entry.name not in TABLES and entry.name != "pack.toml":
            raise PackError(f"{folder.name}/{entry.name}", "is not a file of a pack; a pack is data only, without code")
        files[entry.name] = entry
    for name in ("pack.toml", "cases.csv"):
        if name not in files:
            raise PackError(f"{folder.name}/{name}", "is missing")
    tables = {
        name: tuple(rows(text(files[name], f"{folder.name}/{name}"), f"{folder.name}/{name}", columns.split()))
        if name in files
        else ()
        for name, columns in TABLES.items()
    }
    return _Reader(folder.name, text(files["pack.toml"], f"{folder.name}/pack.toml"), tables).pack()


T = TypeVar("T")


class _Reader:
    """Turns the rows of one folder into its typed values, checking every reference inside the pack."""

    def __init__(self, folder: str, toml: str, tables: Mapping[str, tuple[Row, ...]]) -> None:
        self.folder, self.tables, self.file = folder, tables, f"{folder}/pack.toml"
        try:
            self.toml = tomllib.loads(toml)
        except tomllib.TOMLDecodeError as error:
            raise PackError(self.file, f"not TOML: {error}") from error
        if unknown := set(self.toml) - _TOML - {"articles"}:
            raise PackError(self.file, f"unknown key `{min(unknown)}`")
        if self._str("id") != folder:
            raise PackError(self.file, f"id `{self.toml['id']}` is not the name of the folder")
        self.articles = self._articles()

    def _str(self, key: str, *, default: str | None = None) -> str:
        value = self.toml.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise PackError(self.file, f"`{key}` must be a text that is not empty")
        return value

    def _date(self, key: str) -> date | None:
        value = self.toml.get(key)
        if value is not None and type(value) is not date:
            raise PackError(self.file, f"`{key}` must be a date such as 2005-10-10, without quotes")
        return value

    def _globs(self, key: str) -> tuple[str, ...]:
        value = self.toml.get(key, [])
        if not isinstance(value, list) or not all(isinstance(g, str) and g and "*" not in g[:-1] for g in value):
            raise PackError(self.file, f"`{key}` must be a list of ids or of globs that end in *")
        return tuple(value)

    def _articles(self) -> dict[str, Article]:
        quoted = self.toml.get("articles", {})
        if not isinstance(quoted, dict) or not all(isinstance(v, str) and v for v in quoted.values()):
            raise PackError(self.file, "[articles] must give each article its text")
        known: dict[str, Article] = {}
        used = set[str]()
        for r in self.tables["requirements.csv"]:
            r.need("id", "article", "kind", "text", "acceptance")
            used.add(r["article"])
            words = quoted.get(r["article"], r["text"])
            self._new(known, r, Article(r["id"], self.folder, r["article"], words))
        for r in self.tables["gaps.csv"]:
            r.need("id", "issue", "default")
            self._new(known, r, Article(r["id"], self.folder, HOUSE_ARTICLES["GAP"], r["default"]))
        for key, words in quoted.items():
            if key not in used:
                if key in known:
                    raise PackError(self.file, f"[articles] `{key}` is an id of this pack: quote the article it cites")
                label = HOUSE_ARTICLES["CASA"] if key.startswith("CASA-") else key
                known[key] = Article(key, self.folder, label, words)
        return known

    @staticmethod
    def _new(known: dict[str, Article], row: Row, article: Article) -> None:
        if article.id in known:
            raise row.error(f"`{article.id}` is here twice")
        known[article.id] = article

    def source(self, row: Row) -> Source:
        """The article of a line; a line without one is refused."""
        article = self.articles.get(row["source"])
        if article is None:
            raise row.error(f"source `{row['source']}` is not a requirement, gap or article of this pack")
        return Source(self.folder, article.id, article.article)

    def _glob(self, row: Row, column: str) -> str:
        row.need(column)
        if "*" in row[column][:-1]:
            raise row.error(f"`{row[column]}`: a * may only be the last character")
        return row[column]

    def _all(self, table: str, key: str, make: Callable[[Row], T]) -> tuple[T, ...]:
        seen: dict[str, str] = {}
        for row in self.tables[table]:
            if key and row[key] in seen:
                raise row.error(f"`{row[key]}` is already in {seen[row[key]]}")
            if key:
                row.need(key)
                seen[row[key]] = row.where
        return tuple(make(row) for row in self.tables[table])

    def _rule(self, row: Row) -> Rule:
        row.need("sub", "act")
        allow = row.one_of("eft", ("allow", "deny")) == "allow"
        return Rule(row["sub"], row["act"], self._glob(row, "obj"), allow, self.source(row), row.where)

    def _effect(self, row: Row) -> Effect:
        row.need("event", "basis", "description")
        alcance, effect = row.one_of("alcance", ALCANCES), row.one_of("effect", EFFECTS)
        source = self.source(row)
        perfis = frozenset(row["perfil"].split())
        if perfis and alcance != "sistema":
            raise row.error(f"`perfil` narrows an effect on a `sistema`, not on `{alcance}`")
        said = row["description"], row["basis"]
        return Effect(self.folder, row["id"], row["event"], alcance, perfis, effect, source, *said)

    def _limit(self, row: Row) -> Limit:
        row.need("limit", "value")
        limit = Limit(row["limit"], self._glob(row, "obj"), row["value"], self.source(row))
        if limit.name == "acr":
            row.one_of("value", ACRS)
        elif not limit.value.isdecimal():
            try:
                duration(limit.value)
            except ValueError as error:
                raise row.error(f"{error}, nor a whole number") from error
        return limit

    def _restriction(self, row: Row) -> Restriction:
        row.need("perfil", "restricao")
        return Restriction(row["perfil"], tuple(row["restricao"].split()), self.source(row))

    def _case(self, row: Row) -> Case:
        row.need("about", "act", "obj")
        self.source(row)
        allow = row.one_of("expect", ("allow", "deny")) == "allow"
        words = frozenset(row["sub"].split())
        return Case(words, row["act"], row["obj"], allow, row["source"], row["about"], row.where)

    def pack(self) -> Pack:
        """The whole; every table read, every reference inside the pack resolved."""
        in_force, until = self._date("in_force"), self._date("until")
        if in_force is None or (until is not None and until < in_force):
            raise PackError(self.file, "`in_force` is missing or later than `until`")
        if not self.tables["cases.csv"]:
            raise PackError(f"{self.folder}/cases.csv", "a pack without cases cannot be trusted")
        silence = self._str("silence")
        if silence not in self.articles:
            raise PackError(self.file, f"silence `{silence}` is not a requirement, gap or article of this pack")
        for table in ("approvals.csv", "conflicts.csv", "transactions.csv", "holders.csv"):
            for row in self.tables[table]:
                self.source(row)
        for row in self.tables["words.csv"]:
            row.need("nome", "remedio")
        me, src, glob = self.folder, self.source, self._glob
        return Pack(
            id=me,
            title=self._str("title"),
            short=self._str("short"),
            code=self._str("code"),
            issuer=self._str("issuer"),
            url=self._str("url", default=""),
            in_force=in_force,
            until=until,
            sistemas_glob=self._globs("sistemas"),
            orgaos_glob=self._globs("orgaos"),
            tz=self._str("tz", default=LEGAL_TIME),
            silence=Source(me, silence, self.articles[silence].article),
            articles=self.articles,
            requirements=tuple(r["id"] for r in self.tables["requirements.csv"]),
            sistemas=self._all(
                "systems.csv",
                "id",
                lambda r: Sistema(
                    r["id"], r["nome"], r["orgao"], r["gestor"], r["superior"], r["descricao"], r["nota"], me, src(r)
                ),
            ),
            perfis=self._all(
                "profiles.csv",
                "id",
                lambda r: Perfil(
                    r["id"], r["nome"], glob(r, "sistema"), r.one_of("sigilo", SIGILOS), r["sucessor"], me, src(r)
                ),
            ),
            funcoes=self._all(
                "functions.csv", "id", lambda r: Funcao(r["id"], glob(r, "sistema"), r["nome"], me, src(r))
            ),
            scopes=self._all("scopes.csv", "scope", lambda r: Scope(r["scope"], r["sistema"], r["funcao"], src(r))),
            rules=self._all("rules.csv", "", self._rule),
            words=tuple(
                Word(r["word"], r["nome"], r["remedio"], r.one_of("quem", QUEM), n)
                for n, r in enumerate(self._all("words.csv", "word", _row))
            ),
            effects=self._all("effects.csv", "id", self._effect),
            events={r["event"]: r["nome"] for r in self._all("events.csv", "event", _row)},
            limits=self._all("limits.csv", "", self._limit),
            restrictions=self._all("restrictions.csv", "", self._restriction),
            orgaos=self._all(
                "orgaos.csv",
                "id",
                lambda r: Orgao(r["id"], r["nome"], r["uf"], r["tz"], r["superior"], src(r).pack),
            ),
            cases=self._all("cases.csv", "", self._case),
            roles=frozenset(r["id"] for r in self._all("roles.csv", "id", _row)),
            tables=self.tables,
        )


def _row(row: Row) -> Row:
    return row
