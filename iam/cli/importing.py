"""``portaria import``, ``hr import`` and ``link``: people, what they hold and what happens to them, from files."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, group
from iam.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from iam.importing import Access

PEOPLE = ("pessoas", "vinculos")
FILES = """O mesmo arquivo outra vez não muda nada, e o que terminou depois de importado não volta.
Cabeçalhos:
  pessoas     cpf,nome,login,email
  vinculos    cpf,orgao,matricula,tipo,cargo,de,ate
  concessoes  cpf,orgao,matricula,sistema,perfil,restricao,de,ate,fundamento
  clients     client_id,nome,kind,orgao,sistema,certificado,impressao,subject_dn,redirect_uris,scopes,
              post_logout_redirect_uris (o arquivo pode terminar em scopes)
  fontes      id,nome,client,orgaos
  orgaos      id,nome,uf,tz,superior
Datas são AAAA-MM-DD, na hora legal do órgão; `ate` é o último dia. Numa lista, os valores são separados por espaço.

Em vinculos, `tipo` é servidor (se vazio), terceirizado, externo ou representante.
Em concessoes, sem `cpf` é o próprio órgão que recebe o perfil. `restricao` limita o perfil a certos valores:
  nome=valor|valor;nome=valor      por exemplo  evento=EV-2026-7|EV-2026-8;uf=MT
  os nomes são evento, tipo_evento, viagem, recinto, transportador, importador, aplicativo, uf, orgao, outorgante;
  cadastrador_setorial, gestor e chefia, do sistema portaria, são de certos órgãos: orgao=sefaz-mt-gipva|sefaz-mt-gcad
Em clients, `kind` é
  norma       o sistema de um órgão que uma norma integra (uma SEFAZ): atua pelos direitos do órgão e só com o certificado
              registrado; exige `orgao` e certificado
  aplicacao   a aplicação de um sistema, em que pessoas entram: `redirect_uris`, `sistema` e os `scopes` que pode pedir
  interno     o programa que chama as interfaces da própria Portaria (eventos de pessoal, diário, decisões): `scopes`
