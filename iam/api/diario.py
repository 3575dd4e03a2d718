"""``GET /diario``: the journal, newest first, by person, sistema, article, act and period. Reading it is itself recorded.

TRAM-12-IV: each line tells operation, user, workstation, date and time, in sequence. Pages by ``antes``, never by offset.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta

import orjson
from sqlalchemy.orm import Session

from iam import journal
from iam.api import openapi
from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.atos import diario, pessoa
from iam.atos.diario import Lancamento
from iam.errors import Invalid
from iam.http import JSON, Response
from iam.search import Filter

SCOPE = "diario"
MOST, USUAL = 500, 50
PARAMETERS = {
    "pessoa": "identificador ou CPF da pessoa",
    "sistema": "identificador do sistema",
    "requisito": "exigência (`MT128-13.1`) ou começo dela (`MT128-13`)",
    "artigo": "o mesmo que `requisito`",
    "ato": "nome do ato (`pessoa:evento`)",
    "agente": "quem agiu, como no diário (`client:…`)",
    "permitido": "`true` só o que foi permitido, `false` só as recusas",
    "desde": "data ou momento ISO 8601, inclusive",
    "ate": "data ou momento ISO 8601, exclusive",
    "limite": f"quantos registros, de 1 a {MOST}; {USUAL} se omitido",
    "antes": "o `antes` da página anterior",
}
SCHEMAS: Mapping[str, JSON] = {
    "permitido": {"type": "boolean"},
    "desde": openapi.DAY_OR_MOMENT,
    "ate": openapi.DAY_OR_MOMENT,
    "limite": {"type": "integer", "minimum": 1, "maximum": MOST},
    "antes": {"type": "string", "pattern": "^[0-9]{1,18}$"},
}
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)


def get(call: Call) -> Response:
    """A page of the journal."""
    machine = call.machine(SCOPE)
    given = call.request.params()
    for name in given:
        if name not in PARAMETERS:
            raise Invalid(f"parâmetro desconhecido: `{name[:64]}`", code="campo_desconhecido", field=name[:64])
    asked = _number(given, "limite")
    most = USUAL if asked is None else asked
    if not 1 <= most <= MOST:
        raise Invalid(f"`limite` deve estar entre 1 e {MOST}", code="limite_invalido", field="limite")
    if "artigo" in given and "requisito" in given:
        raise Invalid("informe `artigo` ou `requisito`, não os dois", code="campo_repetido", field="artigo")
    before = _number(given, "antes")
    since, until = _moment(given, "desde"), _moment(given, "ate", whole=True)
    artigo = given.get("artigo", "")
    call.house.seal()
    with call.house.begin(machine.agente) as ctx:
        wanted = Filter(
            pessoa=_person(ctx.db, given.get("pessoa", "")),
            sistema=given.get("sistema", ""),
            requirement=given.get("requisito", artigo if _is_requirement(artigo) else ""),
            article="" if _is_requirement(artigo) else artigo,
            ato=given.get("ato", ""),
            agente=given.get("agente", ""),
            since=since,
            until=until,
            allowed=_boolean(given, "permitido"),
        )
        found = diario.ler(ctx, wanted, papeis=machine.papeis(ctx), before=before, most=most)
    more = str(found[-1].id) if len(found) == most else None
    return Response.json(200, {"registros": [_line(entry) for entry in found], "antes": more})


def _line(entry: Lancamento) -> dict[str, JSON]:
    return {
        "seq": entry.seq,
        "em": entry.at.isoformat(),
        "ato": entry.ato,
        "permitido": entry.allowed,
        "objeto": entry.obj,
        "norma": entry.source.pack,
        "requisito": entry.source.requirement,
        "artigo": entry.source.article,
        "motivo": entry.motivo,
        "agente": entry.agente,
        "agente_nome": entry.agente_nome,
        "estacao": dict(entry.estacao),
        "pessoa": entry.pessoa,
        "sistema": entry.sistema,
        "jti": entry.jti,
        "vezes": entry.vezes,
        "dados": _plain(entry.detalhe),
    }


def _plain(details: Mapping[str, journal.JSON]) -> JSON:
    plain: JSON = orjson.loads(journal.canonical(details))
    return plain


def _person(db: Session, text: str) -> str:
    """The id of a person given by id or CPF; of nobody's, an id that no line has."""
    if not text:
        return ""
    digits = "".join(c for c in text if c.isdigit())
    cpf = len(digits) == 11 and len(text) <= 14
    somebody = pessoa.by_cpf(db, digits) if cpf else db.get(pessoa.Pessoa, text)
    return somebody.id if somebody else diario.UNKNOWN


def _number(given: dict[str, str], name: str) -> int | None:
    text = given.get(name)
    if text is None:
        return None
    if not _ID.fullmatch(text):
        raise Invalid(f"`{name}` deve ser um número inteiro", code="numero_invalido", field=name)
    return int(text)


def _boolean(given: dict[str, str], name: str) -> bool | None:
    text = given.get(name)
    if text not in (None, "true", "false"):
        raise Invalid(f"`{name}` deve ser true ou false", code="valor_invalido", field=name)
    return None if text is None else text == "true"


def _is_requirement(text: str) -> bool:
    """Whether it names a requirement (``MT128-13``) and not an article as the norm writes it (``Art. 13``, ``13``)."""
    return "-" in text and not text.lower().startswith("art")


def _moment(given: dict[str, str], name: str, *, whole: bool = False) -> datetime | None:
    """A moment, or the beginning of a day in UTC; with ``whole`` the end of that day, which belongs to the period."""
    text = given.get(name)
    if text is None:
        return None
    try:
        if len(text) == 10:
            return datetime.combine(date.fromisoformat(text), time.min, UTC) + timedelta(days=1 if whole else 0)
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise Invalid(f"`{name}` deve ser uma data ou um momento ISO 8601", code="data_invalida", field=name) from None


_REGISTRO = openapi.object_of(
    seq={"type": ["integer", "null"], "description": "lugar na cadeia"},
    em=openapi.MOMENT,
    ato=openapi.TEXT,
    permitido={"type": "boolean"},
    objeto=openapi.TEXT,
    norma=openapi.TEXT,
    requisito=openapi.TEXT,
    artigo=openapi.TEXT,
    motivo={"type": "string", "description": "numa recusa: o porquê"},
    agente=openapi.TEXT,
    agente_nome=openapi.TEXT,
    estacao={"type": "object", "description": "endereço, programa, certificado"},
    pessoa=openapi.TEXT,
    sistema=openapi.TEXT,
    jti=openapi.TEXT,
    vezes={"type": "integer", "description": "mais de um quando recusas anônimas iguais foram contadas juntas"},
    dados={"type": "object", "description": "vazio quando a guarda legal terminou e o conteúdo foi apagado"},
)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/diario",
        Ato.DIARIO_LER,
        get,
        openapi.operation(
            "Lê o diário",
            "Do mais novo para o mais antigo. A própria leitura fica registrada.",
            scopes=(SCOPE,),
            query=PARAMETERS,
            schemas=SCHEMAS,
            answer=openapi.object_of(
                registros={"type": "array", "items": _REGISTRO}, antes={"type": ["string", "null"]}
            ),
            errors=(400, 401, 403, 422, 503),
        ),
    ),
)
