"""Whether a link stands, since when, and what was told of it: uncertain after the first failed read, bad and one signal when it stays down.

It neither reads nor waits; the runner tells it what happened.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from plc.connector import LinkError, Readings, bad_samples
from plc.courier import Courier
from plc.delivery import Delivery
from plc.grid import periods_of
from plc.link_record import LinkRecord
from realtime.bus import now_ms
from realtime.errors import BusFull, BusUnavailable
from realtime.events import Reason, Signal, SignalName
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.link")

LOST_AFTER_S = (2.0, 5.0)  # three polls, but within these
FIRST_CONTACT_S = 8.0  # after a power cut the devices start beside us: one that was never there is lost this much later
MISSED_PERIODS, MISSED_LEAST_S = 2.0, 0.5  # a restart that took longer than this has left a gap


class LinkHealth:
    """The link of one source. state: connecting, live, retrying or lost; since_ms: ms UTC; error: "" while it stands."""

    def __init__(self, source: Source, delivery: Delivery, courier: Courier, record: LinkRecord) -> None:
        self.source = source
        self.tags: list[Tag] = []
        self.delivery = delivery
        self.courier = courier
        self.record = record
        self.state = "lost" if record.is_lost else "connecting"
        self.error = ""
        self.since_ms = now_ms()
        self._is_announced = record.is_lost
        self._good_at = time.monotonic() + FIRST_CONTACT_S
        self._failed_ms: int | None = None
        self._good_ms: int | None = None

    @property
    def good_ms(self) -> int | None:
        """When the link was last good, by us or before us; ms UTC."""
        return self._good_ms or self.record.was_good_ms

    def configure(self, source: Source, tags: Sequence[Tag]) -> None:
        """Take a new configuration."""
        self.source, self.tags = source, list(tags)

    @property
    def fastest_s(self) -> float:
        """The shortest period of the source's groups."""
        return min(periods_of(self.source, self.tags).values(), default=1.0)

    def tell_gap_of_restart(self) -> None:
        """Nobody read while no collector ran: that is a gap from the poll that was missed first."""
        was_good = self.record.was_good_ms
        if was_good is None or self._is_announced:
            return
        if now_ms() - was_good > max(MISSED_PERIODS * self.fastest_s, MISSED_LEAST_S) * 1000:
            missed = bad_samples(self.tags, was_good + int(self.fastest_s * 1000), Reason.COMM)
            self._delivered([replace(part, replay=True) for part in missed])

    def good(self, read_ms: int) -> None:
        """The read that began at read_ms went well."""
        self._good_at, self._failed_ms, self._good_ms = time.monotonic(), None, read_ms
        self.record.good(read_ms)
        if self.state == "live":
            return
        if self._is_announced:
            self._is_announced = False
            self.record.tell(is_lost=False, t_ms=read_ms)
            self.courier.tell(Signal(SignalName.SOURCE_RECOVERED, now_ms(), self._body("recovered", "")))
        log.info("%s: %s", self.source.name, "live" if self.state == "connecting" else "live again")
        self._turn("live", "")

    def failed(self, error: LinkError, read_ms: int) -> None:
        """The read that began at read_ms failed: what stands is the last known value, and no longer more than that."""
        was_live = self.state == "live"
        self._good_at = min(self._good_at, time.monotonic() - error.quiet_s)
        read_ms = min(read_ms, now_ms() - int(error.quiet_s * 1000))  # silence that was noticed late began earlier
        if self.state in {"connecting", "live"}:
            log.warning("%s: %s; retrying", self.source.name, error)
        self._turn("retrying" if self.state in {"connecting", "live"} else self.state, str(error))
        if self._failed_ms is None:
            self._failed_ms = self._first_missed(read_ms)
            if was_live:
                self._delivered(self.delivery.standing.stale(self.tags, self._failed_ms))
        self.announce_if_lost(error)

    def _first_missed(self, read_ms: int) -> int:
        """One period after the last good read where the read that failed began later than that, but after every sample."""
        if self._good_ms is None:
            return read_ms
        newest = self.delivery.standing.newest() or 0
        return min(read_ms, max(self._good_ms + int(self.fastest_s * 1000), newest + 1))

    def announce_if_lost(self, error: LinkError) -> None:
        """After three polls without a good read: one bad sample a tag and one signal, not again until it recovers."""
        if time.monotonic() - self._good_at >= min(max(3 * self.fastest_s, LOST_AFTER_S[0]), LOST_AFTER_S[1]):
            self.announce(error)

    def announce(self, error: LinkError) -> bool:
        """The bad samples stand right after the first read that failed: the gap is exact to one poll. True when told just now."""
        if self._is_announced:
            return False
        since = now_ms() if self._failed_ms is None else self._failed_ms + 1
        lost = [self.delivery.standing.after(part) for part in bad_samples(self.tags, since, Reason.COMM)]
        if not self._delivered(lost):
            return False  # said when the bus is back
        self._is_announced = True
        self.record.tell(is_lost=True)
        self._turn("lost", str(error))
        log.error("%s: lost, %d tags are bad: %s", self.source.name, len(self.tags), error)
        self.courier.tell(Signal(SignalName.SOURCE_LOST, now_ms(), self._body(error.reason, str(error))))
        return True

    def _turn(self, state: str, error: str) -> None:
        self.since_ms = now_ms() if state != self.state else self.since_ms
        self.state, self.error = state, error

    def _delivered(self, readings: Sequence[Readings]) -> bool:
        try:
            self.delivery.deliver(self.delivery.batches(readings, are_scaled=True))
        except (BusUnavailable, BusFull):
            return False
        return True

    def _body(self, reason: str, detail: str) -> dict[str, Any]:
        return {"source": self.source.name, "reason": reason, "detail": detail, "tags": [tag.name for tag in self.tags]}
