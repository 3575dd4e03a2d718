"""What a client is and holds, read once and kept while nobody changed it.

Text: RFC 6749 §2 (client registration). A snapshot is a value: client, órgão, the rights of both and the policy's
decision about each scope they give. It is known by the (epoch, version) of client and órgão: the journal's writer
reads those again before a token leaves, so a cached snapshot can make a token late, never wrong. Validity in time is
computed at each use.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from iam.atos.client import NORMA, Client, certificates
from iam.atos.concessao import Concessao
from iam.atos.orgao import Orgao
from iam.atos.papel import CASA, WORD
from iam.atos.sujeito import Sujeito
from iam.context import House
from iam.decision import Decision
from iam.oauth.scope import Held
from iam.policy import Policy
from iam.recorder import Guard

EVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Right:
    """One concessão of the client or its órgão, with the scopes the policy says its perfil gives."""

    sistema: str
    perfil: str
    de: datetime
    ate: datetime | None
    scopes: Mapping[str, Decision]
    restricao: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A client as it was under ``guards``. ``epoch`` is its own plus its órgão's: either one ends its tokens."""

    id: str
    nome: str
    kind: str
    orgao: str
    uf: str
    sistema: str
    auth_method: str
    redirect_uris: tuple[str, ...]
    grant_types: frozenset[str]
    scopes: frozenset[str]
    post_logout_redirect_uris: tuple[str, ...]
    thumbprints: Mapping[str, datetime | None]
    subject_dn: str
    active: bool
    epoch: int
    own_epoch: int
    guards: tuple[Guard, ...]
    rights: tuple[Right, ...]

    @property
    def public(self) -> bool:
        """Whether it cannot keep a secret (RFC 6749 §2.1)."""
        return self.auth_method == "none"

    def held(self, now: datetime, born: int | None = None) -> dict[str, Held]:
        """Every scope it holds at this moment, each with the longest-lasting right that gives it.

        ``born`` is when a token was issued (NumericDate): a right given since is not what it rests on.
        """
        found: dict[str, Held] = {}
        for right in self.rights:
            if born is not None and int(right.de.timestamp()) > born:
                continue
            if right.de <= now and (right.ate is None or right.ate > now):
                for name, decision in right.scopes.items():
                    if self.scopes and name not in self.scopes:
                        continue
                    known = found.get(name)
                    if known is None or (known.until is not None and (right.ate is None or right.ate > known.until)):
                        found[name] = Held(name, right.sistema, right.perfil, decision, right.ate)
        return found


def snapshot(house: House, client_id: str, *, fresh: bool = False) -> Snapshot | None:
    """The client's snapshot, from memory unless ``fresh``; None when there is no such client."""
    known = house.remembered.get(("client", client_id))
    if isinstance(known, Snapshot) and not fresh:
        return known
    with house.reading() as db:
        found = load(db, house.policy, client_id)
    remember(house, client_id, found)
    return found


def current(house: House, db: Session, client_id: str) -> Snapshot | None:
    """The snapshot as of the caller's transaction: one statement when the remembered one still holds."""
    return Moment(house, db, (client_id,)).client(client_id)


def remember(house: House, client_id: str, found: Snapshot | None) -> None:
    """Keeps a snapshot, or forgets one; never more than a few thousand."""
    if found is None:
        house.remembered.pop(("client", client_id), None)
    else:
        if len(house.remembered) > 20_000:
            house.remembered.clear()
        house.remembered["client", client_id] = found


def remembered(house: House, client_id: str) -> bool:
    """Whether the snapshot is at hand without asking the database."""
    return ("client", client_id) in house.remembered


class Moment:
    """Clients as of one transaction: a single statement tells which remembered snapshots still hold.

    It tells too whether the access token in question was revoked; at the driver's price, for introspection always pays.
    """

    def __init__(self, house: House, db: Session, ids: Iterable[str], jti: str = "") -> None:
        self._house, self._db = house, db
        self._known: dict[str, Snapshot | None] = {}
        candidates = [c for id in ids if isinstance(c := house.remembered.get(("client", id)), Snapshot)]
        guards = {g.sujeito for c in candidates for g in c.guards}
        rows = _rows(house, db, guards, jti) if guards or jti else {}
        self.revoked = rows.pop(REVOKED, None) is not None
        for c in candidates:
            if all(rows.get(g.sujeito) == (g.epoch, g.version) for g in c.guards):
                self._known[c.id] = c

    def client(self, id: str) -> Snapshot | None:
        """The client, read again when nothing remembered holds; None when there is no such one."""
        if id not in self._known:
            self._known[id] = load(self._db, self._house.policy, id)
            remember(self._house, id, self._known[id])
        return self._known[id]


