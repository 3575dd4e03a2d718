"""Access Evaluation and Evaluations (AuthZEN Authorization API 1.0 §6, §7): who may do what, by which article.

A denial is an answer (200, ``decision: false``), never an error. Each evaluation is on the journal before it leaves.
The caller is a client with the scope ``decisoes`` and a token bound to the certificate of its connection; an
application's own client is answered about its own sistema alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from iam import journal
from iam.ato import Ato
from iam.authzen import facts
from iam.authzen.query import JSON, Batch, Malformed, Query, many, one
from iam.context import House
from iam.decision import Decision
from iam.errors import Unavailable
from iam.http import BadRequest, Request, Response
from iam.journal import Line
from iam.oauth import bearer, record
from iam.oauth.errors import INVALID_REQUEST, Denied, challenge
from iam.recorder import Guard, Stale

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")
SCOPE = "decisoes"
UNKNOWN = "desconhecido"
NOT_ITS = "the caller may not ask about this resource"


class Forbidden(Exception):
    """The caller may not ask about this sistema; the policy's decision says why."""

    def __init__(self, decision: Decision) -> None:
        super().__init__(decision.reason_admin)
        self.decision = decision


TRIES = 4


@dataclass(frozen=True, slots=True)
class Answered:
    """What to answer, and the lines that must be on disk before."""

    response: Response
    lines: Sequence[tuple[Line, tuple[Guard, ...]]] = ()


async def evaluation(house: House, request: Request) -> Response:
    """``POST /access/v1/evaluation``."""
    return await _serve(house, request, batch=False)


async def evaluations(house: House, request: Request) -> Response:
    """``POST /access/v1/evaluations``."""
    return await _serve(house, request, batch=True)


async def _serve(house: House, request: Request, *, batch: bool) -> Response:
    response = _error(503, "the subject is being changed, try again")
    for _ in range(TRIES):
        answered = await asyncio.to_thread(_answer, house, request, batch=batch)
        try:
            await asyncio.gather(*(house.recorder.submit(line, guards) for line, guards in answered.lines))
        except Stale:  # what was answered is no longer so: no yes leaves after the cut
            continue
        except Unavailable:
            response = _error(503, "the journal cannot be written now")
        else:
            response = answered.response
        break
    given = next((v for k, v in request.headers if k == b"x-request-id"), b"").decode("latin-1")
    return response.with_header("x-request-id", given) if _REQUEST_ID.fullmatch(given) else response


def _answer(house: House, request: Request, *, batch: bool) -> Answered:
    now = house.clock()
    try:
        caller = bearer.authenticate(house, request, SCOPE)
    except Denied as denied:
        agente = denied.agente or record.anonymous(request)
        house.recorder.note(record.refusal(house, agente, denied, Ato.DECISAO_CONSULTAR, now))
        return Answered(challenge(denied, scope=SCOPE if denied.status == 403 else ""))
    point = _Point(house, request, caller, now)
    try:
        document = request.json_object()
        asked = (many(document) if batch else None) or one(document)
    except BadRequest as error:
        point.malformed()
        return Answered(_error(400, error.description))
    except Malformed as error:
        point.malformed()
        return Answered(_error(400, str(error)))
    with house.reading() as db:
        if isinstance(asked, Batch):
            return Answered(Response.json(200, {"evaluations": point.batch(db, asked)}), point.lines)
        try:
            return Answered(Response.json(200, point.evaluate(db, asked)), point.lines)
        except Forbidden as forbidden:
            point.refuse(forbidden)
            return Answered(_error(403, NOT_ITS), point.lines)


