"""Whom a token speaks for: the one function from a sujeito to ``sub``, and back.

Texts: RFC 9068 §2.2, OpenID Connect Core §8 (subject identifier types). ``sub`` is opaque: never a CPF, never a login.
It is the random identifier of the sujeito, the same for every sector (type ``public``); a client's is its client_id
(RFC 9068 §2.2). Nothing else in the house may derive a ``sub`` or read one.
"""

from __future__ import annotations

TYPES = ("public",)


def sub(sujeito: str, sector: str = "") -> str:
    """The ``sub`` of a sujeito towards a sector. Every sector sees the same one."""
    return sujeito


def sujeito(sub: str, sector: str = "") -> str:
    """The sujeito that a ``sub`` names, whether or not it exists."""
    return sub
