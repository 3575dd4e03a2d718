"""Our own JSON interface, mounted at ``/api``: HR events in, receipts, journal, catalogue and concessões out.

Texts: the contract (paths and members), RFC 9457 (errors), RFC 6750 and RFC 8705 (who asks), OpenAPI 3.1 (the description).
Only this file knows Flask; a view is a plain function from a :class:`iam.api.call.Call` to a Response. Nothing here decides:
what may be done is the business of the act that a view calls.
"""

from __future__ import annotations

import logging
from functools import partial

import flask
import werkzeug
from werkzeug.exceptions import HTTPException

from iam.api import catalogo, concessao, diario, evento, openapi, problem, recibo, requisito
from iam.api.call import Call, Endpoint
from iam.context import House
from iam.db import away
from iam.http import wsgi_request
from iam.http.wsgi import answered, failed

log = logging.getLogger("portaria.api")
MAX_BODY = 64 * 1024

ENDPOINTS: tuple[Endpoint, ...] = (
    *evento.ENDPOINTS,
    *recibo.ENDPOINTS,
    *diario.ENDPOINTS,
    *catalogo.ENDPOINTS,
    *concessao.ENDPOINTS,
    *requisito.ENDPOINTS,
)


def create_app(house: House) -> flask.Flask:
    """The interface of one house, as a WSGI application. It keeps no state of its own."""
    app = flask.Flask("iam.api", static_folder=None)
    app.config.update(MAX_CONTENT_LENGTH=MAX_BODY)
    app.url_map.merge_slashes = False  # or `//` would redirect to whatever Host the caller wrote
    description = openapi.document(house.settings.mtls, ENDPOINTS)
    for endpoint in (*ENDPOINTS, openapi.endpoint(description)):
        rule = endpoint.path.replace("{", "<").replace("}", ">")
        view = partial(_serve, house, endpoint)
        app.add_url_rule(
            rule, f"{endpoint.method} {rule}", view, methods=[endpoint.method], provide_automatic_options=False
        )
    app.register_error_handler(HTTPException, _http_error)
    app.register_error_handler(Exception, _defect)
    return app


def _serve(house: House, endpoint: Endpoint, **path: str) -> werkzeug.Response:
    call = Call(house, wsgi_request(flask.request.environ, flask.request.get_data()), endpoint.ato)
    return answered(problem.guarded(call, partial(endpoint.view, call, **path)))


def _http_error(error: HTTPException) -> werkzeug.Response:
    """A wrong path, method or size."""
    return failed(error, problem.plain(error.code or 500))


def _defect(error: Exception) -> werkzeug.Response:
    """What nobody foresaw, or a database that is away: whole in the log, one word in the answer."""
    log.error("defect at %s %s", flask.request.method, flask.request.path, exc_info=error)
    return answered(problem.plain(503 if away(error) else 500))
