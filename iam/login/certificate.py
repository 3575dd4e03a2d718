"""Login by ICP-Brasil certificate: the holder is who the certificate says, and never anybody they act for.

Texts: DOC-ICP-04 v8.1 and Resolução CG ICP-Brasil 211/2024; IN SEFA-PA 7/2020 art. 3 (a procurador enters with his own
certificate; with another's he is that other). A company, a machine or a seal is nobody's login.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from iam.icp_brasil import chain, profile
from iam.icp_brasil.chain import Trust

SEM_CERTIFICADO = "sem_certificado"
NAO_E_DE_PESSOA = "certificado_nao_e_de_pessoa"
SEM_CPF = "certificado_sem_cpf"
WORDS = chain.WORDS | {SEM_CERTIFICADO, NAO_E_DE_PESSOA, SEM_CPF}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose login this is. `word` is "" and `cpf` set when the certificate identifies a person, else one of WORDS.

    `x5t` is the RFC 8705 thumbprint ("" without a certificate), `not_after` its end, `listed` what revocation lists know it by,
    `nome` as the certificate has it, without accents.
    """

    word: str
    cpf: str = ""
    nome: str = ""
    x5t: str = ""
    not_after: datetime | None = None
    listed: str = ""


def identify(der: bytes | None, trust: Trust, now: datetime) -> Identity:
    """The person who proved to hold the key of this certificate (DER, from the TLS handshake) at `now` (aware)."""
    if der is None:
        return Identity(SEM_CERTIFICADO)
    verdict = trust.verify(der, now)
    if verdict.word or verdict.certificate is None:
        return Identity(verdict.word, x5t=verdict.x5t)
    try:
        holder = profile.read(verdict.certificate)
    except profile.Unreadable:
        return Identity(chain.MALFORMADO, x5t=verdict.x5t)
    if holder.kind is not profile.Kind.PERSON:
        return Identity(NAO_E_DE_PESSOA, x5t=verdict.x5t)
    if holder.cpf is None:
        return Identity(SEM_CPF, x5t=verdict.x5t)
    return Identity("", holder.cpf, holder.name, verdict.x5t, verdict.not_after, verdict.listed)
