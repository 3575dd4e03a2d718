"""``portaria init`` and ``doctor``: a new installation, and what is wrong with one."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

from iam.cli import terminal
from iam.cli.parser import Commands, Parser, command, port
from iam.config import Unsafe
from iam.errors import Invalid, PortariaError

OPTIONS = {
    "issuer": ("ISSUER", "endereço público, https://… sem caminho"),
    "mtls_issuer": ("MTLS_ISSUER", "endereço público de TLS mútuo"),
    "host": ("HOST", "endereço em que se atende (127.0.0.1)"),
    "port": ("PORT", "porta HTTPS (8443)"),
    "mtls_port": ("MTLS_PORT", "porta de TLS mútuo (8444)"),
    "database_url": ("DATABASE_URL", "postgresql+psycopg://…; se omitido, banco embutido no diretório de dados"),
    "crl_files": ("CRL_FILES", "listas de certificados revogados, separadas por vírgula; outro programa as atualiza"),
    "policies": ("POLICIES", "normas em vigor, separadas por vírgula (todas)"),
    "targets": ("TARGETS", "destinos, nome=tipo separados por vírgula (diretorio=diretorio)"),
}


def add(commands: Commands[Parser]) -> None:
    """The commands of this section."""
    made = command(
        commands,
        "init",
        init,
        "cria uma instalação e o link do seu primeiro cadastrador",
        about="Cria o diretório de dados, a chave mestra, o banco, as unidades das normas e as chaves de assinatura.\n"
        "O link vale 72 horas e uma vez: com ele a pessoa escolhe a senha e cadastra o segundo fator.",
        json=True,
    )
    who = made.add_argument_group("primeiro cadastrador")
    who.add_argument("--nome", required=True)
    who.add_argument("--cpf", required=True)
    who.add_argument("--login", required=True)
    who.add_argument("--orgao", required=True, help="identificador da unidade, como nas normas (sefaz-mt-…)")
    who.add_argument("--matricula", required=True)
    who.add_argument("--email")
    trust = made.add_argument_group("confiança")
    trust.add_argument("--trust", required=True, metavar="PEM", help="cadeia da ICP-Brasil publicada pelo ITI")
    trust.add_argument("--tls-cert", metavar="PEM", help="certificado do servidor; sem ele cria-se um autoassinado")
    trust.add_argument("--tls-key", metavar="PEM", help="chave do certificado do servidor")
    where = made.add_argument_group("configuração (fica em portaria.toml)")
    for option, (_, text) in OPTIONS.items():
        where.add_argument(f"--{option.replace('_', '-')}", type=port if option.endswith("port") else str, help=text)
    command(
        commands,
        "doctor",
        doctor,
        "examina a instalação e diz o que fazer",
        about="Termina com 1 se algo falha.",
        json=True,
    )


def init(args: argparse.Namespace) -> int:
    """A new installation."""
    from iam import install

    chosen = {name: value for option, (name, _) in OPTIONS.items() if (value := getattr(args, option)) is not None}
    given = terminal.settings(args, **chosen)
    if (args.tls_cert is None) != (args.tls_key is None):
        raise Invalid("--tls-cert e --tls-key vão juntos", code="certificado_do_servidor")
    pair = install.Certificate(_bytes(args.tls_cert), _bytes(args.tls_key)) if args.tls_cert else None
    if "CRL_FILES" in chosen:
        chosen["CRL_FILES"] = ",".join(str(path) for path in given.crls)
    first = install.First(args.nome, args.cpf, args.login, args.orgao, args.matricula, args.email)
    link = install.install(
        given,
        first,
        trust=_bytes(args.trust),
        certificate=pair,
        written=install.toml(list(chosen.items())),
        agente=terminal.operator(args),
        clock=lambda: datetime.now(UTC),
    )
    own = "" if pair else " (autoassinado: troque-o por um que os navegadores conheçam)"
    terminal.answer(
        args,
        {"data": str(given.data), "issuer": given.issuer, "mtls": given.mtls, "link": link},
        f"Instalação criada em {given.data}",
        f"  chave mestra    {given.master_key} (guarde uma cópia à parte: sem ela nada abre)",
        f"  certificado     {given.tls_cert}{own}",
        f"  revogados       {', '.join(map(str, given.crls))}: mantenha a lista em dia, sem ela os certificados são recusados",
        "",
        f"Link de {args.nome.strip()}, que vale uma vez e até daqui a 72 horas:",
        f"  {link}",
        "",
        f"Para atender: portaria serve --data {given.data}",
    )
    return 0


def _bytes(path: str) -> bytes:
    return Path(path).read_bytes()


def doctor(args: argparse.Namespace) -> int:
    """Every check; 1 when one fails."""
    from iam import doctor as examination

    given = terminal.settings(args)
    now = datetime.now(UTC)
    if not given.data.is_dir():
        raise Unsafe(f"não há instalação em {given.data}; rode `portaria init`, ou aponte PORTARIA_DATA para uma")
    found = list(examination.before_opening(given, now))
    if not examination.closed(found):
        try:
            with terminal.opened(args) as house:
                found += examination.after_opening(house)
        except (Unsafe, PortariaError) as error:
            found.append(examination.Finding("abertura", examination.FALHA, str(error), "corrija o que a linha diz"))
    failed = any(f.state == examination.FALHA for f in found)
    rows = [(f.state, f.name, f.text + (f" → {f.todo}" if f.todo else "")) for f in found]
    terminal.answer(
        args,
        {
            "ok": not failed,
            "findings": [{"name": f.name, "state": f.state, "text": f.text, "todo": f.todo} for f in found],
        },
        *terminal.table(rows),
    )
    if failed:
        count = sum(f.state == examination.FALHA for f in found)
        raise Unsafe(f"{count} falha(s) na instalação; veja acima o que fazer")
    return 0
