"""The HR event: what was told, what it does, and where that was seen (MT128 art. 13).

An event by hand is shown whole before it is done: the act runs in a transaction that is undone, so that the page
shows exactly what the confirmation will do. What may be registered, and by whom, is decided by the act.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select

from admin_ui import ficha, rascunho, text
from admin_ui.catalogo import plain
from admin_ui.ficha import Concedida
from admin_ui.visit import Screen, Visit
from iam.ato import Ato
from iam.atos import consulta, diario, evento, papel, pendencia, recibo
from iam.atos import pessoa as pessoas
from iam.atos.desfazer import desfazer
from iam.atos.evento import Evento
from iam.atos.fonte import Fonte
from iam.atos.orgao import Orgao
from iam.atos.pendencia import Pendencia
from iam.atos.receber import receber
from iam.atos.recibo import Recibo
from iam.connector import Evento as Noticia
from iam.context import Ctx
from iam.errors import Conflict, Invalid, NotFound, PortariaError, Refused
from iam.http import Response
from iam.norm import LEGAL_TIME
from iam.oauth import interaction

FIELDS = ("fonte", "numero", "cpf", "tipo", "data_efeito", "matricula", "orgao", "orgao_destino", "observacao")


@dataclass(frozen=True, slots=True)
class Efeito:
    """What an event would do."""

    nome: str
    efetivo_em: datetime
    tz: str | None
    futuro: bool
    estado_depois: str
    caem: tuple[Concedida, ...]
    ficam: tuple[Concedida, ...]
    sessoes: int
    pendencias: tuple[str, ...]
    efeitos: tuple[dict[str, str], ...]
    destinos: tuple[str, ...]


class _Undone(Exception):
    """Ends the rehearsal: nothing of it is kept."""


def listar(visit: Visit) -> Response:
    """What was told lately, and what waits for a decision."""
    with visit.begin() as ctx:
        told, waiting = consulta.eventos(ctx)
    kept = rascunho.found(visit)
    typed = {kept.path.rpartition("/")[2]: kept.form.get("decisao", "")} if kept else {}
    return visit.answering(rascunho.FORGET).page("evento.html", eventos=told, pendencias=waiting, decisoes=typed)


def novo(visit: Visit) -> Response:
    """The form for those who may use it: empty, about the person from whose page it was opened, or as it was left."""
    about = visit.params.get("pessoa", "")
    with visit.begin() as ctx:
        ctx.require(Ato.PESSOA_EVENTO, papel.CASA, papel.of(ctx))
        cpf = consulta.ver(ctx, about).cpf if about else ""
    kept = None if about else rascunho.found(visit)
    return _form(visit.answering(rascunho.FORGET), kept.form if kept else {"cpf": cpf}, voltou=kept is not None)


def corrigir(visit: Visit) -> Response:
    """The form again, with what was typed, for who saw the effect and wants another."""
    with visit.begin() as ctx:
        ctx.require(Ato.PESSOA_EVENTO, papel.CASA, papel.of(ctx))
    return _form(visit, visit.form)


def efeito(visit: Visit) -> Response:
    """The effect, before anything is done; the form again when something in it cannot be accepted."""
    try:
        told = _read(visit)
        shown = rehearse(visit, told)
    except (Invalid, Conflict, Refused) as wrong:
        return _form(visit, visit.form, wrong)
    if known := _registered(visit):
        return visit.redirect(f"/admin/evento/{known}", feito="repetido")
    return visit.page("evento_efeito.html", efeito=shown, dados={k: v for k, v in visit.form.items() if k in FIELDS})


def registrar(visit: Visit) -> Response:
    """Does it; the page that follows shows where it was already seen."""
    try:
        told = _read(visit)
        with visit.begin() as ctx:
            done, _ = receber(ctx, told, papeis=papel.of(ctx))
    except (Invalid, Conflict, Refused) as wrong:
        return _form(visit, visit.form, wrong)
    return visit.redirect(f"/admin/evento/{done.id}", feito="evento")


def ver(visit: Visit, id: str) -> Response:
    """One event: effect by article, what fell, where it was seen."""
    with visit.begin() as ctx:
        told, receipt = _find(ctx, id)
        somebody = consulta.ver(ctx, told.pessoa)
        file = ficha.ler(ctx, somebody, interaction.idle(visit.house))
        fallen = tuple(c for c in file.encerradas if c.evento == id)
        seen = recibo.destinos(ctx.db, receipt.id)
        tz = next((v.tz for v in file.vinculos if v.id == told.vinculo), None)
        told_by = text.quem(told.recebido_de, diario.names(ctx, [told.recebido_de]))
        waiting = [p for p in pendencia.abertas(ctx.db, pessoa=somebody.id) if p.evento == id]
    return visit.page(
        "evento_ver.html",
        evento=told,
        recibo=receipt,
        nome=somebody.nome,
        login=somebody.login,
        caidas=fallen,
        tz=tz,
        de=told_by,
        destinos=seen,
        pendencias=waiting,
    )


def baixar(visit: Visit, id: str) -> Response:
    """The signed receipt as a file; reading it is an act of its own."""
    with visit.begin() as ctx:
        told, receipt = _find(ctx, id)
        words = consulta.words(ctx, told.pessoa, consulta.orgaos_de(ctx, [told.pessoa])[told.pessoa])
        whole = recibo.ler(ctx, receipt.id, visit.house.keys.signer("receipt"), papeis=words)
    name = f'attachment; filename="recibo-{receipt.id}.jws"'
    return Response.text(200, str(whole["jws"]), content_type="application/jose", content_disposition=name)


def decidir(visit: Visit, id: str) -> Response:
    """Closes a question with what was decided; one about an undoing may also be answered by giving back."""
    with visit.begin() as ctx:
        question = ctx.db.get(Pendencia, id)
        orgaos = consulta.orgaos_de(ctx, [question.pessoa])[question.pessoa] if question else ()
        words = consulta.words(ctx, question.pessoa if question else "", orgaos)
        if visit.form.get("acao") == "devolver":
            desfazer(ctx, id, papeis=words)
        else:
            pendencia.decidir(ctx, id, visit.field("decisao", "Decisão e fundamento")[:500], papeis=words)
    return visit.redirect("/admin/evento", feito="pendencia")


def rehearse(visit: Visit, told: Noticia) -> Efeito:
    """What the event would do. One whose day is still to come shows what that day would take if it were today."""
    shown = _rehearse(visit, told)
    if not shown.futuro:
        return shown
    today = visit.now.astimezone(ZoneInfo(shown.tz or LEGAL_TIME)).date()
    return replace(_rehearse(visit, replace(told, data_efeito=today)), efetivo_em=shown.efetivo_em, futuro=True)


def _rehearse(visit: Visit, told: Noticia) -> Efeito:
    """Does the event and undoes it, answering what it changed. Refusals are those of the act itself."""
    shown: list[Efeito] = []
    try:
        with visit.begin() as ctx:
            somebody = pessoas.by_cpf(ctx.db, told.cpf)
            idle = interaction.idle(visit.house)
            before = ficha.ler(ctx, somebody, idle) if somebody else None
            open_before = {p.id for p in pendencia.abertas(ctx.db, pessoa=somebody.id)} if somebody else set()
            done, receipt = receber(ctx, told, papeis=papel.of(ctx))
            ctx.db.flush()
            ctx.db.expire_all()
            somebody = pessoas.get(ctx.db, done.pessoa)
            after = ficha.ler(ctx, somebody, idle)
            kept = {c.id for c in after.vigentes}
            held = before.vigentes if before else ()
            asked = [p.texto for p in pendencia.abertas(ctx.db, pessoa=somebody.id) if p.id not in open_before]
            shown.append(
                Efeito(
                    nome=somebody.nome,
                    efetivo_em=receipt.efetivo_em,
                    tz=next((v.tz for v in after.vinculos if v.id == done.vinculo), None),
                    futuro=done.estado == evento.AGUARDA,
                    estado_depois=somebody.estado,
                    caem=tuple(c for c in held if c.id not in kept),
                    ficam=after.vigentes,
                    sessoes=len(before.sessoes) - len(after.sessoes) if before else 0,
                    pendencias=tuple(asked),
                    efeitos=tuple(done.efeitos),
                    destinos=tuple(visit.house.targets),
                )
            )
            raise _Undone
    except _Undone:
        return shown[0]


def _find(ctx: Ctx, id: str) -> tuple[Evento, Recibo]:
    told = ctx.db.get(Evento, id)
    receipt = ctx.db.scalar(select(Recibo).where(Recibo.evento == id))
    if told is None or receipt is None:
        raise NotFound("evento não encontrado")
    return told, receipt


def _read(visit: Visit) -> Noticia:
    """The form as the act takes it. Invalid names the field."""
    digits = "".join(c for c in visit.field("cpf", "CPF") if c.isdigit())
    if len(digits) != 11:
        raise Invalid("o CPF tem onze números", code="cpf_invalido", field="cpf")
    try:
        when = date.fromisoformat(visit.field("data_efeito", "Data de efeito"))
    except ValueError:
        raise Invalid("escreva a data como dia, mês e ano", code="data_invalida", field="data_efeito") from None
    get = visit.form.get
    return Noticia(
        fonte=visit.field("fonte", "Fonte"),
        numero=visit.field("numero", "Número do ato")[:80],
        cpf=digits,
        nome="",
        tipo=visit.field("tipo", "Tipo de evento"),
        data_efeito=when,
        matricula=get("matricula", "").strip()[:40],
        orgao=get("orgao", "").strip()[:64],
        orgao_destino=get("orgao_destino", "").strip()[:64],
        observacao=get("observacao", "").strip()[:500],
    )


def _form(visit: Visit, dados: object, wrong: PortariaError | None = None, *, voltou: bool = False) -> Response:
    """The form, again with what was typed and what is wrong with it; `voltou` when the session had ended meanwhile.

    A refusal is of what was told, often by a slip of the CPF; who may tell nothing at all sees no form.
    """
    if isinstance(wrong, Refused) and not visit.may(Ato.PESSOA_EVENTO):
        raise wrong
    no = wrong.decision if isinstance(wrong, Refused) else None
    with visit.house.reading() as db:
        fontes = [(f.id, f"{f.nome} ({f.id})") for f in db.scalars(select(Fonte).order_by(Fonte.nome))]
        orgaos = [(o.id, o.nome) for o in db.scalars(select(Orgao).order_by(Orgao.nome))]
    named = [pair for pack in visit.policy.packs.values() for pair in pack.events.items()]
    names = dict(sorted(named, key=lambda pair: plain(pair[1])))
    rest = {t: text.nome(t) for t in sorted(visit.policy.known_events() | {evento.DESFAZ}) if t not in names}
    tipos = [*names.items(), *rest.items()]
    return visit.page(
        "evento_novo.html",
        status=wrong.status if wrong else 200,
        dados=dados,
        erro={_culprit(wrong): text.sentence(wrong.message)} if wrong and no is None else {},
        refused=no,
        fontes=fontes,
        orgaos=orgaos,
        existente=_registered(visit) if isinstance(wrong, Conflict) else "",
        tipos=tipos,
        voltou=voltou,
    )


def _registered(visit: Visit) -> str:
    """The id of the event that came under this number of this source before."""
    with visit.house.reading() as db:
        told = evento.numerado(db, visit.form.get("fonte", ""), visit.form.get("numero", "").strip()[:80])
    return told.id if told else ""


def _culprit(wrong: PortariaError) -> str:
    """The field an error is about: what contradicts an earlier event does so under its number."""
    return (wrong.field if isinstance(wrong, Invalid) else "numero") or "numero"


def _from_start(visit: Visit) -> Response:
    """Whoever asks for the effect by its address has told nothing yet."""
    return visit.redirect("/admin/evento/novo")


SCREENS = (
    Screen("GET", "/admin/evento", listar),
    Screen("POST", "/admin/evento", registrar, again="/admin/evento/novo", ato=Ato.PESSOA_EVENTO),
    Screen("GET", "/admin/evento/novo", novo),
    Screen("POST", "/admin/evento/novo", corrigir, again="/admin/evento/novo", ato=Ato.PESSOA_EVENTO),
    Screen("POST", "/admin/evento/efeito", efeito, again="/admin/evento/novo", ato=Ato.PESSOA_EVENTO),
    Screen("GET", "/admin/evento/efeito", _from_start),
    Screen("GET", "/admin/evento/<id>", ver),
    Screen("GET", "/admin/evento/<id>/recibo", baixar),
    Screen("POST", "/admin/pendencia/<id>", decidir, again="/admin/evento", ato=Ato.PENDENCIA_DECIDIR),
)
