"""The URI an answer goes back to: what is appended to it, and nothing else changed."""

from __future__ import annotations

import pytest

from iam.oauth.redirect_uri import with_params


@pytest.mark.parametrize(
    ("uri", "params", "whole"),
    [
        ("https://app.example/volta", {"code": "a b", "state": "s"}, "https://app.example/volta?code=a+b&state=s"),
        ("https://app.example/volta?x=1", {"state": "s"}, "https://app.example/volta?x=1&state=s"),
        ("https://app.example/volta", {"state": ""}, "https://app.example/volta"),
        ("https://app.example/volta?x=1", {}, "https://app.example/volta?x=1"),
    ],
)
def test_parameters_join_the_query_and_without_any_the_uri_stays_as_it_was(
    uri: str, params: dict[str, str], whole: str
) -> None:
    assert with_params(uri, **params) == whole
