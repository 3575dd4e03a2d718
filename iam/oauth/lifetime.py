"""How long what the protocol issues may live: limits of the packs, the strictest that applies (GAP-ALL-04)."""

from __future__ import annotations

from datetime import timedelta

from iam.context import House


def limit(house: House, name: str, sistema: str) -> timedelta:
    """The span of the limit ``name`` for a sistema ("" for none), looked up once per process."""
    key = (f"limit {name}", sistema)
    known = house.remembered.get(key)
    if not isinstance(known, timedelta):
        known = house.remembered[key] = house.policy.limit(name, sistema or "portaria").duration
    return known
