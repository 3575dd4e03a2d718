"""``POST /api/pessoa/evento`` as an HR system meets it: what is taken, what is refused and how clearly, and that nothing is half-done."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from sqlalchemy import func, select

from iam.atos.evento import Evento
from iam.atos.recibo import Recibo
from iam.demo.outsider import Answer
from iam.journal import Entry
from tests.house import Served

URL = "/api/pessoa/evento"


def post(
    served: Served,
    body: object,
    *,
    client: str = "rh",
    token: str | None = None,
    raw: bytes | None = None,
    media: str = "application/json",
) -> Answer:
    held = served.token(client) if token is None else token
    headers = {"Content-Type": media} | ({"Authorization": f"Bearer {held}"} if held else {})
    content = json.dumps(body).encode() if raw is None else raw
    return served.outsider(client).ask("POST", f"{served.mtls}{URL}", content, headers)


def event(served: Served, numero: str, who: str = "perito", tipo: str = "posse", **more: str) -> dict[str, str]:
    cpf = served.home.person(who)["cpf"]
    return {"fonte": "rh-sefaz-mt", "numero": numero, "cpf": cpf, "tipo": tipo, "data_efeito": "2026-01-05", **more}


def events(served: Served) -> int:
    with served.house.reading() as db:
        return db.scalar(select(func.count()).select_from(Evento)) or 0


def problem(answer: Answer) -> Mapping[str, object]:
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status
    assert body["detail"]
    return body


def test_an_event_is_taken_once_and_the_same_again_answers_the_same(shared: Served) -> None:
    body = event(shared, "A1", "chefia", "licenca_inicio", matricula="")
    first = post(shared, body)
    assert first.status == 202, first.body
    told = first.json()
    assert set(told) >= {"id", "pessoa", "efeitos", "recibo"}
    assert told["recibo"] == first.headers["location"]
    effects = told["efeitos"]
    assert isinstance(effects, list)
    assert {"norma": "mt128", "artigo": "Art. 13"}.items() <= effects[0].items()
    before = events(shared)
    again = post(shared, body)
    assert (again.status, again.json()) == (202, told)
    assert events(shared) == before


def test_the_same_number_with_other_content_is_a_conflict(shared: Served) -> None:
    body = event(shared, "A2", "cadastrador_setorial", "licenca_inicio")
    assert post(shared, body).status == 202
    other = post(shared, body | {"observacao": "outra"})
    assert other.status == 409
    assert problem(other)["code"] == "evento_divergente"


@pytest.mark.parametrize(
    ("change", "status", "code", "campo"),
    [
        ({"cor": "azul"}, 422, "campo_desconhecido", "cor"),
        ({"numero": 7}, 422, "tipo_invalido", "numero"),
        ({"matricula": None}, 422, "tipo_invalido", "matricula"),
        ({"numero": " "}, 422, "campo_obrigatorio", "numero"),
        ({"numero": "9" * 101}, 422, "campo_longo", "numero"),
        ({"orgao": "sefaz\u0007mt"}, 422, "caracter_invalido", "orgao"),
        ({"cpf": "52998224726"}, 422, "cpf_invalido", "cpf"),
        ({"cpf": "39053344705"}, 422, "pessoa_desconhecida", "cpf"),
        ({"data_efeito": "2026-02-30"}, 422, "data_invalida", "data_efeito"),
        ({"data_efeito": "05/01/2026"}, 422, "data_invalida", "data_efeito"),
        ({"data_efeito": "20260105"}, 422, "data_invalida", "data_efeito"),
        ({"data_efeito": "0001-01-01"}, 422, "data_invalida", "data_efeito"),
        ({"tipo": "sumiu"}, 422, "tipo_desconhecido", "tipo"),
        ({"fonte": "inexistente"}, 422, "fonte_desconhecida", "fonte"),
        ({"orgao": "nenhum"}, 422, "vinculo_desconhecido", "orgao"),
    ],
)
def test_what_cannot_be_understood_is_told_and_leaves_nothing(
    shared: Served, change: dict[str, object], status: int, code: str, campo: str
) -> None:
    before = events(shared)
    answer = post(shared, event(shared, "X1", "auditor", "licenca_inicio") | change)
    said = problem(answer)
    assert (answer.status, said["code"], said["campo"]) == (status, code, campo)
    assert events(shared) == before


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b'"x"',
        b'{"numero":"1","numero":"2"}',
        b'{"a":NaN}',
        b"\xff\xfe{}",
        b'{"a":"\\ud800"}',
        b"[" * 3000,
    ],
)
def test_what_is_not_one_json_object_is_a_bad_request(shared: Served, raw: bytes) -> None:
    answer = post(shared, None, raw=raw)
    assert answer.status == 400
    problem(answer)


def test_another_content_type_and_an_oversize_body_are_refused(shared: Served) -> None:
    assert post(shared, event(shared, "X2"), media="text/plain").status == 400
    answer = post(shared, event(shared, "X2", observacao="x" * 70_000))
    assert answer.status == 413
    problem(answer)


def test_a_source_that_is_not_its_own_is_refused_with_the_article(shared: Served) -> None:
    """The person is of an órgão that the source does not answer for."""
    answer = post(shared, event(shared, "X3", "procurador", "desligamento"))
    said = problem(answer)
    assert answer.status == 403
    assert (said["norma"], said["requisito"]) == ("casa", "CASA-06")
    assert said["artigo"]
    assert said["falta"]
    with shared.house.reading() as db:
        line = db.scalars(select(Entry).where(Entry.ato == "pessoa:evento").order_by(Entry.id.desc()).limit(1)).one()
    assert (line.allowed, line.requirement, line.agente) == (False, "CASA-06", "client:rh")


def test_without_a_token_with_anothers_or_without_the_scope_nothing_is_taken(shared: Served) -> None:
    body = event(shared, "X4", "auditor", "licenca_inicio")
    missing = post(shared, body, token="")
    assert missing.status == 401
    assert missing.headers["www-authenticate"].startswith("Bearer ")
    assert problem(missing)["code"] == "invalid_token"
    stolen = post(shared, body, client="auditoria", token=shared.token("rh"))
    assert stolen.status == 401, "bound to the certificate of another client"
    scopeless = post(shared, body, client="auditoria")
    assert scopeless.status == 403
    assert problem(scopeless)["code"] == "insufficient_scope"
    shared.house.recorder.flush()
    with shared.house.reading() as db:
        lines = db.scalars(select(Entry).where(Entry.ato == "pessoa:evento", Entry.agente == "client:auditoria")).all()
    assert [(line.allowed, line.requirement) for line in lines] == [(False, "CASA-04")], "who it was is known"


def test_two_of_one_number_at_one_moment_are_one_event(served: Served) -> None:
    from concurrent.futures import ThreadPoolExecutor

    body = event(served, "S1", "servidora", "remanejamento")
    token = served.token("rh")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(served, body, token=token), range(8)))
    assert {a.status for a in answers} == {202}, [a.body for a in answers]
    assert len({json.dumps(a.json(), sort_keys=True) for a in answers}) == 1
    with served.house.reading() as db:
        assert db.scalar(select(func.count()).select_from(Evento)) == 1
        assert db.scalar(select(func.count()).select_from(Recibo)) == 1
