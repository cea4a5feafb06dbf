"""Follows the plant snapshot: looks for a new version, keeps the last copy on disk, starts from it while the bus is away."""

from __future__ import annotations

import logging
from pathlib import Path

from realtime.bus import Bus
from realtime.errors import BusUnavailable, DecodeError
from realtime.snapshot import Snapshot, load_copy, save_copy

log = logging.getLogger("plc.follow")


class Follower:
    """The newest snapshot that could be read; None until there is one."""

    def __init__(self, bus: Bus, copy: Path) -> None:
        self.bus = bus
        self.copy = copy
        self.snapshot: Snapshot | None = None
        self._complained = False
        try:
            self.snapshot = load_copy(copy)
        except DecodeError as error:
            log.error("%s: %s; waiting for the bus", copy, error)  # noqa: TRY400 - one line says it

    def poll(self) -> bool:
        """Look once; True when there is a new version."""
        try:
            version = self.bus.config_version()
            if version is None or (self.snapshot is not None and version == self.snapshot.version):
                return False
            fresh = self.bus.config()
        except BusUnavailable:
            return False
        except DecodeError as error:
            if not self._complained:
                log.error("plant snapshot: %s; going on with version %s", error, self.version)  # noqa: TRY400 - one line says it
            self._complained = True
            return False
        if fresh is None:
            return False
        self._complained = False
        self.snapshot = fresh
        save_copy(fresh, self.copy)
        return True

    @property
    def version(self) -> int | None:
        """Version in force."""
        return self.snapshot.version if self.snapshot else None
