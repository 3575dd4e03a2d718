"""AuthZEN Authorization API 1.0: decisions over packs, concessões and restrictions, each with its article."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import pytest
from sqlalchemy import select

from iam import authzen
from iam.atos import vinculo
from iam.authzen import facts
from iam.http import Request, Response
from iam.journal import Entry
from tests.oauth.world import OPERATOR, World, body, claims, give, header


def call(
    world: World, path: str, document: object, by: str = "pdp", token: str | None = None, **headers: str
) -> Response:
    if token is None:
        token = str(body(world.machine(by))["access_token"])
    raw = document if isinstance(document, bytes) else orjson.dumps(document)
    sent = {"content-type": "application/json", "authorization": f"Bearer {token}", **headers}
    lines = tuple((k.replace("_", "-").encode(), v.encode()) for k, v in sent.items() if v)
    request = Request("POST", path, b"", lines, raw, "192.0.2.9", world.certs[by].der, True)

    async def run() -> Response:
        answer = authzen.ROUTES[path](world.house, request)
        return answer if isinstance(answer, Response) else await answer

    return asyncio.run(run())


def question(kind: str, id: str, action: str, sistema: str, **properties: str) -> dict[str, object]:
    return {
        "subject": {"type": kind, "id": id},
        "action": {"name": action},
        "resource": {"type": "sistema", "id": sistema, "properties": properties},
    }


def ask(world: World, kind: str, id: str, action: str, sistema: str, **properties: str) -> tuple[bool, dict[str, Any]]:
    answer = call(world, "/access/v1/evaluation", question(kind, id, action, sistema, **properties))
    assert answer.status == 200, answer.body
    said = orjson.loads(answer.body)
    context = said["context"]
    assert context["source"].keys() == {"pack", "requirement", "article"}
    assert all(context["source"].values())
    assert context["reason_admin"]
    assert context["reason_user"]
    assert ("missing" in context) == (not said["decision"])
    return said["decision"], context


def test_the_same_question_by_each_kind_of_subject(world: World) -> None:
    sub = str(claims(world.tokens()["access_token"])["sub"])
    for kind, id in (("pessoa", "52998224725"), ("sub", sub), ("perfil", "mt-consulta")):
        yes, context = ask(world, kind, id, "consultar", "mt-ipva")
        assert yes
        assert context["source"] == {"pack": "mt128", "requirement": "MT128-2-II.2", "article": "Art. 2 II"}
        no, context = ask(world, kind, id, "suprimir", "mt-ipva")
        assert not no
        assert context["missing"]
    assert ask(world, "client", "mt", "ANEXANEXAR", "pucomex")[0]
    assert ask(world, "sub", "mt", "ANEXANEXAR", "pucomex")[0]


@pytest.mark.requirement("MT128-2-II.2")
def test_who_may_consultar_may_neither_inserir_nor_alterar_nor_suprimir(world: World) -> None:
    assert ask(world, "pessoa", "52998224725", "consultar", "mt-ipva")[0]
    for action in ("inserir", "alterar", "suprimir"):
        no, context = ask(world, "pessoa", "52998224725", action, "mt-ipva")
        assert not no
        assert context["source"]["requirement"] == "MT128-2-II.2"
    said = world.tokens(scope="openid mt-ipva:consultar mt-ipva:inserir mt-ipva:alterar mt-ipva:suprimir")
    assert said["scope"] == "openid mt-ipva:consultar"


def test_a_sefaz_acts_for_its_own_state_and_transactions_alone(world: World) -> None:
    assert ask(world, "client", "mt", "DIMPCONSEF", "pucomex", uf="MT")[0]
    assert not ask(world, "client", "mt", "DIMPCONSEF", "pucomex", uf="SP")[0]
    no, context = ask(world, "client", "sp", "DIMPCONSEF", "pucomex", uf="SP")
    assert not no
    assert context["source"]["requirement"] == "COTEC62-1-1.2"


def test_unknown_subjects_sistemas_actions_and_types_are_denied_with_a_source(world: World) -> None:
    assert not ask(world, "pessoa", "00000000000", "consultar", "mt-ipva")[0]
    assert not ask(world, "sub", "ninguem", "consultar", "mt-ipva")[0]
    assert not ask(world, "client", "ninguem", "ANEXANEXAR", "pucomex")[0]
    assert not ask(world, "perfil", "inventado", "consultar", "mt-ipva")[0]
    assert not ask(world, "outro", "x", "consultar", "mt-ipva")[0]
    assert not ask(world, "pessoa", "52998224725", "voar", "mt-ipva")[0]
    assert not ask(world, "pessoa", "52998224725", "consultar", "inventado")[0]
    document = question("pessoa", "52998224725", "consultar", "mt-ipva")
    document["resource"] = {"type": "processo", "id": "mt-ipva"}
    assert body(call(world, "/access/v1/evaluation", document))["decision"] is False


def test_somebody_out_is_denied_by_article_13(world: World) -> None:
    world.cut()
    no, context = ask(world, "pessoa", "52998224725", "consultar", "mt-ipva")
    assert not no
    assert str(context["source"]["requirement"]).startswith("MT128-13")


def test_one_perfil_decides_and_two_are_never_added_up(world: World) -> None:
    """GAP-COANA-20: each profile held is asked alone."""
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        give(ctx, world.pessoa, tie, "vfr", "coana-recinto-execucao", restricao={"recinto": ["A"]})
        give(ctx, world.pessoa, tie, "vfr", "coana-rfb-verificacao-fisica", restricao={"recinto": ["A"]})
    assert ask(world, "pessoa", "52998224725", "COANA-F04", "vfr", recinto="A")[0]
    assert ask(world, "pessoa", "52998224725", "COANA-F16", "vfr", recinto="A")[0]
    assert not ask(world, "perfil", "coana-recinto-execucao", "COANA-F04", "vfr")[0]
    assert not ask(world, "perfil", "coana-rfb-verificacao-fisica", "COANA-F16", "vfr")[0]


def test_a_concessao_restricted_to_an_event_gives_nothing_outside_it(world: World) -> None:
    with world.house.begin(OPERATOR) as ctx:
        tie = ctx.db.get(vinculo.Vinculo, world.vinculo)
        give(ctx, world.pessoa, tie, "vfr", "coana-recinto-execucao", restricao={"evento": ["E1"]})
    assert ask(world, "pessoa", "52998224725", "COANA-F16", "vfr", evento="E1")[0]
    assert not ask(world, "pessoa", "52998224725", "COANA-F16", "vfr", evento="E2")[0]
    assert not ask(world, "pessoa", "52998224725", "COANA-F16", "vfr")[0]


def test_evaluations_take_defaults_and_semantics(world: World) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva") | {
        "evaluations": [
            {},
            {"action": {"name": "suprimir"}},
            {"action": {}},
            {"resource": {"type": "sistema", "id": "mt-nfe"}},
        ]
    }
    said = orjson.loads(call(world, "/access/v1/evaluations", document).body)["evaluations"]
    assert [e["decision"] for e in said] == [True, False, False, False]
    assert said[2]["context"]["error"] == {
        "status": 400,
        "message": "action.name is required and must be a text of at most 200 characters",
    }
    assert all(e["context"]["source"]["requirement"] and e["context"]["reason_user"] for e in said)
    for semantic, length in (("deny_on_first_deny", 2), ("permit_on_first_permit", 1), ("execute_all", 4)):
        document["options"] = {"evaluations_semantic": semantic}
        assert len(orjson.loads(call(world, "/access/v1/evaluations", document).body)["evaluations"]) == length
    document["options"] = {"evaluations_semantic": "talvez"}
    assert call(world, "/access/v1/evaluations", document).status == 400
    alone = question("pessoa", "52998224725", "consultar", "mt-ipva")
    for document in (alone, alone | {"evaluations": []}):
        assert orjson.loads(call(world, "/access/v1/evaluations", document).body)["decision"] is True


def test_every_evaluation_is_on_the_journal_without_the_cpf(world: World) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva") | {
        "evaluations": [{}, {"action": {"name": "suprimir"}}]
    }
    call(world, "/access/v1/evaluations", document)
    lines = [e for e in world.entries() if e.ato == "decisao:consultar"]
    assert [orjson.loads(e.payload or b"")["resposta"] for e in lines] == [True, False]
    assert all(e.pessoa == world.pessoa and e.sistema == "mt-ipva" for e in lines)
    assert all(b"52998224725" not in (e.payload or b"") for e in lines)


@pytest.mark.parametrize("by", ["pdp", "ipva-pdp"])
def test_what_a_caller_calls_a_sistema_never_becomes_a_header_of_the_journal(world: World, by: str) -> None:
    typed = "Maria da Silva 529.982.247-25"
    answer = call(world, "/access/v1/evaluation", question("perfil", "mt-consulta", "consultar", typed), by)
    entry = world.entries()[-1]
    assert entry.ato == "decisao:consultar"
    assert (answer.status, entry.allowed) == ((200, True) if by == "pdp" else (403, False))
    assert (entry.obj, entry.sistema) == ("desconhecido", None)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"subject":1}',
        b"{}",
        b'{"subject":{"type":"pessoa"},"action":{"name":"x"},"resource":{"type":"sistema","id":"vfr"}}',
        b'{"subject":{"type":"pessoa","id":""},"action":{"name":"x"},"resource":{"type":"sistema","id":"vfr"}}',
        b'{"subject":{"type":"pessoa","id":"1"},"action":{"name":["x"]},"resource":{"type":"sistema","id":"vfr"}}',
        b'{"subject":{"type":"pessoa","id":"1"},"action":{"name":"x"},"resource":{"type":"sistema","id":"vfr","properties":[]}}',
        b'{"subject":{"type":"pessoa","id":"1","id":"2"},"action":{"name":"x"},"resource":{"type":"sistema","id":"vfr"}}',
        b"\xff" * 10,
        b'{"a":' * 200 + b"1" + b"}" * 200,
    ],
)
def test_a_malformed_question_is_400(world: World, document: bytes) -> None:
    answer = call(world, "/access/v1/evaluation", document)
    assert answer.status == 400
    assert orjson.loads(answer.body)["error"]["message"]


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"context": "x"}, "context must be an object"),
        ({"context": []}, "context must be an object"),
        ({"context": None}, "context must be an object"),
        ({"subject": {"type": "pessoa", "id": "1", "properties": 1}}, "subject.properties must be an object"),
        ({"action": {"name": "x", "properties": "y"}}, "action.properties must be an object"),
        ({"resource": {"type": "sistema", "id": "vfr", "properties": []}}, "resource.properties must be an object"),
        ({"options": "x", "evaluations": [{}]}, "options must be an object"),
    ],
)
def test_what_is_misshapen_is_named(world: World, more: dict[str, object], named: str) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva") | more
    answer = call(world, f"/access/v1/evaluation{'s' if 'evaluations' in more else ''}", document)
    assert (answer.status, orjson.loads(answer.body)["error"]["message"]) == (400, named)
    if "options" not in more:
        document["evaluations"] = [{}]
        (said,) = orjson.loads(call(world, "/access/v1/evaluations", document).body)["evaluations"]
        assert (said["decision"], said["context"]["error"]["message"]) == (False, named)


@pytest.mark.parametrize(
    ("document", "content_type", "named"),
    [
        (b"{", "application/json", "not valid UTF-8 JSON"),
        (b"[]", "application/json", "JSON body must be an object"),
        (b"{}", "text/plain", "content type must be application/json"),
        (b'{"a":1,"a":1}', "application/json", "duplicate key in JSON"),
    ],
)
def test_a_body_that_cannot_be_read_says_why(world: World, document: bytes, content_type: str, named: str) -> None:
    for path in ("/access/v1/evaluation", "/access/v1/evaluations"):
        answer = call(world, path, document, **{"content-type": content_type})
        assert (answer.status, orjson.loads(answer.body)["error"]["message"]) == (400, named)


def test_that_a_question_was_malformed_is_counted_in_the_journal(world: World) -> None:
    for _ in range(3):
        call(world, "/access/v1/evaluation", {"subject": "52998224725"})
    document = question("pessoa", "52998224725", "consultar", "mt-ipva") | {"evaluations": [{}, {"action": {}}, 7]}
    assert call(world, "/access/v1/evaluations", document).status == 200
    lines = [e for e in world.entries() if e.requirement == "CASA-16"]
    assert sum(int(orjson.loads(e.payload or b"").get("vezes", 1)) for e in lines) == 5
    assert {(e.ato, e.agente, e.allowed) for e in lines} == {("decisao:consultar", "client:pdp", False)}
    assert all(b"52998224725" not in (e.payload or b"") for e in lines)


@pytest.mark.parametrize("value", [["SP"], {"id": "SP"}, 1.5])
def test_what_restricts_is_said_as_a_text_or_not_at_all(world: World, value: object) -> None:
    """Left out, a State in a list would pass for none: the question of SEFAZ-MT about another State would be answered yes."""
    document = question("client", "mt", "ANEXANEXAR", "pucomex")
    named = document["resource"]
    assert isinstance(named, dict)
    for name in (*facts.ALHEIO, *(name for name, _ in facts.SAID)):
        named["properties"] = {name: value}
        answer = call(world, "/access/v1/evaluation", document)
        said = f"resource.properties.{name} must be a text"
        assert (answer.status, orjson.loads(answer.body)["error"]["message"]) == (400, said)
    named["properties"] = {"cor": value, "uf": None}
    assert body(call(world, "/access/v1/evaluation", document))["decision"] is True


@pytest.mark.parametrize("properties", [{"uf": "x" * 201}, {"x" * 201: "MT"}, {f"p{n}": "x" for n in range(21)}])
def test_a_small_batch_cannot_fill_the_journal(world: World, properties: dict[str, str]) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva", **properties)
    assert call(world, "/access/v1/evaluation", document).status == 400
    document["evaluations"] = [{}] * 3
    said = orjson.loads(call(world, "/access/v1/evaluations", document).body)["evaluations"]
    assert [e["context"]["error"]["status"] for e in said] == [400] * 3
    assert [e for e in world.entries() if e.ato == "decisao:consultar" and e.allowed] == []


def test_unknown_members_are_ignored_and_the_request_id_comes_back(world: World) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva") | {"outra": 1, "context": {"hora": "9"}}
    answer = call(world, "/access/v1/evaluation", document, x_request_id="abc-123")
    assert body(answer)["decision"] is True
    assert header(answer, "x-request-id") == "abc-123"


def test_who_may_ask(world: World) -> None:
    document = question("pessoa", "52998224725", "consultar", "mt-ipva")
    path = "/access/v1/evaluation"
    assert call(world, path, document, token="x").status == 401
    mine = str(body(world.machine("pdp"))["access_token"])
    assert call(world, path, document, by="mt", token=mine).status == 401, "bound to another certificate"
    assert call(world, path, document, by="auditoria").status == 403, "without the scope"
    world.house.recorder.flush()
    with world.house.reading() as db:
        assert db.scalars(select(Entry.agente).order_by(Entry.id.desc())).first() == "client:auditoria"
    assert call(world, path, document, by="mt").status in (401, 403), "a token of another resource"
    assert call(world, path, document, token=world.tokens()["access_token"]).status == 401, "a person's token"


def test_an_applications_own_client_asks_about_its_own_sistema_alone(world: World) -> None:
    path = "/access/v1/evaluation"
    assert call(world, path, question("pessoa", "52998224725", "consultar", "mt-ipva"), by="ipva-pdp").status == 200
    assert call(world, path, question("pessoa", "52998224725", "consultar", "mt-nfe"), by="ipva-pdp").status == 403
    both = question("pessoa", "52998224725", "consultar", "mt-ipva")
    both["evaluations"] = [{}, {"resource": {"type": "sistema", "id": "mt-nfe"}}]
    said = orjson.loads(call(world, "/access/v1/evaluations", both, by="ipva-pdp").body)["evaluations"]
    assert said[0]["decision"] is True
    assert said[1]["context"]["error"]["status"] == 403
    assert all(said[1]["context"]["source"].values())
    assert world.entries()[-1].allowed is False


def test_the_metadata_names_what_is_served(world: World) -> None:
    request = Request("GET", "/.well-known/authzen-configuration")
    answer = authzen.ROUTES["/.well-known/authzen-configuration"](world.house, request)
    assert isinstance(answer, Response)
    said = body(answer)
    assert said["policy_decision_point"] == world.house.settings.issuer
    for name in ("access_evaluation_endpoint", "access_evaluations_endpoint"):
        assert str(said[name]).removeprefix(world.house.settings.mtls) in authzen.ROUTES
    assert not [name for name in said if name.startswith("search")]
