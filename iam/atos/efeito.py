"""What the norms make of an event: the effects of the packs that speak of it, and how an event keeps them.

They are worked out when an event is told, anew whenever something is decided about the person while it waits, and for good when
its day has come: a norm may be replaced by its next version, and rights be given, between the telling and the day.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import select

from iam.atos.concessao import Concessao
from iam.atos.orgao import lineage
from iam.atos.vinculo import Vinculo
from iam.context import Ctx
from iam.index import HOUSE
from iam.pack import ALCANCES
from iam.policy import Effect


def efeitos(ctx: Ctx, tipo: str, pessoa: str, tie: Vinculo | None, orgao: str) -> Sequence[Effect]:
    """The effects of an event by the packs that speak of the órgão, or of a sistema where a right rests on the vínculo.

    A right that has ended counts too: which event is told first does not change what either of them does.
    """
    effects = ctx.policy.effects(tipo)
    line = lineage(ctx.db, tie.orgao if tie else orgao)
    held = select(Concessao.sistema).where(Concessao.sujeito == pessoa)
    if tie is not None:
        same = select(Vinculo.id).where(Vinculo.pessoa == pessoa, Vinculo.orgao == tie.orgao)
        same = same.where(Vinculo.matricula == tie.matricula)
        held = held.where(Concessao.vinculo.in_(same))
    objects = {*line, *ctx.db.scalars(held.distinct())}
    packs = {e.pack for e in effects if e.pack != HOUSE and any(ctx.policy.packs[e.pack].speaks(o) for o in objects)}
    spoken = [e for e in effects if e.pack in packs]
    acting = [e for e in spoken if e.effect != "pendencia" and e.alcance != "nenhum"]
    # The house speaks where no norm does; its own vocabulary (falecimento) reaches further than any.
    house = [e for e in effects if e.pack == HOUSE and (not acting or e.alcance == "pessoa")]
    return sorted(
        [*spoken, *house], key=lambda e: (ALCANCES.index(e.alcance), e.effect == "pendencia", e.pack == HOUSE, e.id)
    )


def guardados(effects: Iterable[Effect]) -> list[dict[str, str]]:
    """Effects as an event keeps them, each once."""
    found: list[dict[str, str]] = []
    for effect in effects:
        kept = _guardado(effect)
        if kept not in found:
            found.append(kept)
    return found


def _guardado(effect: Effect) -> dict[str, str]:
    """``perfis`` (separated by blanks) only where the norm ends no more than these."""
    kept = {
        "norma": effect.pack,
        "artigo": effect.source.article,
        "requisito": effect.source.requirement,
        "efeito": effect.effect,
        "alcance": effect.alcance,
    }
    return kept | {"perfis": " ".join(sorted(effect.perfis))} if effect.perfis else kept
