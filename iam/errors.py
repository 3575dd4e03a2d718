"""The five ways an act can fail. Each has a stable code for programs and a message in Portuguese for the person.

No other exception crosses a boundary of the house: the edges render these as RFC 9457 problems, RFC 6749 errors or
pages, and anything else is a defect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from iam.decision import Decision


class PortariaError(Exception):
    """Base of the five. ``status`` is the HTTP status that the edges answer with."""

    status = 500
    code = "erro"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Refused(PortariaError):
    """The policy said no; ``decision`` says under which article, ``pessoa`` (an id) about whom, where it was about somebody."""

    status = 403
    code = "recusado"

    def __init__(self, decision: Decision, *, pessoa: str | None = None) -> None:
        super().__init__(decision.reason_user)
        self.decision = decision
        self.pessoa = pessoa


class NotFound(PortariaError):
    """What was named does not exist, or must not be known to exist."""

    status = 404
    code = "nao_encontrado"


class Conflict(PortariaError):
    """What was asked contradicts what is already recorded."""

    status = 409
    code = "conflito"


class Invalid(PortariaError):
    """The request cannot be understood or breaks a rule of form. ``field`` names the culprit where there is one."""

    status = 422
    code = "invalido"

    def __init__(self, message: str, *, code: str | None = None, field: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class Unavailable(PortariaError):
    """Something we depend on does not answer; the same request may succeed later."""

    status = 503
    code = "indisponivel"
