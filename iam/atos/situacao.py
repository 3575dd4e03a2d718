"""Where a person stands: what contracts, concessões and the events that stand come to at a moment.

A fold, not a history of corrections: whoever adds an event, or takes one back, computes everything anew from what stands.
So it does not matter in which order things were told, nor how often; and what one event did is never undone by guessing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import NamedTuple

from iam.atos import concessao, evento
from iam.atos import vinculo as vinculos
from iam.atos.concessao import Concessao
from iam.atos.efeito import efeitos, guardados
from iam.atos.evento import AGUARDA, APLICADO, ENCERRAR, SEM_EFEITO, SUSPENDER, VOLTAR, Evento
from iam.atos.pessoa import CADASTRADA, DESABILITADA, FALECIDA, HABILITADA, REVOGADA
from iam.atos.vinculo import ATIVO, ENCERRADO, SUSPENSO, Vinculo
from iam.context import Ctx
from iam.index import HOUSE
from iam.policy import Policy


class Dito(NamedTuple):
    """What one source said of a tie: ``voltar``, ``suspender`` or ``encerrar``, and from when."""

    que: str
    quando: datetime
    fonte: str


@dataclass(frozen=True, slots=True)
class Situacao:
    """A person's ties, the rights that have not ended, and the events that stand, in the order in which they count."""

    ties: Sequence[Vinculo]
    rights: Sequence[Concessao]
    events: Sequence[Evento]
    fora: Sequence[Vinculo]
    """The ties that were in force before and no longer are."""

    def vigentes(self, now: datetime) -> list[Vinculo]:
        """The ties in force."""
        return [tie for tie in self.ties if tie.vigente(now)]

    def atinge(self, event: Evento, right: Concessao, policy: Policy) -> bool:
        """Whether an event reaches a right (:func:`alcanca`)."""
        return alcanca(policy, event, atingidos(event, self.ties), right)

    def estado(self, now: datetime) -> str:
        """The person's state: falecida is whom an event ended, habilitada who is tied to an órgão and holds a right (MT128-2-II.1)."""
        if any(event.estado == APLICADO and event.alcance == "pessoa" for event in self.events):
            return FALECIDA
        tied = {None, *(tie.id for tie in self.vigentes(now))}
        if len(tied) > 1:
            holds = any(right.revogada_em is None and right.vinculo in tied for right in self.rights)
            return HABILITADA if holds else CADASTRADA
        if any(tie.estado == SUSPENSO for tie in self.ties):
            return DESABILITADA
        return REVOGADA if any(tie.de <= now for tie in self.ties) else CADASTRADA


def apurar(ctx: Ctx, pessoa: str) -> Situacao:
    """Computes everything anew and writes it to the rows of ties and rights. The person is locked."""
    ctx.db.flush()
    told = evento.todos(ctx.db, pessoa)
    standing = evento.que_valem(told)
    ties = vinculos.todos(ctx.db, pessoa)
    before = {tie.id for tie in ties if tie.vigente(ctx.now)}
    coming = [e for e in standing if e.estado == AGUARDA]
    for event in coming:
        tie = next((t for t in ties if t.id == event.vinculo), None)
        event.efeitos = guardados(efeitos(ctx, event.tipo, pessoa, tie, event.conteudo["orgao"]))
    for tie in ties:
        tie.estado, tie.ate = do_vinculo(tie.prazo, ditos(told, tie, ties), ctx.now)
    rights = concessao.por_cessar(ctx.db, pessoa, ctx.now)
    reach = [(event, atingidos(event, ties)) for event in coming]
    for right in rights:
        ends = [event.efetivo_em for event, about in reach if alcanca(ctx.policy, event, about, right)]
        right.vigente_ate = _first([right.prazo, *ends])
    return Situacao(ties, rights, standing, [t for t in ties if t.id in before and not t.vigente(ctx.now)])


