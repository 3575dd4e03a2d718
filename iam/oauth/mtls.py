"""Mutual TLS in OAuth: whose certificate it is, and tokens that are good only with theirs.

Text: RFC 8705 §2.1 (PKI method), §3 (certificate-bound access tokens). The listener proved that the peer holds the
key; whether the certificate is good is asked of :mod:`iam.icp_brasil`; here it is compared with what was registered
and with what a token says.
"""

from __future__ import annotations

from collections.abc import Mapping

from iam.errors import Invalid
from iam.http import Request
from iam.icp_brasil.chain import Verdict
from iam.icp_brasil.name import same_dn, x5t_s256
from iam.journal import JSON

thumbprint = x5t_s256


_KEPT = 4096
_matched: dict[tuple[str, str], bool] = {}


def subject_matches(verdict: Verdict, registered: str) -> bool:
    """Whether the certificate's subject is the registered RFC 4514 name (RFC 8705 §2.1.2, distinguishedNameMatch).

    The answer is kept by thumbprint and name, which are all it rests on; a certificate itself is slow to hash.
    """
    key = (verdict.x5t, registered)
    known = _matched.get(key)
    if known is None:
        try:
            known = verdict.certificate is not None and same_dn(registered, verdict.certificate.subject)
        except Invalid:
            known = False
        if len(_matched) >= _KEPT:
            _matched.clear()
        _matched[key] = known
    return known


def bound_to(claims: Mapping[str, JSON]) -> str:
    """The thumbprint a token is bound to; "" when it is bound to none."""
    cnf = claims.get("cnf")
    value = cnf.get("x5t#S256") if isinstance(cnf, Mapping) else None
    return value if isinstance(value, str) else ""


def confirmed(claims: Mapping[str, JSON], request: Request) -> bool:
    """Whether a token may be used here: unbound, or bound to the connection's certificate (RFC 8705 §3)."""
    wanted = bound_to(claims)
    if not wanted:
        return "cnf" not in claims
    return request.mtls and request.certificate is not None and thumbprint(request.certificate) == wanted
