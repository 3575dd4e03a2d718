"""Taking in what HR tells, and letting it take effect (MT128 art. 13): one transaction, all or nothing.

The same ``(fonte, numero)`` again changes nothing; with other content it is a conflict. A past date means now, a future one
waits: what it will end gets its end as a date at once, so nothing depends on the worker being awake. A return gives nothing
back (MT128-13.3), and above all no old token: epochs only grow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.atos import corte, evento, fonte, papel, recibo, situacao, sujeito
from iam.atos import pessoa as pessoas
from iam.atos.efeito import efeitos, guardados
from iam.atos.evento import ABRE, AGUARDA, APLICADO, DESFAZ, DEVOLVE, PENDENTE, VOLTA, Evento
from iam.atos.orgao import Orgao, lineage, midnight
from iam.atos.papel import CASA, SERVICE, WORKER
from iam.atos.pendencia import DECIDIR, DESFAZER, Pendencia
from iam.atos.pessoa import FALECIDA, Pessoa
from iam.atos.vinculo import SUSPENSO, Vinculo, todos
from iam.connector import Evento as Noticia
from iam.context import Ctx
from iam.errors import Invalid
from iam.policy import Effect


def receber(ctx: Ctx, noticia: Noticia, *, papeis: frozenset[str]) -> tuple[Evento, recibo.Recibo]:
    """Takes an event in and applies it. The same one again answers what it answered.

    Raises Refused for a source that speaks of others' people, Invalid for an unknown type, person or vínculo, Conflict for
    a number that was used for something else.
    """
    # One event of a source at a time: the same one told twice at once is still told once.
    source = ctx.db.get(fonte.Fonte, noticia.fonte, with_for_update=True)
    if source is None:
        raise Invalid(f"a fonte `{noticia.fonte}` não está cadastrada", code="fonte_desconhecida", field="fonte")
    if ctx.agente.kind == "client" and source.client != ctx.agente.id:
        papeis |= {"fonte_alheia"}
    ctx.require(Ato.PESSOA_EVENTO, CASA, papeis)
    known = evento.conhecido(ctx.db, noticia)
    if known is not None:
        return known, ctx.db.scalars(select(recibo.Recibo).where(recibo.Recibo.evento == known.id)).one()
    _check(ctx, noticia)
    found = pessoas.by_cpf(ctx.db, noticia.cpf)
    if found is None:
        raise Invalid("não há pessoa cadastrada com este CPF", code="pessoa_desconhecida", field="cpf")
    somebody = pessoas.segurar(ctx.db, found.id)
    em_dia(ctx, somebody.id)
    tie = _tie(ctx, somebody, noticia)
    if not _reports(ctx.db, source, noticia, somebody, tie):
        papeis |= {"fonte_alheia"}
    elif ctx.agente.kind == "pessoa":
        # Whoever tells it by hand must have the power where it takes effect, not just where she once was.
        papeis = papel.of(ctx, orgao=_place(ctx.db, noticia, somebody, tie) or "", pessoa=somebody.id)
    ctx.require(Ato.PESSOA_EVENTO, CASA, papeis, pessoa=somebody.id)
    return _take(ctx, noticia, somebody, tie, papeis=papeis)


def _check(ctx: Ctx, noticia: Noticia) -> None:
    """What can be wrong with an event by itself: told now, also of one whose date is still to come."""
    known = sorted(ctx.policy.known_events() | {DESFAZ})
    if noticia.tipo not in known:
        message = f"tipo de evento desconhecido: `{noticia.tipo}`; conhecidos: {', '.join(known)}"
        raise Invalid(message, code="tipo_desconhecido", field="tipo")
    if noticia.tipo in ABRE:
        orgao = noticia.orgao_destino or noticia.orgao
        if not orgao or not noticia.matricula:
            raise Invalid("a nova lotação exige órgão e matrícula", code="lotacao_incompleta", field="orgao_destino")
        if ctx.db.get(Orgao, orgao) is None:
            raise Invalid(f"o órgão `{orgao}` não está cadastrado", code="orgao_desconhecido", field="orgao_destino")


def _reports(db: Session, source: fonte.Fonte, noticia: Noticia, somebody: Pessoa, tie: Vinculo | None) -> bool:
    """Whether this event is the source's to tell: about a vínculo, or a place, of its own órgãos."""
    if tie is not None:
        return fonte.covers(db, source, tie.orgao)
    if noticia.tipo in ABRE:
        return fonte.covers(db, source, noticia.orgao_destino or noticia.orgao)
    if noticia.tipo == DESFAZ:
        undone = evento.numerado(db, source.id, noticia.observacao.strip())
        if undone is None or undone.pessoa != somebody.id:
            message = (
                "a observação deve trazer o número do evento desta fonte, sobre esta pessoa, que se torna sem efeito"
            )
            raise Invalid(message, code="evento_desconhecido", field="observacao")
        if undone.tipo == DESFAZ:
            message = (
                f"o evento {undone.numero} já torna outro sem efeito, e isso não se desfaz: "
                "se o primeiro vale, informe-o de novo, com outro número"
            )
            raise Invalid(message, code="evento_nao_se_desfaz", field="observacao")
        return True
    places = [t.orgao for t in todos(db, somebody.id) if _concerns(db, t, noticia)]
    return any(fonte.covers(db, source, place) for place in places)


