"""The page shown when an authorization request cannot be answered at its client (RFC 6749 §4.1.2.1, RFC 9700 §4.11)."""

from __future__ import annotations

from html import escape

from iam.decision import Decision
from iam.http import Response
from iam.oauth.errors import Denied

_PAGE = """<!DOCTYPE html>
<html lang="pt-BR"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Pedido recusado · Portaria</title><link rel="stylesheet" href="/static/portaria.css"></head>
<body><header class="br-header"><div class="container-lg"><div class="header-top">
<a class="wordmark" href="/"><img src="/static/portaria.svg" alt="" width="38" height="40"><span>portaria</span></a>
</div></div></header><main><div class="container-lg"><p class="br-breadcrumb">Pedido recusado</p><div class="measure">
<h1>O aplicativo fez um pedido que não pode ser atendido</h1>
<div class="br-message danger" role="alert"><div class="content"><span class="message-title">{reason}</span>
<p>Norma: {source}</p></div></div>
<p>Para quem cuida do aplicativo: <code lang="en">{code}: {description}</code></p>{remedy}
<p class="actions"><a class="br-button secondary" href="/">Voltar ao catálogo de sistemas</a></p></div></div></main></body></html>
"""
_REMEDY = "<p>Para que fosse atendido: {}.</p>"

_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self'; font-src 'self'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("content-security-policy", f"{_CSP}; base-uri 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)


def page(denied: Denied, decision: Decision) -> Response:
    """400 with the reason and the article that decided, in Portuguese."""
    text = _PAGE.format(
        reason=escape(decision.reason_user),
        source=escape(str(decision.source)),
        code=escape(denied.code),
        description=escape(denied.description),
        remedy=_REMEDY.format(escape("; ".join(decision.missing))) if decision.papel else "",
    )
    return Response(400, text.encode("utf-8"), _HEADERS)
