"""What a request works with: settings, database, bus and the clock; made once in create_app, handed to every part."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import cast

from flask import current_app

from realtime.bus import Bus
from realtime.settings import Settings
from server.database import Database
from server.timestamps import utc_now


@dataclass(frozen=True, slots=True)
class Services:
    """Stored as `app.extensions["sightline"]`."""

    settings: Settings
    database: Database
    bus: Bus
    clock: Callable[[], datetime] = field(default=utc_now)


def services() -> Services:
    """The running application's services."""
    return cast("Services", current_app.extensions["sightline"])
