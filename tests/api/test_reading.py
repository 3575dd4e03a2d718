"""What auditors, cadastradores and anybody read over ``/api``: receipts, journal, concessões, catalogue, the words of the norms."""

from __future__ import annotations

import json
import re
import time
from typing import Any
from urllib.parse import urlencode

import pytest

from iam.api import ENDPOINTS, create_app
from iam.demo.outsider import Answer
from iam.journal import HEADER, Entry
from tests.house import Served


def get(served: Served, path: str, client: str = "auditoria") -> Answer:
    headers = {"Authorization": f"Bearer {served.token(client)}"} if client else {}
    return served.outsider(client).ask("GET", f"{served.mtls}/api{path}", headers=headers)


def report(served: Served, numero: str, who: str, tipo: str = "licenca_inicio") -> dict[str, Any]:
    body = {
        "fonte": "rh-sefaz-mt",
        "numero": numero,
        "cpf": served.home.person(who)["cpf"],
        "tipo": tipo,
        "data_efeito": "2026-01-05",
    }
    headers = {"Authorization": f"Bearer {served.token('rh')}", "Content-Type": "application/json"}
    answer = served.outsider("rh").ask("POST", f"{served.mtls}/api/pessoa/evento", json.dumps(body).encode(), headers)
    assert answer.status == 202, answer.body
    told: dict[str, Any] = answer.json()
    return told


def last(served: Served, ato: str) -> Entry:
    from sqlalchemy import select

    with served.house.reading() as db:
        return db.scalars(select(Entry).where(Entry.ato == ato).order_by(Entry.id.desc()).limit(1)).one()


def test_a_receipt_fills_in_and_is_read_by_its_source_and_by_the_auditor(shared: Served) -> None:
    told = report(shared, "R1", "chefia")
    path = told["recibo"].removeprefix("/api")
    deadline = time.monotonic() + 60
    while True:
        receipt: dict[str, Any] = get(shared, path, "rh").json()
        if receipt["destinos"]["diretorio"]["estado"] == "visto" or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert receipt["destinos"]["diretorio"]["visto_em"]
    assert receipt["pessoa"] == told["pessoa"]
    assert receipt["evento"] == told["id"]
    assert receipt["diario"]["seq"] > 0, "sealed before it is read"
    assert str(receipt["jws"]).count(".") == 2
    assert get(shared, path).status == 200
    assert last(shared, "recibo:ler").agente == "client:auditoria"


def test_a_receipt_is_not_for_others(shared: Served) -> None:
    assert get(shared, "/recibo/" + "0" * 32).status == 404
    assert get(shared, "/recibo/" + "0" * 32, "pdp").status == 403
    assert get(shared, "/recibo/" + "0" * 32, "").status == 401


@pytest.mark.parametrize("name", ["pessoa", "sistema"])
@pytest.mark.parametrize("typed", ["Maria da Silva 529.982.247-2", "52998224725", "111.444.777-35"])
def test_what_a_reader_types_about_somebody_never_becomes_a_header_of_the_journal(
    shared: Served, name: str, typed: str
) -> None:
    assert get(shared, f"/diario?{urlencode({name: typed})}").json()["registros"] == []
    entry = last(shared, "diario:ler")
    header = [getattr(entry, column) for column in HEADER]
    assert not any(typed in str(value) for value in header)
    assert (entry.pessoa, entry.sistema) == (None, None)
    kept = json.loads(entry.payload or b"{}")["filtro"]
    assert kept == ({"pessoa": "desconhecida"} if name == "pessoa" else {"sistema": typed})
    cpf = shared.home.person("servidora")["cpf"]
    assert get(shared, f"/pessoa/{cpf}/concessao?{urlencode({'sistema': typed})}").status == 200
    assert last(shared, "pessoa:consultar").sistema is None