REVOKED = ""


def _rows(house: House, db: Session, ids: Collection[str], jti: str) -> dict[str, tuple[int, int]]:
    """Epochs and versions, in the transaction that is open or, when none is, by one statement of its own."""
    mark = "?" if house.database.sqlite else "%s"
    marks = ", ".join([mark] * len(ids)) or "NULL"
    query = f"""SELECT id, epoch, version FROM sujeito WHERE id IN ({marks})
        UNION ALL SELECT '{REVOKED}', 0, 0 FROM revoked_token WHERE jti = {mark}"""  # noqa: S608 - placeholders only
    if db.in_transaction():
        found = db.connection().exec_driver_sql(query, (*ids, jti)).all()
        return {id: (epoch, version) for id, epoch, version in found}
    connection = house.database.engine.raw_connection()
    try:
        cursor = connection.cursor()
        cursor.execute(query, (*ids, jti))
        return {id: (epoch, version) for id, epoch, version in cursor.fetchall()}
    finally:
        connection.close()


def load(db: Session, policy: Policy, client_id: str) -> Snapshot | None:
    """Reads client, órgão, certificates and rights in three statements."""
    own, unit = aliased(Sujeito), aliased(Sujeito)
    query = (
        select(Client, own.epoch, own.version, Orgao.id, Orgao.uf, unit.epoch, unit.version)
        .join(own, own.id == Client.id)
        .outerjoin(Orgao, Orgao.id == Client.orgao)
        .outerjoin(unit, unit.id == Orgao.id)
        .where(Client.id == client_id)
    )
    row = db.execute(query).first()
    if row is None:
        return None
    client, epoch, version, orgao, uf, unit_epoch, unit_version = row
    guards = [Guard(client.id, epoch, version)]
    if orgao is not None:
        guards.append(Guard(orgao, unit_epoch, unit_version))
    return Snapshot(
        id=client.id,
        nome=client.nome,
        kind=client.kind,
        orgao=orgao or "",
        uf=uf or "",
        sistema=client.sistema or "",
        auth_method=client.auth,
        redirect_uris=tuple(client.redirect_uris),
        grant_types=frozenset(client.grant_types),
        scopes=frozenset(client.scopes),
        post_logout_redirect_uris=tuple(client.post_logout_redirect_uris),
        thumbprints={c.impressao: c.expira_em for c in certificates(db, client.id) if c.impressao},
        subject_dn=client.subject_dn or "",
        active=client.estado == "ativo",
        epoch=epoch + (unit_epoch or 0),
        own_epoch=epoch,
        guards=tuple(guards),
        rights=(
            *rights(db, policy, [g.sujeito for g in guards], client.kind),
            Right(CASA, "", EVER, None, own_interfaces(policy, client.scopes)),
        ),
    )


def rights(db: Session, policy: Policy, sujeitos: list[str], kind: str) -> tuple[Right, ...]:
    """The rights not revoked of a client; of its órgão too when the norm integrates órgãos (COTEC62-1-2-II)."""
    whose = sujeitos if kind == NORMA else sujeitos[:1]
    columns = (
        Concessao.sistema,
        Concessao.perfil,
        Concessao.vigente_de,
        Concessao.vigente_ate,
        Concessao.restricao,
    )
    rows = db.execute(select(*columns).where(Concessao.sujeito.in_(whose), Concessao.revogada_em.is_(None)))
    return tuple(
        Right(sistema, perfil, de, ate, policy.scopes_of(perfil, sistema), restricao)
        for sistema, perfil, de, ate, restricao in rows
    )


def own_interfaces(policy: Policy, names: Iterable[str]) -> Mapping[str, Decision]:
    """The scopes of our own interfaces that a client is registered for, as far as the house's rules give them."""
    found: dict[str, Decision] = {}
    for name in names:
        known = policy.scope(name)
        if known is not None and known.sistema == CASA and name in WORD:
            decision = policy.decide(frozenset({f"client:{WORD[name]}"}), known.funcao, CASA)
            if decision.allowed:
                found[name] = decision
    return found
