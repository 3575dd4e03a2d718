"""Enrolling an authenticator by somebody who is logged in. The act is ``credencial:cadastrar``; the text RFC 6238.

Between offering a seed and proving that the authenticator shows it nothing is kept here: the form carries the seed
sealed for this person, for ten minutes. Who has a second factor replaces it with a code of the present one, or right after
entering with it or with a certificate; and whoever enrols one enters again with both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from iam.atos import credencial, sujeito
from iam.atos.credencial import TOTP
from iam.atos.pessoa import Pessoa
from iam.context import Agente, House
from iam.errors import Invalid
from iam.login import again, ticket, totp
from iam.session import Login

LIFE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Offer:
    """A seed to enrol (base32), its ``otpauth`` URI, and the same sealed for the form; ``asks`` the present one's code too."""

    seed: str
    uri: str
    sealed: str
    asks: bool


def offer(house: House, login: Login) -> Offer:
    """A new seed for this person."""
    return _offer(house, login, totp.new_secret())


def offered(house: House, login: Login, sealed: str) -> Offer:
    """The seed offered before, after a code that was mistyped; Invalid when it is another's or too old."""
    return _offer(house, login, _open(house, login, sealed))


def enrol(house: House, agente: Agente, login: Login, sealed: str, codigo: str, *, atual: str = "") -> None:
    """The authenticator that shows ``codigo`` becomes the second factor; the former one ends, every session too.

    ``atual`` is a code of the former one, where it is asked for. Raises Refused when that is wrong or there were too many;
    Invalid for a ``codigo`` that is not of the seed, a seed that is another's or too old, a session that ended meanwhile,
    and one opened by a password alone where there is a second factor already: who guessed the password does not replace it.
    """
    seed, who = _open(house, login, sealed), login.pessoa
    held = _held(house, login)
    if held and login.session.acr not in again.STRONG:
        raise Invalid("já há um segundo fator; entre de novo com ele para trocá-lo", code="fator_insuficiente")
    step = totp.verify(seed, codigo, house.clock())
    if step is None:
        raise Invalid("o código não confere com o aplicativo autenticador", code="codigo_incorreto", field="codigo")
    if held and not _fresh(house, login):
        again.by_code(house, agente, login, atual)
    with house.begin(agente) as ctx:
        sujeito.lock(ctx.db, who.id)
        _, now = again.standing(ctx, login)
        kept = house.vault.seal(seed.encode(), f"totp {who.id}")
        credencial.cadastrar(ctx, who.id, TOTP, segredo=kept, papeis=again.PROPRIO).passo = step
        now.login_epoch = Pessoa.login_epoch + 1


def _held(house: House, login: Login) -> bool:
    with house.reading() as db:
        return credencial.vigente(db, login.pessoa.id, TOTP) is not None


def _fresh(house: House, login: Login) -> bool:
    return again.recent(login.session, house.clock(), *again.STRONG)


def _offer(house: House, login: Login, seed: str) -> Offer:
    sealed = ticket.seal(house, f"enrol {login.pessoa.id}", LIFE, seed=seed)
    asks = _held(house, login) and not _fresh(house, login)
    return Offer(seed, totp.uri(seed, login.pessoa.login), sealed, asks)


def _open(house: House, login: Login, sealed: str) -> str:
    try:
        return str(ticket.unseal(house, f"enrol {login.pessoa.id}", sealed)["seed"])
    except Invalid as error:
        raise Invalid("este cadastro venceu; comece de novo", code="cadastro_vencido") from error
