"""One person's file as the screens show it: what they hold and why, their ties, sessions and credentials.

Texts: MT128 art. 6 §1 (permission and habilitação of a user can be consulted at any time), LGPD art. 18 (one's own
data). It reads rows and packs and decides nothing: whoever may see it was decided by the act that opened it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from admin_ui import text
from iam import session
from iam.ato import Ato
from iam.atos import concessao, credencial, diario, papel, vinculo
from iam.atos.concessao import Concessao
from iam.atos.credencial import Credencial
from iam.atos.orgao import Orgao
from iam.atos.pessoa import Pessoa
from iam.atos.vinculo import Vinculo
from iam.context import Ctx
from iam.decision import Decision, Source
from iam.policy import Policy

_CITED = re.compile(r"\b[A-Z]+[0-9]*(?:-[A-Za-z0-9]+(?:\.[0-9]+)*)+\b")


@dataclass(frozen=True, slots=True)
class Concedida:
    """One right with everything that explains it."""

    id: str
    sistema: str
    sistema_nome: str
    perfil: str
    perfil_nome: str
    estado: str
    funcoes: tuple[str, ...]
    escopos: tuple[str, ...]
    restricao: Mapping[str, Sequence[str]]
    de: datetime
    ate: datetime | None
    revogada_em: datetime | None
    motivo: str
    evento: str
    vinculo: str
    origem: str
    registrada_por: str
    fundamento: str
    fontes: tuple[Source, ...]
    tz: str | None


@dataclass(frozen=True, slots=True)
class Tie:
    """One vínculo with the name of its órgão."""

    id: str
    orgao: str
    orgao_nome: str
    matricula: str
    tipo: str
    cargo: str
    de: datetime
    ate: datetime | None
    estado: str
    tz: str


@dataclass(frozen=True, slots=True)
class Sessao:
    """One live session; `esta` is the one that asks."""

    id: str
    inicio: datetime
    uso: datetime
    address: str
    user_agent: str
    acr: str
    esta: bool


@dataclass(frozen=True, slots=True)
class Prova:
    """One credential, without its secret."""

    id: str
    kind: str
    subject: str
    criada_em: datetime
    expira_em: datetime | None
    provisoria: bool
    estado: str


@dataclass(frozen=True, slots=True)
class Ficha:
    """Everything about one person; ``tz`` is the legal hour of their órgão."""

    pessoa: Pessoa
    vigentes: tuple[Concedida, ...]
    encerradas: tuple[Concedida, ...]
    vinculos: tuple[Tie, ...]
    sessoes: tuple[Sessao, ...]
    credenciais: tuple[Prova, ...]
    tz: str | None

    @property
    def segundo_fator(self) -> bool:
        """Whether an authenticator is enrolled."""
        return any(c.kind == credencial.TOTP and c.estado == "ativa" for c in self.credenciais)


def ler(ctx: Ctx, somebody: Pessoa, idle: timedelta, *, own: str = "") -> Ficha:
    """The file of a person as of now; `own` is the session that asks."""
    db, now = ctx.db, ctx.now
    ties = {v.id: _tie(db, v, now) for v in vinculo.todos(db, somebody.id)}
    held = {c.id for c in concessao.vigentes(db, somebody.id, now)}
    rows = concessao.historico(db, somebody.id)
    known = diario.names(ctx, [c.registrada_por for c in rows])
    rights = [_right(ctx, c, ties, known, live=c.id in held) for c in rows]
    return Ficha(
        pessoa=somebody,
        vigentes=tuple(sorted((r for r in rights if r.id in held), key=lambda r: (r.sistema_nome, r.perfil))),
        encerradas=tuple(r for r in rights if r.id not in held),
        vinculos=tuple(ties.values()),
        sessoes=tuple(
            Sessao(s.id, s.auth_time, s.seen_at, s.address, s.user_agent, s.acr, s.id == own)
            for s in session.live(db, somebody, now, idle, ctx.house.trust)
        ),
        credenciais=tuple(_proof(c, now) for c in credencial.todas(db, somebody.id)),
        tz=next((t.tz for t in ties.values() if t.estado == vinculo.ATIVO and t.tz), None),
    )


def _tie(db: Session, v: Vinculo, now: datetime) -> Tie:
    unit = db.get(Orgao, v.orgao)
    estado = "futuro" if v.estado == vinculo.ATIVO and v.de > now else v.estado
    if v.estado == vinculo.ATIVO and v.ate is not None and v.ate <= now:
        estado = vinculo.ENCERRADO
    nome, tz = (unit.nome, unit.tz) if unit else (v.orgao, "")
    return Tie(v.id, v.orgao, nome, v.matricula, v.tipo, v.cargo or "", v.de, v.ate, estado, tz)


def _right(ctx: Ctx, c: Concessao, ties: Mapping[str, Tie], known: Mapping[str, str], *, live: bool) -> Concedida:
    policy = ctx.policy
    sistema, perfil = policy.sistema(c.sistema), policy.perfil(c.perfil)
    given = _given(policy, c)
    tie = ties.get(c.vinculo or "")
    return Concedida(
        id=c.id,
        sistema=c.sistema,
        sistema_nome=sistema.nome if sistema else c.sistema,
        perfil=c.perfil,
        perfil_nome=perfil.nome if perfil else c.perfil,
        estado=_estado(c, ctx.now, live=live),
        funcoes=tuple(nome for nome, _ in given),
        escopos=tuple(sorted(policy.scopes_of(c.perfil, c.sistema))),
        restricao=c.restricao,
        de=c.vigente_de,
        ate=c.vigente_ate,
        revogada_em=c.revogada_em,
        motivo=c.motivo or "",
        evento=c.evento or "",
        vinculo=f"{tie.orgao_nome}, matrícula {tie.matricula}" if tie else "",
        origem=text.nome(c.origem),
        registrada_por=text.quem(c.registrada_por, known),
        fundamento=c.fundamento,
        fontes=_distinct((*cited(policy, f"{c.fundamento} {c.motivo or ''}"), *(d.source for _, d in given))),
        tz=tie.tz if tie and tie.tz else None,
    )


def _given(policy: Policy, c: Concessao) -> list[tuple[str, Decision]]:
    """What the perfil can do by its name and by which decision: the functions of the sistema, in the house its acts."""
    acts = [(str(a), text.ato(a)) for a in Ato]
    named = acts if c.sistema == papel.CASA else [(f.id, f.nome) for f in policy.funcoes(c.sistema)]
    asked = [(nome, policy.decide({c.perfil}, id, c.sistema)) for id, nome in named]
    return [(nome, decision) for nome, decision in asked if decision.allowed]


def _estado(c: Concessao, now: datetime, *, live: bool) -> str:
    if live:
        return "vigente"
    if c.revogada_em is not None:
        return "revogada"
    if c.vigente_de > now:
        return "futura"
    return "encerrada" if c.vigente_ate is not None and c.vigente_ate <= now else "suspensa"


def _proof(c: Credencial, now: datetime) -> Prova:
    ended = c.encerrada_em is not None or (c.expira_em is not None and c.expira_em <= now)
    estado = "encerrada" if ended else "ativa"
    return Prova(c.id, c.kind, c.subject_dn or "", c.criada_em, c.expira_em, c.provisoria, estado)


def cited(policy: Policy, words: str) -> tuple[Source, ...]:
    """The provisions that a free text names by their id, as sources that can be quoted."""
    found = []
    for word in _CITED.findall(words):
        try:
            article = policy.article(word)
        except KeyError:
            continue
        found.append(Source(article.pack, article.id, article.article))
    return _distinct(found)


def _distinct(sources: Iterable[Source]) -> tuple[Source, ...]:
    """Each provision once, in order."""
    return tuple(dict.fromkeys(sources))
