"""The description of our own interface (OpenAPI 3.1), made from the table of endpoints: what is not described is not served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version

from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.http import JSON, Response

TEXT: JSON = {"type": "string"}
MOMENT: JSON = {"type": "string", "format": "date-time"}
CPF: JSON = {
    "type": "string",
    "pattern": "^[0-9]{3}\\.?[0-9]{3}\\.?[0-9]{3}-?[0-9]{2}$",
    "description": "com dígitos verificadores",
}
DAY_OR_MOMENT: JSON = {
    "type": "string",
    "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
}
MEANINGS = {
    400: "A requisição não pode ser lida de um só modo",
    401: "Sem token, ou token que não vale para este certificado",
    403: "Recusado, com a norma e o artigo",
    404: "Não existe",
    409: "Contradiz o que já está registrado",
    413: "Corpo maior que 64 KiB",
    422: "Conteúdo que quebra uma regra de forma; `campo` diz onde",
    503: "Indisponível no momento; o mesmo pedido pode dar certo depois",
}


def object_of(**members: JSON) -> dict[str, JSON]:
    """The schema of an object all of whose members are always there; others may be added."""
    return {"type": "object", "required": list(members), "properties": members}


def operation(
    summary: str,
    description: str,
    *,
    answer: JSON,
    scopes: Sequence[str] = (),
    path: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    schemas: Mapping[str, JSON] | None = None,
    body: JSON = None,
    status: int = 200,
    errors: Sequence[int] = (),
) -> dict[str, JSON]:
    """One operation object. With several ``scopes``, any one is enough; a parameter without one of ``schemas`` is a text.

    Any request can be malformed, so 400 need not be among ``errors``.
    """
    kinds = schemas or {}
    made: dict[str, JSON] = {"summary": summary, "description": description}
    parameters: list[JSON] = [
        {"name": name, "in": place, "required": place == "path", "description": text, "schema": kinds.get(name, TEXT)}
        for place, given in (("path", path), ("query", query))
        for name, text in (given or {}).items()
    ]
    if parameters:
        made["parameters"] = parameters
    if body is not None:
        made["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    responses: dict[str, JSON] = {
        str(status): {"description": summary, "content": {"application/json": {"schema": answer}}}
    }
    for code in sorted({400, *errors}):
        responses[str(code)] = {
            "description": MEANINGS[code],
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problema"}}},
        }
    made["responses"] = responses
    made["security"] = [{"token": [scope]} for scope in scopes]
    return made


def document(server: str, endpoints: Sequence[Endpoint]) -> dict[str, JSON]:
    """The whole description. ``server`` is the origin of the mTLS listener, where tokens are accepted."""
    paths: dict[str, dict[str, JSON]] = {}
    for endpoint in endpoints:
        name = (
            f"{endpoint.method.lower()}_{endpoint.path.strip('/').replace('/', '_').replace('{', '').replace('}', '')}"
        )
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = {"operationId": name, **endpoint.operation}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Portaria",
            "version": version("portaria"),
            "summary": "Eventos de pessoal, recibos, diário, catálogo e concessões.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": f"{server}/api"}],
        "paths": dict(paths),
        "components": {
            "schemas": {"Problema": PROBLEMA},
            "securitySchemes": {
                "token": {
                    "type": "oauth2",
                    "description": "Token preso ao certificado (RFC 8705), usado com ele no endereço de TLS mútuo.",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": f"{server}/oauth/token",
                            "scopes": {
                                "pessoa:evento": "informar eventos de pessoal dos próprios órgãos",
                                "diario": "ler o diário, os recibos e as concessões",
                            },
                        }
                    },
                }
            },
        },
    }


def endpoint(description: Mapping[str, JSON]) -> Endpoint:
    """The endpoint that gives the description itself."""

    def get(_call: Call) -> Response:
        return Response.json(200, description, cache_control="public, max-age=60")

    return Endpoint("GET", "/openapi.json", Ato.CATALOGO_CONSULTAR, get, {})


PROBLEMA: JSON = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": TEXT,
        "title": TEXT,
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "estável, para programas"},
        "detail": {"type": "string", "description": "para pessoas, em português"},
        "campo": {"type": "string", "description": "o membro ou parâmetro culpado"},
        "norma": {"type": "string", "description": "numa recusa: a norma que decidiu"},
        "requisito": {"type": "string", "description": "numa recusa: a exigência"},
        "artigo": {"type": "string", "description": "numa recusa: o artigo"},
        "falta": {"type": "array", "items": TEXT, "description": "numa recusa: o que teria de ser verdade"},
    },
}
