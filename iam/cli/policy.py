"""``portaria policy``: the norms as data: are they in order, what do they say, what is proved, what would change."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, group
from iam.errors import Invalid, NotFound

if TYPE_CHECKING:
    from iam.journal import JSON
    from iam.policy import Policy


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    policy = group(commands, "policy", "as normas em vigor, como dados")
    command(
        policy,
        "check",
        check,
        "lê todas as normas e confirma os casos de cada uma",
        about="Recusa, com arquivo e linha, o que não está exatamente em ordem.",
        json=True,
    )
    made = command(
        policy,
        "explain",
        explain,
        "explica uma decisão: quem decidiu, o que falta, quem poderia",
        about="Exemplo: portaria policy explain --papel mt-consulta consultar mt-ipva",
        json=True,
    )
    made.add_argument("act", metavar="ATO", help="ato (pessoa:evento) ou função (consultar, ANEXANEXAR, COANA-F01)")
    made.add_argument("obj", metavar="OBJETO", help="sistema (mt-ipva, pucomex, vfr) ou portaria")
    made.add_argument("--papel", action="append", default=[], metavar="PAPEL", help="perfil ou fato; pode repetir-se")
    made.add_argument("--pessoa", metavar="PESSOA", help="CPF ou login: os perfis que tem em vigor no sistema")
    made = command(
        policy,
        "coverage",
        coverage,
        "as exigências provadas por teste, as pendentes e os deveres das aplicações",
        json=True,
    )
    made = command(
        policy,
        "diff",
        diff,
        "o que mudaria se uma pasta tomasse o lugar da norma em vigor",
        about="Mostra as linhas que sairiam (-) e entrariam (+), as decisões que mudariam nos casos das duas e os casos da\n"
        "pasta que falham; havendo-os, termina com 1.",
        json=True,
    )
    made.add_argument("folder", type=Path, metavar="PASTA", help="pasta da outra versão, com o mesmo nome da norma")


def _load(args: argparse.Namespace, *, today: bool = True) -> Policy:
    from iam.policy import load

    return load(terminal.settings(args).policies, _today() if today else None)


def _today() -> date:
    from iam.norm import legal_day

    return legal_day(datetime.now(UTC))


def check(args: argparse.Namespace) -> int:
    """Every pack, read and tested."""
    checks = _load(args).check()
    rows = [
        (c.pack, str(c.in_force), str(sum(c.counts.values())), str(c.counts.get("cases.csv", 0)), c.title)
        for c in checks
    ]
    notes = [f"{c.pack}: {warning}" for c in checks for warning in c.warnings]
    terminal.answer(
        args,
        {
            "packs": [
                {
                    "pack": c.pack,
                    "title": c.title,
                    "in_force": str(c.in_force),
                    "until": str(c.until) if c.until else None,
                    "lines": dict(c.counts),
                    "warnings": list(c.warnings),
                }
                for c in checks
            ]
        },
        *terminal.table(rows, ("norma", "desde", "linhas", "casos", "título")),
        *notes,
        f"{len(checks)} normas em ordem",
    )
    return 0


def explain(args: argparse.Namespace) -> int:
    """One decision, with everything that spoke."""
    from iam.reason import NOTHING

    words = frozenset(args.papel)
    if args.pessoa:
        words |= _words(args)
    policy = _load(args)
    told = policy.explain(words, args.act, args.obj)
    d = told.decision
    document: JSON = {
        "allowed": d.allowed,
        "act": d.act,
        "obj": d.obj,
        "papeis": sorted(words),
        "source": {"pack": d.source.pack, "requirement": d.source.requirement, "article": d.source.article},
        "sources": [str(s) for s in d.sources],
        "reason": d.reason_user,
        "missing": list(d.missing),
        "lines": list(told.lines),
        "could": list(told.could),
        "article": told.article.text,
        "doubts": list(told.doubts),
    }
    terminal.answer(
        args,
        document,
        f"{'PERMITIDO' if d.allowed else 'RECUSADO'}: {d.act} em {d.obj} por {', '.join(sorted(words)) or 'ninguém em particular'}",
        f"  {d.reason_user}",
        f"  {d.source.pack} {d.source.requirement}, {d.source.article}: {told.article.text}",
        *_list("linhas que falam", told.lines),
        *_list(
            "falta" if d.papel not in ("", NOTHING) or len(d.missing) == 1 else "falta uma destas condições", d.missing
        ),
        *_list("poderia", told.could if told.could != d.missing else ()),
        *_list("atenção", told.doubts),
    )
    return 0


def _words(args: argparse.Namespace) -> frozenset[str]:
    from iam.atos import pessoa
    from iam.atos.concessao import vigentes

    with terminal.opened(args) as house, house.reading() as db:
        somebody = pessoa.by_login(db, args.pessoa)
        if somebody is None:
            raise NotFound(f"não há pessoa com o CPF ou login `{args.pessoa}`")
        held = vigentes(db, somebody.id, house.clock(), sistema=args.obj)
        return frozenset(right.perfil for right in held) | {"pessoa_autenticada"}


def _list(title: str, lines: Iterable[str]) -> list[str]:
    found = list(lines)
    return [f"  {title}:", *(f"    {line}" for line in found)] if found else []


def coverage(args: argparse.Namespace) -> int:
    """What is proved; its JSON is fixed by the contract."""
    from iam import coverage as proofs

    report = proofs.report(_load(args, today=False))
    terminal.answer(
        args,
        {
            "total": report["total"],
            "proved": {k: list(v) for k, v in report["proved"].items()},
            "pending": list(report["pending"]),
            "relying": dict(report["relying"]),
        },
        f"{report['total']} exigências: {len(report['proved'])} provadas, {len(report['pending'])} pendentes",
        *(f"  {id}  {', '.join(tests)}" for id, tests in report["proved"].items()),
        f"pendentes: {', '.join(report['pending']) or 'nenhuma'}",
        f"{len(report['relying'])} deveres das aplicações, com o que o servidor lhes dá:",
        *(f"  {id}  {gives}" for id, gives in report["relying"].items()),
    )
    return 0


def diff(args: argparse.Namespace) -> int:
    """Lines and decisions that would change if a folder took the place of the pack in force."""
    from iam import pack as packs
    from iam.policy import Policy, failures

    if not args.folder.is_dir():
        raise Invalid(f"{args.folder} não é uma pasta", code="pasta")
    other = packs.read(args.folder)
    given = terminal.settings(args)
    if other.id not in given.policies:
        raise NotFound(f"a norma `{other.id}` não está entre as configuradas: {', '.join(given.policies)}")
    here = [packs.read(packs.find(name)) for name in given.policies]
    present = next(p for p in here if p.id == other.id)
    removed, added = _lines(present.tables, other.tables), _lines(other.tables, present.tables)
    now, then = Policy(here), Policy([p if p.id != other.id else other for p in here])
    failing = [f"na pasta, {f}" for f in failures(then)] + [f"na que está em vigor, {f}" for f in failures(now)]
    failing = [f for f in dict.fromkeys(failing) if f"{other.id}/" in f]
    decisions = []
    for case in dict.fromkeys((*present.cases, *other.cases)):
        before, after = now.decide(case.words, case.act, case.obj), then.decide(case.words, case.act, case.obj)
        said = [f"{'sim' if d.allowed else 'não'} por {d.source.requirement}" for d in (before, after)]
        if said[0] != said[1]:
            decisions.append(f"{{{' '.join(sorted(case.words))}}} {case.act} {case.obj}: {said[0]} → {said[1]}")
    decisions = list(dict.fromkeys(decisions))
    terminal.answer(
        args,
        {
            "pack": other.id,
            "removed": list(removed),
            "added": list(added),
            "decisions": list(decisions),
            "failing": list(failing),
        },
        *(f"- {line}" for line in removed),
        *(f"+ {line}" for line in added),
        *_list("decisões que mudam", decisions),
        *_list("casos que falham", failing),
        f"{other.id}: {len(removed)} linhas sairiam, {len(added)} entrariam, {len(decisions)} decisões mudariam",
    )
    if failing:
        raise Invalid(f"{len(failing)} caso(s) de {other.id} falham: assim a norma não é aceita", code="casos")
    return 0


def _lines(these: object, those: object) -> list[str]:
    """The rows of one pack's tables that the other does not have."""
    from iam.table import Row

    def rows(tables: object) -> dict[str, list[tuple[str, ...]]]:
        if not isinstance(tables, dict):
            raise TypeError("tables by name")
        return {n: [tuple(r.fields.values()) for r in found if isinstance(r, Row)] for n, found in tables.items()}

    mine, other = rows(these), rows(those)
    return [
        f"{name}: {','.join(row)}"
        for name, found in sorted(mine.items())
        for row in found
        if row not in set(other.get(name, []))
    ]
