"""Make one target agree about one person, and look again before saying so: wanted → observe → plan → apply → observe.

Nothing is sent and believed: a target is right when a second look finds nothing left to change. No transaction is open
while the network is slow. The mark is held meanwhile; who finds, after touching the account, that it is no longer held
or was set again has it looked at once more and calls nothing seen. Who lost the answer to a change cannot know whether it
will yet be made: the person is looked at once more some minutes after she was seen to agree.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from iam import outbox
from iam.ato import Ato
from iam.atos import conta, recibo
from iam.atos.concessao import vigentes
from iam.atos.papel import CASA, SERVICE, WORKER
from iam.atos.pessoa import HABILITADA, Pessoa
from iam.atos.vinculo import vigentes as vinculos
from iam.connector import Account, AddPerfil, Change, RemovePerfil, plan
from iam.context import Ctx, House
from iam.errors import PortariaError, Unavailable

log = logging.getLogger("portaria.reconcile")


@dataclass(frozen=True, slots=True)
class Drift:
    """What one target would have to change about one person."""

    target: str
    key: str
    changes: tuple[Change, ...]


class Overtaken(Exception):
    """The mark is no longer held, or the person was marked again."""


def wanted(db: Session, pessoa_id: str, now: datetime) -> Account | None:
    """The account a person should have on every target: enabled while she is usuária, tied to an órgão, and holds a right."""
    somebody = db.get(Pessoa, pessoa_id)
    if somebody is None:
        return None
    may = somebody.estado == HABILITADA and bool(vinculos(db, pessoa_id, now))
    rights = vigentes(db, pessoa_id, now) if may else ()
    return Account(
        key=somebody.login,
        enabled=bool(rights),
        perfis=frozenset(f"{right.sistema}.{right.perfil}" for right in rights if right.sistema != CASA),
        attributes={"nome": somebody.nome, "email": somebody.email or ""},
        sessions_after=somebody.cortada_em,
    )


def drift(house: House, pessoa_id: str) -> list[Drift]:
    """What every target would have to change about a person: the dry run, and the proof when it is empty."""
    with house.reading() as db:
        account = wanted(db, pessoa_id, house.clock())
        known = conta.ids(db, pessoa_id)
    if account is None:
        return []
    return [
        Drift(name, account.key, plan(account, t.observe(account.key, known.get(name, ""))))
        for name, t in house.targets.items()
    ]


class Turn:
    """One mark while it is held: looks at the account, and changes it only as long as nobody else may.

    ``known`` is the target's own id of the account, empty before it was ever seen; ``tried`` is what was sent; ``unanswered``
    says that the last of it was sent and nothing is known of it.
    """

    def __init__(self, house: House, mark: outbox.Mark, known: str) -> None:
        self.house, self.mark, self.known = house, mark, known
        self.tried: list[Change] = []
        self.unanswered = False
        self._target = house.targets[mark.target]
        self._until = mark.held_until

    def converge(self, account: Account) -> None:
        """Applies what is missing and looks again. Raises Unavailable while they still differ, or Overtaken."""
        for change in plan(account, self._look(account.key)):
            self._apply(account.key, change)
        left = plan(account, self._look(account.key)) if self.tried else ()
        if left:
            names = ", ".join(_said(change) for change in left)
            raise Unavailable(f"o destino ainda difere depois de ajustado: {names}")

    def _look(self, key: str) -> Account | None:
        """What is. The account's id is on disk before anything is changed, and survives whatever happens then."""
        seen = self._target.observe(key, self.known)
        if seen is not None and seen.id not in ("", self.known):
            with self.house.database.write() as db:
                conta.lembrar(db, self.mark.target, self.mark.id, seen.id, self.house.clock())
            self.known = seen.id
        return seen

    def _apply(self, key: str, change: Change) -> None:
        now = self.house.clock()
        if self._until is None or self._until - now < outbox.RENEW_WITHIN:
            with self.house.database.write() as db:
                held = outbox.keep(db, self.mark, now)
            self._until = now + outbox.LEASE
        else:
            with self.house.reading() as db:
                held = outbox.unchanged(db, self.mark)
        if not held:
            raise Overtaken
        self.tried.append(change)
        self.unanswered = True
        self._target.apply(key, change, self.known)
        self.unanswered = False


def settle(house: House, mark: outbox.Mark) -> bool:
    """Works on one mark that is held; True when the person was seen to agree on the target and nobody marked her again."""
    with house.reading() as db:
        asked = house.clock()
        account = wanted(db, mark.id, asked)
        turn = Turn(house, mark, conta.ids(db, mark.id).get(mark.target, ""))
    try:
        if account is not None:
            turn.converge(account)
    except Overtaken:
        with house.begin(SERVICE) as ctx:
            _again(ctx, turn)
        return False
    except PortariaError as error:
        _failed(turn, error.message)
        return False
    except Exception as error:  # a plugin's defect about one person must not hide the others
        log.exception("target %s failed", mark.target)
        _failed(turn, type(error).__name__)
        return False
    with house.begin(SERVICE) as ctx:
        settled = outbox.settle(ctx.db, mark, ctx.now)
        if settled:
            recibo.ver(ctx.db, mark.id, mark.target, ctx.now, asked)
            _record(ctx, turn, visto=True)
        else:
            _again(ctx, turn)
    return settled


def _again(ctx: Ctx, turn: Turn) -> None:
    """The person is looked at once more: what was tried may have come after what somebody else has seen."""
    still_held = outbox.release(ctx.db, turn.mark)
    if turn.tried:
        _record(ctx, turn, visto=False)
        if not still_held:
            ctx.mark(turn.mark.kind, turn.mark.id)


def _failed(turn: Turn, error: str) -> None:
    mark = turn.mark
    with turn.house.begin(SERVICE) as ctx:
        if turn.unanswered or mark.unsure_until is not None:  # as long as it fails, nothing is known of what was sent
            mark.unsure_until = ctx.now + outbox.LATE
        if not outbox.postpone(ctx.db, mark, ctx.now, error):
            _again(ctx, turn)
            return
        late = ctx.now >= mark.due
        if late:
            recibo.falhar(ctx.db, mark.id, mark.target, error, ctx.now)
        if turn.tried or mark.tries == 0 or late:
            _record(ctx, turn, visto=False, erro=error)


def _said(change: Change) -> str:
    """A change without what it says about the person: receipts carry it to others."""
    named = f" {change.perfil}" if isinstance(change, AddPerfil | RemovePerfil) else ""
    return f"{type(change).__name__}{named}"


def _record(ctx: Ctx, turn: Turn, *, visto: bool, **more: str) -> None:
    mark = turn.mark
    if mark.unsure_until is not None and mark.unsure_until > ctx.now:
        more["incerta_ate"] = mark.unsure_until.isoformat()
    ctx.record(
        ctx.require(Ato.CONTA_AJUSTAR, CASA, WORKER),
        pessoa=mark.id,
        destino=mark.target,
        mudancas=[repr(change) for change in turn.tried],
        visto=visto,
        tentativas=mark.tries + 1,
        **more,
    )
