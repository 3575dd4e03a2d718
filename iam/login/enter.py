"""Opening a login session: password then second factor, or a certificate. The act is ``sessao:abrir``.

Hashing happens outside any transaction; what was typed wrong is counted and recorded; who may not enter is told why, and
under which article, only after proving to be that person. Between the two steps nothing is kept here: the browser holds an
encrypted ticket, good for five minutes and for nothing but the next step. A login is always a new session with a new cookie,
and ends the ``former`` one of the same browser.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn

from iam import session
from iam.ato import Ato
from iam.atos import credencial, pessoa, sujeito
from iam.atos.credencial import SENHA, TOTP, Credencial
from iam.atos.papel import CASA
from iam.atos.pessoa import Pessoa
from iam.atos.vinculo import todos, vigentes
from iam.context import Agente, Ctx, House
from iam.errors import Invalid, Refused
from iam.login import attempt, certificate, leave, password, throttle, ticket
from iam.login.certificate import Identity
from iam.session import Login, LoginSession

CODIGO, NOVA_SENHA = "codigo", "nova_senha"
TICKET_LIFE = timedelta(minutes=5)
CARRY_LIFE = timedelta(minutes=1)
WITHOUT = Identity("")
"""What a login that shows no certificate has to say of one."""


@dataclass(frozen=True, slots=True)
class Entered:
    """An open session. ``cookie`` goes to the browser and nowhere else, and so does ``browser``: what makes it known."""

    session: LoginSession
    pessoa: Pessoa
    cookie: str
    browser: str


@dataclass(frozen=True, slots=True)
class Next:
    """Another step is needed: ``codigo`` (second factor) or ``nova_senha``. ``ticket`` is a cookie of five minutes."""

    step: str
    ticket: str


def with_password(
    house: House, agente: Agente, login: str, senha: str, *, browser: str = "", former: Login | None = None
) -> Entered | Next:
    """The first step. ``browser`` is what an earlier login left there (:attr:`Entered.browser`).

    Raises Refused (wrong, too many, out), or Unavailable when too many are being checked.
    """
    now = house.clock()
    with house.reading() as db:
        who = pessoa.by_login(db, login)
        proof = credencial.vigente(db, who.id if who else "", SENHA)
        second = credencial.vigente(db, who.id if who else "", TOTP) is not None
    keys = attempt.keys(house, agente, login, who, browser)
    if not attempt.allowed(house, agente, keys):
        _refuse(house, agente, throttle.TENTATIVAS_DEMAIS, who)
    stored = proof.segredo.decode() if proof is not None and proof.segredo else None
    if not password.verify(stored, senha) or who is None or proof is None:
        _refuse(house, agente, "senha_incorreta", who)
    _may_enter(house, agente, who)
    if proof.provisoria and proof.expira_em is not None and proof.expira_em <= now:
        _refuse(house, agente, "senha_provisoria", who, _where(house, who))
    if not attempt.right(house, agente, proof.id, keys):
        _refuse(house, agente, "senha_incorreta", who)
    if proof.provisoria:
        return Next(NOVA_SENHA, _ticket(house, who, NOVA_SENHA, proof.id))
    if second:
        return Next(CODIGO, _ticket(house, who, CODIGO, proof.id))
    return _open(house, agente, who, "senha", ["pwd"], former, proof=proof.id)


def with_code(house: House, agente: Agente, carried: str, codigo: str, *, former: Login | None = None) -> Entered:
    """The second step: a code of the person's authenticator, each good once. Raises Refused, Invalid for a dead ticket."""
    who, proof = _read(house, carried, CODIGO)
    with house.begin(agente) as ctx:
        word = attempt.code(ctx, who, codigo)
    if word:
        _refuse(house, agente, word, who)
    _may_enter(house, agente, who)
    return _open(house, agente, who, "mfa", ["pwd", "otp", "mfa"], former, proof=proof)


def with_certificate(house: House, agente: Agente, der: bytes | None) -> Entered:
    """By the certificate proven in this connection: the person it names, never whom they act for (DEC7-3.2)."""
    found = certificate.identify(der, house.trust, house.clock())
    with house.reading() as db:
        who = pessoa.by_cpf(db, found.cpf) if found.cpf else None
    if found.word or who is None:
        _refuse(house, agente, found.word or "certificado_nao_cadastrado", who)
    _may_enter(house, agente, who)
    return _open(house, agente, who, "icp-brasil", ["x509", "pop"], None, found=found)


