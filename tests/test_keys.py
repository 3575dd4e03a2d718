"""Keys are encrypted at rest under a key outside the database, never overwritten, never readable by others."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from iam import sealer
from iam.config import Unsafe
from iam.demo.world import OPERATOR
from iam.keys import Key, Keyring, Vault, create_master, read_master, thumbprint, verify_jws
from iam.verification import verify
from tests.house import Home


def test_the_database_alone_does_not_give_a_private_key(home: Home) -> None:
    with home.house.reading() as db:
        rows = db.scalars(select(Key)).all()
    assert {row.use for row in rows} == {"token", "checkpoint", "receipt"}
    with pytest.raises(Unsafe, match="outra instalação"):
        Keyring(home.house.database, Vault(bytes(32)))
    for row in rows:
        assert b"-----BEGIN" not in row.private
        assert row.kid == thumbprint(row.public)


def test_what_was_signed_before_a_rotation_still_verifies_and_the_new_key_signs(home: Home) -> None:
    old = home.house.keys.signer("token")
    before = old.jws("x", b"{}")
    with home.house.begin(OPERATOR) as ctx:
        home.house.keys.rotate(ctx.db, "token", ctx.now)
    home.house.keys.load()
    new = home.house.keys.signer("token")
    assert new.kid != old.kid
    published = {k["kid"]: k for k in home.house.keys.jwks(home.clock())}
    assert {old.kid, new.kid} <= published.keys()
    assert verify_jws(before, published[old.kid]) == b"{}"
    assert verify_jws(before, published[new.kid]) is None
    home.clock.move(hours=25)
    assert old.kid not in {k["kid"] for k in home.house.keys.jwks(home.clock())}


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "é.é.é", "e30.e30.", "." * 2])
def test_a_malformed_jws_verifies_as_nothing(home: Home, text: str) -> None:
    assert verify_jws(text, home.house.keys.jwks(home.clock())[0]) is None


def test_the_master_key_is_private_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    create_master(path)
    assert path.stat().st_mode & 0o777 == 0o600
    first = read_master(path)
    with pytest.raises(FileExistsError):
        create_master(path)
    assert read_master(path) == first
    path.chmod(0o644)
    with pytest.raises(Unsafe, match="chmod 600"):
        read_master(path)
    path.chmod(0o600)
    path.write_text("curta")
    with pytest.raises(Unsafe, match="32 bytes"):
        read_master(path)
    with pytest.raises(Unsafe, match="não pode ser lida"):
        read_master(tmp_path / "nenhuma")


def test_a_secret_opens_only_for_its_own_purpose_and_unchanged() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal(b"segredo", "totp a")
    assert vault.open(sealed, "totp a") == b"segredo"
    for wrong, purpose in ((sealed, "totp b"), (sealed[:-1] + b"\0", "totp a"), (b"", "totp a")):
        with pytest.raises(Unsafe):
            vault.open(wrong, purpose)


def test_a_key_retired_longer_ago_than_a_token_lives_signs_nothing_any_more(home: Home) -> None:
    from iam.oauth import token

    old = home.house.keys.signer("token")
    with home.house.begin(OPERATOR) as ctx:
        home.house.keys.rotate(ctx.db, "token", ctx.now)
    home.house.keys.load()
    now = int(home.clock().timestamp())
    import json

    forged = old.jws("at+jwt", json.dumps({"iss": home.house.settings.issuer, "iat": now, "exp": now + 9999}).encode())
    assert token.read(home.house, forged, home.clock()) is not None
    home.clock.move(minutes=7)
    assert token.read(home.house, forged, home.clock()) is None


def live(home: Home, use: str) -> list[str]:
    with home.house.reading() as db:
        return list(db.scalars(select(Key.kid).where(Key.use == use, Key.retired_at.is_(None))))


def test_two_rotations_at_once_take_turns_and_the_journal_still_verifies(home: Home) -> None:
    together = threading.Barrier(2, timeout=60)

    def rotate(_: int) -> str | None:
        ring = Keyring(home.house.database, home.house.vault)  # as another process has it, read before either began
        together.wait()
        with home.house.begin(OPERATOR) as ctx:
            return ring.rotate(ctx.db, "checkpoint", ctx.now).predecessor

    first = home.house.keys.signer("checkpoint").kid
    with ThreadPoolExecutor(2) as pool:
        predecessors = list(pool.map(rotate, range(2)))
    assert first in predecessors
    assert len(set(predecessors)) == 2
    assert len(live(home, "checkpoint")) == 1
    home.house.keys.load()
    home.house.seal()
    sealer.checkpoint(home.house.database, home.house.keys, home.clock())
    verdict = verify(sealer.export(home.house.database, home.house.keys))
    assert verdict.whole, verdict.reason


def test_a_clock_put_back_leaves_the_keys_in_order_and_other_processes_hear_of_the_new_one(home: Home) -> None:
    other = Keyring(home.house.database, home.house.vault)
    home.clock.move(hours=-2)
    with home.house.begin(OPERATOR) as ctx:
        new = home.house.keys.rotate(ctx.db, "checkpoint", ctx.now).kid
    other.refresh()
    assert other.signer("checkpoint").kid == new
    assert [key.kid for key in other.history() if key.use == "checkpoint"][-1] == new
    home.house.seal()
    assert verify(sealer.export(home.house.database, other)).whole


def test_the_database_itself_refuses_a_second_key_in_use(home: Home) -> None:
    with home.house.reading() as db:
        row = db.scalars(select(Key).where(Key.use == "token")).one()
    with pytest.raises(IntegrityError), home.house.database.write() as db:
        db.add(Key(kid="x", use="token", public=row.public, private=row.private, created_at=home.clock()))
