"""The browser libraries of package.json, served from node_modules by a whitelist; nothing else of it is reachable.

Addresses carry the package's version as ?v=, so that an update is fetched and the rest stays cached.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson
from flask import Flask, Response, request, url_for
from werkzeug.exceptions import NotFound

from web import assets

NODE_MODULES = Path(__file__).parent.parent / "node_modules"
WEEK_S = 604_800


@dataclass(frozen=True, slots=True)
class Library:
    """One file of one package."""

    package: str
    file: str


_PLEX = "@fontsource-variable/ibm-plex-sans"
_ARABIC = "@fontsource/ibm-plex-sans-arabic"

LIBRARIES: dict[str, Library] = {
    "socket.io.esm.min.js": Library("socket.io-client", "dist/socket.io.esm.min.js"),
    "uplot.esm.js": Library("uplot", "dist/uPlot.esm.js"),
    "uplot.css": Library("uplot", "dist/uPlot.min.css"),
    "jsqr.js": Library("jsqr", "dist/jsQR.js"),
    "ibm-plex-sans-latin.woff2": Library(_PLEX, "files/ibm-plex-sans-latin-wght-normal.woff2"),
    "ibm-plex-sans-latin-ext.woff2": Library(_PLEX, "files/ibm-plex-sans-latin-ext-wght-normal.woff2"),
    "ibm-plex-sans-arabic-400.woff2": Library(_ARABIC, "files/ibm-plex-sans-arabic-arabic-400-normal.woff2"),
    "ibm-plex-sans-arabic-600.woff2": Library(_ARABIC, "files/ibm-plex-sans-arabic-arabic-600-normal.woff2"),
}


@lru_cache(maxsize=64)
def package_version(package: str) -> str:
    """Version that is installed; empty where the packages are missing (no node on this machine)."""
    manifest = NODE_MODULES / package / "package.json"
    return str(orjson.loads(manifest.read_bytes())["version"]) if manifest.exists() else ""


def library_file(name: str) -> Response:
    """A whitelisted file; 404 for anything else, also where the packages are not installed."""
    library = LIBRARIES.get(name)
    path = NODE_MODULES / library.package / library.file if library else None
    if library is None or path is None or not path.exists():
        raise NotFound(f"no library {name}; `make run` installs them with npm")
    current = request.args.get("v") == package_version(library.package)
    return assets.answer(path, assets.YEAR_S if current else WEEK_S, immutable=current)


def lib(name: str) -> str:
    """Address of a library; template global. Fonts go without version: the style sheet names them so."""
    if name.endswith(".woff2"):
        return url_for("library_file", name=name)
    return url_for("library_file", name=name, v=package_version(LIBRARIES[name].package))


def register(app: Flask) -> None:
    """Serve them; the caller opens the endpoint `library_file` to everyone."""
    app.add_url_rule("/lib/<name>", "library_file", library_file)
    app.add_template_global(lib)
