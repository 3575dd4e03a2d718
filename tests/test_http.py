"""Values of the edge: what is ambiguous is refused, what is plain is read."""

from __future__ import annotations

import contextlib
import json
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam import http
from iam.http import BadRequest, Request, Response

Headers = tuple[tuple[bytes, bytes], ...]
FORM: Headers = ((b"content-type", b"application/x-www-form-urlencoded"),)
JSON: Headers = ((b"content-type", b"application/json"),)


def form(body: bytes, headers: Headers = FORM) -> dict[str, str]:
    return Request("POST", "/", headers=headers, body=body).form()


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=50), max_size=20))
def test_a_form_comes_back_as_it_was_sent(values: dict[str, str]) -> None:
    if any("\x00" in text for item in values.items() for text in item):
        return
    assert form(urlencode(values).encode()) == values


def test_a_parameter_without_value_counts_as_omitted() -> None:
    assert form(b"a=&b=1&c") == {"b": "1"}


@pytest.mark.parametrize(
    "body",
    [
        b"a=1&a=1",
        b"a=1&a=",
        b"a=%zz",
        b"a=%",
        b"a=%ff",
        b"a=\xff",
        b"a=%00",
        b"&".join(b"p%d=1" % i for i in range(101)),
    ],
    ids=["repeated", "repeated empty", "escape", "half escape", "not UTF-8", "raw", "NUL", "too many"],
)
def test_an_ambiguous_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest) as refusal:
        form(body)
    assert refusal.value.status == 400
    assert refusal.value.description.isascii()


@pytest.mark.parametrize(
    "headers",
    [
        (),
        JSON,
        ((b"content-type", b"application/x-www-form-urlencoded; charset=iso-8859-1"),),
        FORM + FORM,
    ],
    ids=["none", "json", "charset", "repeated"],
)
def test_a_form_of_another_type_is_refused(headers: Headers) -> None:
    with pytest.raises(BadRequest):
        form(b"a=1", headers)


def test_a_form_may_say_that_it_is_utf8() -> None:
    assert form(b"a=%C3%A7", ((b"content-type", b"Application/X-WWW-Form-Urlencoded ;Charset=UTF-8"),)) == {"a": "ç"}


def test_the_query_follows_the_same_rules() -> None:
    assert Request("GET", "/", query=b"a=b+c&d=%26").params() == {"a": "b c", "d": "&"}
    with pytest.raises(BadRequest):
        Request("GET", "/", query=b"a=1&a=2").params()


@given(st.binary(max_size=200))
def test_no_bytes_break_the_form(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        form(body)


def test_json_comes_back_as_it_was_sent() -> None:
    value = {"a": [1, 2.5, None, True, "ç"], "b": {"c": {}}}
    assert Request("POST", "/", headers=JSON, body=json.dumps(value).encode()).json_object() == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1, "a": 1}',
        b'{"a": {"b": 1, "b": 2}}',
        b"NaN",
        b'{"a": Infinity}',
        b"",
        b"{",
        b'"\xff"',
        b'"\\u0000"',
        b'"\\ud800"',
        b"[" * 100 + b"]" * 100,
        b"[" * 100_000 + b"]" * 100_000,
        b"1" * 5000,
        b'{"a": 1} x',
    ],
)
def test_json_that_can_be_read_in_two_ways_or_stored_in_none_is_refused(body: bytes) -> None:
    with pytest.raises(BadRequest):
        Request("POST", "/", headers=JSON, body=body).json()


def test_json_has_a_bound_a_type_and_a_shape() -> None:
    with pytest.raises(BadRequest, match="grande demais"):
        Request("POST", "/", headers=JSON, body=b'"' + b"a" * 100 + b'"').json(limit=50)
    with pytest.raises(BadRequest):
        Request("POST", "/", headers=FORM, body=b"{}").json()
    with pytest.raises(BadRequest):
        Request("POST", "/", headers=JSON, body=b"[]").json_object()
    scim = ((b"content-type", b"application/scim+json"),)
    assert Request("POST", "/", headers=scim, body=b"{}").json("application/scim+json", "application/json") == {}


@given(st.binary(max_size=200))
def test_no_bytes_break_the_json(body: bytes) -> None:
    with contextlib.suppress(BadRequest):
        http.parse_json(body)


