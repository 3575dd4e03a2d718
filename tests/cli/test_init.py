"""``portaria init``: a whole installation or none, and a first cadastrador who alone knows her senha."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from iam import config, session
from iam.app import close, open_house
from iam.atos import credencial, papel, pessoa
from iam.context import Agente
from iam.errors import Invalid, NotFound
from iam.login import activation, password, totp
from tests.cli.conftest import FIRST, Portaria
from tests.house import Home

SENHA = "uma frase bem comprida 7"
HER = Agente("anonimo", "", address="127.0.0.1")


def tree(folder: Path) -> dict[str, bytes]:
    ours = (p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm")))
    return {p.name: p.read_bytes() for p in ours}


def test_it_makes_an_installation_that_serves_nobody_but_its_owner_reads(installed: Portaria) -> None:
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in (installed.data, *installed.data.iterdir())}
    assert modes["data"] == 0o700
    assert {modes[n] for n in ("master.key", "server.key", "portaria.toml", "portaria.db")} == {0o600}
    assert installed("doctor").status == 0
    uses = installed.rows("SELECT use FROM key WHERE retired_at IS NULL ORDER BY use")
    assert uses == [("checkpoint",), ("receipt",), ("token",)]
    assert installed.rows("SELECT count(*) FROM orgao WHERE id LIKE 'sefaz-%'")[0][0] >= 27
    held = installed.rows("SELECT sistema, perfil, origem FROM concessao")
    assert held == [("portaria", "cadastrador", "instalacao")]
    assert installed.rows("SELECT allowed FROM entry WHERE ato = 'instalacao:iniciar'") == [(1,)]


def test_a_second_time_is_refused_and_changes_nothing(installed: Portaria, authority: Path) -> None:
    before, state = tree(installed.data), installed.state()
    said = installed.fails("init", *FIRST, "--matricula", "1", "--trust", authority / "ca.pem")
    assert "já existe uma instalação" in said
    assert installed.state() == state
    assert tree(installed.data) == before


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--cpf", "52998224726"), "CPF"),
        (("--orgao", "nenhum"), "órgão desconhecido"),
        (("--login", "12345678901"), "login"),
        (("--login", "a"), "login"),
        (("--nome", " "), "nome"),
        (("--matricula", ""), "matricula"),
        (("--issuer", "http://sem.tls"), "https"),
        (("--targets", "ad=inexistente"), "inexistente"),
        (("--policies", "mt128"), "casa"),
        (("--trust", "README-nao-existe"), "README"),
        (("--tls-cert", "ca.pem"), "--tls-key"),
        (("--database-url", "mysql://x"), "DATABASE_URL"),
    ],
)
def test_what_cannot_be_used_leaves_nothing_behind(
    portaria: Portaria, authority: Path, wrong: tuple[str, str], said: str
) -> None:
    words = [*FIRST, "--matricula", "1", "--trust", str(authority / "ca.pem"), *wrong]
    assert said in portaria.fails("init", *words)
    assert not portaria.data.exists()


def test_a_leaf_is_not_a_trust_bundle(portaria: Portaria, authority: Path) -> None:
    portaria.fails("init", *FIRST, "--matricula", "1", "--trust", authority / "server.pem")
    assert not portaria.data.exists()


def test_a_certificate_is_brought_or_made(portaria: Portaria, authority: Path) -> None:
    own = ("--tls-cert", authority / "server.pem", "--tls-key", authority / "server.key")
    words = (
        *FIRST,
        "--matricula",
        "1",
        "--trust",
        authority / "ca.pem",
        "--issuer",
        "https://acesso.example.gov.br",
        *own,
    )
    done = portaria("init", *words, "--json")
    assert done.told["link"].startswith("https://acesso.example.gov.br/ativar/")
    assert (portaria.data / "server.pem").read_bytes() == (authority / "server.pem").read_bytes()
    assert 'issuer = "https://acesso.example.gov.br"' in (portaria.data / "portaria.toml").read_text()


def test_a_key_of_another_certificate_is_refused(portaria: Portaria, authority: Path) -> None:
    words = ("--tls-cert", authority / "server.pem", "--tls-key", authority / "ca.key")
    assert "chave" in portaria.fails("init", *FIRST, "--matricula", "1", "--trust", authority / "ca.pem", *words)
    assert not portaria.data.exists()


def test_the_link_lets_her_choose_her_senha_once(installed: Portaria) -> None:
    token = installed("link", "maria.souza", "--json").told["link"].rpartition("/")[2]
    assert token not in "".join(str(row) for row in installed.rows("SELECT * FROM activation"))
    now = datetime.now(UTC)
    house = open_house(config.read(None), lambda: now)
    try:
        offered = activation.offer(house, token)
        assert offered.pessoa.nome == "Maria Souza"
        code = totp.code(offered.seed, now)
        with pytest.raises(Invalid, match="12 caracteres"):
            activation.chosen(house, token, "curta")
        chosen = activation.chosen(house, token, SENHA)
        with pytest.raises(Invalid, match="código"), house.begin(HER) as ctx:
            activation.redeem(ctx, token, chosen, "000000" if code != "000000" else "111111")
        with house.begin(HER) as ctx:
            somebody = activation.redeem(ctx, token, chosen, code)
            assert papel.of(ctx) == {"anonimo"}
        with house.reading() as db:
            senha = credencial.vigente(db, somebody.id, credencial.SENHA)
            seed = credencial.vigente(db, somebody.id, credencial.TOTP)
            assert senha is not None
            assert senha.segredo is not None
            assert not senha.provisoria
            assert password.verify(senha.segredo.decode(), SENHA)
            assert seed is not None
            assert seed.segredo is not None
            assert house.vault.open(seed.segredo, f"totp {somebody.id}").decode() == offered.seed
            assert totp.verify(offered.seed, code, now, seed.passo) is None, "the code that enrolled it is used up"
            assert session.may_enter(db, pessoa.get(db, somebody.id), now)
        for again in (token, token + "x", ""):
            with pytest.raises(NotFound), house.begin(HER) as ctx:
                activation.redeem(ctx, again, chosen, code)
    finally:
        close(house)


def test_a_link_dies_of_age_and_of_a_newer_one(installed: Portaria) -> None:
    old = installed("link", "maria.souza", "--json").told["link"].rpartition("/")[2]
    new = installed("link", "529.982.247-25", "--json").told["link"].rpartition("/")[2]
    now = [datetime.now(UTC)]
    house = open_house(config.read(None), lambda: now[0])
    try:
        with pytest.raises(NotFound):
            activation.offer(house, old)
        assert activation.offer(house, new).pessoa.login == "maria.souza"
        now[0] += timedelta(hours=72, seconds=1)
        with pytest.raises(NotFound):
            activation.offer(house, new)
    finally:
        close(house)


def test_a_link_dies_with_the_cut_of_its_person(world: tuple[Portaria, Home]) -> None:
    portaria, home = world
    who = home.person("gestor")
    token = portaria("link", who["login"], "--json").told["link"].rpartition("/")[2]
    file = portaria.data / "rh.csv"
    file.write_text(
        "numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
        f"1,{who['cpf']},,,desligamento,2026-01-05,,,\n"
    )
    assert portaria("hr", "import", file, "--fonte", "rh-sefaz-mt").status == 0
    with pytest.raises(NotFound):
        activation.offer(home.house, token)
    assert "vínculo" in portaria.fails("link", who["login"])
