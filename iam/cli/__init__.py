"""The ``portaria`` command: what operators do on the machine. The contract fixes its words; ``--help`` tells each.

Exit status: 0 done, 1 refused or failed (with one clear line on standard error and no traceback), 2 usage. A command imports
what it needs when it runs, so that ``portaria policy check`` is quick. It decides nothing: it acts as ``operador`` and the policy
says what the operator may do.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib.metadata import version

from iam.cli import copies, importing, installation, journal, keys, people, policy, realm, serving
from iam.cli.parser import Parser
from iam.config import Unsafe
from iam.errors import PortariaError, Refused
from iam.table import PackError

SECTIONS = (serving, installation, importing, policy, journal, people, keys, realm, copies)


def parser() -> Parser:
    """The whole grammar of the command."""
    top = Parser(prog="portaria", description="Portaria: quem entra, por qual norma; e fora de tudo de uma vez.")
    top.add_argument(
        "--version", action="version", version=f"portaria {version('portaria')}", help="mostra a versão e termina"
    )
    top.add_argument("--debug", action="store_true", help="mostra de onde veio um erro inesperado")
    commands = top.add_subparsers(title="comandos", dest="command", metavar="COMANDO", required=True)
    for section in SECTIONS:
        section.add(commands)
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command and answers its exit status."""
    given = parser().parse_args(argv)
    return _guarded(lambda: int(given.run(given)), debug=given.debug)


def _guarded(run: Callable[[], int], *, debug: bool) -> int:
    try:
        status = run()
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read us has left (`portaria … | head`); Python would complain again when it closes the stream.
        sys.stdout = None
        return 1
    except Exception as error:  # noqa: BLE001 - the edge: every failure is one line
        if debug:
            traceback.print_exc()
        print(f"portaria: {_line(error)}", file=sys.stderr)
        return 2 if isinstance(error, PortariaError) and error.code == "uso" else 1


def _line(error: Exception) -> str:
    """What happened, in one line."""
    from sqlalchemy.exc import SQLAlchemyError

    if isinstance(error, Refused):
        source = error.decision.source
        return f"{error.message} [{source.pack} {source.requirement}]"
    if isinstance(error, PortariaError):
        text = error.message
    elif isinstance(error, SQLAlchemyError):
        text = f"o banco de dados falhou: {getattr(error, 'orig', None) or error}"
    elif isinstance(error, OSError) and error.filename:
        text = f"{error.filename}: {error.strerror}"
    elif isinstance(error, OSError) and error.strerror:
        text = error.strerror
    elif isinstance(error, PackError):
        text = f"uma norma não pode ser usada: {error}"
    elif isinstance(error, Unsafe | ValueError | OSError):
        text = str(error)
    else:
        text = f"erro inesperado: {type(error).__name__}: {error} (--debug mostra de onde veio)"
    return " ".join(text.split())
