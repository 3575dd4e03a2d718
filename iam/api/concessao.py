"""``GET /pessoa/{cpf}/concessao``: what a person holds and ever held, with why and by whom (MT128-6-1.1). Reading it is recorded."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select

from iam.api import openapi
from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.atos import concessao, pessoa
from iam.atos.concessao import Concessao
from iam.atos.vinculo import Vinculo
from iam.errors import Invalid, NotFound
from iam.http import JSON, Response
from iam.icp_brasil import document

SCOPE = "diario"


def get(call: Call, cpf: str) -> Response:
    """Present and past concessões, newest first; ``sistema`` narrows them."""
    machine = call.machine(SCOPE)
    number = document.cpf(cpf)
    given = call.request.params()
    if set(given) - {"sistema"}:
        raise Invalid(
            "o único parâmetro é `sistema`", code="campo_desconhecido", field=min(set(given) - {"sistema"})[:64]
        )
    sistema = given.get("sistema", "")
    with call.house.begin(machine.agente) as ctx:
        decision = ctx.require(Ato.PESSOA_CONSULTAR, "portaria", machine.papeis(ctx))
        somebody = pessoa.by_cpf(ctx.db, number)
        if somebody is None:
            raise NotFound("não há pessoa cadastrada com este CPF")
        rights = [r for r in concessao.historico(ctx.db, somebody.id) if not sistema or r.sistema == sistema]
        now = {r.id for r in concessao.vigentes(ctx.db, somebody.id, ctx.now, sistema=sistema)}
        ties = {t.id: t for t in ctx.db.scalars(select(Vinculo).where(Vinculo.pessoa == somebody.id))}
        known = sistema if ctx.policy.sistema(sistema) else None
        ctx.record(decision, pessoa=somebody.id, sistema=known, lidas=len(rights))
    return Response.json(
        200,
        {
            "pessoa": {"id": somebody.id, "nome": somebody.nome, "estado": somebody.estado},
            "concessoes": [_right(r, ties.get(r.vinculo or ""), in_force=r.id in now) for r in rights],
        },
    )


def _right(right: Concessao, tie: Vinculo | None, *, in_force: bool) -> dict[str, JSON]:
    return {
        "id": right.id,
        "sistema": right.sistema,
        "perfil": right.perfil,
        "restricao": {name: list(values) for name, values in right.restricao.items()},
        "orgao": tie.orgao if tie else None,
        "matricula": tie.matricula if tie else None,
        "em_vigor": in_force,
        "origem": right.origem,
        "fundamento": right.fundamento,
        "vigente_de": right.vigente_de.isoformat(),
        "vigente_ate": _iso(right.vigente_ate),
        "registrada_em": right.registrada_em.isoformat(),
        "registrada_por": right.registrada_por,
        "revogada_em": _iso(right.revogada_em),
        "motivo": right.motivo,
    }


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None


_NULLABLE: JSON = {"type": ["string", "null"]}
_CONCESSAO = openapi.object_of(
    id=openapi.TEXT,
    sistema=openapi.TEXT,
    perfil=openapi.TEXT,
    restricao={"type": "object"},
    orgao=_NULLABLE,
    matricula=_NULLABLE,
    em_vigor={"type": "boolean"},
    origem=openapi.TEXT,
    fundamento=openapi.TEXT,
    vigente_de=openapi.MOMENT,
    vigente_ate=_NULLABLE,
    registrada_em=openapi.MOMENT,
    registrada_por=openapi.TEXT,
    revogada_em=_NULLABLE,
    motivo=_NULLABLE,
)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/pessoa/{cpf}/concessao",
        Ato.PESSOA_CONSULTAR,
        get,
        openapi.operation(
            "Concessões atuais e passadas de uma pessoa",
            "Com origem, fundamento e fim de cada uma.",
            scopes=(SCOPE,),
            path={"cpf": "CPF, com ou sem pontuação"},
            query={"sistema": "só deste sistema"},
            schemas={"cpf": openapi.CPF},
            answer=openapi.object_of(
                pessoa=openapi.object_of(id=openapi.TEXT, nome=openapi.TEXT, estado=openapi.TEXT),
                concessoes={"type": "array", "items": _CONCESSAO},
            ),
            errors=(401, 403, 404, 422, 503),
        ),
    ),
)
