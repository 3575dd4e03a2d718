"""``GET /catalogo``: every sistema with its gestor, funções and perfis, for everybody (MT128-11: published on the internet)."""

from __future__ import annotations

from iam.api import openapi
from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.errors import Refused
from iam.http import JSON, Response
from iam.policy import Policy


def get(call: Call) -> Response:
    """The catalogue of the norms in force; no login."""
    policy = call.house.policy
    decision = policy.decide({"anonimo"}, Ato.CATALOGO_CONSULTAR, "portaria")
    if not decision.allowed:
        raise Refused(decision)
    return Response.json(200, {"sistemas": listing(policy)}, cache_control="public, max-age=60")


def listing(policy: Policy) -> list[JSON]:
    """Every sistema, by id."""
    return [
        {
            "id": s.id,
            "nome": s.nome,
            "descricao": s.descricao,
            "gestor": s.gestor,
            "superior": s.superior,
            "norma": s.pack,
            "requisito": s.source.requirement,
            "artigo": s.source.article,
            "funcoes": [{"id": f.id, "nome": f.nome} for f in policy.funcoes(s.id)],
            "perfis": [{"id": p.id, "nome": p.nome, "sigilo": p.sigilo} for p in policy.perfis(s.id)],
            "escopos": [scope.name for scope in policy.scopes(s.id)],
        }
        for s in policy.sistemas()
    ]


_NAMED = openapi.object_of(id=openapi.TEXT, nome=openapi.TEXT)
_SISTEMA = openapi.object_of(
    id=openapi.TEXT,
    nome=openapi.TEXT,
    descricao=openapi.TEXT,
    gestor=openapi.TEXT,
    superior=openapi.TEXT,
    norma=openapi.TEXT,
    requisito=openapi.TEXT,
    artigo=openapi.TEXT,
    funcoes={"type": "array", "items": _NAMED},
    perfis={"type": "array", "items": openapi.object_of(id=openapi.TEXT, nome=openapi.TEXT, sigilo=openapi.TEXT)},
    escopos={"type": "array", "items": openapi.TEXT},
)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/catalogo",
        Ato.CATALOGO_CONSULTAR,
        get,
        openapi.operation(
            "Relação pública dos sistemas",
            "Sistemas corporativos com gestores, funções e perfis.",
            answer=openapi.object_of(sistemas={"type": "array", "items": _SISTEMA}),
            errors=(403,),
        ),
    ),
)
