"""Giving a right and ending it: acts of people, who decide with everything that HR told already counted.

What is given while an event waits for its day ends by that day (:mod:`iam.atos.situacao`); what came due meanwhile takes effect
first, so that nobody gives a right that an earlier event would then be seen to take.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from iam.ato import Ato
from iam.atos import client, situacao, sujeito
from iam.atos import pessoa as pessoas
from iam.atos.concessao import Concessao, igual, por_cessar
from iam.atos.receber import em_dia
from iam.atos.vinculo import Vinculo
from iam.context import Ctx
from iam.errors import Conflict, Invalid
from iam.norm import legal_day


def conceder(
    ctx: Ctx,
    sujeito_id: str,
    sistema: str,
    perfil: str,
    *,
    vinculo: Vinculo | None,
    origem: str,
    fundamento: str,
    papeis: frozenset[str],
    de: datetime | None = None,
    ate: datetime | None = None,
    restricao: Mapping[str, list[str]] | None = None,
) -> Concessao:
    """Gives a right. ``fundamento`` cites what it rests on; ``papeis`` are the words of who gives it.

    Raises Invalid for a perfil the sistema does not have or one that the norm gives only for something named (an event,
    an outorgante) and nothing was, or for an end before the beginning; Conflict when the same right is there for some of
    the same time. What a client was issued before it lost a right lately stays dead, from whatever day it is given again.
    """
    papeis = papeis | _dated(ctx, perfil, de or ctx.now)
    decision = ctx.require(Ato.CONCESSAO_CONCEDER, sistema, papeis, pessoa=sujeito_id)
    _exists(ctx, sistema, perfil)
    _restricted(ctx, perfil, restricao or {})
    sujeito.lock(ctx.db, sujeito_id)
    em_dia(ctx, sujeito_id)
    somebody = ctx.db.get(pessoas.Pessoa, sujeito_id, populate_existing=True)
    if somebody is not None and somebody.estado == pessoas.FALECIDA:
        raise Conflict("a pessoa consta como falecida", code="pessoa_falecida")
    if vinculo is not None:
        ctx.db.refresh(vinculo)
        if not vinculo.vigente(ctx.now):
            raise Invalid("o vínculo não está em vigor", code="vinculo_encerrado", field="vinculo")
    if ate is not None and ate <= (de or ctx.now):
        raise Invalid("a concessão acabaria antes de começar", code="periodo_invalido", field="ate")
    tie = vinculo.id if vinculo else None
    right = Concessao(
        sujeito=sujeito_id,
        vinculo=tie,
        sistema=sistema,
        perfil=perfil,
        restricao=dict(restricao or {}),
        origem=origem,
        fundamento=fundamento,
        vigente_de=de or ctx.now,
        prazo=ate,
        vigente_ate=ate,
        registrada_em=ctx.now,
        registrada_por=ctx.agente.name,
    )
    if igual(ctx.db, right) is not None:
        raise Conflict(
            "esta concessão já está em vigor, ou registrada para o mesmo período", code="concessao_existente"
        )
    ctx.db.add(right)
    ctx.db.flush()
    again = somebody is None and client.lost_lately(ctx.db, sujeito_id, ctx.now)
    (sujeito.raise_epoch if again else sujeito.touch)(ctx.db, [sujeito_id])
    if somebody is not None:
        situacao.apurar(ctx, sujeito_id)
        somebody.estado = pessoas.HABILITADA
        ctx.mark("pessoa", sujeito_id)
    ctx.record(
        decision,
        pessoa=sujeito_id,
        sistema=sistema,
        concessao=right.id,
        perfil=perfil,
        vinculo=tie,
        origem=origem,
        fundamento=fundamento,
    )
    return right


def _dated(ctx: Ctx, perfil: str, de: datetime) -> frozenset[str]:
    """The word for a right that would begin before the norm that gives it."""
    known = ctx.policy.perfil(perfil)
    early = known is not None and legal_day(de) < ctx.policy.packs[known.pack].in_force
    return frozenset({"antes_da_norma"}) if early else frozenset()


def _exists(ctx: Ctx, sistema: str, perfil: str) -> None:
    known = ctx.policy.perfil(perfil)
    if known is not None and known.sucessor:
        message = f"o perfil `{perfil}` foi substituído por `{known.sucessor}` ({known.source})"
        raise Invalid(message, code="perfil_substituido", field="perfil")
    if ctx.policy.sistema(sistema) is None or perfil not in {p.id for p in ctx.policy.perfis(sistema)}:
        raise Invalid(f"o sistema `{sistema}` não tem o perfil `{perfil}`", code="perfil_desconhecido", field="perfil")


def _restricted(ctx: Ctx, perfil: str, restricao: Mapping[str, list[str]]) -> None:
    for needed in ctx.policy.restrictions(perfil):
        if not any(any(restricao.get(name, ())) for name in needed.names):
            names = " ou ".join(f"`{name}`" for name in needed.names)
            message = f"o perfil `{perfil}` só se concede restrito a {names} ({needed.source})"
            raise Invalid(message, code="restricao_obrigatoria", field="restricao")


def revogar(ctx: Ctx, right: Concessao, *, motivo: str, papeis: frozenset[str]) -> None:
    """Ends a right at once; every target must forget it. Revoking one that already ended changes nothing.

    Whoever holds nothing more is registered and no longer enabled (MT128-2-II.1): nothing issued so far answers again when
    somebody gives her another right.
    """
    decision = ctx.require(Ato.CONCESSAO_REVOGAR, right.sistema, papeis, pessoa=right.sujeito)
    sujeito.lock(ctx.db, right.sujeito)
    em_dia(ctx, right.sujeito)
    ctx.db.refresh(right)
    if right.revogada_em is not None:
        return
    right.revogada_em, right.motivo = ctx.now, motivo
    ctx.db.flush()
    somebody = ctx.db.get(pessoas.Pessoa, right.sujeito, populate_existing=True)
    if somebody is not None and somebody.estado == pessoas.HABILITADA and not por_cessar(ctx.db, somebody.id, ctx.now):
        somebody.estado = pessoas.CADASTRADA
        sujeito.raise_epoch(ctx.db, [right.sujeito])
    else:
        sujeito.touch(ctx.db, [right.sujeito])
    ctx.record(
        decision, pessoa=right.sujeito, sistema=right.sistema, concessao=right.id, perfil=right.perfil, motivo=motivo
    )
    ctx.mark("pessoa", right.sujeito)
