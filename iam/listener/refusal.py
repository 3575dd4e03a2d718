"""What the listener answers by itself, before any endpoint has seen the request.

Texts: RFC 9110 section 15 and RFC 9112 (statuses), RFC 9457 (the answer), RFC 6749 section 5.2 (the answer under
`/oauth/`). A refusal never repeats what the caller sent, and the connection ends with it.
"""

from __future__ import annotations

from dataclasses import dataclass

import httptools

from iam.http import Response

_OAUTH = b"/oauth/"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request cannot be served: `detail` in Portuguese for people, `description` in ASCII English for OAuth."""

    status: int
    code: str
    detail: str
    description: str

    def response(self, target: bytes) -> Response:
        """The answer for a request target (as far as it was read): OAuth's error under `/oauth/`, else a problem."""
        if _path(target).startswith(_OAUTH):
            body = {"error": "invalid_request", "error_description": self.description}
            answer = Response.json(self.status, body, pragma="no-cache")
        else:
            answer = Response.problem(self.status, self.code, self.detail)
        return answer.with_header("connection", "close")


class Unservable(Exception):
    """Raised among the parser's callbacks: the request is refused."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.description)
        self.refusal = refusal


def malformed(detail: str, description: str) -> Refusal:
    """A 400: the request cannot be read in exactly one way."""
    return Refusal(400, "requisicao_invalida", detail, description)


# fmt: off
UNREADABLE = malformed("A requisição não é HTTP/1.1 bem formado.", "the request is not well-formed HTTP/1.1")
HOST = malformed("É preciso exatamente um cabeçalho Host, bem formado.", "exactly one valid Host is required")
TARGET = malformed("O endereço tem um caractere que não pode ter.", "a character is not allowed in the request target")
FRAMING = malformed("O corpo não está delimitado de um só modo.", "the body is not framed in exactly one way")
TWO_WORDS = malformed("O proxy informa o cliente de mais de um modo.", "ambiguous header about the client")
UNEXPECTED_CERTIFICATE = malformed("Aqui não se espera certificado.", "no client certificate is expected here")
CERTIFICATE_FORM = malformed(
    "Client-Cert deve ser uma sequência de bytes (RFC 9440).", "Client-Cert must be an RFC 9440 byte sequence"
)
ADDRESS_FORM = malformed("X-Forwarded-For deve ser um endereço só.", "X-Forwarded-For must be one address")
TOO_SLOW = Refusal(408, "tempo_esgotado", "A requisição demorou demais a chegar.", "the request took too long")
TOO_LARGE = Refusal(413, "corpo_grande_demais", "O corpo da requisição é grande demais.", "the request body is too large")
TOO_LONG = Refusal(414, "endereco_longo_demais", "O endereço é longo demais.", "the request target is too long")
TOO_MANY = Refusal(431, "cabecalhos_grandes_demais", "Há cabeçalhos demais, ou longos demais.", "header fields too large")
CODING = Refusal(501, "codificacao_desconhecida", "Só se aceita a codificação chunked.", "unknown transfer coding")
METHOD = Refusal(501, "metodo_desconhecido", "O método não existe aqui.", "unknown method")
BUSY = Refusal(503, "indisponivel", "Há corpos grandes demais ao mesmo tempo.", "too many large bodies at once, try again")
VERSION = Refusal(505, "versao_do_http", "Só se fala HTTP/1.1 e HTTP/1.0.", "only HTTP/1.1 and HTTP/1.0 are spoken")
# fmt: on


def _path(target: bytes) -> bytes:
    try:
        return httptools.parse_url(target).path or b""
    except httptools.HttpParserInvalidURLError:
        return b""
