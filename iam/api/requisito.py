"""``GET /requisito/{id}``: the words behind an id that a decision, a refusal or the journal cites. Norms are public."""

from __future__ import annotations

from iam.api import openapi
from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.errors import NotFound, Refused
from iam.http import Response


def get(call: Call, id: str) -> Response:
    """One provision, also of a norm that is no longer in force."""
    policy = call.house.policy
    decision = policy.decide({"anonimo"}, Ato.CATALOGO_CONSULTAR, "portaria")
    if not decision.allowed:
        raise Refused(decision)
    try:
        article = policy.article(id)
    except KeyError:
        raise NotFound("nenhuma norma carregada tem esta exigência") from None
    pack = policy.read[article.pack]
    return Response.json(
        200,
        {
            "id": article.id,
            "norma": article.pack,
            "titulo": pack.title,
            "artigo": article.article,
            "texto": article.text,
        },
        cache_control="public, max-age=60",
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/requisito/{id}",
        Ato.CATALOGO_CONSULTAR,
        get,
        openapi.operation(
            "Texto de uma exigência",
            "O que a norma diz, nas suas palavras; numa lacuna, o padrão do sistema.",
            path={"id": "identificador, como `MT128-13.1`"},
            answer=openapi.object_of(
                id=openapi.TEXT,
                norma=openapi.TEXT,
                titulo=openapi.TEXT,
                artigo=openapi.TEXT,
                texto=openapi.TEXT,
            ),
            errors=(404,),
        ),
    ),
)
