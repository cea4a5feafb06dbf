"""Counts what was refused, samples it to the quarantine, and tells of unknown tags; bounded in memory and rate."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

from plc.outlet import Outlet
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import Signal, SignalName

SAMPLE_BYTES = 500
SAMPLE_EVERY_S = 0.2  # per reason: a storm of bad payloads must not become a storm on the bus
DISCOVERED_KEPT = 500
DISCOVERED_AGAIN_S = 60.0
DISCOVERED_EVERY_S = 0.1


class Ledger:
    """The report of one source's connector (plc.connector.Report)."""

    def __init__(self, outlet: Outlet, source: str, tell: Callable[[Signal], None] | None = None) -> None:
        self.outlet = outlet
        self.source = source
        self.drops: Counter[str] = Counter()
        self._tell = tell or (lambda signal: outlet.add_signals([signal]))
        self._sampled: dict[str, float] = {}
        self._discovered: dict[str, float] = {}
        self._told = float("-inf")

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Count; keep a sample at most each SAMPLE_EVERY_S a reason."""
        self.drops[reason] += count
        now = time.monotonic()
        if now - self._sampled.get(reason, float("-inf")) < SAMPLE_EVERY_S:
            return
        self._sampled[reason] = now
        shown = sample[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")
        try:
            self.outlet.add_refused([{"t": now_ms(), "source": self.source, "reason": reason, "topic": topic[:200], "sample": shown}])
        except BusUnavailable:
            self.drops["quarantine_unwritten"] += 1

    def discovered(self, tag: str, value: float | str) -> None:
        """Tell the server of an unknown tag and its last value: each at most once a minute, DISCOVERED_KEPT names at most."""
        self.drops["unknown_tag"] += 1
        now = time.monotonic()
        known = tag in self._discovered
        if now - self._told < DISCOVERED_EVERY_S or (not known and len(self._discovered) >= DISCOVERED_KEPT):
            return
        if known and now - self._discovered[tag] < DISCOVERED_AGAIN_S:
            return
        self._discovered[tag] = self._told = now
        shown = value[:100] if isinstance(value, str) else value
        try:
            self._tell(Signal(SignalName.TAG_DISCOVERED, now_ms(), {"source": self.source, "tag": tag, "value": shown}))
        except BusUnavailable:
            del self._discovered[tag]
