"""``GET /recibo/{id}``: where an event was *seen* to have taken effect, signed whole. Reading it is itself recorded."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.api import openapi
from iam.api.call import Call, Endpoint
from iam.ato import Ato
from iam.atos import recibo
from iam.atos.evento import Evento
from iam.atos.fonte import Fonte
from iam.http import Response

SCOPES = ("diario", "pessoa:evento")


def get(call: Call, id: str) -> Response:
    """The receipt as it stands. An HR source reads those of its own events only."""
    machine = call.machine(*SCOPES)
    call.house.seal()
    with call.house.begin(machine.agente) as ctx:
        papeis = machine.papeis(ctx)
        if "diario" not in machine.scopes and _source(ctx.db, id) not in (None, machine.agente.id):
            papeis |= {"fonte_alheia"}
        return Response.json(200, recibo.ler(ctx, id, call.house.keys.signer("receipt"), papeis=papeis))


def _source(db: Session, id: str) -> str | None:
    """The client whose source told the event of a receipt; empty when it has none, None when there is no such receipt."""
    query = (
        select(Fonte.client)
        .join(Evento, Evento.fonte == Fonte.id)
        .join(recibo.Recibo, recibo.Recibo.evento == Evento.id)
    )
    found = db.execute(query.where(recibo.Recibo.id == id)).first()
    return None if found is None else found[0] or ""


_DESTINO = openapi.object_of(
    estado={"type": "string", "enum": [recibo.VISTO, recibo.PENDENTE, recibo.FALHOU]},
    visto_em={"type": ["string", "null"], "format": "date-time"},
)
ENDPOINTS = (
    Endpoint(
        "GET",
        "/recibo/{id}",
        Ato.RECIBO_LER,
        get,
        openapi.operation(
            "Lê um recibo",
            "Preenche-se à medida que cada destino é visto de acordo. `jws` é o todo assinado (ES256); a chave está em "
            "/oauth/jwks.",
            scopes=SCOPES,
            path={"id": "identificador do recibo"},
            answer=openapi.object_of(
                pessoa=openapi.TEXT,
                evento=openapi.TEXT,
                efetivo_em=openapi.MOMENT,
                destinos={"type": "object", "additionalProperties": _DESTINO},
                jws=openapi.TEXT,
            ),
            errors=(401, 403, 404, 503),
        ),
    ),
)
