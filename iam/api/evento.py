"""``POST /pessoa/evento``: the HR source tells something about a person; the norms say what it causes (MT128-13).

Strict on purpose: an event that could be read in two ways ends nobody's access, or the wrong one's. One transaction; the same
``(fonte, numero)`` again answers what it answered. What an event does is :mod:`iam.atos.receber`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime

from sqlalchemy.exc import IntegrityError

from iam.api import openapi
from iam.api.call import Call, Endpoint, Machine
from iam.ato import Ato
from iam.atos.evento import ESTADOS
from iam.atos.receber import receber
from iam.connector import Evento as Noticia
from iam.errors import Invalid
from iam.http import JSON, Response
from iam.icp_brasil import document

SCOPE = "pessoa:evento"
REQUIRED = ("fonte", "numero", "cpf", "tipo", "data_efeito")
LENGTHS = {
    "fonte": 100,
    "numero": 100,
    "cpf": 14,
    "tipo": 100,
    "data_efeito": 32,
    "matricula": 50,
    "orgao": 100,
    "orgao_destino": 100,
    "observacao": 4000,
}
_DATE = re.compile(r"(?:19|20|21)\d\d-\d\d-\d\d", re.ASCII)
_MOMENT = re.compile(_DATE.pattern + r"T\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def post(call: Call) -> Response:
    """202 with the effects and the receipt's path; see the contract."""
    machine = call.machine(SCOPE)
    noticia = read(call.request.json_object())
    try:
        answer = _take(call, machine, noticia)
    except IntegrityError:
        # Two of one number at one moment (PostgreSQL): the other one was first, and this one now answers as it did.
        answer = _take(call, machine, noticia)
    return Response.json(202, answer, location=str(answer["recibo"]))


def _take(call: Call, machine: Machine, noticia: Noticia) -> dict[str, JSON]:
    with call.house.begin(machine.agente) as ctx:
        event, receipt = receber(ctx, noticia, papeis=machine.papeis(ctx))
    return {
        "id": event.id,
        "pessoa": event.pessoa,
        "estado": event.estado,
        "efetivo_em": receipt.efetivo_em.astimezone(UTC).isoformat(),
        "efeitos": [dict(effect) for effect in event.efeitos],
        "recibo": f"/api/recibo/{receipt.id}",
    }


def read(body: Mapping[str, JSON]) -> Noticia:
    """The event that a JSON object tells; :class:`Invalid` names the first member that is unknown, missing or wrong."""
    for name in body:
        if name not in LENGTHS:
            known = ", ".join(LENGTHS)
            raise Invalid(
                f"membro desconhecido: `{name[:64]}`; conhecidos: {known}", code="campo_desconhecido", field=name[:64]
            )
    values = {name: _text(body, name) for name in LENGTHS}
    return Noticia(
        fonte=values["fonte"],
        numero=values["numero"],
        cpf=document.cpf(values["cpf"]),
        matricula=values["matricula"],
        nome="",
        tipo=values["tipo"],
        data_efeito=_day(values["data_efeito"]),
        orgao=values["orgao"],
        orgao_destino=values["orgao_destino"],
        observacao=values["observacao"],
    )


def _text(body: Mapping[str, JSON], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"`{name}` deve ser um texto", code="tipo_invalido", field=name)
    value = value.strip()
    if not value and name in REQUIRED:
        raise Invalid(f"`{name}` é obrigatório", code="campo_obrigatorio", field=name)
    if len(value) > LENGTHS[name]:
        raise Invalid(f"`{name}` tem mais de {LENGTHS[name]} caracteres", code="campo_longo", field=name)
    if _CONTROL.search(value.replace("\n", " ") if name == "observacao" else value):
        raise Invalid(f"`{name}` tem caracteres de controle", code="caracter_invalido", field=name)
    return value


def _day(text: str) -> date | datetime:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
        if _MOMENT.fullmatch(text):
            return datetime.fromisoformat(text)
    except ValueError:
        pass
    said = "`data_efeito` deve ser uma data AAAA-MM-DD, ou um instante com fuso (ISO 8601)"
    raise Invalid(said, code="data_invalida", field="data_efeito")


_MEMBERS: dict[str, JSON] = {
    name: {"type": "string", "minLength": int(name in REQUIRED), "maxLength": most} for name, most in LENGTHS.items()
}
_MEMBERS |= {
    "cpf": openapi.CPF,
    "data_efeito": {
        "type": "string",
        "pattern": "^(19|20|21)[0-9]{2}-[0-9]{2}-[0-9]{2}"
        "(T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\\.[0-9]{1,6})?)?(Z|[+-][0-9]{2}:[0-9]{2}))?$",
        "description": "data (RFC 3339 full-date), que vale desde 00:00 na hora legal do órgão, ou instante com fuso",
    },
    "tipo": {
        "type": "string",
        "minLength": 1,
        "maxLength": LENGTHS["tipo"],
        "description": "nome do evento; um desconhecido é recusado com a lista dos conhecidos",
    },
}
BODY: dict[str, JSON] = {
    "type": "object",
    "required": list(REQUIRED),
    "additionalProperties": False,
    "properties": _MEMBERS,
}
ANSWER: dict[str, JSON] = openapi.object_of(
    id=openapi.TEXT,
    pessoa=openapi.TEXT,
    estado={"type": "string", "enum": list(ESTADOS)},
    efetivo_em=openapi.MOMENT,
    efeitos={"type": "array", "items": openapi.object_of(norma=openapi.TEXT, artigo=openapi.TEXT, efeito=openapi.TEXT)},
    recibo={"type": "string", "description": "caminho do recibo"},
)
ENDPOINTS = (
    Endpoint(
        "POST",
        "/pessoa/evento",
        Ato.PESSOA_EVENTO,
        post,
        openapi.operation(
            "Informa um evento de pessoal",
            "Uma transação: dela em diante nenhum token responde pelo que o evento encerrou. O mesmo (fonte, numero) com o "
            "mesmo conteúdo não muda nada e responde o mesmo; com outro conteúdo, 409.",
            scopes=(SCOPE,),
            body=BODY,
            status=202,
            answer=ANSWER,
            errors=(400, 401, 403, 409, 413, 422, 503),
        ),
    ),
)
