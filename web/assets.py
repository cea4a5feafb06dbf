"""Our own static files under a name that changes with their content: /static/<version>/..., cached for ever.

The version is in the path, so that relative imports between ES modules stay inside one version.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

FOLDER = Path(__file__).parent / "static"
YEAR_S = 31_536_000
WORTH_PACKING = {"text/css", "text/javascript", "image/svg+xml", "application/json"}


@lru_cache(maxsize=1)
def version() -> str:
    """Twelve hexadecimal digits over every static file and its name."""
    digest = hashlib.sha256()
    for path in sorted(FOLDER.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(FOLDER).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def media_type(path: Path) -> str:
    """Content type by name; the platform's own table calls .js and .woff2 by several names."""
    known = {".js": "text/javascript", ".css": "text/css", ".woff2": "font/woff2", ".svg": "image/svg+xml"}
    return known.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


@lru_cache(maxsize=256)
def _packed(path: Path, _changed_ns: int) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)


def answer(path: Path, max_age_s: int, *, immutable: bool) -> Response:
    """The file, gzipped where the browser takes it and it pays, with its cache headers and ETag."""
    kind = media_type(path)
    pack = kind in WORTH_PACKING and "gzip" in request.headers.get("Accept-Encoding", "")
    body = _packed(path, path.stat().st_mtime_ns) if pack else path.read_bytes()
    response = Response(body, mimetype=kind)
    if pack:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["Vary"] = "Accept-Encoding"
    response.headers["Cache-Control"] = f"public, max-age={max_age_s}" + (", immutable" if immutable else "")
    response.set_etag(hashlib.sha256(body).hexdigest()[:16])
    response.make_conditional(request.environ)
    return response


def static_file(build: str, name: str) -> Response:
    """A file of web/static; an address of another build is answered too, but not kept."""
    path = (FOLDER / name).resolve()
    if not path.is_relative_to(FOLDER.resolve()) or not path.is_file():
        raise NotFound(f"no static file {name}")
    current = build == version()
    return answer(path, YEAR_S if current else 0, immutable=current)


def favicon() -> Response:
    """The icon that browsers ask for by themselves, on pages that name none."""
    return answer(FOLDER / "icon.svg", 86_400, immutable=False)


def asset_url(name: str) -> str:
    """Address of a file of web/static; template global."""
    return url_for("static_file", build=version(), name=name)


def register(app: Flask) -> None:
    """Serve them; the caller opens the endpoints `static_file` and `favicon` to everyone."""
    app.add_url_rule("/static/<build>/<path:name>", "static_file", static_file)
    app.add_url_rule("/favicon.ico", "favicon", favicon)
    app.add_template_global(asset_url)
