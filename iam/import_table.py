"""The files of ``portaria import``: their columns, and the act that each line is.

===========  =======================================================================================================
pessoas      ``cpf,nome,login,email``
vinculos     ``cpf,orgao,matricula,tipo,cargo,de,ate`` (dates AAAA-MM-DD in the órgão's legal time; ``ate`` is the last day)
concessoes   ``cpf,orgao,matricula,sistema,perfil,restricao,de,ate,fundamento`` (without ``cpf`` the órgão itself holds it;
             ``restricao`` is ``nome=valor|valor;nome=valor``)
clients      ``client_id,nome,kind,orgao,sistema,certificado,impressao,subject_dn,redirect_uris,scopes,post_logout_redirect_uris``
             (``certificado`` is a PEM file beside the CSV, or ``impressao`` its ``x5t#S256`` with ``subject_dn``; lists are
             separated by spaces; a file may end at ``scopes``)
fontes       ``id,nome,client,orgaos`` (``orgaos`` separated by spaces)
orgaos       ``id,nome,uf,tz,superior``
===========  =======================================================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.atos import client, fonte, orgao, pessoa, vinculo
from iam.atos.abrir import abrir
from iam.atos.conceder import conceder
from iam.atos.concessao import Concessao
from iam.atos.orgao import Orgao
from iam.atos.papel import OPERADOR
from iam.atos.pessoa import Pessoa
from iam.atos.vinculo import TIPOS, Vinculo
from iam.context import Ctx
from iam.errors import Conflict, Invalid
from iam.icp_brasil import chain, document, name
from iam.install import login_name
from iam.norm import LEGAL_TIME
from iam.oauth.scope import OPENID

PAPEIS = OPERADOR | {"importacao"}
Row = Mapping[str, str]
Done = tuple[bool, str, str]
"""Whether something changed, what to tell, and the id of the sujeito it is about."""
Apply = Callable[[Ctx, Row], Done]


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of file."""

    columns: tuple[str, ...]
    required: tuple[str, ...]
    apply: Callable[[Ctx, Row, str, Path], Done]
    later: tuple[str, ...] = ()
    """Columns that came after the others: a file has all of these, last, or none."""

    @property
    def headers(self) -> tuple[tuple[str, ...], ...]:
        """What the first line of a file may be, the whole one first."""
        whole = (*self.columns, *self.later)
        return (whole, self.columns) if self.later else (whole,)

    def bind(self, origem: str, folder: Path) -> Apply:
        """The act of one line, for lines of one file."""
        return partial(_with, self.apply, origem, folder)


def _with(apply: Callable[[Ctx, Row, str, Path], Done], origem: str, folder: Path, ctx: Ctx, row: Row) -> Done:
    return apply(ctx, row, origem, folder)


def _pessoa(ctx: Ctx, row: Row, origem: str, _folder: Path) -> Done:
    cpf, login, email = document.cpf(row["cpf"]), login_name(row["login"]), row["email"] or None
    if email and (email.count("@") != 1 or " " in email):
        raise Invalid(f"e-mail inválido: `{email}`", code="email_invalido", field="email")
    known = pessoa.by_cpf(ctx.db, cpf)
    if known is not None:
        differs = [n for n, v in (("nome", row["nome"]), ("login", login), ("email", email)) if getattr(known, n) != v]
        if differs:
            raise Conflict(f"pessoa já cadastrada com outro {', '.join(differs)}", code="pessoa_divergente")
        return False, f"pessoa já cadastrada: {login}", known.id
    made = pessoa.cadastrar(ctx, cpf, row["nome"], login, origem=origem, email=email, papeis=PAPEIS)
    return True, f"pessoa cadastrada: {login}", made.id