e o certificado é `certificado`, um arquivo PEM ao lado do CSV, ou `impressao` (x5t#S256) com `subject_dn`.
Termina com 1 se alguma linha foi rejeitada; as boas são aplicadas."""
KINDS = ("pessoas", "vinculos", "concessoes", "clients", "fontes", "orgaos")


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    made = command(
        commands,
        "import",
        load,
        "traz de um CSV o que já existia, com a origem registrada",
        about=FILES,
        json=True,
    )
    made.add_argument("kind", choices=KINDS, metavar="TIPO", help=", ".join(KINDS))
    made.add_argument("file", type=Path, metavar="ARQUIVO")
    made.add_argument("--dry-run", action="store_true", help="mostra o que aconteceria e não muda nada")
    made.add_argument("--origem", default="", help="de onde veio; se omitido, nome e digest do arquivo")
    made.add_argument(
        "--links",
        type=Path,
        metavar="ARQUIVO",
        help="(pessoas, vinculos) grava o link de ativação de quem tem vínculo em vigor e ainda não tem senha",
    )
    hr = group(commands, "hr", "eventos de pessoal")
    made = command(
        hr,
        "import",
        hr_load,
        "recebe um arquivo de eventos de pessoal",
        about="Cabeçalho: numero,cpf,matricula,nome,tipo,data_efeito,orgao,orgao_destino,observacao\n"
        "Cada linha é uma transação. O mesmo arquivo outra vez não tem efeito. Termina com 1 se alguma linha foi rejeitada.",
        json=True,
    )
    made.add_argument("file", type=Path, metavar="ARQUIVO")
    made.add_argument("--fonte", required=True, metavar="NOME")
    made.add_argument("--dry-run", action="store_true", help="mostra que concessões cairiam e não muda nada")
    made = command(
        commands,
        "link",
        link,
        "novo link de ativação para uma pessoa; o anterior deixa de valer",
        about="Com ele a pessoa escolhe a senha e cadastra o segundo fator. Vale 72 horas e uma vez.",
        json=True,
    )
    made.add_argument("pessoa", metavar="PESSOA", help="CPF ou login")


def load(args: argparse.Namespace) -> int:
    """``portaria import``."""
    from iam import importing

    if args.links and args.kind not in PEOPLE:
        raise Invalid("--links usa-se com pessoas e com vinculos", code="uso")
    if args.links and args.links.exists():
        raise Conflict(f"{args.links} já existe; nada foi importado", code="arquivo_existente")
    with terminal.opened(args) as house:
        agente = terminal.operator(args)
        lines = importing.load(
            house,
            agente,
            args.kind,
            args.file,
            origem=args.origem,
            dry_run=args.dry_run,
            progress=terminal.progress("linhas"),
        )
        people = {line.subject: line.access for line in lines if line.access} if args.kind in PEOPLE else {}
        writing = bool(args.links) and not args.dry_run
        written = importing.links(house, agente, people, args.links) if writing else 0
    rejected = sum(line.result == importing.REJEITADA for line in lines)
    counts = {
        word: sum(line.result == word for line in lines)
        for word in (importing.APLICADA, importing.INALTERADA, importing.REJEITADA)
    }
    shown = [line for line in lines if line.result != importing.INALTERADA]
    access = {word: sum(found is word for found in people.values()) for word in importing.Access}
    terminal.answer(
        args,
        {
            "dry_run": args.dry_run,
            "counts": dict(counts),
            "links": {"written": written, **{word.name.lower(): count for word, count in access.items()}},
            "lines": [{"line": line.number, "result": line.result, "text": line.text} for line in lines],
        },
        *(f"linha {line.number}: {line.result}: {line.text}" for line in shown),
        ("Nada foi mudado. Seria: " if args.dry_run else "")
        + ", ".join(f"{count} {word}(s)" for word, count in counts.items()),
        *_links_told(args, access, written),
    )
    return _status(rejected)


def _links_told(args: argparse.Namespace, access: Mapping[Access, int], written: int) -> list[str]:
    """How many may come in by a link, how many not, and which command gives it to them."""
    from iam.importing import Access

    told = [f"{written} link(s) de ativação em {args.links}, por 72 horas"] if written else []
    if access[Access.LINK] and not written:
        told.append(
            f"{access[Access.LINK]} pessoa(s) sem senha receberiam link com "
            f"`portaria import {args.kind} {args.file} --links LINKS`"
        )
    if access[Access.NO_VINCULO]:
        told.append(
            f"{access[Access.NO_VINCULO]} pessoa(s) sem link, porque sem vínculo em vigor: recebem-no com "
            "`portaria import vinculos ARQUIVO --links LINKS`"
        )
    if access[Access.HAS_LINK]:
        told.append(
            f"{access[Access.HAS_LINK]} pessoa(s) com um link anterior ainda em vigor: `portaria link PESSOA` faz outro"
        )
    return told


def link(args: argparse.Namespace) -> int:
    """``portaria link``."""
    from iam.atos import pessoa
    from iam.atos.papel import OPERADOR
    from iam.login import activation

    with terminal.opened(args) as house, house.begin(terminal.operator(args)) as ctx:
        somebody = pessoa.by_login(ctx.db, args.pessoa)
        if somebody is None:
            raise NotFound(f"não há pessoa com o CPF ou login `{args.pessoa}`")
        url = house.settings.issuer + activation.create(ctx, somebody, papeis=OPERADOR)
    terminal.answer(
        args, {"login": somebody.login, "link": url}, f"Link de {somebody.nome}, por 72 horas e uma vez:", f"  {url}"
    )
    return 0


def hr_load(args: argparse.Namespace) -> int:
    """``portaria hr import``."""
    from iam import hr

    with terminal.opened(args) as house:
        lines = hr.load(
            house,
            terminal.operator(args),
            args.file,
            args.fonte,
            dry_run=args.dry_run,
            progress=terminal.progress("linhas"),
        )
    rejected = sum(line.result == hr.REJEITADA for line in lines)
    counts = {word: sum(line.result == word for line in lines) for word in hr.RESULTS}
    told: list[str] = []
    for line in lines:
        told.append(f"linha {line.number}: {line.result}: {line.text}")
        told += [f"    cai {right}" for right in line.rights]
    terminal.answer(
        args,
        {
            "dry_run": args.dry_run,
            "counts": dict(counts),
            "lines": [
                {
                    "line": line.number,
                    "result": line.result,
                    "text": line.text,
                    "recibo": line.receipt,
                    "efeitos": [dict(e) for e in line.effects],
                    "concessoes": list(line.rights),
                }
                for line in lines
            ],
        },
        *told,
        ("Nada foi mudado. Seria: " if args.dry_run else "")
        + ", ".join(f"{n} {word}(s)" for word, n in counts.items()),
    )
    return _status(rejected)


def _status(rejected: int) -> int:
    if not rejected:
        return 0
    raise Invalid(f"{rejected} linha(s) rejeitada(s); veja acima o motivo de cada uma", code="linhas_rejeitadas")
