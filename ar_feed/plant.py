"""The web process's copy of the plant snapshot for the feed, refreshed at most once a second."""

from __future__ import annotations

import time
from typing import cast

from flask import Flask, current_app

from realtime.bus import Bus
from realtime.listen import PlantCopy
from realtime.snapshot import Snapshot

NAME = "sightline.ar_feed.plant"


class Plant:
    """Asks the bus for the version when the copy is older than a second."""

    def __init__(self, bus: Bus) -> None:
        self._copy = PlantCopy(bus)
        self._looked = float("-inf")

    def snapshot(self) -> Snapshot:
        """The newest snapshot we could get."""
        if time.monotonic() - self._looked > 1.0:
            self._looked = time.monotonic()
            self._copy.refresh()
        return self._copy.snapshot


def install(app: Flask, bus: Bus) -> None:
    """One copy per app."""
    app.extensions[NAME] = Plant(bus)


def snapshot() -> Snapshot:
    """The running app's copy."""
    return cast("Plant", current_app.extensions[NAME]).snapshot()