def test_the_journal_is_filtered_paged_and_its_reading_recorded(shared: Served) -> None:
    told = report(shared, "D1", "cadastrador_setorial")
    cpf = shared.home.person("cadastrador_setorial")["cpf"]
    by_cpf = get(shared, f"/diario?pessoa={cpf}&ato=pessoa:evento").json()["registros"]
    by_id = get(shared, f"/diario?pessoa={told['pessoa']}&ato=pessoa:evento").json()["registros"]
    assert by_cpf == by_id
    assert isinstance(by_cpf, list)
    line = by_cpf[0]
    assert (line["norma"], line["requisito"], line["artigo"]) == ("mt128", "MT128-13.3", "Art. 13")
    assert line["agente"] == "client:rh"
    assert line["estacao"]["address"] == "127.0.0.1"
    assert line["seq"]
    assert line["em"].endswith("+00:00")
    assert get(shared, "/diario?requisito=MT128-13&limite=1").json()["registros"]
    assert get(shared, "/diario?sistema=nenhum").json()["registros"] == []
    assert get(shared, "/diario?desde=2100-01-01").json()["registros"] == []
    page = get(shared, "/diario?limite=2").json()
    following = get(shared, f"/diario?limite=2&antes={page['antes']}").json()
    numbers = [r["seq"] for r in (*page["registros"], *following["registros"])]  # type: ignore[misc]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4
    read = last(shared, "diario:ler")
    assert (read.agente, read.allowed) == ("client:auditoria", True)
    assert b'"lidos":2' in (read.payload or b"")


@pytest.mark.parametrize(
    "query",
    [
        "limite=0",
        "limite=9999",
        "limite=x",
        "antes=-1",
        "desde=ontem",
        "cor=azul",
        "permitido=sim",
        "artigo=A&requisito=B",
        "ato=a&ato=b",
    ],
)
def test_a_question_that_cannot_be_understood_is_refused(shared: Served, query: str) -> None:
    answer = get(shared, f"/diario?{query}")
    assert answer.status in (400, 422)
    assert answer.headers["content-type"] == "application/problem+json"


def test_only_who_audits_reads_the_journal(shared: Served) -> None:
    assert get(shared, "/diario", "rh").status == 403
    assert get(shared, "/diario", "").status == 401
    assert get(shared, f"/pessoa/{shared.home.person('gestor')['cpf']}/concessao", "rh").status == 403


def test_present_and_past_concessoes_of_a_person_are_told_with_their_ground(shared: Served) -> None:
    cpf = shared.home.person("servidora")["cpf"]
    held = get(shared, f"/pessoa/{cpf}/concessao").json()["concessoes"]
    assert isinstance(held, list)
    assert {c["sistema"] for c in held} == {"mt-ipva", "mt-nfe", "mt-itcd"}
    assert all(c["em_vigor"] and c["fundamento"] and c["origem"] == "demonstracao" for c in held)
    report(shared, "C1", "servidora", "remanejamento")
    past = get(shared, f"/pessoa/{cpf}/concessao?sistema=mt-ipva").json()["concessoes"]
    assert isinstance(past, list)
    assert [c["em_vigor"] for c in past] == [False]
    assert "MT128-13.1" in past[0]["motivo"]
    assert past[0]["revogada_em"]
    assert last(shared, "pessoa:consultar").agente == "client:auditoria"
    assert get(shared, "/pessoa/39053344705/concessao").status == 404
    assert get(shared, "/pessoa/123/concessao").status == 422


def test_the_catalogue_is_public_and_whole(shared: Served) -> None:
    answer = get(shared, "/catalogo", "")
    sistemas = answer.json()["sistemas"]
    assert isinstance(sistemas, list)
    mt = [s for s in sistemas if s["norma"] == "mt128"]
    assert len(mt) == 61
    assert all(s["gestor"] and s["perfis"] and s["funcoes"] for s in mt)
    assert {"vfr", "pucomex", "dec", "tram"} <= {s["id"] for s in sistemas}


