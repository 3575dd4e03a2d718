"""What the decision point says is missing: to this subject, for this ação, on this sistema (contract: ``missing``)."""

from __future__ import annotations

import pytest

from tests.authzen.test_evaluation import ask, call, question
from tests.authzen.test_restriction import holder
from tests.oauth.world import World, body

ANA = "52998224725"
GESTAO = "Local ou Recinto Alfandegado - Gestão (coana-recinto-gestao)"


def missing(world: World, kind: str, id: str, action: str, sistema: str, **properties: str) -> tuple[object, object]:
    """What is missing, and what the person is told."""
    no, context = ask(world, kind, id, action, sistema, **properties)
    assert not no
    return context["missing"], context["reason_user"]


def test_who_holds_a_lesser_perfil_or_none_is_told_which_would_do(world: World) -> None:
    wanted, said = missing(world, "pessoa", ANA, "suprimir", "mt-ipva")
    assert wanted == ["ter em vigor o perfil Manutenção (mt-manutencao), por MT128-2-II.2 (Art. 2 II)"]
    assert said == "Isto cabe ao perfil “Manutenção” (Portaria nº 128/2005-SEFAZ/MT, Art. 2 II)."
    wanted, _ = missing(world, "pessoa", ANA, "pacote_risco", "tram")
    assert isinstance(wanted, list)
    assert len(wanted) == 3
    assert all("(tram-" in w and "TRAM-" in w for w in wanted)
    assert missing(world, "pessoa", "00000000000", "suprimir", "mt-ipva")[0] == [
        "ter em vigor o perfil Manutenção (mt-manutencao), por MT128-2-II.2 (Art. 2 II)"
    ]


@pytest.mark.parametrize("sistema", ["mt-ipva", "tram", "vfr", "dec"])
def test_who_is_out_lacks_a_vinculo_whatever_the_sistema(world: World, sistema: str) -> None:
    action = {"mt-ipva": "consultar", "tram": "viagem.ler", "vfr": "COANA-F01", "dec": "documento.ler"}[sistema]
    world.cut()
    assert missing(world, "pessoa", ANA, action, sistema)[0] == ["ter um vínculo ativo e nova habilitação"]


@pytest.mark.parametrize(
    ("perfil", "sistema", "restricao", "action", "remedio"),
    [
        ("coana-perito", "vfr", {"evento": "A"}, "COANA-F06", "agir no evento específico a que o acesso se restringe"),
        ("tram-transportador", "tram", {"transportador": "A"}, "viagem.ler", "ter relação com a viagem, conforme o perfil"),
        ("tram-gestor", "tram", {"aplicativo": "A"}, "gestao", "agir no aplicativo indicado na vinculação"),
        ("mt-consulta", "mt-nfe", {"lote": "A"}, "consultar", "agir naquilo a que a concessão se restringe"),
        ("dec-procurador-digital", "dec", {"outorgante": "A"}, "documento.ler", "ter procuração digital em vigor, emitida no próprio DEC"),
    ],
)  # fmt: skip
def test_who_acts_outside_a_restriction_lacks_that_and_not_the_perfil_held(
    world: World, perfil: str, sistema: str, restricao: dict[str, str], action: str, remedio: str
) -> None:
    cpf = holder(world, perfil, sistema, **restricao)
    assert missing(world, "pessoa", cpf, action, sistema, **dict.fromkeys(restricao, "B"))[0] == [remedio]


def test_outside_a_restriction_what_the_perfil_never_gives_lacks_the_perfil(world: World) -> None:
    cpf = holder(world, "coana-perito", evento="A")
    wanted, _ = missing(world, "pessoa", cpf, "COANA-F15", "vfr", evento="B")
    assert wanted == [f"ter em vigor o perfil {GESTAO}, por COANA-F15 (Matriz de funcionalidades, linha 15)"]


def test_a_question_about_what_does_not_exist_is_told_so(world: World) -> None:
    offered = "pedir uma ação que o sistema tenha: consultar, inserir, alterar, suprimir"
    assert missing(world, "pessoa", ANA, "voar", "mt-ipva")[0] == [offered]
    assert missing(world, "pessoa", ANA, "COANA-F01", "mt-ipva")[0] == [offered]
    nowhere = ["perguntar por um sistema que conste das normas em vigor"]
    assert missing(world, "pessoa", ANA, "consultar", "mt-lua")[0] == nowhere
    kinds = ["perguntar por um sujeito do tipo sub, pessoa, client ou perfil"]
    assert missing(world, "usuario", ANA, "consultar", "mt-ipva")[0] == kinds
    assert missing(world, "perfil", "mt-inventado", "consultar", "mt-ipva")[0] == [
        "perguntar por um perfil que conste das normas em vigor"
    ]
    document = question("pessoa", ANA, "consultar", "mt-ipva") | {"resource": {"type": "processo", "id": "mt-ipva"}}
    context = body(call(world, "/access/v1/evaluation", document))["context"]
    assert isinstance(context, dict)
    assert context["missing"] == ["perguntar por um recurso do tipo sistema"]


def test_each_evaluation_of_a_batch_says_its_own(world: World) -> None:
    document = question("pessoa", ANA, "consultar", "mt-ipva") | {
        "evaluations": [{"action": {"name": "suprimir"}}, {"action": {"name": "voar"}}, {}]
    }
    said = body(call(world, "/access/v1/evaluations", document))["evaluations"]
    assert isinstance(said, list)
    contexts = [e["context"] for e in said if isinstance(e, dict)]
    assert ["missing" in c for c in contexts] == [True, True, False]
    assert "Manutenção" in contexts[0]["missing"][0]
    assert "pedir uma ação" in contexts[1]["missing"][0]
    assert all("/admin" not in c["reason_user"] for c in contexts)
