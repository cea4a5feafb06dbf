"""The janitor: trims the bus by acknowledgement, measures how full it is, makes partitions ahead. One recorder holds the lease.

It deletes nothing that a registered group has not acknowledged.
"""

from __future__ import annotations

import logging
import threading
import time

import psycopg2

from realtime.bus import GROUPS, Bus, now_ms
from realtime.errors import BusUnavailable
from realtime.lease import Lease
from realtime.partitions import ensure_ahead

EVERY_S = 1.0
PARTITIONS_EVERY_S = 3600.0
WARN_FILL = 0.5
log = logging.getLogger("janitor")


class Janitor:
    """One duty round a second while it holds the lease `janitor`."""

    def __init__(self, bus: Bus, database_url: str) -> None:
        self.fill = 0.0
        self.trimmed = 0
        self.holds_lease = False
        self._bus = bus
        self._database_url = database_url
        self._lease = Lease(bus, "janitor")
        self._partitions_at = float("-inf")
        self._away = False

    @property
    def warns(self) -> bool:
        """True while the bus is at least half full of what somebody has not acknowledged."""
        return self.fill >= WARN_FILL

    def run(self, stop: threading.Event) -> None:
        """Do a round a second until stopped."""
        while not stop.wait(EVERY_S):
            try:
                self.round()
                self._away = False
            except (BusUnavailable, psycopg2.Error) as error:
                if not self._away:
                    log.warning("round put off: %s", error)
                self._away = True
        if self.holds_lease:
            self._release()

    def round(self) -> None:
        """Take or renew the lease, then trim, measure and make partitions; raises BusUnavailable and psycopg2.Error."""
        self.holds_lease = self._lease.hold()
        if not self.holds_lease:
            self.fill = self._bus.fill()
            return
        self.trimmed += sum(self._bus.trim(stream) for stream in GROUPS)
        self._measure()
        if time.monotonic() - self._partitions_at >= PARTITIONS_EVERY_S:
            conn = psycopg2.connect(self._database_url, application_name="sightline janitor", connect_timeout=5)
            try:
                ensure_ahead(conn, now_ms())
            finally:
                conn.close()
            self._partitions_at = time.monotonic()

    def _measure(self) -> None:
        warned = self.warns
        self.fill = self._bus.measure_fill()
        if self.warns and not warned:
            log.error("bus is %.0f %% full of %d MB: a group is not keeping up or is absent", self.fill * 100, self._bus.max_mb)
        elif warned and not self.warns:
            log.info("bus is %.0f %% full again", self.fill * 100)

    def _release(self) -> None:
        try:
            self._lease.release()
        except BusUnavailable:
            return  # it expires by itself
