"""How values read on a screen: times in the legal hour of the place, names of states, masked CPF, the norm in words.

Texts: Decreto 2.784/1913 and Lei 11.662/2008 (legal hour; Cuiabá is UTC−4, Brasília UTC−3); MT128 and the
packs for the names of states. Pure functions of their arguments: nothing here reads a clock, a database or a request.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from iam.ato import Ato
from iam.norm import LEGAL_TIME

PLACES = {
    LEGAL_TIME: "Brasília",
    "America/Cuiaba": "Cuiabá",
    "America/Belem": "Belém",
    "America/Manaus": "Manaus",
    "America/Rio_Branco": "Rio Branco",
    "America/Porto_Velho": "Porto Velho",
    "America/Boa_Vista": "Boa Vista",
    "America/Campo_Grande": "Campo Grande",
    "America/Noronha": "Fernando de Noronha",
}

ACR = {
    "icp-brasil": "certificado ICP-Brasil",
    "mfa": "senha e código",
    "senha": "somente senha",
    "provisoria": "senha provisória",
}

GOOD = frozenset({"ativo", "ativa", "habilitada", "visto", "vigente", "permitido", "aplicado"})
BAD = frozenset({"revogada", "falecida", "falhou", "recusado", "desabilitada", "encerrado", "encerrada", "revogado"})
WAITING = frozenset({"pendente", "aguarda", "futura", "suspenso", "suspensa", "aberta", "futuro", "provisoria"})

NAMES = {
    "senha": "Senha",
    "totp": "Código de seis números (TOTP)",
    "certificado": "Certificado ICP-Brasil",
    "demonstracao": "demonstração",
    "importacao": "importação",
    "sem_efeito": "tornado sem efeito",
    "aguarda": "aguarda a data de efeito",
    "provisoria": "provisória",
    "pessoa": "pessoa",
    "client": "aplicação",
    "sistema": "serviço",
    "anonimo": "anônimo",
}

ATOS = {
    Ato.ORGAO_CADASTRAR: "cadastrar órgão",
    Ato.PESSOA_CADASTRAR: "cadastrar pessoa",
    Ato.PESSOA_CONSULTAR: "consultar pessoa",
    Ato.PESSOA_EVENTO: "registrar evento de pessoal",
    Ato.EVENTO_DESFAZER: "desfazer evento de pessoal",
    Ato.PENDENCIA_DECIDIR: "decidir pendência",
    Ato.VINCULO_ABRIR: "abrir vínculo",
    Ato.CONCESSAO_CONCEDER: "conceder acesso",
    Ato.CONCESSAO_REVOGAR: "revogar concessão",
    Ato.CREDENCIAL_CADASTRAR: "cadastrar credencial",
    Ato.CREDENCIAL_REVOGAR: "revogar credencial",
    Ato.CLIENT_CADASTRAR: "cadastrar aplicação",
    Ato.SESSAO_ABRIR: "entrar (abrir sessão)",
    Ato.SESSAO_ENCERRAR: "encerrar sessão",
    Ato.TOKEN_EMITIR: "emitir token",
    Ato.TOKEN_INTROSPECTAR: "verificar token",
    Ato.TOKEN_REVOGAR: "revogar token",
    Ato.DECISAO_CONSULTAR: "consultar decisão",
    Ato.DIARIO_LER: "ler o diário",
    Ato.RECIBO_LER: "ler recibo",
    Ato.CATALOGO_CONSULTAR: "consultar o catálogo",
    Ato.CONTA_AJUSTAR: "ajustar conta em outro sistema",
    Ato.CHAVE_RODAR: "trocar chave de assinatura",
    Ato.CONFIANCA_ALTERAR: "alterar as autoridades de confiança",
    Ato.IMPORTACAO_EXECUTAR: "importar cadastro",
    Ato.INSTALACAO_INICIAR: "iniciar a instalação",
    Ato.COPIA_FAZER: "fazer cópia de segurança",
    Ato.COPIA_RESTAURAR: "restaurar cópia de segurança",
}


def legal(moment: datetime, tz: str | None = None) -> str:
    """`22/11/2026 10:57:35 (Cuiabá)`: a moment in the legal hour of `tz` (IANA name; Brasília when not told)."""
    zone = tz or LEGAL_TIME
    return f"{moment.astimezone(ZoneInfo(zone)):%d/%m/%Y %H:%M:%S} ({PLACES.get(zone, zone)})"


def utc(moment: datetime) -> str:
    """`2026-11-22 14:57:35 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: datetime | date) -> str:
    """The machine form of the `datetime` attribute (HTML, `<time>`)."""
    return moment.astimezone(UTC).isoformat() if isinstance(moment, datetime) else moment.isoformat()


def dia(day: date, tz: str | None = None) -> str:
    """`22/11/2026`; a moment counts by its day in the legal hour of `tz` (Brasília when not told)."""
    if isinstance(day, datetime):
        day = day.astimezone(ZoneInfo(tz or LEGAL_TIME)).date()
    return f"{day:%d/%m/%Y}"


def demora(span: timedelta) -> str:
    """`0,8 s`, `2 min 05 s`, `1 h 10 min`: how long something took."""
    seconds = max(span.total_seconds(), 0.0)
    if seconds < 60:
        return f"{seconds:.1f} s".replace(".", ",")
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def sentence(message: str) -> str:
    """A message of an error as a sentence: capital first, full stop last."""
    whole = message[:1].upper() + message[1:]
    return whole if whole.endswith((".", "!", "?")) else f"{whole}."


def cpf(digits: str) -> str:
    """`123.456.789-09`; anything that is not eleven digits comes back as it is."""
    whole = len(digits) == 11 and digits.isdigit()
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}" if whole else digits


def masked(digits: str) -> str:
    """`***.456.789-**`, the form of the federal transparency pages (LGPD art. 6)."""
    return f"***.{digits[3:6]}.{digits[6:9]}-**" if len(digits) == 11 and digits.isdigit() else "***"


def quem(agente: str, known: Mapping[str, str]) -> str:
    """Who acted, in words: the name when it is among `known`, else what kind of agente it was (`kind:id`)."""
    kind, _, id = agente.partition(":")
    usual = {"anonimo": "Alguém que não se identificou", "sistema": f"O próprio serviço ({id})"}
    return known.get(agente) or usual.get(kind, agente)


def estado_class(value: str) -> str:
    """The tag colour of a state; the word is always written too."""
    if value in GOOD:
        return "success"
    if value in BAD:
        return "danger"
    return "warning" if value in WAITING else "neutral"


def nome(value: str) -> str:
    """A stored word as people read it: accents and spaces."""
    return NAMES.get(value, value.replace("_", " "))


def ato(value: str) -> str:
    """An act as people say it; its own name where the house has none for it (a função of a norm)."""
    return ATOS[Ato(value)] if value in ATOS else value


def acr(value: str) -> str:
    """How the person proved who they are."""
    return ACR.get(value, value)
