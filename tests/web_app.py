"""The web application for tests: its routes are made once a process, its pool once a module, its other services anew for every test."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from flask import Flask

from app import attach, routed_app
from realtime.settings import Settings
from server.database import Database
from server.services import Services


@cache
def _routed() -> tuple[Flask, Any]:
    app = routed_app()
    return app, app.wsgi_app


def web_app(settings: Settings, database: Database) -> Iterator[Flask]:
    """The application on these settings and the module's pool, for a fixture to `yield from`; its own connections are closed at the end."""
    app, without_sockets = _routed()
    app.wsgi_app = without_sockets  # type: ignore[method-assign]  # the sockets of the last test wrapped it
    attach(app, settings, database)
    yield app
    services: Services = app.extensions["sightline"]
    services.bus.client.close()
