"""MT128 art. 16 § 2º: a password exists nowhere but as a strong hash, and an account is one person's."""

from __future__ import annotations

import orjson
import pytest
from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from iam import sealer
from iam.atos import pessoa
from iam.atos.credencial import SENHA, Credencial
from iam.atos.papel import OPERADOR
from iam.db import Base
from iam.demo.world import OPERATOR
from iam.errors import Conflict
from tests.house import Home


@pytest.mark.requirement("MT128-16-2.1")
def test_nobody_can_read_a_password_and_no_account_is_two_persons(home: Home) -> None:
    passwords = [who["password"] for who in home.world.people.values()]
    with home.house.reading() as db:
        kept = [p.segredo or b"" for p in db.scalars(select(Credencial).where(Credencial.kind == SENHA))]
        tables = [str(db.execute(select(t)).all()) for t in Base.metadata.sorted_tables]
    assert len(kept) == len(passwords)
    assert all(hash.startswith(b"$argon2id$v=19$m=19456,t=2,p=1$") for hash in kept)
    assert len(set(kept)) == len(kept)
    sealer.seal(home.house.database, home.house.keys, home.clock())
    journal = orjson.dumps(list(sealer.export(home.house.database, home.house.keys))).decode()
    for secret in passwords:
        assert not any(secret in content for content in (*tables, journal))

    ana, rui = home.person("servidora"), home.person("gestor")
    for cpf, login in ((ana["cpf"], "outra.pessoa"), ("52998224725", ana["login"])):
        with pytest.raises(Conflict), home.house.begin(OPERATOR) as ctx:
            pessoa.cadastrar(ctx, cpf, "Outra", login, origem="teste", papeis=OPERADOR)
    for column in ("cpf", "login"):
        merged = update(pessoa.Pessoa).where(pessoa.Pessoa.cpf == rui["cpf"]).values({column: ana[column]})
        with home.house.begin(OPERATOR) as ctx, pytest.raises(IntegrityError), ctx.db.begin_nested():
            ctx.db.execute(merged)
