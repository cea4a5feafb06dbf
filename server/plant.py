"""The plant snapshot as this web process last read it: what readings are checked against without a query."""

from __future__ import annotations

import time
from typing import cast

from flask import Flask, current_app

from realtime.bus import Bus
from realtime.errors import BusUnavailable
from realtime.listen import PlantCopy
from realtime.snapshot import Asset, Source, Tag

REFRESH_S = 1.0


class Plant:
    """Tags by name and assets by id, at most a second old."""

    def __init__(self, bus: Bus) -> None:
        self._copy = PlantCopy(bus)
        self._read_at = float("-inf")
        self._index()

    def _index(self) -> None:
        self.version = self._copy.snapshot.version
        self.tags: dict[str, Tag] = self._copy.snapshot.tag_by_name()
        self.assets: dict[int, Asset] = self._copy.snapshot.asset_by_id()
        self.sources: list[Source] = self._copy.snapshot.sources

    def refresh(self) -> None:
        """Follow the published version; raises BusUnavailable while no snapshot was ever read."""
        if time.monotonic() - self._read_at < REFRESH_S and self.version:
            return
        self._read_at = time.monotonic()
        if self._copy.refresh():
            self._index()
        if not self.version:
            raise BusUnavailable("no plant snapshot is published yet")

    def is_of_site(self, tag: Tag, site_id: int) -> bool:
        """True when the tag belongs to that site."""
        asset = self.assets.get(tag.asset)
        return asset is not None and asset.site == site_id


def register(app: Flask, bus: Bus) -> None:
    """Give an app its copy."""
    app.extensions["sightline.plant"] = Plant(bus)


def plant() -> Plant:
    """The running application's copy, refreshed."""
    found = cast("Plant", current_app.extensions["sightline.plant"])
    found.refresh()
    return found
