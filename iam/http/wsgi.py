"""Our answers as WSGI hands them on: for the two edges, screens and API, that Flask routes."""

from __future__ import annotations

import werkzeug
from werkzeug.exceptions import HTTPException

from iam.http.response import Response


def answered(response: Response) -> werkzeug.Response:
    """A response with the headers it has, and no others."""
    answer = werkzeug.Response(response.body, response.status)
    answer.headers.clear()
    for name, value in response.headers:
        answer.headers.add(name, value)
    return answer


def failed(error: HTTPException, response: Response) -> werkzeug.Response:
    """The answer to a wrong path, method or size; to a wrong method with those that fit (RFC 9110 section 15.5.6)."""
    answer = answered(response)
    if allowed := getattr(error, "valid_methods", None):
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return answer