def test_the_words_of_a_requirement_are_public(shared: Served) -> None:
    said = get(shared, "/requisito/MT128-13.1", "").json()
    assert (said["norma"], said["artigo"]) == ("mt128", "Art. 13")
    assert said["texto"]
    assert get(shared, "/requisito/MT128-999", "").status == 404


def test_every_operation_is_described_and_every_answer_is_what_was_described(shared: Served) -> None:
    described = get(shared, "/openapi.json", "").json()
    assert described["openapi"] == "3.1.0"
    paths: Any = described["paths"]
    assert {(m.upper(), p) for p, methods in paths.items() for m in methods} == {(e.method, e.path) for e in ENDPOINTS}
    answers = {
        "/catalogo": get(shared, "/catalogo", ""),
        "/diario": get(shared, "/diario"),
        "/requisito/{id}": get(shared, "/requisito/MT128-13.1", ""),
        "/pessoa/{cpf}/concessao": get(shared, f"/pessoa/{shared.home.person('gestor')['cpf']}/concessao"),
    }
    for path, answer in answers.items():
        schema = paths[path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        conforms(answer.json(), schema)
    refused = get(shared, "/diario", "rh").json()
    schemas: Any = described["components"]
    conforms(refused, schemas["schemas"]["Problema"])


def test_nothing_is_served_that_is_not_described_and_no_error_comes_undescribed(shared: Served) -> None:
    paths: Any = get(shared, "/openapi.json", "").json()["paths"]
    rules = create_app(shared.house).url_map.iter_rules()
    served = {(m, r.rule.replace("<", "{").replace(">", "}")) for r in rules for m in (r.methods or set()) - {"HEAD"}}
    assert served - {("GET", "/openapi.json")} == {(m.upper(), p) for p, methods in paths.items() for m in methods}
    for path, methods in paths.items():
        for method, operation in methods.items():
            for bad in ("a%ff", "a%01", "a?a=1&a=1", "a?b=1", "a?a=%0a"):
                filled = path.replace("{id}", bad).replace("{cpf}", bad)
                url = f"{shared.mtls}/api{filled}" + (
                    "" if filled != path else bad[bad.find("?") :] if "?" in bad else ""
                )
                for client in ("auditoria", "rh", ""):
                    headers = {"Authorization": f"Bearer {shared.token(client)}"} if client else {}
                    answer = shared.outsider(client).ask(
                        method.upper(), url, b"{}" if method == "post" else None, headers
                    )
                    assert str(answer.status) in operation["responses"], (method, url, client, answer.status)
                    if answer.status >= 400:
                        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "query",
    [
        "limite=500&permitido=false",
        "desde=2026-01-01&ate=2026-01-02T03:04:05Z",
        "antes=1",
        "desde=2026-01-01T00:00-03:00",
    ],
)
def test_what_the_description_allows_is_accepted(shared: Served, query: str) -> None:
    described: Any = get(shared, "/openapi.json", "").json()
    schemas = {p["name"]: p["schema"] for p in described["paths"]["/diario"]["get"]["parameters"]}
    for name, value in (pair.split("=") for pair in query.split("&")):
        assert re.search(schemas[name].get("pattern", ""), value)
    assert get(shared, f"/diario?{query}").status == 200


def conforms(value: object, schema: dict[str, Any]) -> None:
    """The part of JSON Schema that our description uses."""
    kinds = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert isinstance(value, tuple(kinds[k] for k in allowed)), (value, schema)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= set(value)
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                conforms(value[name], inner)
    if isinstance(value, list):
        for item in value:
            conforms(item, schema["items"])


def test_wrong_paths_and_methods_are_problems_too(shared: Served) -> None:
    somebody = shared.outsider("rh")
    assert somebody.ask("GET", f"{shared.mtls}/api/nada").status == 404
    wrong = somebody.ask("GET", f"{shared.mtls}/api/pessoa/evento")
    assert wrong.status == 405
    assert wrong.headers["allow"] == "POST"
    assert wrong.headers["content-type"] == "application/problem+json"
