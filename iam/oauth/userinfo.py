"""Userinfo: OpenID Connect Core §5.3. The only place that tells a client who the person is, claim by claim, by scope.

CPF and matrícula come under scopes of their own; an access token carries neither. Any token of ours with ``openid`` is
good here, whatever its audience.
"""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from iam.ato import Ato
from iam.atos.pessoa import Pessoa
from iam.atos.vinculo import Vinculo
from iam.context import House
from iam.http import Request, Response
from iam.journal import JSON
from iam.oauth import bearer, record, subject
from iam.oauth.errors import INSUFFICIENT_SCOPE, Denied, challenge
from iam.oauth.tables import Authorization

CLAIMS = ("sub", "name", "preferred_username", "email", "cpf", "matricula", "orgao")


def userinfo(house: House, request: Request) -> Response:
    """``GET`` or ``POST /oauth/userinfo``: the claims that the token's scopes allow."""
    now = house.clock()
    try:
        with house.reading() as db:
            claims = bearer.valid(house, db, request, now)
            scopes = frozenset(str(claims.get("scope", "")).split())
            if "openid" not in scopes or not isinstance(claims.get("authorization"), str):
                raise Denied(INSUFFICIENT_SCOPE, "the scope openid is required", "escopo_nao_concedido")
            return Response.json(200, _claims(db, str(claims["sub"]), str(claims["authorization"]), scopes))
    except Denied as denied:
        line = record.refusal(house, record.anonymous(request), denied, Ato.PESSOA_CONSULTAR, now)
        house.recorder.note(line)
        return challenge(denied, scope="openid")


def _claims(db: Session, sub: str, authorization: str, scopes: frozenset[str]) -> dict[str, JSON]:
    query = (
        select(Pessoa, Vinculo)
        .join(Authorization, Authorization.sujeito == Pessoa.id)
        .outerjoin(Vinculo, Vinculo.id == Authorization.vinculo)
        .where(Pessoa.id == subject.sujeito(sub), Authorization.id == authorization)
    )
    row = db.execute(query).one()
    pessoa, vinculo = row.Pessoa, row.Vinculo
    said: dict[str, JSON] = {"sub": sub}
    if "profile" in scopes:
        said["name"], said["preferred_username"] = pessoa.nome, pessoa.login
    if "email" in scopes and pessoa.email:
        said["email"] = pessoa.email
    if "cpf" in scopes:
        said["cpf"] = pessoa.cpf
    if "matricula" in scopes and vinculo is not None:
        said["matricula"], said["orgao"] = vinculo.matricula, vinculo.orgao
    return said
