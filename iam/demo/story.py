"""The main job, told in the terminal: a SEFAZ gets a token, a servant works, HR says she left, and she is out everywhere.

Each step is seen to happen through the server's own interfaces, or the story fails there and says so.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from iam.demo.outsider import Answer, Outsider, Pkce, query
from iam.demo.world import Person
from iam.keys import b64url_decode, verify_jws
from iam.login import totp

SEEN_WITHIN = 30.0
CUIABA = ZoneInfo("America/Cuiaba")


class NotSeen(Exception):
    """A step of the story did not happen; the message says which and what was seen instead."""


@dataclass(slots=True)
class Story:
    """One telling. ``tell`` prints a line; ``clients`` and ``app`` are those of ``demo.json``."""

    data: Path
    issuer: str
    mtls: str
    clients: Mapping[str, Mapping[str, object]]
    app: Mapping[str, object]
    who: Person
    tell: Callable[[str], None]
    steps: int = 0
    met: list[Outsider] = field(default_factory=list)

    def play(self) -> None:
        """The whole story; raises :class:`NotSeen` at the first step that did not happen."""
        try:
            self.sefaz()
            browser, tokens = self.login()
            self.work(tokens)
            began = time.perf_counter()
            event = self.removal()
            self.refused(browser, tokens, began)
            self.receipt(event)
        finally:
            for somebody in self.met:
                somebody.close()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A numbered step, with the time it took."""
        self.steps += 1
        self.tell(f"\n{self.steps}. {title}")
        began = time.perf_counter()
        yield
        self.tell(f"   feito em {(time.perf_counter() - began) * 1000:.0f} ms")

    def somebody(self, cert: object = "", key: object = "") -> Outsider:
        """Somebody outside, hung up on when the story ends."""
        self.met.append(Outsider(self.data / "ca.pem", str(cert), str(key)))
        return self.met[-1]

    def machine(self, name: str) -> Outsider:
        """A machine client with its certificate."""
        return self.somebody(self.clients[name]["cert"], self.clients[name]["key"])

    def token(self, name: str, scope: str) -> tuple[Outsider, Answer]:
        """Asks a token by client credentials over mutual TLS (RFC 8705)."""
        caller = self.machine(name)
        form = {"grant_type": "client_credentials", "client_id": str(self.clients[name]["client_id"]), "scope": scope}
        return caller, caller.form(f"{self.mtls}/oauth/token", form)

    def bearer(self, name: str, scope: str) -> tuple[Outsider, dict[str, str]]:
        """A machine client with the header that shows its token."""
        caller, answer = self.token(name, scope)
        _expect(answer.status == 200, f"{name} devia receber um token", answer)
        return caller, {"Authorization": f"Bearer {answer.json()['access_token']}"}

    def sefaz(self) -> None:
        """A SEFAZ and its transactions (COTEC62)."""
        client = self.clients["sefaz-mt"]
        held = [str(s) for s in client["scopes"]]  # type: ignore[attr-defined]
        with self.step("A SEFAZ-MT pede um token por TLS mútuo, com seu certificado"):
            _, answer = self.token("sefaz-mt", " ".join(held))
            _expect(answer.status == 200, "o token devia ser emitido", answer)
            claims = _claims(str(answer.json()["access_token"]))
            life = int(str(claims["exp"])) - int(str(claims["iat"]))
            self.tell(f"   transações: {claims['scope']}")
            self.tell(
                f"   UF {claims['sefaz_uf']}, destino {claims['aud']}, {life} s, preso ao certificado {claims['cnf']}"
            )
        with self.step("Pede uma transação que não lhe foi deferida"):
            other = next(c for c in ("PCCENOTCUM", "DIMPCOSFAZ") if f"pucomex:{c}" not in held)
            _, answer = self.token("sefaz-mt", f"pucomex:{other}")
            _expect(answer.json().get("error") == "invalid_scope", "a transação devia ser recusada", answer)
            caller, header = self.bearer("auditoria", "diario")
            page = caller.ask("GET", f"{self.mtls}/api/diario?sistema=pucomex&permitido=false&limite=1", headers=header)
            lines: Sequence[Mapping[str, str]] = page.json().get("registros") or ()  # type: ignore[assignment]
            _expect(lines, "a recusa devia estar no diário", page)
            self.tell(f"   recusada: invalid_scope; no diário, por {lines[0]['requisito']}, {lines[0]['artigo']}")

    def login(self) -> tuple[Outsider, dict[str, str]]:
        """A servant logs in with both factors; the code becomes tokens (PKCE S256)."""
        app, pkce = self.app, Pkce.new()
        browser = self.somebody()
        redirect = str(app["redirect_uri"])
        request = {
            "response_type": "code",
            "client_id": str(app["client_id"]),
            "redirect_uri": redirect,
            "scope": " ".join(str(s) for s in app["scopes"]),  # type: ignore[attr-defined]
            "state": secrets.token_urlsafe(8),
            "nonce": secrets.token_urlsafe(8),
            "code_challenge": pkce.challenge,
            "code_challenge_method": "S256",
            "resource": str(app["resource"]),
        }
        with self.step(f"{self.who.nome}, servidora, entra no sistema {app['resource']} com senha e código"):
            page = browser.browse(browser.ask("GET", f"{self.issuer}/oauth/authorize?{urlencode(request)}"), redirect)
            _expect(b'id="senha"' in page.body, "a página de entrada devia aparecer", page)
            page = browser.browse(
                browser.submit(page, "entrar", {"login": self.who.login, "senha": self.who.password}), redirect
            )
            _expect(b'id="codigo"' in page.body, "o segundo fator devia ser pedido", page)
            code = totp.code(self.who.totp, datetime.now(UTC))
            page = browser.browse(browser.submit(page, "entrar", {"codigo": code}), redirect)
            if b'id="consentir"' in page.body:
                page = browser.browse(browser.submit(page, "consentir", {}), redirect)
            answered = query(page.url)
            _expect(answered.get("state") == request["state"] and "code" in answered, "o código devia voltar", page)
            form = {
                "grant_type": "authorization_code",
                "client_id": request["client_id"],
                "code": answered["code"],
                "redirect_uri": redirect,
                "code_verifier": pkce.verifier,
            }
            answer = browser.form(f"{self.issuer}/oauth/token", form)
            _expect(answer.status == 200, "o código devia valer tokens", answer)
            tokens = {k: str(v) for k, v in answer.json().items()}
            self.tell(f"   escopos que suas concessões dão: {tokens['scope']}")
        return browser, tokens

    def work(self, tokens: Mapping[str, str]) -> None:
        """The application sees that she may work."""
        with self.step("O sistema pergunta se o token vale"):
            seen = self.introspect(tokens["access_token"])
            _expect(seen.get("active") is True, "o token devia estar ativo", seen)
            info = self.userinfo(tokens["access_token"])
            _expect(info.status == 200, "o userinfo devia responder", info)
            self.tell(f"   sim: {info.json().get('name')}, acr {seen.get('acr')}")

    def introspect(self, token: str) -> dict[str, object]:
        """What introspection answers to the decision point (RFC 7662)."""
        caller = self.machine("pdp")
        form = {"token": token, "client_id": str(self.clients["pdp"]["client_id"])}
        return caller.form(f"{self.mtls}/oauth/introspect", form).json()

    def userinfo(self, token: str) -> Answer:
        """What userinfo answers."""
        return self.somebody().ask("GET", f"{self.issuer}/oauth/userinfo", headers={"Authorization": f"Bearer {token}"})

    def removal(self) -> dict[str, object]:
        """The HR system tells that she was moved (MT128 art. 13)."""
        with self.step("O RH comunica o remanejamento dela"):
            caller, header = self.bearer("rh", "pessoa:evento")
            event = {
                "fonte": self.clients["rh"]["fonte"],
                "numero": f"historia-{secrets.token_hex(6)}",
                "cpf": self.who.cpf,
                "tipo": "remanejamento",
                # The day begins in Cuiabá four hours after it begins in UTC.
                "data_efeito": datetime.now(CUIABA).date().isoformat(),
            }
            answer = caller.send(f"{self.mtls}/api/pessoa/evento", event, header)
            _expect(answer.status == 202, "o evento devia ser aceito", answer)
            for effect in answer.json().get("efeitos") or []:  # type: ignore[attr-defined]
                self.tell(f"   {effect['norma']} {effect['artigo']}: {effect['efeito']}")
        return answer.json()

    def refused(self, browser: Outsider, tokens: Mapping[str, str], began: float) -> None:
        """From the commit on nothing answers for her."""
        with self.step("Tenta-se usar tudo o que ela tinha"):
            _expect(self.introspect(tokens["access_token"]).get("active") is False, "o token devia estar morto", {})
            _expect(self.userinfo(tokens["access_token"]).status == 401, "o userinfo devia recusar", {})
            form = {
                "grant_type": "refresh_token",
                "client_id": str(self.app["client_id"]),
                "refresh_token": tokens["refresh_token"],
            }
            answer = browser.form(f"{self.issuer}/oauth/token", form)
            _expect(answer.json().get("error") == "invalid_grant", "a renovação devia ser recusada", answer)
            took = (time.perf_counter() - began) * 1000
            self.tell("   introspecção: inativo; userinfo: 401; renovação: invalid_grant")
            caller, header = self.bearer("pdp", "decisoes")
            question = {
                "subject": {"type": "pessoa", "id": self.who.cpf},
                "action": {"name": "consultar"},
                "resource": {"type": "sistema", "id": str(self.app["resource"]).rpartition(":")[2]},
            }
            decision = caller.send(f"{self.mtls}/access/v1/evaluation", question, header).json()
            context = decision.get("context") or {}
            _expect(decision.get("decision") is False, "a decisão devia ser não", decision)
            source = context.get("source") or {}  # type: ignore[attr-defined]
            self.tell(f"   decisão: não, por {source.get('requirement') or source.get('id')}, {source.get('article')}")
            again = self.somebody()
            page = again.submit(
                again.ask("GET", f"{self.issuer}/entrar"),
                "entrar",
                {"login": self.who.login, "senha": self.who.password},
            )
            _expect(400 <= page.status < 500, "a entrada devia ser recusada", page)
            self.tell(f"   entrada: {page.status}. Da comunicação à recusa em toda parte: {took:.0f} ms")

    def receipt(self, event: Mapping[str, object]) -> None:
        """The signed receipt fills in as each target is seen to agree."""
        with self.step("O recibo: onde o corte foi visto"):
            caller, header = self.bearer("auditoria", "diario")
            deadline = time.monotonic() + SEEN_WITHIN
            while True:
                answer = caller.ask("GET", f"{self.mtls}{event['recibo']}", headers=header)
                _expect(answer.status == 200, "o recibo devia existir", answer)
                seen = answer.json()
                targets: Mapping[str, Mapping[str, str]] = seen["destinos"]  # type: ignore[assignment]
                if all(t["estado"] == "visto" for t in targets.values()) or time.monotonic() > deadline:
                    break
                time.sleep(0.05)
            _expect(all(t["estado"] == "visto" for t in targets.values()), "todo destino devia ser visto", seen)
            for name, target in targets.items():
                at = datetime.fromisoformat(target["visto_em"]).astimezone(CUIABA)
                self.tell(f"   {name}: visto em {at:%d/%m/%Y, às %H:%M:%S} (Cuiabá)")
            jws = str(seen["jws"])
            kid = json.loads(b64url_decode(jws.split(".", maxsplit=1)[0]))["kid"]
            keys = caller.ask("GET", f"{self.issuer}/oauth/jwks").json()["keys"]
            public: dict[str, str] = next((k for k in keys if k["kid"] == kid), {})  # type: ignore[attr-defined]
            _expect(verify_jws(jws, public) is not None, "a assinatura do recibo devia valer", {})
            self.tell(f"   assinado pela chave {kid}, e a assinatura confere")


def _claims(token: str) -> dict[str, object]:
    claims = json.loads(b64url_decode(token.split(".")[1]))
    return claims if isinstance(claims, dict) else {}


def _expect(seen: object, what: str, answer: Answer | Mapping[str, object]) -> None:
    if not seen:
        found = f"{answer.status} {answer.body[:400]!r}" if isinstance(answer, Answer) else repr(answer)[:400]
        raise NotSeen(f"{what}; em vez disso: {found}")
