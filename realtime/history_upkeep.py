"""Upkeep of the history, a duty of the recorder program: closes hours, compacts them, folds what came late, lets go what is old.

The recorder that holds the lease `janitor` does it; a lock in the database keeps out a second one whose lease has just passed on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import psycopg2
from psycopg2.extensions import connection

from realtime.bus import Bus, now_ms
from realtime.closed_hours import closable, close
from realtime.compaction import compact, fold_late
from realtime.errors import BusUnavailable, DecodeError
from realtime.retention import retain
from realtime.text_history import thin

EVERY_S = 60.0
RETENTION_EVERY_S = 3600.0
log = logging.getLogger("upkeep")


class HistoryUpkeep:
    """A round a minute; retention once an hour."""

    def __init__(self, bus: Bus, database_url: str, holds_lease: Callable[[], bool]) -> None:
        self.compacted = 0
        self.folded = 0
        self.dropped = 0
        self._bus = bus
        self._database_url = database_url
        self._holds_lease = holds_lease
        self._retention_at = float("-inf")

    def run(self, stop: threading.Event) -> None:
        """Do rounds until stopped; one that fails has changed nothing and is done again."""
        while not stop.wait(EVERY_S):
            if self._holds_lease():
                try:
                    self.round(stop)
                except (BusUnavailable, DecodeError, psycopg2.Error) as error:
                    log.warning("round put off: %s", str(error).strip().splitlines()[0])

    def round(self, stop: threading.Event) -> None:
        """Everything that is due; raises BusUnavailable, DecodeError of a damaged chunk, and psycopg2.Error."""
        conn = psycopg2.connect(self._database_url, application_name="sightline upkeep", connect_timeout=5)
        try:
            close(conn, closable(now_ms()))
            self.compacted += compact(conn, stop)
            self.folded += fold_late(conn, stop)
            if time.monotonic() - self._retention_at >= RETENTION_EVERY_S:
                self._let_go(conn, stop)
        finally:
            conn.close()

    def _let_go(self, conn: connection, stop: threading.Event) -> None:
        """Nothing goes before the plant has said which tags are kept longer."""
        plant = self._bus.config()
        if plant is None:
            return
        own, now = {tag.id: tag.keep for tag in plant.tags if tag.keep}, now_ms()
        self.dropped += retain(conn, own, now, stop) + thin(conn, own, now, stop)
        self._retention_at = time.monotonic()
