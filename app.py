"""The web process: create_app() puts server, web, ar_feed and push together; run as a program it also serves them.

The only program that patches for ASYNC_MODE, before anything else is imported; importing this module patches nothing.
"""

from __future__ import annotations

import sys

from realtime import settings as settings_module
from realtime.errors import SettingsError

if __name__ == "__main__":
    from realtime import asyncmode

    try:
        STARTED_WITH = settings_module.load()
    except SettingsError as error:
        sys.exit(str(error))
    asyncmode.patch(STARTED_WITH.async_mode)

from dataclasses import dataclass

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

import ar_feed.plant
import ar_feed.push
import ar_feed.routes
import server.api.routes
import web.pages
from realtime.bus import Bus, connect
from realtime.doors import Doors
from realtime.push import Push
from realtime.settings import Settings
from realtime.supervise import configure_logging
from server import headers, http_input, plant, problems, serving
from server.auth import guard, session
from server.auth.secret import derived_key, server_secret
from server.database import Database
from server.doors import SocketDoors
from server.json_provider import StrictProvider
from server.metrics import RequestCounts
from server.services import Services


@dataclass(frozen=True, slots=True)
class Web:
    """One web process: the app, its sockets and its counters."""

    app: Flask
    push: Push
    services: Services
    counts: RequestCounts


def create_app(settings: Settings) -> Flask:
    """The whole web application, without its background tasks: for tests and tools."""
    return create_web(settings).app


def create_web(settings: Settings) -> Web:
    """The web application with everything that serving it needs."""
    return attach(routed_app(), settings)


def routed_app() -> Flask:
    """Every route and guard of the application, not yet attached to services; no request may come before `attach`."""
    app = Flask(__name__, static_folder=None, template_folder=None)
    app.json = StrictProvider(app)
    app.extensions["sightline.counts"] = counts = RequestCounts()
    counts.register(app)
    problems.register(app)
    headers.register(app)
    http_input.register(app)
    session.register(app)
    guard.register(app)
    server.api.routes.register(app)
    web.pages.register(app)
    ar_feed.routes.register(app)
    return app


def attach(app: Flask, settings: Settings, database: Database | None = None) -> Web:
    """Give a routed app its database (or this one), bus, keys, plant and sockets; those of an earlier call are replaced, not closed."""
    settings_module.require(settings, "database_url", "redis_url")
    bus = Bus(connect(str(settings.redis_url)), settings.bus_prefix, settings.bus_max_mb)
    services = Services(settings, database or Database(str(settings.database_url)), bus)
    app.extensions["sightline"] = services
    secret = server_secret(settings)
    app.secret_key = derived_key(secret, "cookie")
    app.extensions["sightline.jwt_key"] = derived_key(secret, "access token")
    plant.register(app, bus)
    ar_feed.plant.install(app, bus)
    own = SocketDoors(services, app.extensions["sightline.jwt_key"])
    app.extensions["sightline.doors"] = own
    push = Push(settings, bus, _doors(own))
    push.init_app(app)
    if settings.proxy_hops:
        hops = settings.proxy_hops
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    return Web(app, push, services, app.extensions["sightline.counts"])


def _doors(own: SocketDoors) -> Doors:
    return Doors(
        authenticate=own.authenticate,
        still_valid=own.still_valid,
        may_ask=own.may_ask,
        sees_asset=own.sees_asset,
        sees_fact=own.sees_fact,
        facts_since=own.facts_since,
        latest=own.latest,
        last_good=own.last_good,
        task_view=ar_feed.push.task_view,
        ar_events=ar_feed.push.ar_events,
    )


def main(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logging()
    try:
        made = create_web(settings)
        serving.serve(made.app, made.push, made.services, made.counts)
    except SettingsError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(STARTED_WITH)
