"""How a decision is told, in Portuguese: the reason for the person, the one for who administers, what would have to be true.

A no by a line names the fact that refused. A no by silence names what is really wanting: that no norm in force knows the
sistema or the ação, the fact that bars whoever asks, or the perfis to which it belongs, each with its article. What only
a program can be is not told to a person, nor what only the installation does to either of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from iam.ato import Ato
from iam.decision import Source
from iam.index import Hint, Line, cited
from iam.norm import Funcao, Pack, Perfil, Rule, Sistema, Word, matches

MOST_NAMED = 5
NOTHING = "sem_concessao"
"""The word of who holds nothing in a sistema: what such a one lacks is one of the perfis that allow."""
WEAK = "acr_insuficiente"
ENTRADAS = {
    "senha": "a própria senha",
    "mfa": "senha e segundo fator, ou com certificado ICP-Brasil",
    "icp-brasil": "certificado ICP-Brasil",
}
"""How people say each ``acr``."""
NOWHERE = "perguntar por um sistema que conste das normas em vigor"
NO_NORM = "uma norma em vigor que preveja este ato sobre este objeto"
INSTALACAO = "instalacao"
_ATOS = frozenset(a.value for a in Ato)


@dataclass(frozen=True, slots=True)
class Said:
    """What a no by silence says: to the person, to who administers, and what would have to be true (never empty)."""

    user: str
    admin: str
    missing: tuple[str, ...]


class Reasons:
    """The words, perfis, sistemas and funções of the packs in force, as people say them. Immutable."""

    def __init__(
        self,
        packs: Mapping[str, Pack],
        perfis: Mapping[str, Perfil],
        sistemas: Mapping[str, Sistema],
        funcoes: Mapping[str, Sequence[Funcao]],
    ) -> None:
        self._packs, self._perfis, self._sistemas, self._funcoes = packs, perfis, sistemas, funcoes
        self._words: dict[str, Word] = {w.word: w for p in packs.values() for w in p.words}
        self._allowed = frozenset(rule.sub for p in packs.values() for rule in p.rules if rule.allow)
        every = [f for found in funcoes.values() for f in found]
        self._acts = {s: dict.fromkeys(f.id for f in every if matches(s, f.sistema)) for s in sistemas}

    def known(self, word: str) -> bool:
        """Whether a word is a fact or a perfil of some norm in force."""
        return word in self._words or word in self._perfis

    def line(self, rule: Rule) -> Line:
        """The rule with what a decision by it says."""
        word, perfil = self._words.get(rule.sub), self._perfis.get(rule.sub)
        nome = word.nome if word else perfil.nome if perfil else rule.sub
        remedio = word.remedio if word and rule.sub not in self._allowed else self._instead(nome, perfil)
        rank = word.rank if word else -1
        pack = self._packs[rule.source.pack]
        quote = pack.articles[rule.source.requirement].text
        return Line(rule, rank=rank, nome=nome, remedio=remedio, short=pack.short, quote=quote)

    def hint(self, line: Line) -> Hint | None:
        """Who a line allows, as something to become; None for what nobody can become (``o_proprio``)."""
        id = line.rule.sub
        word, perfil = self._words.get(id), self._perfis.get(id)
        if (word is not None and not word.quem) or (perfil is not None and perfil.sucessor):
            return None
        text = f"{word.remedio if word else self._hold(id)}, por {line.source}"
        sistema = perfil.sistema if perfil and not word else ""
        return Hint(line.nome, text, word.quem if word else "", sistema, perfil=perfil is not None)

    def lacking(self, lines: Sequence[Line], act: str, hints: Sequence[Hint], acr: str) -> tuple[str, ...]:
        """What would have to be true for a no by these lines: of who holds nothing, a perfil; of a weak login, the stronger."""
        found: list[str] = []
        for line in lines:
            if line.rule.sub == NOTHING and act in self._funcoes and hints:
                found += [h.text for h in hints]
            elif line.rule.sub == WEAK:
                found.append(f"entrar de novo com {ENTRADAS[acr]}")
            else:
                found.append(line.remedio)
        return tuple(dict.fromkeys(found))

    def silence(self, papeis: AbstractSet[str], act: str, obj: str, source: Source, hints: Sequence[Hint]) -> Said:
        """What a no that no line spoke says."""
        pack = self._packs[source.pack]
        where = f"({cited(pack.short, source)})"
        admin = (
            f"silêncio é não: nenhuma linha de `{act}` em `{obj}` vale para {', '.join(sorted(papeis)) or 'ninguém'}; "
            f"{source.requirement}. {pack.articles[source.requirement].text}"
        )
        if act in self._funcoes or act not in _ATOS:
            sistema = self._sistemas.get(obj)
            if sistema is None:
                return Said(f"Este sistema não consta das normas em vigor {where}.", admin, (NOWHERE,))
            acts = self._acts[obj]
            if act not in acts:
                offered = f"pedir uma ação que o sistema tenha: {', '.join(acts)}" if acts else NO_NORM
                return Said(f"Esta ação não existe no sistema {sistema.nome} {where}.", admin, (offered,))
        bars = sorted((self._words[w] for w in papeis if self._bars(w)), key=lambda w: w.rank)
        if bars and len(bars) == len(papeis):
            nomes = "; ".join(w.nome for w in bars)
            return Said(f"{nomes[:1].upper()}{nomes[1:]}: recusado {where}.", admin, tuple(w.remedio for w in bars))
        fit = self.fitting(papeis, act, obj, hints)
        if fit:
            return Said(f"{_belongs(fit)} {where}.", admin, tuple(h.text for h in fit))
        others = ", ".join(h.nome for h in hints)
        wanted = f"que o ato seja de outro: {others}" if others else NO_NORM
        return Said(f"Nenhuma regra em vigor permite isto a quem pede {where}.", admin, (wanted,))

    def fitting(self, papeis: AbstractSet[str], act: str, obj: str, hints: Sequence[Hint]) -> list[Hint]:
        """Of those who could, those that whoever asks can come to be; of a função only perfis that the sistema grants."""
        asking = {w.quem for p in papeis if (w := self._words.get(p)) is not None and w.quem}
        fit = [h for h in hints if (h.quem in asking if asking and h.quem else h.quem != INSTALACAO)]
        if act not in self._funcoes:
            return fit
        granted = {glob for glob in {h.sistema for h in fit} if not glob or matches(obj, glob)}
        return [h for h in fit if h.sistema in granted]

    def _bars(self, word: str) -> bool:
        """Whether a word is a fact that only ever refuses; who merely holds nothing lacks a perfil instead."""
        return word in self._words and word not in self._allowed and word not in self._perfis and word != NOTHING

    def _instead(self, nome: str, perfil: Perfil | None) -> str:
        """What would have to be true where a line denies to somebody what it does not ask them to change."""
        if perfil is not None and perfil.sucessor:
            return f"{self._hold(perfil.sucessor)}, que o sucedeu"
        return f"que o ato caiba a outro que não {nome}"

    def _hold(self, id: str) -> str:
        perfil = self._perfis.get(id)
        return f"ter em vigor o perfil {perfil.nome} ({id})" if perfil else f"agir como {id}"


def _belongs(hints: Sequence[Hint]) -> str:
    """To whom an act belongs, by name, the first few of them."""
    nomes = [f"“{h.nome}”" for h in hints[:MOST_NAMED]]
    last = f"mais {len(hints) - MOST_NAMED}" if len(hints) > MOST_NAMED else nomes.pop() if len(nomes) > 1 else ""
    listed = ", ".join(nomes) + (f" ou {last}" if last else "")
    if not all(h.perfil for h in hints):
        return f"Isto cabe a outro: {listed}"
    return f"Isto cabe ao perfil {listed}" if len(hints) == 1 else f"Isto cabe a um destes perfis: {listed}"