def _vinculo(ctx: Ctx, row: Row, origem: str, _folder: Path) -> Done:
    somebody = _somebody(ctx.db, row["cpf"])
    _unit(ctx.db, row["orgao"])
    tipo = row["tipo"] or TIPOS[0]
    if tipo not in TIPOS:
        raise Invalid(
            f"tipo de vínculo desconhecido: `{tipo}`; conhecidos: {', '.join(TIPOS)}", code="tipo_desconhecido"
        )
    de, ate = _day(ctx.db, row, "de"), _day(ctx.db, row, "ate", last=True)
    if de is not None and ate is not None and ate <= de:
        raise Invalid("`ate` é anterior a `de`", code="periodo_invalido", field="ate")
    cargo = row["cargo"] or None
    same = [t for t in vinculo.todos(ctx.db, somebody.id) if (t.orgao, t.matricula) == (row["orgao"], row["matricula"])]
    said = {"tipo": tipo, "cargo": cargo, "de": de, "prazo": ate}
    differs = [[n for n in said if said[n] != getattr(t, n) and (n, de) != ("de", None)] for t in same]
    for old, otherwise in sorted(zip(same, differs, strict=True), key=lambda pair: len(pair[1])):
        state = "em vigor" if old.vigente(ctx.now) else f"{old.estado}; não é reaberto por importação"
        if not otherwise:
            return False, f"vínculo já existe ({state})", somebody.id
        if (old.prazo is None or (de or ctx.now) < old.prazo) and (ate is None or old.de < ate):
            names = ", ".join({"de": "início", "prazo": "fim"}.get(name, name) for name in otherwise)
            raise Conflict(f"vínculo já existe com outro {names} ({state})", code="vinculo_divergente")
    abrir(
        ctx,
        somebody.id,
        row["orgao"],
        row["matricula"],
        tipo=tipo,
        cargo=cargo,
        de=de or ctx.now,
        ate=ate,
        fonte=origem,
        papeis=PAPEIS,
    )
    return True, f"vínculo aberto: {somebody.login} em {row['orgao']}", somebody.id


def _concessao(ctx: Ctx, row: Row, origem: str, _folder: Path) -> Done:
    _unit(ctx.db, row["orgao"])
    somebody = _somebody(ctx.db, row["cpf"]) if row["cpf"] else None
    sujeito = somebody.id if somebody else row["orgao"]
    tie = _tie(ctx, somebody, row) if somebody else None
    restricao = _restricao(row["restricao"])
    what = f"{row['perfil']} em {row['sistema']}"
    query = select(Concessao).where(Concessao.sujeito == sujeito, Concessao.sistema == row["sistema"])
    query = query.where(Concessao.perfil == row["perfil"], Concessao.vinculo == (tie.id if tie else None))
    de, ate = _day(ctx.db, row, "de"), _day(ctx.db, row, "ate", last=True)
    begins = de or ctx.now
    for old in ctx.db.scalars(query):
        if old.restricao != restricao:
            continue
        ended = " e depois revogada; não volta por importação" if old.revogada_em else ""
        if old.prazo == ate and de in (None, old.vigente_de):
            return False, f"concessão já registrada{ended}: {what}", sujeito
        if (old.prazo is None or begins < old.prazo) and (ate is None or old.vigente_de < ate):
            raise Conflict(f"concessão já registrada com outro período{ended}: {what}", code="concessao_divergente")
    if tie is not None and not tie.vigente(ctx.now):
        raise Invalid("o vínculo não está em vigor", code="vinculo_encerrado", field="matricula")
    conceder(
        ctx,
        sujeito,
        row["sistema"],
        row["perfil"],
        vinculo=tie,
        origem=origem,
        fundamento=row["fundamento"],
        papeis=PAPEIS,
        de=de,
        ate=ate,
        restricao=restricao,
    )
    return True, f"concessão registrada: {what}", sujeito


