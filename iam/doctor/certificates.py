"""Which certificates are believed and shown: the authorities, their revocation lists, the server's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.x509.oid import NameOID

from iam.config import Settings, Unsafe
from iam.doctor.finding import AVISO, FALHA, OK, TRUST, Finding
from iam.icp_brasil import crl, truststore
from iam.icp_brasil.name import MALFORMED
from iam.icp_brasil.truststore import TrustStore
from iam.listener import Tls, tls_context

SOON = timedelta(days=30)
RENEW = "atualize a lista da autoridade certificadora; sem ela os certificados são recusados"


def authorities(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whose certificates are accepted, and the revocation lists without which none of theirs is."""
    store = _store(settings)
    yield store if isinstance(store, Finding) else _trust(store, settings)
    yield from _lists(settings, () if isinstance(store, Finding) else (*store.anchors, *store.intermediates), now)


def _store(settings: Settings) -> TrustStore | Finding:
    try:
        return truststore.load(settings.trust.read_bytes(), test=settings.demo, pinned=settings.trust_pins)
    except OSError as error:
        return Finding(TRUST, FALHA, f"{settings.trust}: {error.strerror}", "ponha ali a cadeia ICP-Brasil")
    except truststore.NotIcpBrasil as error:
        return Finding(TRUST, FALHA, str(error), "use a cadeia publicada pelo ITI")


def _trust(store: TrustStore, settings: Settings) -> Finding:
    count = f"{len(store.anchors)} raiz(es), {len(store.intermediates)} intermediária(s)"
    if settings.demo:
        return Finding(TRUST, AVISO, f"{count}; modo de demonstração", "não use assim em produção")
    return Finding(TRUST, OK, count)


def _lists(settings: Settings, authorities: Sequence[x509.Certificate], now: datetime) -> Iterator[Finding]:
    if not settings.crls:
        yield Finding("certificados revogados", FALHA, "nenhuma lista configurada", "configure PORTARIA_CRL_FILES")
    read: list[x509.CertificateRevocationList] = []
    for path in settings.crls:
        name = f"lista {path.name}"
        try:
            found = crl.read(path)
        except OSError as error:
            yield Finding(name, FALHA, f"{path}: {error.strerror}", RENEW)
            continue
        except MALFORMED:
            found = ()
        if not found:
            yield Finding(name, FALHA, f"{path} não é uma lista completa de certificados revogados", RENEW)
        for each in found:
            wrong = _wrong(each, authorities, now)
            good = f"de {_name(each.issuer)}, vale até {each.next_update_utc:%d/%m/%Y %H:%M} UTC"
            yield Finding(name, FALHA, wrong, RENEW) if wrong else Finding(name, OK, good)
        read += found
    silent = [c for c in _issuing(authorities) if not any(each.issuer == c.subject for each in read)]
    if silent:
        names = "; ".join(sorted(_name(c.subject) for c in silent))
        todo = "acrescente a lista de cada uma cujos certificados se usem; sem ela são recusados"
        yield Finding("autoridades sem lista", AVISO, f"{len(silent)}: {names}", todo)


def _wrong(found: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate], now: datetime) -> str:
    """Why a list is not believed; empty for a good one."""
    named = [c for c in authorities if c.subject == found.issuer]
    if not named:
        return f"é de {_name(found.issuer)}, que não está entre as autoridades confiáveis"
    if not any(crl.signed(found, c) for c in named):
        return f"a assinatura não é de {_name(found.issuer)}"
    ends = found.next_update_utc
    if ends is None or ends <= now:
        return f"venceu em {ends:%d/%m/%Y %H:%M} UTC" if ends else "não diz até quando vale"
    return "começa a valer no futuro; o relógio está certo?" if found.last_update_utc > now else ""


def _issuing(authorities: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """The authorities at the end of the chains: those that issue to people and programs."""
    above = {c.issuer for c in authorities if c.issuer != c.subject}
    return [c for c in authorities if c.subject not in above]


def _name(subject: x509.Name) -> str:
    common = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(common[-1].value) if common else subject.rfc4514_string()


def server(settings: Settings, now: datetime) -> Finding:
    """Whether the server's own certificate has its key, is valid, and stays so for a month."""
    name, todo = "certificado do servidor", "instale um certificado novo em PORTARIA_TLS_CERT e PORTARIA_TLS_KEY"
    if settings.socket is not None:
        return Finding(name, OK, "é do proxy, que atende por nós")
    try:
        found = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    except OSError as error:
        return Finding(name, FALHA, f"{settings.tls_cert}: {error.strerror}", todo)
    except ValueError:
        return Finding(name, FALHA, f"{settings.tls_cert} não é um certificado PEM", todo)
    try:
        tls_context(Tls(settings.host, settings.port, settings.tls_cert, settings.tls_key))
    except Unsafe as error:
        return Finding(name, FALHA, f"{error}; um servidor já iniciado segue com o par anterior", todo)
    ends = found.not_valid_after_utc
    if not found.not_valid_before_utc <= now < ends:
        return Finding(
            name, FALHA, f"não vale agora (vai de {found.not_valid_before_utc:%d/%m/%Y} a {ends:%d/%m/%Y})", todo
        )
    if ends - now < SOON:
        return Finding(name, AVISO, f"vence em {ends:%d/%m/%Y}", todo)
    if found.issuer == found.subject:
        return Finding(name, AVISO, "é autoassinado: os navegadores não confiam nele", todo)
    return Finding(name, OK, f"vale até {ends:%d/%m/%Y}")
