"""A decision and the line of the norm that made it. Only :mod:`iam.policy` makes one.

The journal accepts nothing else, so that no change without its legal ground is a property of the types.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Source:
    """Where a line of policy comes from: pack id, requirement id and article as the norm writes it."""

    pack: str
    requirement: str
    article: str

    def __str__(self) -> str:
        return f"{self.requirement} ({self.article})" if self.article else self.requirement


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy said to one question.

    ``source`` is the line that decided and is never empty, also when silence denied; ``sources`` every line that
    agreed. ``papel`` is the word of the deciding rule, empty for silence. Reasons are for people, in Portuguese;
    ``missing`` says, for a no, what would have to be true.
    """

    allowed: bool
    act: str
    obj: str
    source: Source
    papel: str
    reason_user: str
    reason_admin: str
    missing: tuple[str, ...] = ()
    sources: tuple[Source, ...] = ()
