"""The page of what went wrong: the reason in Portuguese and, where a norm decided, the article in its words.

Text: contract (a refused request answers 4xx and shows the reason and the article); RFC 9110 §15. It never shows a
trace, a query or what the caller sent.
"""

from __future__ import annotations

from admin_ui import guard, text
from admin_ui.visit import Visit
from iam.decision import Decision
from iam.errors import PortariaError, Refused
from iam.http import Response

TITLES = {
    400: ("Pedido malformado", "Não foi possível ler o pedido. Volte à página anterior e tente de novo."),
    403: ("Acesso recusado", "Este pedido não é permitido."),
    404: ("Página não encontrada", "O endereço não existe ou o que ele mostrava mudou de lugar."),
    405: ("Método não permitido", "Esta página não aceita esse tipo de pedido."),
    409: ("Conflito", "O que foi pedido contradiz o que já está registrado."),
    413: ("Pedido grande demais", "O conteúdo enviado passa do tamanho aceito."),
    422: ("Confira os dados", "Há um dado que não pode ser aceito."),
    503: ("Serviço indisponível", "Um serviço de que dependemos não respondeu. Tente de novo em instantes."),
}
FAULT = ("Erro interno", "Houve uma falha nossa. Ela foi registrada; tente de novo em instantes.")


OF_CODE = {
    "link_invalido": "Este link não vale mais",
    "sessao_encerrada": "A sua sessão terminou",
    "formulario_vencido": "Formulário vencido",
}
"""What to call an error that is more than its status."""

ADVICE = {
    "link_invalido": "Já escolheu a senha? Então entre com ela. Se não, peça outro link ao cadastrador do seu órgão."
}
"""What a person can do about it."""


def page(visit: Visit, status: int, code: str = "", texto: str = "", decision: Decision | None = None) -> Response:
    """The error page of a status, with the message and the article when there are any."""
    titulo, usual = TITLES.get(status, TITLES[400] if status < 500 else FAULT)
    titulo = OF_CODE.get(code, titulo)
    return visit.page(
        "erro.html",
        status=status,
        titulo=titulo,
        texto=texto or usual,
        code=code,
        conselho=ADVICE.get(code, ""),
        decision=decision,
        volta=_came_from(visit),
    )


def refused(visit: Visit, error: PortariaError) -> Response:
    """The page of an error of the acts; a refusal shows its article and what would have to be true."""
    decision = error.decision if isinstance(error, Refused) else None
    return page(visit, error.status, error.code, text.sentence(error.message), decision)


def forged(visit: Visit) -> Response:
    """The page of a form without our token: from another site, or older than the session."""
    if visit.login is None and visit.form.get("autor"):
        return page(
            visit, 403, "sessao_encerrada", "A sua sessão terminou antes do envio. Nada foi feito: entre de novo."
        )
    return page(
        visit,
        403,
        "formulario_vencido",
        "Este formulário não é desta sessão ou venceu. Nada foi feito: volte à página, recarregue-a e envie de novo.",
    )


def _came_from(visit: Visit) -> str:
    """The page of ours that sent the visitor here, as its path; empty when there is none."""
    origin, sent = visit.house.settings.issuer, visit.request.header("referer") or ""
    return guard.local(sent.removeprefix(origin)) if sent.startswith(f"{origin}/") else ""