class _Point:
    """One request at the decision point: facts of each subject are read once."""

    def __init__(self, house: House, request: Request, caller: bearer.Caller, now: datetime) -> None:
        self.house, self.caller, self.now = house, caller, now
        self.agente = caller.agente(request)
        self.lines: list[tuple[Line, tuple[Guard, ...]]] = []
        self._known: dict[tuple[str, str], facts.Facts] = {}

    def batch(self, db: Session, asked: Batch) -> list[dict[str, JSON]]:
        """The answers in order, as far as the semantic goes."""
        answers: list[dict[str, JSON]] = []
        for query in asked.queries:
            answer = self._one_of_many(db, query)
            answers.append(answer)
            if asked.semantic == "deny_on_first_deny" and not answer["decision"]:
                break
            if asked.semantic == "permit_on_first_permit" and answer["decision"]:
                break
        return answers

    def _one_of_many(self, db: Session, query: Query | Malformed) -> dict[str, JSON]:
        if isinstance(query, Malformed):
            return _unanswered(self.malformed(), 400, str(query))
        try:
            return self.evaluate(db, query)
        except Forbidden as forbidden:
            self.refuse(forbidden)
            return _unanswered(forbidden.decision, 403, NOT_ITS)

    def evaluate(self, db: Session, query: Query) -> dict[str, JSON]:
        """One decision, and its line; :class:`Forbidden` when the caller may not ask."""
        about = self._sistema(query) or UNKNOWN
        allowed = self.house.policy.decide(self.caller.words(query.sistema), Ato.DECISAO_CONSULTAR, about)
        if not allowed.allowed:
            raise Forbidden(allowed)
        who = self._known.get((query.kind, query.id))
        if who is None:
            who = self._known[query.kind, query.id] = facts.of(self.house, db, query.kind, query.id, self.now)
        decision = decide(self.house, who, query)
        self._record(allowed, query, who, decision)
        return {"decision": decision.allowed, "context": context(decision)}

    def _record(self, allowed: Decision, query: Query, who: facts.Facts, decision: Decision) -> None:
        payload: dict[str, journal.JSON] = {
            "sujeito": {
                "tipo": query.kind,
                "id": who.sujeito or (query.id if query.kind == "perfil" else "desconhecido"),
            },
            "acao": query.action,
            "recurso": {"id": query.sistema, **query.properties},
            "resposta": decision.allowed,
            "norma": str(decision.source),
        }
        pessoa = who.sujeito if query.kind in ("pessoa", "sub") and who.sujeito else None
        line = Line(self.now, allowed, self.agente, pessoa, self._sistema(query), None, payload)
        self.lines.append((line, who.guards))

    def _sistema(self, query: Query) -> str | None:
        """The sistema asked about, if there is one: a journal's header, which stays for ever, takes no text of a caller."""
        return query.sistema if self.house.policy.sistema(query.sistema) else None

    def malformed(self) -> Decision:
        """A question that is none is counted among the refusals, without what was sent; by which line it is refused."""
        denied = Denied(INVALID_REQUEST, "the question is malformed", "pedido_malformado")
        line = record.refusal(self.house, self.agente, denied, Ato.DECISAO_CONSULTAR, self.now)
        self.house.recorder.note(line)
        return line.decision

    def refuse(self, forbidden: Forbidden) -> None:
        """The line of a question that was not answered."""
        about = forbidden.decision.obj
        line = Line(self.now, forbidden.decision, self.agente, None, None if about == UNKNOWN else about, None, {})
        self.lines.append((line, ()))


def decide(house: House, who: facts.Facts, query: Query) -> Decision:
    """The first perfil that alone allows it decides; else the weightiest no."""
    if query.resource != "sistema":
        return house.policy.decide(frozenset({"recurso_de_outro_tipo"}), query.action, query.sistema)
    answers = [_decide(house, way, query) for way in who.ways(query)]
    return next((a for a in answers if a.allowed), next((a for a in answers if a.papel), answers[0]))


def _decide(house: House, way: facts.Way, query: Query) -> Decision:
    """Whether the perfil gives it at all, and then whether the question stays inside what it is restricted to."""
    decision = house.policy.decide(way.words, query.action, query.sistema)
    if decision.allowed and way.outside:
        return house.policy.decide(frozenset({way.outside}), query.action, query.sistema)
    return decision


def context(decision: Decision) -> dict[str, JSON]:
    """Why: the line that decided, reasons in Portuguese, and for a no what would have to be true."""
    source = decision.source
    said: dict[str, JSON] = {
        "source": {"pack": source.pack, "requirement": source.requirement, "article": source.article},
        "reason_admin": decision.reason_admin,
        "reason_user": decision.reason_user,
    }
    if not decision.allowed:
        said["missing"] = list(decision.missing)
    return said


def _unanswered(decision: Decision, status: int, message: str) -> dict[str, JSON]:
    """One of many that gets no answer of its own: no, by which line, and the error (§7.2.1)."""
    return {"decision": False, "context": {**context(decision), "error": {"status": status, "message": message}}}


def _error(status: int, message: str) -> Response:
    return Response.json(status, {"error": {"status": status, "message": message}})