def _concerns(db: Session, tie: Vinculo, noticia: Noticia) -> bool:
    """Whether an event may speak of a vínculo: same matrícula where given, same órgão (or one above it) where given."""
    if noticia.matricula and tie.matricula != noticia.matricula:
        return False
    return not noticia.orgao or noticia.orgao in lineage(db, tie.orgao)


def _tie(ctx: Ctx, somebody: Pessoa, noticia: Noticia) -> Vinculo | None:
    """The vínculo an event speaks of, or None for one that opens a new one or ends the person.

    Of those that fit and had begun, one in force comes first, then one suspended (for a return the other way round), then the
    newest. Those of one órgão and matrícula are one tie, renewed (:func:`iam.atos.situacao.atingidos`).
    """
    if noticia.tipo in (*ABRE, DESFAZ) or any(e.alcance == "pessoa" for e in ctx.policy.effects(noticia.tipo)):
        return None
    ties = [t for t in todos(ctx.db, somebody.id) if _concerns(ctx.db, t, noticia)]
    if not ties:
        raise Invalid("a pessoa não tem vínculo com este órgão e matrícula", code="vinculo_desconhecido", field="orgao")
    began = [t for t in ties if t.de <= _effective(ctx.db, t.orgao, noticia)] or ties
    there, out = [t for t in began if t.vigente(ctx.now)], [t for t in began if t.estado == SUSPENSO]
    current = (out or there if noticia.tipo in VOLTA else there or out) or began[-1:]
    if len({(t.orgao, t.matricula) for t in current}) > 1:
        raise Invalid(
            "a pessoa tem mais de um vínculo; informe matrícula e órgão", code="vinculo_ambiguo", field="matricula"
        )
    return current[-1]


def _effective(db: Session, orgao: str | None, noticia: Noticia) -> datetime:
    """When an event takes effect in an órgão."""
    when = noticia.data_efeito
    return when if isinstance(when, datetime) else midnight(db, orgao, when)


def _place(db: Session, noticia: Noticia, somebody: Pessoa, tie: Vinculo | None) -> str | None:
    """The órgão where an event takes effect, whose legal time says when a day begins."""
    if tie is not None:
        return tie.orgao
    if noticia.tipo in ABRE:
        return noticia.orgao_destino or noticia.orgao
    return noticia.orgao or next((known.orgao for known in reversed(todos(db, somebody.id))), None)


def _take(
    ctx: Ctx, noticia: Noticia, somebody: Pessoa, tie: Vinculo | None, *, papeis: frozenset[str]
) -> tuple[Evento, recibo.Recibo]:
    when = noticia.data_efeito
    effective = _effective(ctx.db, _place(ctx.db, noticia, somebody, tie), noticia)
    effects = efeitos(ctx, noticia.tipo, somebody.id, tie, noticia.orgao)
    event = Evento(
        fonte=noticia.fonte,
        numero=noticia.numero,
        pessoa=somebody.id,
        vinculo=tie.id if tie else None,
        tipo=noticia.tipo,
        data_efeito=when.date() if isinstance(when, datetime) else when,
        efetivo_em=effective,
        conteudo=evento.conteudo(noticia),
        recebido_em=ctx.now,
        recebido_de=ctx.agente.name,
        estado=AGUARDA,
        efeitos=guardados(effects),
    )
    ctx.db.add(event)
    ctx.db.flush()
    receipt = recibo.abrir(ctx.db, event.id, somebody.id, max(effective, ctx.now), ctx.house.targets)
    if effective <= ctx.now:
        _apply(ctx, event, somebody, effects, papeis, receipt)
        return event, receipt
    situacao.apurar(ctx, somebody.id)
    sujeito.touch(ctx.db, [somebody.id])
    receipt.entry = _record(ctx, event, effects, papeis, "recebido; aguarda a data de efeito")
    ctx.mark("pessoa", somebody.id)
    return event, receipt


def em_dia(ctx: Ctx, pessoa: str) -> None:
    """Lets every event of the person whose date has come take effect first: no act decides on what is no longer so.

    The person is locked. In the journal it is the worker's, who would have done it a moment later.
    """
    for event in evento.vencidos(ctx.db, ctx.now, pessoa=pessoa):
        receipt = ctx.db.scalars(select(recibo.Recibo).where(recibo.Recibo.evento == event.id)).one()
        aplicar(replace(ctx, agente=SERVICE), event, papeis=WORKER, receipt=receipt)