def _client(ctx: Ctx, row: Row, _origem: str, folder: Path) -> Done:
    if row["kind"] not in (client.NORMA, client.APLICACAO, client.INTERNO):
        raise Invalid("`kind` deve ser norma, aplicacao ou interno", code="kind_desconhecido", field="kind")
    if row["orgao"]:
        _unit(ctx.db, row["orgao"])
    if row["sistema"] and ctx.policy.sistema(row["sistema"]) is None:
        raise Invalid(f"sistema desconhecido: `{row['sistema']}`", code="sistema_desconhecido", field="sistema")
    impressao, subject_dn = _certificate(ctx, row, folder)
    uris, scopes, after = (row[name].split() for name in ("redirect_uris", "scopes", "post_logout_redirect_uris"))
    for field, given in (("redirect_uris", uris), ("post_logout_redirect_uris", after)):
        for uri in given:
            _redirect_uri(uri, field)
    if after and not uris:
        text = "`post_logout_redirect_uris` é de quem tem redirect_uris"
        raise Invalid(text, code="client_incompleto", field="post_logout_redirect_uris")
    if not uris and not subject_dn:
        raise Invalid("o client precisa de certificado ou de redirect_uris", code="client_incompleto")
    for scope in scopes:
        if scope not in OPENID and ctx.policy.scope(scope) is None:
            raise Invalid(f"escopo desconhecido: `{scope}`", code="escopo_desconhecido", field="scopes")
    known = ctx.db.get(client.Client, row["client_id"])
    if known is not None:
        held = {proof.impressao for proof in client.certificates(ctx.db, known.id)}
        said = (row["nome"], row["kind"], row["orgao"] or None, row["sistema"] or None, subject_dn)
        has = (known.nome, known.kind, known.orgao, known.sistema, known.subject_dn)
        lists = (known.redirect_uris, known.scopes, known.post_logout_redirect_uris)
        if said != has or lists != (uris, scopes, after) or (impressao is not None and impressao not in held):
            raise Conflict(f"o client `{known.id}` já existe com outro conteúdo", code="client_existente")
        return False, f"client já cadastrado: {known.id}", known.id
    made = client.cadastrar(
        ctx,
        row["client_id"],
        row["nome"],
        row["kind"],
        orgao=row["orgao"] or None,
        sistema=row["sistema"] or None,
        impressao=impressao,
        subject_dn=subject_dn,
        redirect_uris=uris,
        post_logout_redirect_uris=after,
        scopes=scopes,
        papeis=PAPEIS,
    )
    return True, f"client cadastrado: {made.id}", made.id


def _fonte(ctx: Ctx, row: Row, _origem: str, _folder: Path) -> Done:
    orgaos = row["orgaos"].split()
    for id in orgaos:
        _unit(ctx.db, id)
    program = row["client"] or None
    if program is not None and ctx.db.get(client.Client, program) is None:
        raise Invalid(f"client desconhecido: `{program}`", code="client_desconhecido", field="client")
    known = ctx.db.get(fonte.Fonte, row["id"])
    if known is not None and (known.nome, known.client, known.orgaos) == (row["nome"], program, orgaos):
        return False, f"fonte já cadastrada: {known.id}", known.id
    made = fonte.cadastrar(ctx, row["id"], row["nome"], client=program, orgaos=orgaos, papeis=PAPEIS)
    return True, f"fonte cadastrada: {made.id}", made.id


def _orgao(ctx: Ctx, row: Row, _origem: str, _folder: Path) -> Done:
    tz, superior = row["tz"] or LEGAL_TIME, row["superior"] or None
    try:
        ZoneInfo(tz)
    except (ZoneInfoNotFoundError, ValueError):
        raise Invalid(f"fuso horário desconhecido: `{tz}`", code="tz_desconhecido", field="tz") from None
    if ctx.policy.orgao(row["id"]) is not None:
        raise Conflict(f"o órgão `{row['id']}` é de uma norma; só ela o muda", code="orgao_da_norma")
    known = ctx.db.get(Orgao, row["id"])
    same = known is not None and (known.nome, known.uf, known.tz, known.superior) == (
        row["nome"],
        row["uf"] or None,
        tz,
        superior,
    )
    made = orgao.cadastrar(ctx, row["id"], row["nome"], uf=row["uf"] or None, tz=tz, superior=superior, papeis=PAPEIS)
    return not same, f"órgão cadastrado: {made.id}", made.id


def _somebody(db: Session, cpf: str) -> Pessoa:
    found = pessoa.by_cpf(db, document.cpf(cpf))
    if found is None:
        raise Invalid("não há pessoa cadastrada com este CPF", code="pessoa_desconhecida", field="cpf")
    return found


def _unit(db: Session, id: str) -> None:
    if db.get(Orgao, id) is None:
        raise Invalid(f"órgão desconhecido: `{id}`", code="orgao_desconhecido", field="orgao")


def _tie(ctx: Ctx, somebody: Pessoa, row: Row) -> Vinculo:
    ties = [t for t in vinculo.todos(ctx.db, somebody.id) if t.orgao == row["orgao"]]
    ties = [t for t in ties if not row["matricula"] or t.matricula == row["matricula"]]
    if len(ties) != 1:
        text = (
            "a pessoa não tem este vínculo"
            if not ties
            else "a pessoa tem mais de um vínculo neste órgão; informe a matrícula"
        )
        raise Invalid(text, code="vinculo_desconhecido" if not ties else "vinculo_ambiguo", field="matricula")
    return ties[0]