def test_headers_are_found_whatever_the_case_and_a_repeated_single_one_is_refused() -> None:
    request = Request("GET", "/", headers=((b"accept", b"a"), (b"accept", b"b"), (b"dpop", b"x"), (b"dpop", b"x")))
    assert request.header("Accept") == "a, b"
    assert request.header("authorization") is None
    with pytest.raises(BadRequest):
        request.header("DPoP")


def test_cookies() -> None:
    request = Request("GET", "/", headers=((b"cookie", b"a=1; __Host-s=abc=="), (b"cookie", b'c="2"; d=1; d=2')))
    assert request.cookie("__Host-s") == "abc=="
    assert request.cookie("c") == "2"
    assert request.cookie("nothing") is None
    with pytest.raises(BadRequest):
        request.cookie("d")


def test_the_user_agent_cannot_break_a_line_of_the_journal() -> None:
    assert Request("GET", "/", headers=((b"user-agent", b"a\x1b[1m" + b"x" * 900),)).user_agent.startswith("a?[1m")
    assert len(Request("GET", "/", headers=((b"user-agent", b"x" * 900),)).user_agent) == 256
    assert Request("GET", "/").user_agent == ""


def test_a_request_that_wsgi_has_read_says_the_same_and_believes_no_variable() -> None:
    scope = {
        "headers": [(b"cookie", b"a=1"), (b"client-cert", b":AAAA:")],
        "client": ("10.0.0.1", 5),
        http.CERTIFICATE: b"proven",
        http.MTLS: True,
    }
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": "/usuário".encode().decode("latin-1"),
        "QUERY_STRING": "a=1",
        "HTTP_CLIENT_CERT": ":BBBB:",
        "REMOTE_ADDR": "10.9.9.9",
        "asgi.scope": scope,
    }
    headers = ((b"cookie", b"a=1"), (b"client-cert", b":AAAA:"))
    found = http.wsgi_request(environ, b"corpo")
    assert found == Request("POST", "/usuário", b"a=1", headers, b"corpo", "10.0.0.1", b"proven", mtls=True)
    del environ["asgi.scope"]
    stranger = http.wsgi_request(environ, b"")
    assert (stranger.certificate, stranger.mtls, stranger.address, stranger.headers) == (None, False, "", ())


def test_a_problem_has_the_members_of_rfc_9457() -> None:
    answer = Response.problem(413, "corpo_grande_demais", "É grande.", campo="a")
    sent = dict(answer.raw_headers())
    assert sent[b"content-type"] == b"application/problem+json"
    assert (sent[b"x-content-type-options"], sent[b"cache-control"]) == (b"nosniff", b"no-store")
    assert json.loads(answer.body) == {
        "type": "about:blank",
        "title": "Corpo grande demais",
        "status": 413,
        "code": "corpo_grande_demais",
        "detail": "É grande.",
        "campo": "a",
    }


def test_an_answer_tells_its_length_and_no_cache_keeps_it_unless_it_says_so() -> None:
    answer = Response.json(401, {"error": "invalid_client"}, www_authenticate="Basic")
    assert dict(answer.raw_headers())[b"www-authenticate"] == b"Basic"
    assert dict(answer.raw_headers())[b"cache-control"] == b"no-store"
    assert dict(answer.raw_headers())[b"content-length"] == str(len(answer.body)).encode()
    assert dict(Response.json(200, {}, cache_control="max-age=60").raw_headers())[b"cache-control"] == b"max-age=60"
    assert Response.redirect("https://a.example/?code=1").status == 303
    assert Response(204).raw_headers() == []


@pytest.mark.parametrize("value", ["a\r\nset-cookie: x=1", "a\nb", "a\x00"])
def test_no_answer_can_be_split(value: str) -> None:
    with pytest.raises(ValueError, match="unsafe"):
        Response.redirect(value).raw_headers()
    with pytest.raises(ValueError, match="unsafe"):
        http.set_cookie("a", value)


def test_cookies_are_always_secure() -> None:
    name, value = http.set_cookie("__Host-sessao", "abc", max_age=60)
    assert (name, value) == ("set-cookie", "__Host-sessao=abc; Path=/; Max-Age=60; Secure; HttpOnly; SameSite=Lax")