def choose_password(house: House, agente: Agente, carried: str, nova: str) -> None:
    """In place of a provisional senha, which is used up (MT128-10-2.3); every older session ends.

    Raises Invalid for a weak one or a dead ticket.
    """
    who, _ = _read(house, carried, NOVA_SENHA)
    password.check(nova, cpf=who.cpf, login=who.login, nome=who.nome)
    hashed = password.hash(nova).encode()
    with house.begin(agente) as ctx:
        sujeito.lock(ctx.db, who.id)
        now = _unchanged(ctx, who)
        if credencial.vigente(ctx.db, who.id, SENHA) is not None:
            raise Invalid("a senha provisória já foi usada", code="senha_provisoria_usada")
        credencial.cadastrar(ctx, who.id, SENHA, segredo=hashed, papeis=frozenset({"o_proprio"}))
        now.login_epoch = Pessoa.login_epoch + 1


def ticket_for(house: House, entered: Entered) -> str:
    """Carries a login by certificate from the mTLS address to the ordinary one: the session's cookie, sealed."""
    return ticket.seal(house, "login carry", CARRY_LIFE, cookie=entered.cookie)


def cookie_of(house: House, agente: Agente, carried: str, former: Login | None = None) -> str:
    """The cookie that :func:`ticket_for` sealed, within its minute and while its session stands; Invalid otherwise.

    The ``former`` session of the browser where it arrives ends here: at the mTLS address nobody knew it.
    """
    cookie = str(ticket.unseal(house, "login carry", carried)["cookie"])
    idle = house.policy.limit("session_idle").duration
    with house.begin(agente) as ctx:
        entered = session.find(ctx.db, cookie, ctx.now, idle, house.trust)
        if entered is None:
            raise Invalid("a entrada venceu; comece de novo", code="entrada_vencida")
        if former is not None and former.session.id != entered.session.id:
            leave.replace(ctx, former.session, entered.session)
    return cookie


def _open(
    house: House,
    agente: Agente,
    who: Pessoa,
    acr: str,
    amr: Sequence[str],
    former: Login | None,
    *,
    proof: str = "",
    found: Identity = WITHOUT,
) -> Entered:
    acting = Agente("pessoa", who.id, "", agente.address, agente.user_agent, certificate=found.x5t)
    with house.begin(acting) as ctx:
        now = pessoa.get(ctx.db, who.id)
        place = _place(ctx, now)
        if not session.may_enter(ctx.db, now, ctx.now):
            ctx.require(Ato.SESSAO_ABRIR, place, {"pessoa_fora"})
        decision = ctx.require(Ato.SESSAO_ABRIR, place, {"pessoa_autenticada"})
        used = ctx.db.get(Credencial, proof) if proof else None
        if used is not None and used.encerrada_em is not None:
            raise Invalid("a senha mudou durante a entrada; entre de novo", code="entrada_vencida")
        row, cookie = session.start(
            ctx.db,
            _unchanged(ctx, who),
            acr,
            amr,
            ctx.now,
            address=agente.address,
            user_agent=agente.user_agent,
            certificate=found.x5t or None,
            not_after=found.not_after,
            listed=found.listed or None,
        )
        ctx.record(decision, pessoa=who.id, sessao=row.id, acr=acr)
        if former is not None:
            leave.replace(ctx, former.session, row)
    return Entered(row, now, cookie, attempt.browser(house, now))


def _unchanged(ctx: Ctx, who: Pessoa) -> Pessoa:
    """The person as she is now; Invalid when a cut, or a new credencial, came since she was read."""
    now = pessoa.get(ctx.db, who.id)
    if now.login_epoch != who.login_epoch:
        raise Invalid("a entrada venceu; comece de novo", code="entrada_vencida")
    return now


def _place(ctx: Ctx, who: Pessoa) -> str:
    ties = vigentes(ctx.db, who.id, ctx.now) or todos(ctx.db, who.id)
    return ties[-1].orgao if ties else CASA


def _may_enter(house: House, agente: Agente, who: Pessoa) -> None:
    now = house.clock()
    with house.reading() as db:
        if session.may_enter(db, who, now):
            return
    _refuse(house, agente, "pessoa_fora", who, _where(house, who))


def _where(house: House, who: Pessoa) -> str:
    """The órgão whose norm speaks of a refusal: that of the person's last vínculo."""
    with house.reading() as db:
        ties = todos(db, who.id)
    return ties[-1].orgao if ties else CASA


def _refuse(house: House, agente: Agente, word: str, who: Pessoa | None, place: str = CASA) -> NoReturn:
    refused = Refused(house.policy.decide({word}, Ato.SESSAO_ABRIR, place))
    house.refuse(agente, refused, pessoa=who.id if who else None)
    raise refused


def _ticket(house: House, who: Pessoa, step: str, proof: str) -> str:
    return ticket.seal(house, f"login {step}", TICKET_LIFE, who=who.id, proof=proof, epoch=who.login_epoch)


def _read(house: House, carried: str, step: str) -> tuple[Pessoa, str]:
    body = ticket.unseal(house, f"login {step}", carried)
    with house.reading() as db:
        who = pessoa.get(db, str(body["who"]))
    if who.login_epoch != body["epoch"]:
        raise Invalid("a entrada venceu; comece de novo", code="entrada_vencida")
    return who, str(body["proof"])
