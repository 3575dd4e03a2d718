"""Opening a tie by hand: an act of people, with everything that HR told already counted (:mod:`iam.atos.situacao`)."""

from __future__ import annotations

from datetime import datetime

from iam.ato import Ato
from iam.atos import pessoa as pessoas
from iam.atos import situacao, sujeito
from iam.atos.receber import em_dia
from iam.atos.vinculo import Vinculo, todos, vigentes
from iam.context import Ctx
from iam.errors import Conflict


def abrir(
    ctx: Ctx,
    pessoa: str,
    orgao: str,
    matricula: str,
    *,
    tipo: str,
    de: datetime,
    fonte: str,
    papeis: frozenset[str],
    ate: datetime | None = None,
    cargo: str | None = None,
) -> Vinculo:
    """Opens a tie. It gives no access: that is a concessão's (MT128-8.1). Raises Conflict for somebody who died."""
    decision = ctx.require(Ato.VINCULO_ABRIR, "portaria", papeis, pessoa=pessoa)
    somebody = pessoas.segurar(ctx.db, pessoa)
    em_dia(ctx, pessoa)
    if somebody.estado == pessoas.FALECIDA:
        raise Conflict("a pessoa consta como falecida", code="pessoa_falecida")
    again = bool(todos(ctx.db, pessoa)) and not vigentes(ctx.db, pessoa, ctx.now)
    tie = Vinculo(
        pessoa=pessoa, orgao=orgao, matricula=matricula, tipo=tipo, de=de, prazo=ate, ate=ate, fonte=fonte, cargo=cargo
    )
    ctx.db.add(tie)
    situacao.apurar(ctx, pessoa)
    if somebody.estado in (pessoas.DESABILITADA, pessoas.REVOGADA) and tie.vigente(ctx.now):
        somebody.estado = pessoas.CADASTRADA
    ctx.db.flush()
    if again:
        pessoas.recomecar(ctx.db, somebody)
    else:
        sujeito.touch(ctx.db, [pessoa])
    ctx.record(decision, pessoa=pessoa, vinculo=tie.id, orgao=orgao, matricula=matricula, tipo=tipo, fonte=fonte)
    ctx.mark("pessoa", pessoa)
    return tie
