"""The browser client for glasses at /glasses: one page, its ES modules and the QR of the pairing screen.

Nothing of a plant is in the page: it fetches everything through the feed with the token that pairing gave it.
"""

from __future__ import annotations

import gzip
import hashlib
import io
from functools import lru_cache
from pathlib import Path

import segno
from flask import Blueprint, Flask, Response, render_template, request
from flask_babel import get_locale
from werkzeug.security import safe_join

from ar_feed import catalogue, words
from server.auth.guard import public
from server.errors import Invalid, NotFound
from server.problems import Problem

glasses = Blueprint("glasses", __name__, template_folder="templates")

STATIC = Path(__file__).parent / "static"
YEAR_S = 31_536_000
TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


@lru_cache(maxsize=1)
def version() -> str:
    """Twelve digits over every static file, so that a changed one has a new address."""
    digest = hashlib.sha256()
    for path in sorted(STATIC.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(STATIC).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()[:12]


@glasses.get("/glasses")
@public
def page() -> str:
    """The client; `?device=see-through` turns it white on black."""
    device = request.args.get("device", "glasses")
    if device not in {"glasses", "realwear", "vuzix", "see-through", "tablet", "phone"}:
        raise Invalid("device", "unknown", "glasses, realwear, vuzix, see-through, tablet or phone")
    language = str(get_locale().language)
    return render_template(
        "glasses.html", version=version(), device=device, language=language, texts=catalogue.texts(), say=words.STANDING["en"]
    )


@glasses.get("/glasses/qr.svg")
@public
def qr() -> Response:
    """QR of the approval page with the code filled in; only ever of our own address."""
    code = request.args.get("code", "")
    if len(code) != 9 or not code.replace("-", "").isalpha():
        raise Problem(422, "invalid", "code is a pairing code")
    made = segno.make(f"{request.host_url}pair?code={code.upper()}", micro=False, error="m")
    drawn = io.BytesIO()
    made.save(drawn, kind="svg", scale=4, border=4, dark="#000", light="#fff", xmldecl=False, nl=False)
    return Response(drawn.getvalue(), mimetype="image/svg+xml", headers={"Cache-Control": "no-store"})


@glasses.get("/glasses/<tag>/<path:name>")
@public
def static_file(tag: str, name: str) -> Response:
    """A module, style sheet or icon; for ever cacheable under the current version."""
    path = safe_join(str(STATIC), name)
    kind = TYPES.get(Path(name).suffix)
    if path is None or kind is None or not Path(path).is_file():
        raise NotFound("client file", name[:80])
    packed = "gzip" in request.headers.get("Accept-Encoding", "")
    response = Response(_content(path, version(), packed=packed), mimetype=kind)
    if packed:
        response.headers["Content-Encoding"] = "gzip"
    response.vary.add("Accept-Encoding")
    response.cache_control.max_age = YEAR_S if tag == version() else 0
    response.cache_control.immutable = tag == version()
    return response


@lru_cache(maxsize=128)
def _content(path: str, _version: str, *, packed: bool) -> bytes:
    raw = Path(path).read_bytes()
    return gzip.compress(raw, 9, mtime=0) if packed else raw


def register(app: Flask) -> None:
    """Serve the client."""
    app.register_blueprint(glasses)
