"""Authentication context: how strongly somebody proved who they are, and how strongly a sistema demands it.

Texts: OpenID Connect Core §2 (``acr``) and §3.1.2.1 (``acr_values``, ``max_age``), RFC 9470. GAP-ALL-01: each sistema
has a minimum; ``provisoria`` is good for nothing but choosing a new password (MT128-10-2.3).
"""

from __future__ import annotations

from iam.policy import Policy
from iam.session import ACR

SUPPORTED = ("icp-brasil", "mfa", "senha")


def minimum(policy: Policy, sistema: str) -> str:
    """The weakest ``acr`` good for a token of this sistema; ``senha`` where no sistema is meant."""
    return policy.acr(sistema).value if sistema else "senha"


def enough(acr: str, minimum: str) -> bool:
    """Whether a login of this strength reaches the minimum."""
    return acr in SUPPORTED and ACR.index(acr) >= ACR.index(minimum)


def demanded(policy: Policy, sistema: str, acr_values: tuple[str, ...]) -> str | None:
    """What a login must reach: the sistema's minimum or the weakest ``acr`` asked for, the stronger of both.

    None when none of the values asked for is one of ours: it can never be met.
    """
    floor = minimum(policy, sistema)
    if not acr_values:
        return floor
    known = [value for value in acr_values if value in SUPPORTED]
    if not known:
        return None
    return max(floor, min(known, key=ACR.index), key=ACR.index)
