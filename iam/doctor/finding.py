"""What an examination answers: each thing looked at, how it is, and what to do when it is not well."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

OK, AVISO, FALHA = "OK", "aviso", "falha"
RESTAURACAO, CHAVE, NORMAS, TRUST, BANCO = (
    "restauração",
    "chave mestra",
    "normas",
    "autoridades confiáveis",
    "banco de dados",
)
"""Where a failure keeps the house from being opened."""
SKEW = timedelta(seconds=30)
"""How far two clocks may differ."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is not well."""

    name: str
    state: str
    text: str
    todo: str = ""
