"""What every answer of the feed carries: bearer only, language, weak ETag with 304, gzip above 400 bytes."""

from __future__ import annotations

import gzip
import hashlib

from flask import Flask, Response, request

from server.problems import unauthorized

LANGUAGES = ["en"]  # languages that instructions exist in; the client's own words are translated by its pages
COMPRESS_ABOVE = 400
PREFIX = "/ar/v1"
_CURSORLESS = b'"cursor"'


def language() -> str:
    """The best of our languages for this request."""
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def install(app: Flask) -> None:
    """Apply to every path of the feed."""
    app.before_request(_bearer_only)
    app.after_request(_finish)


def _bearer_only() -> None:
    """A cookie opens nothing here, so no foreign page can act through one."""
    if request.path.startswith(f"{PREFIX}/") and "Authorization" not in request.headers and not _is_open():
        raise unauthorized("the feed takes a bearer token")


def _is_open() -> bool:
    return request.routing_exception is not None or request.path in {f"{PREFIX}/schema", f"{PREFIX}/pair", f"{PREFIX}/pair/token"}


def _finish(response: Response) -> Response:
    if not request.path.startswith(PREFIX) or response.is_streamed or response.direct_passthrough:
        return response
    response.headers["Content-Language"] = language()
    response.vary.update(["Accept-Language", "Accept-Encoding"])
    if request.method == "GET" and response.status_code == 200 and not (response.mimetype or "").startswith("image/"):
        response.headers["Cache-Control"] = "private, no-cache"
        response.set_etag(_tag_of(response.get_data()), weak=True)
        response.make_conditional(request)
    return _compressed(response)


def _tag_of(body: bytes) -> str:
    """Hash of content and language; the cursor is no content: it moves with everybody's facts."""
    at = body.find(_CURSORLESS)
    shown = body if at < 0 else body[:at] + body[body.find(b",", at) :]
    return hashlib.sha256(language().encode() + b"\0" + shown).hexdigest()[:20]


def _compressed(response: Response) -> Response:
    body = response.get_data()
    if (
        len(body) <= COMPRESS_ABOVE
        or "gzip" not in request.headers.get("Accept-Encoding", "")
        or (response.mimetype or "").startswith("image/")
    ):
        return response
    response.set_data(gzip.compress(body, compresslevel=6, mtime=0))
    response.headers["Content-Encoding"] = "gzip"
    return response
