"""The world of :mod:`tests.oauth.world`, on each database engine."""

from __future__ import annotations

from tests.oauth.world import world

__all__ = ["world"]
