"""One request as a view sees it, and how a view answers. No framework: a view takes a Visit and returns a Response.

A Visit carries who asks (from the session cookie), when, the rules in force and the parsed form; nothing is global.
It never decides: what may be done is the business of the act that the view calls.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlencode

import jinja2

from admin_ui import guard
from iam.ato import Ato
from iam.atos import concessao, papel
from iam.context import Agente, Ctx, House
from iam.errors import Invalid
from iam.http import Request, Response, set_cookie
from iam.policy import Policy
from iam.session import Login

HTML = ("content-type", "text/html; charset=utf-8")
MENU = (
    ("/", "Sistemas", None),
    ("/minhas", "Meus acessos", None),
    ("/admin/pessoa", "Pessoas", Ato.PESSOA_CONSULTAR),
    ("/admin/evento", "Eventos de pessoal", Ato.PESSOA_CONSULTAR),
    ("/admin/diario", "Diário", Ato.DIARIO_LER),
)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the main menu."""

    path: str
    nome: str
    current: bool


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, with everything a view may use. `secret` is what the token of its forms is bound to."""

    house: House
    templates: jinja2.Environment
    request: Request
    agente: Agente
    now: datetime
    login: Login | None = None
    csrf: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    cookies: tuple[tuple[str, str], ...] = ()

    @property
    def policy(self) -> Policy:
        """The rules in force."""
        return self.house.policy

    @property
    def pessoa(self) -> str:
        """The name of who is logged in, empty for nobody."""
        return self.login.pessoa.nome if self.login else ""

    @property
    def acr(self) -> str:
        """How strongly they proved it."""
        return self.login.session.acr if self.login else ""

    @property
    def notice(self) -> str:
        """What the page before asks to confirm: one of :data:`NOTICES`, never a text of the caller's."""
        return NOTICES.get(self.params.get("feito", ""), "")

    @property
    def autor(self) -> str:
        """Whose page this is, as its forms say it (:mod:`admin_ui.rascunho`); empty for nobody."""
        return self.house.vault.mac(self.agente.id.encode(), "rascunho").hex() if self.login else ""

    @property
    def menu(self) -> tuple[Item, ...]:
        """The main menu: of its administration part what this person's perfis open."""
        shown = [(p, n) for p, n, ato in MENU if ato is None or self.may(ato)]
        here = self.request.path
        return tuple(Item(p, n, here == p or (p != "/" and here.startswith(f"{p}/"))) for p, n in shown)

    def may(self, ato: Ato | str) -> bool:
        """Whether to offer an act to who is logged in. Only an offer: the act itself asks again, about its very object."""
        if self.login is None:
            return False
        with self.house.reading() as db:
            held = concessao.vigentes(db, self.agente.id, self.now, sistema=papel.CASA)
        return self.policy.decide({c.perfil for c in held}, ato, papel.CASA).allowed

    def begin(self) -> AbstractContextManager[Ctx]:
        """The transaction in which this visitor's act runs."""
        return self.house.begin(self.agente)

    def field(self, name: str, label: str) -> str:
        """A form field that must be there, trimmed; :class:`Invalid` names it otherwise."""
        value = self.form.get(name, "").strip()
        if not value:
            raise Invalid(f"preencha o campo {label}", code="campo_obrigatorio", field=name)
        return value

    def page(self, template: str, *, status: int = 200, form_action: Iterable[str] = (), **values: object) -> Response:
        """The template, rendered for this visitor. `form_action` are the origins where its form may end."""
        body = self.templates.get_template(template).render(visit=self, status=status, **values).encode("utf-8")
        extra = guard.headers(private=self.login is not None or bool(self.csrf), form_action=form_action)
        return Response(status, body, (HTML, *extra, *self.cookies))

    def answering(self, *cookies: tuple[str, str]) -> Visit:
        """The same visit, whose answer also sets these cookies."""
        return replace(self, cookies=(*self.cookies, *cookies))

    def redirect(self, path: str, *cookies: tuple[str, str], **query: str) -> Response:
        """303 to a page of ours (or, for the end of an authorization, a URL the protocol chose)."""
        url = f"{path}?{urlencode(query)}" if query else path
        response = Response.redirect(url)
        secure = (("strict-transport-security", guard.HSTS), ("x-content-type-options", "nosniff"))
        return Response(303, b"", (*response.headers, *secure, *self.cookies, *cookies))


NOTICES = {
    "senha": "A nova senha foi gravada. Entre com ela.",
    "troca": "A senha foi trocada. As suas outras sessões terminaram.",
    "sessao": "A sessão foi encerrada.",
    "antes": "Você já saiu: a sessão tinha terminado antes.",
    "sair": "Você saiu. Todas as páginas abertas com esta sessão deixaram de valer.",
    "codigo": "O aplicativo autenticador foi cadastrado. Entre com a senha e o código.",
    "ativar": "Senha e aplicativo autenticador gravados. Entre com eles.",
    "evento": "O evento foi registrado. O efeito aqui é imediato; veja abaixo onde já foi visto.",
    "repetido": "Este evento já estava registrado. Nada foi feito outra vez.",
    "pendencia": "A pendência foi decidida.",
}


def visit_cookie(secret: str) -> tuple[str, str]:
    """The header that gives a browser without session the value its login form is bound to."""
    return set_cookie(guard.VISIT_COOKIE, secret, same_site="Lax")


View = Callable[..., Response]


@dataclass(frozen=True, slots=True)
class Screen:
    """One route: method, path (Flask's form) and view. `public` ones need no login and set no cookie;
    `open` ones need no login. `again` is the page where a form begins anew whose session had ended, `ato` what a form asks for.
    """

    method: str
    path: str
    view: View
    public: bool = False
    open: bool = False
    again: str = ""
    ato: Ato | None = None
