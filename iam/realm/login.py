"""How a person proves who they are in the realm, and how long it holds: from the limits of the packs in force."""

from __future__ import annotations

import json
from typing import Final

from iam.policy import Policy

PASSWORD: Final = (
    "hashAlgorithm(argon2) and length(12) and maxLength(128) and notUsername(undefined) and passwordHistory(5)"
)
FLOW, FORMS, CERTIFICATE = "portaria", "portaria senha e codigo", "portaria icp-brasil"


def proof(policy: Policy) -> dict[str, object]:
    """A password and a code, how often they may be wrong, what is kept of it, and the keys that sign."""
    profile: dict[str, object] = {
        "attributes": [
            {"name": name, "permissions": {"view": ["admin", "user"], "edit": ["admin"]}}
            for name in ("username", "email", "firstName", "lastName")
        ],
        "unmanagedAttributePolicy": "ADMIN_EDIT",
    }
    wait = _seconds(policy, "bloqueio")
    keys = [
        _component("es256", "ecdsa-generated", ecdsaEllipticCurveKey="P-256", priority="100"),
        _component("hs512", "hmac-generated", algorithm="HS512", priority="100"),
        _component("aes", "aes-generated", priority="100"),
    ]
    return {
        "sslRequired": "all",
        "registrationAllowed": False,
        "resetPasswordAllowed": False,
        "rememberMe": False,
        "editUsernameAllowed": False,
        "loginWithEmailAllowed": False,
        "duplicateEmailsAllowed": True,
        "internationalizationEnabled": True,
        "supportedLocales": ["pt-BR"],
        "defaultLocale": "pt-BR",
        "passwordPolicy": PASSWORD,
        "otpPolicyType": "totp",
        "otpPolicyAlgorithm": "HmacSHA1",
        "otpPolicyDigits": 6,
        "otpPolicyPeriod": 30,
        "otpPolicyCodeReusable": False,
        "bruteForceProtected": True,
        "permanentLockout": False,
        "failureFactor": policy.limit("tentativas").number,
        "waitIncrementSeconds": wait,
        "minimumQuickLoginWaitSeconds": wait,
        "maxFailureWaitSeconds": wait,
        "defaultSignatureAlgorithm": "ES256",
        "eventsEnabled": True,
        "eventsExpiration": _seconds(policy, "guarda"),
        "adminEventsEnabled": True,
        "adminEventsDetailsEnabled": True,
        "components": {
            "org.keycloak.keys.KeyProvider": keys,
            "org.keycloak.userprofile.UserProfileProvider": [
                {
                    "providerId": "declarative-user-profile",
                    "config": {"kc.user.profile.config": [json.dumps(profile, sort_keys=True)]},
                }
            ],
        },
    }


def _component(name: str, provider: str, **config: str) -> dict[str, object]:
    return {"name": name, "providerId": provider, "config": {key: [value] for key, value in config.items()}}


def lifetimes(policy: Policy) -> dict[str, object]:
    """How long sessions, codes and tokens last, in seconds."""
    refresh = _seconds(policy, "refresh_token")
    return {
        "accessTokenLifespan": _seconds(policy, "access_token"),
        "accessCodeLifespan": _seconds(policy, "authorization_code"),
        "ssoSessionIdleTimeout": _seconds(policy, "session_idle"),
        "ssoSessionMaxLifespan": _seconds(policy, "session"),
        "clientSessionMaxLifespan": refresh,
        "offlineSessionIdleTimeout": refresh,
        "offlineSessionMaxLifespanEnabled": True,
        "offlineSessionMaxLifespan": refresh,
        "revokeRefreshToken": True,
        "refreshTokenMaxReuse": 0,
        "actionTokenGeneratedByAdminLifespan": _seconds(policy, "senha_provisoria"),
        "attributes": {"parRequestUriLifespan": str(_seconds(policy, "par"))},
    }


def _seconds(policy: Policy, limit: str) -> int:
    return int(policy.limit(limit).duration.total_seconds())


def flows() -> dict[str, object]:
    """A certificate, or a password and always a code: the least that ``mfa`` asks (GAP-ALL-01)."""
    return {
        "browserFlow": FLOW,
        "authenticationFlows": [
            _flow(FLOW, "ALTERNATIVE", "auth-cookie", "auth-x509-client-username-form", FORMS, top=True),
            _flow(FORMS, "REQUIRED", "auth-username-password-form", "auth-otp-form", top=False),
        ],
        "authenticatorConfig": [
            {
                "alias": CERTIFICATE,
                "config": {
                    "x509-cert-auth.mapping-source-selection": "SHA-256 Thumbprint",
                    "x509-cert-auth.mapper-selection": "Custom Attribute Mapper",
                    "x509-cert-auth.mapper-selection.user-attribute-name": "certificado",
                    "x509-cert-auth.timestamp-validation-enabled": "true",
                    "x509-cert-auth.crl-checking-enabled": "true",
                    "x509-cert-auth.crldp-checking-enabled": "true",
                    "x509-cert-auth.confirmation-page-disallowed": "true",
                },
            }
        ],
    }


def _flow(alias: str, requirement: str, *steps: str, top: bool) -> dict[str, object]:
    executions: list[dict[str, object]] = []
    for number, step in enumerate(steps):
        known: dict[str, object] = {"requirement": requirement, "priority": 10 * number}
        known |= {"authenticatorFlow": True, "flowAlias": step} if step == FORMS else {"authenticator": step}
        if "x509" in step:
            known["authenticatorConfig"] = CERTIFICATE
        executions.append(known)
    return {
        "alias": alias,
        "providerId": "basic-flow",
        "topLevel": top,
        "builtIn": False,
        "authenticationExecutions": executions,
    }