def _day(db: Session, row: Row, column: str, *, last: bool = False) -> datetime | None:
    """When a day begins in the órgão's legal time; the last day of a period ends when the next one begins."""
    if not row[column]:
        return None
    try:
        day = date.fromisoformat(row[column])
        if len(row[column]) != 10 or not 1900 <= day.year <= 2199:
            raise ValueError(row[column])
    except ValueError:
        raise Invalid(f"`{column}` deve ser uma data AAAA-MM-DD", code="data_invalida", field=column) from None
    return orgao.midnight(db, row["orgao"], day + timedelta(days=1) if last else day)


def _restricao(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for part in filter(None, text.split(";")):
        label, equals, values = part.partition("=")
        if not equals or not label.strip() or label.strip() in found or not all(v.strip() for v in values.split("|")):
            raise Invalid(
                "`restricao` deve ser nome=valor|valor;nome=valor", code="restricao_invalida", field="restricao"
            )
        found[label.strip()] = [v.strip() for v in values.split("|")]
    return found


def _certificate(ctx: Ctx, row: Row, folder: Path) -> tuple[str | None, str | None]:
    """Thumbprint and subject of a program's certificate, from its PEM file or as written.

    A norm's is of ICP-Brasil already when it is attached: Refused otherwise (COTEC62-1-2-III.1).
    """
    if row["certificado"]:
        if row["impressao"] or row["subject_dn"]:
            raise Invalid(
                "informe `certificado`, ou `impressao` e `subject_dn`, não os dois", code="certificado_invalido"
            )
        try:
            found = x509.load_pem_x509_certificates((folder / row["certificado"]).read_bytes())[0]
        except (OSError, ValueError) as error:
            said = error.strerror if isinstance(error, OSError) else "não é um certificado PEM"
            raise Invalid(f"{row['certificado']}: {said}", code="certificado_invalido", field="certificado") from error
        der = found.public_bytes(Encoding.DER)
        if row["kind"] == client.NORMA and ctx.house.trust.verify(der, ctx.now).word == chain.DESCONHECIDO:
            ctx.require(Ato.CLIENT_CADASTRAR, row["orgao"], PAPEIS | {chain.DESCONHECIDO})
        return name.x5t_s256(der), name.rfc4514(found.subject)
    if row["impressao"] and (len(row["impressao"]) != 43 or not row["subject_dn"]):
        text = "`impressao` é o x5t#S256 (43 caracteres base64url) e vem com `subject_dn`"
        raise Invalid(text, code="certificado_invalido", field="impressao")
    if row["subject_dn"]:
        name.parse_dn(row["subject_dn"])
    return row["impressao"] or None, row["subject_dn"] or None


def _redirect_uri(uri: str, field: str) -> None:
    """RFC 9700 §2.1, RFC 8252: https, or the loopback interface; a fragment or an unknown scheme is refused."""
    parts = urlsplit(uri)
    local = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1")
    if "#" in uri or not parts.netloc or (parts.scheme != "https" and not local):
        raise Invalid(f"endereço não aceito em `{field}`: `{uri}`", code="redirect_uri_invalida", field=field)


KINDS: Mapping[str, Kind] = {
    "pessoas": Kind(("cpf", "nome", "login", "email"), ("cpf", "nome", "login"), _pessoa),
    "vinculos": Kind(
        ("cpf", "orgao", "matricula", "tipo", "cargo", "de", "ate"), ("cpf", "orgao", "matricula"), _vinculo
    ),
    "concessoes": Kind(
        ("cpf", "orgao", "matricula", "sistema", "perfil", "restricao", "de", "ate", "fundamento"),
        ("orgao", "sistema", "perfil", "fundamento"),
        _concessao,
    ),
    "clients": Kind(
        (
            "client_id",
            "nome",
            "kind",
            "orgao",
            "sistema",
            "certificado",
            "impressao",
            "subject_dn",
            "redirect_uris",
            "scopes",
        ),
        ("client_id", "nome", "kind"),
        _client,
        ("post_logout_redirect_uris",),
    ),
    "fontes": Kind(("id", "nome", "client", "orgaos"), ("id", "nome", "orgaos"), _fonte),
    "orgaos": Kind(("id", "nome", "uf", "tz", "superior"), ("id", "nome"), _orgao),
}
