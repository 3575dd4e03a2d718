"""How long somebody waits after wrong passwords or codes: longer each time, never for ever, and the same for nobody.

Texts: NIST SP 800-63B §5.2.2 (rate limiting), OWASP "Slow Down Online Guessing Attacks with Device Cookies", CASA-12 (how
many tries, how long the longest wait). What is counted is the *name that was typed*, never the account behind it: a login
that nobody has is counted, refused and released by the same rows, in the same statements, as one that somebody has. (So a
login and a CPF of one person are two names: counted as one they would tell that they belong together.)

Three counts grow with each try of a stranger's browser, before it is looked at:

- of this name from this network: ``tentativas`` mistakes are free, then 30 seconds, doubling up to ``bloqueio``. It stops who
  guesses one password after the other, and whoever else types the name from elsewhere does not feel it;
- of this name from anywhere: fifty are free, then one a minute. It stops who guesses from many networks;
- of this network for any name: two hundred are free, one more every six seconds. It stops who tries one password on many
  names, and leaves a whole órgão behind one address room for its ordinary mistakes.

A browser in which the person entered before proves it with a sealed cookie and has a count of its own, like the first one,
instead of these three. So a stranger can make nobody wait who uses the own browser, and others a minute at the longest
while the attack goes on; a lock that only an administrator opens would let anybody shut out anybody. A certificate cannot
be guessed and never waits. Counts shrink by themselves and are forgotten after a quiet day. Made-up names cost at most
:data:`MOST` rows: beyond them the oldest go, at worst giving somebody who has thousands of networks fifty guesses more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Float, Index, Select, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from iam.atos import pessoa
from iam.db import Base
from iam.journal import Agente
from iam.keys import Vault
from iam.policy import Policy

FIRST = timedelta(seconds=30)
FORGOTTEN = timedelta(days=1)
MOST = 100_000
TENTATIVAS_DEMAIS = "tentativas_demais"


class LoginTry(Base):
    """A count of tries. ``key`` is a keyed digest of what is counted; ``failures`` shrinks with the time since ``failed_at``."""

    __tablename__ = "login_try"
    __table_args__ = (Index("login_try_failed_at", "failed_at"),)

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[float] = mapped_column(Float)
    failed_at: Mapped[datetime]


@dataclass(frozen=True, slots=True)
class Rule:
    """``free`` mistakes cost nothing; then ``first``, doubling up to ``longest``. One mistake is forgotten every ``leak``."""

    free: int
    first: timedelta
    longest: timedelta
    leak: timedelta

    def left(self, failures: float, last_failure: datetime | None, now: datetime) -> float:
        """How many mistakes are not forgotten yet."""
        return 0 if last_failure is None else max(0.0, failures - (now - last_failure) / self.leak)

    def wait(self, failures: float, last_failure: datetime | None, now: datetime) -> timedelta:
        """What is left to wait after these mistakes, the last one at ``last_failure``; zero when one may try."""
        count = round(self.left(failures, last_failure, now))
        if count < self.free or last_failure is None:
            return timedelta(0)
        pause = min(self.longest, self.first * (1 << min(count - self.free, 20)))
        return max(timedelta(0), last_failure + pause - now)


def guessing(policy: Policy) -> Rule:
    """The rule of one name and one place, and of the second factor."""
    free, longest = policy.limit("tentativas").number, policy.limit("bloqueio").duration
    return Rule(free, min(FIRST, longest), longest, timedelta(hours=1))


EVERYWHERE = Rule(50, timedelta(minutes=1), timedelta(minutes=1), timedelta(minutes=10))
NETWORK = Rule(200, timedelta(seconds=6), timedelta(seconds=6), timedelta(seconds=6))

Keys = Mapping[str, Rule]
"""What one try is counted under."""


def of_stranger(vault: Vault, policy: Policy, agente: Agente, login: str) -> Keys:
    """The counts of a browser that proves nothing."""
    name, network = pessoa.named(login), agente.network
    counts = {_key(vault, "here", name, network): guessing(policy), _key(vault, "everywhere", name): EVERYWHERE}
    return counts | ({_key(vault, "network", network): NETWORK} if network else {})


def of_browser(vault: Vault, policy: Policy, browser: str) -> Keys:
    """The count of a browser in which the person entered before."""
    return {_key(vault, "browser", browser): guessing(policy)}


def free(db: Session, keys: Keys, now: datetime) -> bool:
    """Whether one may try; changes nothing, so that who must wait costs no write."""
    rows = db.scalars(select(LoginTry).where(LoginTry.key.in_(keys))).all()
    return not any(keys[row.key].wait(row.failures, row.failed_at, now) for row in rows)


def count(db: Session, keys: Keys, now: datetime) -> bool:
    """Counts a try before it is checked, so that many at once are as many as one after the other; False when one must wait."""
    insert = sqlite.insert if db.get_bind().dialect.name == "sqlite" else postgresql.insert
    made = insert(LoginTry).values([{"key": key, "failures": 0.0, "failed_at": now} for key in sorted(keys)])
    held = made.on_conflict_do_update(index_elements=["key"], set_={"key": made.excluded.key})
    rows = db.execute(held.returning(LoginTry.key, LoginTry.failures, LoginTry.failed_at)).all()
    if any(keys[row.key].wait(row.failures, row.failed_at, now) for row in rows):
        return False
    for row in rows:
        failures = keys[row.key].left(row.failures, row.failed_at, now) + 1
        db.execute(update(LoginTry).where(LoginTry.key == row.key).values(failures=failures, failed_at=now))
    return True


def right(db: Session, keys: Keys) -> None:
    """What was typed was right: nothing is left of the name's mistakes, and the network gets back the one of this try."""
    db.execute(select(LoginTry.key).where(LoginTry.key.in_(keys)).order_by(LoginTry.key).with_for_update()).all()
    shared = [key for key, rule in keys.items() if rule is NETWORK]
    db.execute(delete(LoginTry).where(LoginTry.key.in_(set(keys).difference(shared))))
    db.execute(update(LoginTry).where(LoginTry.key.in_(shared)).values(failures=LoginTry.failures - 1))


def due(keys: Keys) -> bool:
    """Whether this try is one of the few, chosen by their digests, after which the table is swept."""
    return any(key.startswith("00") for key in keys)


def sweep(db: Session, now: datetime) -> None:
    """Forgets what was quiet for a day and, beyond :data:`MOST` rows, the oldest; passes over what somebody is counting."""
    _forget(db, select(LoginTry.key).where(LoginTry.failed_at < now - FORGOTTEN))
    over = (db.scalar(select(func.count()).select_from(LoginTry)) or 0) - MOST
    if over > 0:
        _forget(db, select(LoginTry.key).order_by(LoginTry.failed_at).limit(over))


def _forget(db: Session, keys: Select[str]) -> None:
    db.execute(delete(LoginTry).where(LoginTry.key.in_(keys.with_for_update(skip_locked=True))))


def _key(vault: Vault, *parts: str) -> str:
    return vault.mac("\0".join(parts).encode("utf-8", "surrogatepass"), "login try").hex()
