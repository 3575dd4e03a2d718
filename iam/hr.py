"""A file of HR events taken in: each line one act in one transaction, each told with what became of it.

The file's form is a connector's business (``rh_csv``, by entry point); what an event does is :mod:`iam.atos.receber`'s. A dry run does
the acts one after the other in one transaction and undoes it, so that a line sees the effect of those before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError, OperationalError

from iam import batch, news, plugins
from iam.atos.concessao import Concessao
from iam.atos.evento import Evento
from iam.atos.fonte import Fonte
from iam.atos.papel import OPERADOR
from iam.atos.receber import receber
from iam.connector import Evento as Noticia
from iam.connector import Rejected
from iam.context import Agente, Ctx, House
from iam.errors import Invalid, NotFound, PortariaError

APLICADA, INALTERADA, REJEITADA = "aplicada", "inalterada", "rejeitada"
RESULTS = (APLICADA, INALTERADA, REJEITADA)
KIND = "rh_csv"
TURN = 50
"""Lines between two pauses."""


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one line: its number, one of the three words, what to tell, and what fell (``sistema perfil``).

    ``receipt`` is the path of a receipt that there is: a dry run makes none.
    """

    number: int
    result: str
    text: str
    receipt: str = ""
    effects: tuple[Mapping[str, str], ...] = ()
    rights: tuple[str, ...] = ()


def load(
    house: House,
    agente: Agente,
    path: Path,
    fonte: str,
    *,
    dry_run: bool,
    progress: Callable[[int], None] = lambda _: None,
) -> list[Line]:
    """Takes a file in. A bad line is told and rejected, the good ones around it are applied; again, it has no effect.

    ``progress`` is told from time to time how many lines are done. Raises NotFound for an unknown source, Invalid when the
    file cannot be read at all.
    """
    with house.reading() as db:
        if db.get(Fonte, fonte) is None:
            raise NotFound(f"a fonte `{fonte}` não está cadastrada; traga-a com `portaria import fontes`", code="fonte")
    reader = plugins.event_file(KIND, {"fonte": fonte}, house.data)
    try:
        with path.open("rb") as stream:
            told = reader.read(stream)
            if dry_run:
                return _shown(house, agente, told, progress)
            done: list[Line] = []
            for number, said in told:
                done.append(_taken(house, agente, number, said))
                if len(done) % TURN == 0:
                    progress(len(done))
                    batch.pause(house)
            if not any(line.result == REJEITADA for line in done):
                news.mend(house, fonte, path.name)
            return done
    except OSError as error:
        raise Invalid(f"{path} não pode ser lido: {error.strerror}", code="arquivo") from error


def _taken(house: House, agente: Agente, number: int, said: Noticia | Rejected) -> Line:
    if isinstance(said, Rejected):
        return Line(number, REJEITADA, said.reason)
    try:
        with house.begin(agente) as ctx:
            return _act(ctx, number, said)
    except PortariaError as error:
        return Line(number, REJEITADA, error.message)
    except IntegrityError:
        return Line(number, REJEITADA, "contradiz o que já está registrado")
    except OperationalError:
        return Line(
            number, REJEITADA, "o banco de dados não pôde gravar; dê o arquivo de novo, o que já valeu não se repete"
        )


def _shown(
    house: House, agente: Agente, told: Iterator[tuple[int, Noticia | Rejected]], progress: Callable[[int], None]
) -> list[Line]:
    done: list[Line] = []
    undone: set[str] = set()
    with batch.undone(house, agente) as ctx:
        for number, said in told:
            if done and len(done) % TURN == 0:
                progress(len(done))
            if isinstance(said, Rejected):
                done.append(Line(number, REJEITADA, said.reason))
                continue
            try:
                with ctx.db.begin_nested():
                    line = _act(ctx, number, said)
                if line.result == APLICADA:
                    undone.add(line.receipt)
                done.append(replace(line, receipt="") if line.receipt in undone else line)
            except PortariaError as error:
                done.append(Line(number, REJEITADA, error.message))
            except IntegrityError:
                done.append(Line(number, REJEITADA, "contradiz o que já está registrado"))
    return done


def _act(ctx: Ctx, number: int, noticia: Noticia) -> Line:
    known = ctx.db.scalar(select(Evento.id).where(Evento.fonte == noticia.fonte, Evento.numero == noticia.numero))
    event, receipt = receber(ctx, noticia, papeis=OPERADOR)
    ctx.db.flush()
    fallen = ctx.db.scalars(select(Concessao).where(Concessao.evento == event.id).order_by(Concessao.sistema)).all()
    rights = tuple(f"{right.perfil} em {right.sistema}" for right in fallen)
    effects = tuple(dict(effect) for effect in event.efeitos)
    said = "; ".join(f"{e['efeito']} ({e['norma']}, {e['artigo']})" for e in effects) or "sem efeito previsto"
    path = f"/api/recibo/{receipt.id}"
    if known is not None:
        return Line(number, INALTERADA, f"evento {noticia.numero} já recebido", path, effects)
    text = f"{noticia.tipo} desde {event.efetivo_em:%Y-%m-%d %H:%M %Z}, {event.estado}: {said}"
    return Line(number, APLICADA, text, path, effects, rights)