def aplicar(ctx: Ctx, event: Evento, *, papeis: frozenset[str], receipt: recibo.Recibo) -> None:
    """Makes an event whose date has come take effect: one transaction, after which no token path answers for what it ended."""
    somebody = pessoas.segurar(ctx.db, event.pessoa)
    tie = ctx.db.get(Vinculo, event.vinculo) if event.vinculo else None
    effects = efeitos(ctx, event.tipo, event.pessoa, tie, event.conteudo["orgao"])
    event.efeitos = guardados(effects)
    _apply(ctx, event, somebody, effects, papeis, receipt)


def _apply(
    ctx: Ctx,
    event: Evento,
    somebody: Pessoa,
    effects: Sequence[Effect],
    papeis: frozenset[str],
    receipt: recibo.Recibo,
) -> None:
    """The person is locked."""
    event.estado = APLICADO
    if event.tipo == DESFAZ:
        text = f"tornar sem efeito o evento {event.conteudo['observacao']}: decide uma segunda pessoa"
        outcome = _ask(ctx, event, DESFAZER, text, "aguarda a decisão de uma segunda pessoa")
    elif event.tipo in DEVOLVE:
        outcome = _return(ctx, event, somebody)
    elif any(e.effect != "pendencia" for e in effects):
        now_is = situacao.apurar(ctx, somebody.id)
        outcome = corte.cortar(ctx, event, somebody, now_is)
        corte.assentar(ctx, somebody, now_is)
    else:
        text = f"evento {event.tipo}: nenhuma norma em vigor diz o efeito neste órgão"
        outcome = _ask(ctx, event, DECIDIR, text, "aguarda a decisão de uma pessoa")
    receipt.entry = _record(ctx, event, effects, papeis, outcome)
    ctx.mark("pessoa", somebody.id)


def _return(ctx: Ctx, event: Evento, somebody: Pessoa) -> str:
    """A return opens the tie and nothing else (MT128-13.3): no concessão, no session, no token comes back.

    ``retorno`` and ``licenca_fim`` take up the suspended vínculo; ``nova_lotacao`` opens one in the new órgão.
    """
    if event.tipo in ABRE and somebody.estado != FALECIDA:
        event.vinculo = _open(ctx, event, somebody)
    now_is = situacao.apurar(ctx, somebody.id)
    about = situacao.atingidos(event, now_is.ties)
    for tie in now_is.ties:
        if tie.id in about and event.tipo not in ABRE:
            tie.epoch = Vinculo.epoch + 1
    if any(tie.id not in about for tie in now_is.vigentes(ctx.now)):
        corte.assentar(ctx, somebody, now_is)
    else:
        somebody.estado = now_is.estado(ctx.now)
        pessoas.recomecar(ctx.db, somebody)
    return "nada foi devolvido: o acesso depende de novo pedido"


def _open(ctx: Ctx, event: Evento, somebody: Pessoa) -> str | None:
    """The tie that a nova_lotacao opens, or None when there is one of that matrícula there already, be it suspended."""
    orgao, matricula = event.conteudo["orgao_destino"] or event.conteudo["orgao"], event.conteudo["matricula"]
    ties = todos(ctx.db, somebody.id)
    same = [t for t in ties if (t.orgao, t.matricula) == (orgao, matricula)]
    if any(t.vigente(event.desde) or t.estado == SUSPENSO for t in same):
        return None
    tie = Vinculo(pessoa=somebody.id, orgao=orgao, matricula=matricula, de=event.efetivo_em, fonte=event.fonte)
    ctx.db.add(tie)
    ctx.db.flush()
    return tie.id


def _ask(ctx: Ctx, event: Evento, kind: str, text: str, outcome: str) -> str:
    event.estado = PENDENTE
    ctx.db.add(Pendencia(kind=kind, pessoa=event.pessoa, evento=event.id, texto=text, aberta_em=ctx.now))
    return outcome


def _record(ctx: Ctx, event: Evento, effects: Sequence[Effect], papeis: frozenset[str], outcome: str) -> int:
    """The entry of the event carries the article of its effect; where no norm speaks, that of the right to report."""
    decision = (
        ctx.policy.decide_effect(effects[0])
        if effects
        else ctx.require(Ato.PESSOA_EVENTO, CASA, papeis, pessoa=event.pessoa)
    )
    return ctx.record(
        decision,
        pessoa=event.pessoa,
        evento=event.id,
        fonte=event.fonte,
        numero=event.numero,
        tipo=event.tipo,
        efetivo_em=event.efetivo_em.isoformat(),
        efeitos=event.efeitos,
        resultado=outcome,
    )
