"""The world of :mod:`tests.oauth.world`, on each database engine, for the trips that need no server."""

from __future__ import annotations

from tests.oauth.world import world

__all__ = ["world"]
