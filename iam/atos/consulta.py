"""Looking people up is an act too: who may see whom, and that they looked.

Texts: MT128 art. 5 and art. 6 §1, TRAM art. 12 IV, LGPD art. 37.

A cadastrador setorial sees the people of the órgãos of the designation, SUIC and the auditor see all, everybody sees
themselves. The words are computed for each person; which of them may look is the norm's business. Every look is
recorded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from iam.ato import Ato
from iam.atos import evento, papel, pendencia
from iam.atos import pessoa as pessoas
from iam.atos.evento import Evento
from iam.atos.pendencia import Pendencia
from iam.atos.pessoa import Pessoa
from iam.atos.vinculo import Vinculo
from iam.context import Ctx

PAGE = 50
ROUNDS = 20
Judged = dict[tuple[bool, tuple[str, ...]], bool]


@dataclass(frozen=True, slots=True)
class Achada:
    """One person of a list, with the órgãos of their ties."""

    pessoa: Pessoa
    orgaos: tuple[str, ...]


def words(ctx: Ctx, id: str, orgaos: Iterable[str]) -> frozenset[str]:
    """The words of whoever acts towards a person: those that hold in any of the person's órgãos."""
    found = {papel.of(ctx, orgao=orgao, pessoa=id) for orgao in orgaos}
    return frozenset().union(*found) if found else papel.of(ctx, orgao="", pessoa=id)


def orgaos_de(ctx: Ctx, ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The órgãos of the ties of these people, past ones too."""
    known: dict[str, tuple[str, ...]] = dict.fromkeys(ids, ())
    query = select(Vinculo.pessoa, Vinculo.orgao).where(Vinculo.pessoa.in_(ids)).order_by(Vinculo.de)
    for id, orgao in ctx.db.execute(query):
        known[id] = tuple(dict.fromkeys((*known[id], orgao)))
    return known


def ver(ctx: Ctx, id: str) -> Pessoa:
    """Opens a person's file. Raises NotFound, or Refused for who may not see this person."""
    somebody = pessoas.get(ctx.db, id)
    decision = ctx.require(Ato.PESSOA_CONSULTAR, papel.CASA, words(ctx, id, orgaos_de(ctx, [id])[id]))
    ctx.record(decision, pessoa=id)
    return somebody


def procurar(ctx: Ctx, texto: str, *, after: str = "") -> tuple[list[Achada], str]:
    """Up to 50 people whom the caller may see, by words of name, login or CPF; and what ``after`` takes to go on, or "".

    After a thousand people looked at the page ends as it is, be it empty: there may be more. Raises Refused for who may
    see nobody but themselves.
    """
    decision = ctx.require(Ato.PESSOA_CONSULTAR, papel.CASA, papel.of(ctx))
    found: list[Achada] = []
    judged: Judged = {}
    for _ in range(ROUNDS):
        rows = pessoas.procurar(ctx.db, texto, after=after, most=PAGE)
        ties = orgaos_de(ctx, [p.id for p in rows])
        found += [Achada(p, ties[p.id]) for p in rows if _may(ctx, p.id, ties[p.id], judged)]
        after = rows[-1].id if len(rows) == PAGE else ""
        if not after or len(found) > PAGE:
            break
    if len(found) > PAGE:
        after = found[PAGE - 1].pessoa.id
    ctx.record(decision, procura=texto, achadas=min(len(found), PAGE))
    return found[:PAGE], after


def eventos(ctx: Ctx, *, most: int = 100) -> tuple[list[tuple[Evento, str]], list[Pendencia]]:
    """The newest events with the name of whom they are about, and what waits, of people the caller may see."""
    decision = ctx.require(Ato.PESSOA_CONSULTAR, papel.CASA, papel.of(ctx))
    rows, waiting = evento.historico(ctx.db, most=most), pendencia.abertas(ctx.db, most=most)
    ties = orgaos_de(ctx, list({*(e.pessoa for e in rows), *(p.pessoa for p in waiting)}))
    judged: Judged = {}
    seen = {id for id, orgaos in ties.items() if _may(ctx, id, orgaos, judged)}
    names = dict(ctx.db.execute(select(Pessoa.id, Pessoa.nome).where(Pessoa.id.in_(sorted(seen)))).all())
    ctx.record(decision, procura="eventos", achadas=len(seen))
    return [(e, names[e.pessoa]) for e in rows if e.pessoa in seen], [p for p in waiting if p.pessoa in seen]


def _may(ctx: Ctx, id: str, orgaos: tuple[str, ...], judged: Judged) -> bool:
    """Whether the caller may see a person. Towards others the words depend on the órgãos alone: each set is judged once."""
    key = (id == ctx.agente.id, orgaos)
    if key not in judged:
        judged[key] = ctx.policy.decide(words(ctx, id, orgaos), Ato.PESSOA_CONSULTAR, papel.CASA).allowed
    return judged[key]
