"""The acts: everything regulated that can happen, named ``noun:infinitive`` as norms write them.

One member, one function that requires it, at least one line of policy with its article, one kind of journal entry.
"""

from __future__ import annotations

from enum import StrEnum


class Ato(StrEnum):
    """An act. Its value is what policy lines, the journal and the interfaces write."""

    # fmt: off
    ORGAO_CADASTRAR     = "orgao:cadastrar"
    PESSOA_CADASTRAR    = "pessoa:cadastrar"
    PESSOA_CONSULTAR    = "pessoa:consultar"
    PESSOA_EVENTO       = "pessoa:evento"
    EVENTO_DESFAZER     = "evento:desfazer"
    PENDENCIA_DECIDIR   = "pendencia:decidir"
    VINCULO_ABRIR       = "vinculo:abrir"
    CONCESSAO_CONCEDER  = "concessao:conceder"
    CONCESSAO_REVOGAR   = "concessao:revogar"
    CREDENCIAL_CADASTRAR = "credencial:cadastrar"
    CREDENCIAL_REVOGAR  = "credencial:revogar"
    CLIENT_CADASTRAR    = "client:cadastrar"
    SESSAO_ABRIR        = "sessao:abrir"
    SESSAO_ENCERRAR     = "sessao:encerrar"
    TOKEN_EMITIR        = "token:emitir"
    TOKEN_INTROSPECTAR  = "token:introspectar"
    TOKEN_REVOGAR       = "token:revogar"
    DECISAO_CONSULTAR   = "decisao:consultar"
    DIARIO_LER          = "diario:ler"
    RECIBO_LER          = "recibo:ler"
    CATALOGO_CONSULTAR  = "catalogo:consultar"
    CONTA_AJUSTAR       = "conta:ajustar"
    CHAVE_RODAR         = "chave:rodar"
    CONFIANCA_ALTERAR   = "confianca:alterar"
    IMPORTACAO_EXECUTAR = "importacao:executar"
    INSTALACAO_INICIAR  = "instalacao:iniciar"
    COPIA_FAZER         = "copia:fazer"
    COPIA_RESTAURAR     = "copia:restaurar"
    # fmt: on
