"""Errors of our own interface: RFC 9457 ``application/problem+json``, with a stable ``code`` and, of a refusal, its article.

``type`` is ``about:blank`` (the status says the kind), ``detail`` is Portuguese for people, ``code`` is for programs. A
refusal names ``norma``, ``requisito`` and ``artigo`` and what would have to be true. Nothing of a defect leaks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy.exc import IntegrityError

from iam.api.call import Call
from iam.decision import Decision
from iam.errors import Invalid, PortariaError, Refused
from iam.http import JSON, BadRequest, Response
from iam.oauth import record
from iam.oauth.errors import Denied, challenge

CODES = {
    404: ("nao_encontrado", "Não há nada neste endereço; os que existem estão em /api/openapi.json."),
    405: ("metodo_nao_permitido", "Este endereço não aceita o método; o cabeçalho Allow diz quais aceita."),
    413: ("corpo_grande_demais", "O corpo passa de 64 KiB."),
    500: ("erro_interno", "Um defeito do servidor impediu a resposta; quem o opera o encontra no registro."),
    503: ("indisponivel", "O banco de dados não responde; o mesmo pedido pode dar certo depois."),
}


def guarded(call: Call, view: Callable[[], Response]) -> Response:
    """The view's answer, or the problem that its error is. A refusal of who asks is recorded under its article."""
    try:
        return view()
    except Denied as denied:
        return denied_problem(call, denied)
    except BadRequest as error:
        return Response.problem(400, error.code, error.message)
    except PortariaError as error:
        return of(error)
    except IntegrityError:
        return Response.problem(409, "conflito", "o pedido contradiz o que já está registrado")


def of(error: PortariaError) -> Response:
    """One of the five errors of the house."""
    more: dict[str, JSON] = {}
    if isinstance(error, Refused):
        more = _ground(error.decision)
    elif isinstance(error, Invalid) and error.field:
        more["campo"] = error.field
    return Response.problem(error.status, error.code, error.message, **more)


def denied_problem(call: Call, denied: Denied) -> Response:
    """Who asks did not prove a right to: RFC 6750's header, our body, and one line in the journal."""
    line = record.refusal(call.house, denied.agente or record.anonymous(call.request), denied, call.ato, call.now)
    call.house.recorder.note(line)
    answer = challenge(denied)
    header = [(name, value) for name, value in answer.headers if name == "www-authenticate"]
    body = Response.problem(denied.status, denied.code, line.decision.reason_user, **_ground(line.decision))
    return replace(body, headers=(*body.headers, *header))


def _ground(decision: Decision) -> dict[str, JSON]:
    source = decision.source
    ground: dict[str, JSON] = {"norma": source.pack, "requisito": source.requirement, "artigo": source.article}
    if decision.missing:
        ground["falta"] = list(decision.missing)
    return ground


def plain(status: int) -> Response:
    """A problem of which only the status is told."""
    code, detail = CODES.get(status, ("requisicao_invalida", "A requisição está malformada."))
    return Response.problem(status, code, detail)
