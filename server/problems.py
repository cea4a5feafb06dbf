"""Every error as `application/problem+json` (RFC 9457): 404, 405, 413 and 415 as much as our own.

Browsers get a page instead where web has given one (`app.extensions["problem_page"]`), outside /api and /ar.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
import psycopg2
import sqlalchemy.exc
from flask import Flask, Response, current_app, g, request
from werkzeug.exceptions import HTTPException

from realtime.errors import BusFull, BusUnavailable, HistoryUnavailable, SightlineError
from server.errors import Conflict, Forbidden, Invalid, NotFound

log = logging.getLogger("server.problems")

RETRY_AFTER_S = 5


class Problem(SightlineError):
    """An answer other than success, with everything its body and headers say."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Sequence[Mapping[str, Any]] = (),
        headers: Mapping[str, str] | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = dict(extra or {})


def bad_request(code: str, detail: str) -> Problem:
    """400: the request cannot be read."""
    return Problem(400, code, detail)


def unauthorized(detail: str = "log in or send a bearer token") -> Problem:
    """401 with the challenge that clients look for."""
    return Problem(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def unavailable(what: str) -> Problem:
    """503: something we depend on is away; nothing was stored."""
    return Problem(503, "unavailable", f"{what} is away; try again", headers={"Retry-After": str(RETRY_AFTER_S)})


def too_many(code: str, detail: str, wait_s: float) -> Problem:
    """429 with the time to wait."""
    return Problem(429, code, detail, headers={"Retry-After": str(max(1, int(wait_s + 0.999)))})


def body_of(problem: Problem) -> dict[str, Any]:
    """The body's members, for answers that carry a problem inside (the feed's operation results do)."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "code": problem.code,
        "detail": problem.detail,
        **problem.extra,
    }
    if problem.errors:
        body["errors"] = problem.errors
    return body


def from_error(error: SightlineError) -> Problem:
    """The problem that one of our own errors stands for."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, NotFound):
        return Problem(404, "not_found", str(error))
    if isinstance(error, Forbidden):
        return Problem(403, "forbidden", str(error))
    if isinstance(error, Conflict):
        return Problem(409, error.code, error.detail, extra={"state": error.state})
    if isinstance(error, Invalid):
        row = {"field": error.field, "code": error.code, "detail": error.detail}
        return Problem(422, error.code, f"{error.field}: {error.detail}", errors=[row])
    if isinstance(error, BusFull | BusUnavailable):
        return unavailable("the bus")
    if isinstance(error, HistoryUnavailable):
        return unavailable("the history")
    log.error("unexpected %s: %s", type(error).__name__, error)
    return Problem(500, "internal", "the server failed; the request id helps to find out why")


def request_id() -> str:
    """One id per request: in the answer's header, in problem bodies and in the log."""
    if not hasattr(g, "request_id"):
        g.request_id = uuid.uuid4().hex
    return str(g.request_id)


def respond(problem: Problem) -> Response:
    """The response of a problem, as a page for a browser outside the API."""
    page = current_app.extensions.get("problem_page")
    if page is not None and _wants_a_page():
        html = page(problem.status, HTTPStatus(problem.status).phrase, problem.detail)
        return Response(html, problem.status, problem.headers, mimetype="text/html")
    body = {**body_of(problem), "request_id": request_id()}
    return Response(orjson.dumps(body, default=str), problem.status, problem.headers, mimetype="application/problem+json")


def is_machine_path() -> bool:
    """True where programs call: the API and the feed."""
    return request.path.startswith(("/api/", "/ar/")) or request.path in {"/api", "/ar", "/live", "/ready", "/health", "/metrics"}


def _wants_a_page() -> bool:
    return not is_machine_path() and request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"


def _from_http(error: HTTPException) -> Problem:
    status = error.code or 500
    if status == 500:
        return Problem(500, "internal", "the server failed; the request id helps to find out why")
    data: dict[str, Any] = getattr(error, "data", None) or {}
    errors = flatten(data["messages"]) if "messages" in data else []
    first = f"{errors[0]['field']}: {errors[0]['detail']}" if errors else None
    detail = data.get("message") or first or error.description or HTTPStatus(status).phrase
    headers = {k: v for k, v in error.get_headers() if k in {"Allow", "Retry-After", "WWW-Authenticate"}}
    code = "invalid" if errors else HTTPStatus(status).name.lower()
    return Problem(status, code, detail, errors=errors, headers=headers)


def _answer_http(error: HTTPException) -> Any:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # a redirect, or an answer somebody made on purpose
    return respond(_from_http(error))


def flatten(messages: Any, path: str = "") -> list[dict[str, str]]:
    """Marshmallow's nested messages as rows {field, code, detail}; the location (json, query) is left out."""
    if isinstance(messages, dict):
        rows: list[dict[str, str]] = []
        for key, below in messages.items():
            place = path if not path and key in {"json", "query", "headers", "form", "_schema"} else f"{path}.{key}".strip(".")
            rows += flatten(below, place)
        return rows
    texts = messages if isinstance(messages, list) else [messages]
    return [{"field": path or "body", "code": "invalid", "detail": str(text)} for text in texts]


def _from_database(error: Exception) -> Problem:
    original = getattr(error, "orig", None) or error
    if isinstance(original, psycopg2.DataError):
        return Problem(422, "invalid", "a value does not fit its column")
    if isinstance(original, psycopg2.OperationalError | psycopg2.InterfaceError) or isinstance(error, sqlalchemy.exc.TimeoutError):
        log.warning("database: %s", str(original).strip().splitlines()[0] if str(original).strip() else type(original).__name__)
        return unavailable("the database")
    if isinstance(original, psycopg2.IntegrityError):
        return Problem(409, "conflict", "this contradicts what is stored")
    log.error("request %s: database: %s", request_id(), error)
    return Problem(500, "internal", "the server failed; the request id helps to find out why")


def register(app: Flask) -> None:
    """Make every error of this app a problem."""
    app.register_error_handler(SightlineError, lambda error: respond(from_error(error)))
    app.register_error_handler(HTTPException, _answer_http)
    app.register_error_handler(sqlalchemy.exc.SQLAlchemyError, lambda error: respond(_from_database(error)))
    app.register_error_handler(psycopg2.Error, lambda error: respond(_from_database(error)))
