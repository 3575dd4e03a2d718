"""The cut: what an event ends, it ends at once and in full (MT128 art. 13), and a return does not give it back.

GAP-ALL-03: in the sistemas of a norm that speaks, every concessão of the person ends, whatever vínculo it rests on;
elsewhere, what rests on another vínculo gets a review. Every login session ends. Epochs are raised, rows end, nothing is
deleted, and no other module need be told: a token asks the database.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select

from iam.atos import sujeito
from iam.atos.concessao import Concessao
from iam.atos.credencial import Credencial
from iam.atos.evento import APLICADO, DEVOLVE, Evento
from iam.atos.pendencia import REVER, Pendencia
from iam.atos.pessoa import HABILITADA, Pessoa
from iam.atos.situacao import Situacao, atingidos
from iam.atos.vinculo import Vinculo
from iam.context import Ctx


def cortar(ctx: Ctx, event: Evento, somebody: Pessoa, now_is: Situacao) -> str:
    """Ends what an event reaches, and every session; answers what was done, in words.

    What a person decided to give after a later return is not the event's to take, though it is told late.
    """
    reach = event.alcance
    if reach == "nenhum":
        return "sem efeito sobre o acesso"
    taken = [right for right in now_is.rights if leva(ctx, event, right, now_is)]
    for right in taken:
        tomar(ctx, event, right)
    if reach == "pessoa":
        _encerrar_credenciais(ctx, somebody)
    about = atingidos(event, now_is.ties) if reach == "vinculo" else frozenset()
    reached = [tie for tie in now_is.ties if reach == "pessoa" or tie.id in about]
    _matar(ctx, somebody, [*reached, *(t for t in now_is.fora if t not in reached)])
    if reach == "vinculo" and now_is.vigentes(ctx.now):
        _rever(ctx, event, [right for right in now_is.rights if right not in taken and right.vinculo not in about])
    return f"{len(taken)} concessões encerradas; sessões e tokens mortos"


def perder(ctx: Ctx, event: Evento, somebody: Pessoa, now_is: Situacao) -> None:
    """What it means that ties fell because an event was taken back: it is a cut like any other."""
    if now_is.fora:
        lost = {tie.id for tie in now_is.fora}
        for right in now_is.rights:
            if right.vinculo in lost:
                tomar(ctx, event, right)
        _matar(ctx, somebody, now_is.fora)


def leva(ctx: Ctx, event: Evento, right: Concessao, now_is: Situacao) -> bool:
    """Whether an event takes a right: it reaches it, and no return stands between, from a later moment on."""
    if not now_is.atinge(event, right, ctx.policy):
        return False
    if event.alcance == "pessoa":
        return True
    returns = (e.efetivo_em for e in now_is.events if e.estado == APLICADO and e.tipo in DEVOLVE)
    later = (when for when in returns if when > event.efetivo_em)
    since = min(later, default=None)
    tied = {None, *(tie.id for tie in now_is.vigentes(ctx.now))}
    return since is None or right.vigente_de < since or right.vinculo not in tied


def tomar(ctx: Ctx, event: Evento, right: Concessao) -> None:
    """Ends a right by an event; what an earlier one had taken passes to it."""
    right.revogada_em = right.revogada_em or ctx.now
    right.evento = event.id
    right.motivo = " ".join([event.tipo, *(f"({e['requisito']} ({e['artigo']}))" for e in event.cortes[:1])])


def assentar(ctx: Ctx, somebody: Pessoa, now_is: Situacao) -> None:
    """Writes the person's state, the last step of whatever changes it.

    Whoever is no longer enabled, or tied to nobody, leaves nothing behind that answers when she is again.
    """
    before, somebody.estado = somebody.estado, now_is.estado(ctx.now)
    ctx.db.flush()
    stays = now_is.vigentes(ctx.now) and (before != HABILITADA or somebody.estado == HABILITADA)
    (sujeito.touch if stays else sujeito.raise_epoch)(ctx.db, [somebody.id])


def _matar(ctx: Ctx, somebody: Pessoa, ties: Iterable[Vinculo]) -> None:
    """No session begun before this moment, and nothing that rests on these ties, answers any more."""
    for tie in ties:
        tie.epoch = Vinculo.epoch + 1
    somebody.login_epoch = Pessoa.login_epoch + 1
    somebody.cortada_em = ctx.now


def _encerrar_credenciais(ctx: Ctx, somebody: Pessoa) -> None:
    proofs = select(Credencial).where(Credencial.sujeito == somebody.id, Credencial.encerrada_em.is_(None))
    for proof in ctx.db.scalars(proofs):
        proof.encerrada_em = ctx.now


def _rever(ctx: Ctx, event: Evento, rights: Iterable[Concessao]) -> None:
    for right in rights:
        text = f"rever {right.perfil} em {right.sistema}: repousa em outro vínculo (GAP-ALL-03)"
        ctx.db.add(
            Pendencia(
                kind=REVER, pessoa=right.sujeito, evento=event.id, concessao=right.id, texto=text, aberta_em=ctx.now
            )
        )
