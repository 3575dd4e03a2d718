"""Unsafe and unknown settings do not start; each refusal names the setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from iam.config import Unsafe, read


@pytest.mark.parametrize(
    ("name", "value", "named"),
    [
        ("PORTARIA_ISSUER", "http://acesso.example", "ISSUER"),
        ("PORTARIA_ISSUER", "https://acesso.example/caminho", "ISSUER"),
        ("PORTARIA_PORT", "0", "PORT"),
        ("PORTARIA_PORT", "oito", "PORT"),
        ("PORTARIA_MTLS_PORT", "8443", "portas diferentes"),
        ("PORTARIA_DATABASE_URL", "mysql://x", "DATABASE_URL"),
        ("PORTARIA_TLS_VERSIONS", "TLSv1.1", "TLS_VERSIONS"),
        ("PORTARIA_TLS_VERSIONS", "", "TLS_VERSIONS"),
        ("PORTARIA_CLIENT_CERT_HEADER", "true", "CLIENT_CERT_HEADER"),
        ("PORTARIA_CLIENT_CERT_HEADER", "talvez", "CLIENT_CERT_HEADER"),
        ("PORTARIA_POLICIES", "mt128", "casa"),
        ("PORTARIA_TARGETS", "AD", "TARGETS"),
        ("PORTARIA_TARGETS", "ad=ldap,ad=keycloak", "`ad` duas vezes"),
        ("PORTARIA_TARGET_SSO_URL", "https://x", "PORTARIA_TARGET_SSO_URL não é de nenhum"),
        ("PORTARIA_ISUER", "https://x", "não é uma configuração"),
        ("PORTARIA_POLICIES", "casa,mt128,mt128", "POLICIES tem a mesma norma"),
        ("PORTARIA_TRUST_PINS", "abc", "TRUST_PINS"),
        ("PORTARIA_SKIP_LOGIN", "1", "PORTARIA_SKIP_LOGIN não é uma configuração"),
        ("PORTARIA_TEST_CLOCK", "1", "PORTARIA_TEST_CLOCK não é uma configuração"),
        ("PORTARIA_CACHE", "/tmp", "PORTARIA_CACHE não é uma configuração"),
        ("PORTARIA_REALM_FILE", "x", "PORTARIA_REALM_FILE não é uma configuração"),
        ("PORTARIA_CONFIG", "/nenhum/arquivo.toml", "nenhum"),
    ],
)
def test_an_unsafe_or_unknown_setting_refuses_to_start(tmp_path: Path, name: str, value: str, named: str) -> None:
    with pytest.raises(Unsafe, match=named):
        read({name: value, "PORTARIA_DATA": str(tmp_path)})


def test_the_environment_wins_over_the_file_and_targets_get_their_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "portaria.toml"
    file.write_text('issuer = "https://do.arquivo"\nport = 9443\ntargets = "ad=ldap"\ntarget_ad_url = "ldaps://x"\n')
    settings = read(
        {"PORTARIA_CONFIG": str(file), "PORTARIA_DATA": str(tmp_path), "PORTARIA_ISSUER": "https://do.ambiente"}
    )
    assert (settings.issuer, settings.port) == ("https://do.ambiente", 9443)
    assert (settings.targets[0].name, settings.targets[0].kind, settings.targets[0].options["url"]) == (
        "ad",
        "ldap",
        "ldaps://x",
    )
    assert "ldaps://x" not in repr(settings)


def test_one_name_may_begin_another_and_each_keeps_its_own_options() -> None:
    for names in ("ad=ldap, ad_novo=keycloak", "ad_novo=keycloak, ad=ldap"):
        settings = read(
            {
                "PORTARIA_TARGETS": names,
                "PORTARIA_TARGET_AD_URL": "ldaps://velho",
                "PORTARIA_TARGET_AD_NOVO_URL": "https://novo",
            }
        )
        found = {target.name: dict(target.options) for target in settings.targets}
        assert found == {"ad": {"url": "ldaps://velho"}, "ad_novo": {"url": "https://novo"}}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("issuer =", "não é TOML"),
        ("policies = ['casa']", "`policies` deve ser um texto"),
        ("[target_ad]\nurl = 'x'", "`target_ad` deve ser um texto"),
        ("cache = 'x'", "PORTARIA_CACHE não é uma configuração"),
    ],
)
def test_a_file_of_settings_is_read_as_strictly(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "portaria.toml").write_text(content)
    with pytest.raises(Unsafe, match=said):
        read({"PORTARIA_DATA": str(tmp_path)})
