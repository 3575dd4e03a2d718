"""The realm of :mod:`tests.connectors.realm`, and the connector to it."""

from __future__ import annotations

from tests.connectors.realm import realm, target

__all__ = ["realm", "target"]