def atingidos(event: Evento, ties: Iterable[Vinculo]) -> frozenset[str]:
    """The ties that an event speaks of: its own, and those of the same órgão and matrícula that had begun before its day.

    A contract that was renewed is one tie to whoever reports its end.
    """
    ties = list(ties)
    own = next((tie for tie in ties if tie.id == event.vinculo), None)
    if own is None:
        return frozenset()
    same = (t for t in ties if (t.orgao, t.matricula) == (own.orgao, own.matricula) and t.de < event.efetivo_em)
    return frozenset({own.id, *(tie.id for tie in same)})


def ditos(told: Iterable[Evento], tie: Vinculo, ties: Sequence[Vinculo]) -> list[Dito]:
    """What a person's events say of one of her ties. One that was opened by an event since made void has never been.

    A return says nothing before it is applied, though its date came: it opens something only then.
    """
    said: list[Dito] = []
    for event in told:
        counts = event.estado == APLICADO or (event.estado == AGUARDA and event.diz != VOLTAR)
        about = event.alcance == "pessoa" or tie.id in atingidos(event, ties)
        if event.estado == SEM_EFEITO and event.tipo in evento.ABRE and event.vinculo == tie.id:
            said.append(Dito(ENCERRAR, event.efetivo_em, event.fonte))
        elif counts and about and event.diz:
            said.append(Dito(event.diz, event.efetivo_em, event.fonte))
    return said


def do_vinculo(prazo: datetime | None, said: Iterable[Dito], now: datetime) -> tuple[str, datetime | None]:
    """The state of a tie and its end, from the end of its contract and what was said of it, in order.

    What ended stays ended, and a contract that ran out has ended. An end that is known beforehand is a date, so that it bites
    whoever is awake.
    """
    estado, ate = ATIVO, prazo
    for when, moment in groupby(said, key=lambda dito: dito.quando):
        at_once = list(moment)
        ends = any(dito.que == ENCERRAR for dito in at_once)
        if when > now:
            ate = _first([ate, when]) if ends or any(dito.que == SUSPENDER for dito in at_once) else ate
        elif ends:
            return ENCERRADO, _first([prazo, when])
        else:
            estado = _depois(estado, at_once)
    if prazo is not None and prazo <= now:
        return ENCERRADO, prazo
    return estado, ate


def _depois(estado: str, at_once: Sequence[Dito]) -> str:
    """The state of a tie, active or suspended, after what was said from one moment on.

    A return lifts what had begun before that moment. What begins with it, it lifts only where nothing had begun before, and
    only if the same source told it under a lower number.
    """
    begun = [n for n, dito in enumerate(at_once) if dito.que == SUSPENDER]
    back = [n for n, dito in enumerate(at_once) if dito.que == VOLTAR]
    if estado == ATIVO:
        begun = [n for n in begun if not any(n < m and at_once[n].fonte == at_once[m].fonte for m in back)]
    return SUSPENSO if begun or (estado == SUSPENSO and not back) else ATIVO


def alcanca(policy: Policy, event: Evento, ties: frozenset[str], right: Concessao) -> bool:
    """Whether an event about these ties reaches a right (GAP-ALL-03).

    Everything of a person who ended; what rests on the vínculo that ended; and in the sistemas of a norm that speaks, either the
    perfis that it names or all of them, whatever vínculo they rest on. A norm that is no longer in force ended what it ended.
    """
    return any(_reaches(policy, effect, ties, right) for effect in event.cortes)


def _reaches(policy: Policy, effect: Mapping[str, str], ties: frozenset[str], right: Concessao) -> bool:
    if effect["alcance"] == "pessoa":
        return True
    if effect["alcance"] == "vinculo" and right.vinculo in ties:
        return True
    if perfis := effect.get("perfis"):
        return right.perfil in perfis.split()
    pack = policy.read.get(effect["norma"])
    return pack is not None and effect["norma"] != HOUSE and pack.speaks(right.sistema)


def _first(ends: Iterable[datetime | None]) -> datetime | None:
    return min((end for end in ends if end is not None), default=None)
