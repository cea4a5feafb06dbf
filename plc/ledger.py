"""Counts what was refused, samples it to the quarantine, and tells of unknown tags; bounded in memory and rate."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable

from plc.outlet import Outlet
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import Signal, SignalName

SAMPLE_BYTES = 500
SAMPLE_EVERY_S = 0.2  # per reason: a storm of bad payloads must not become a storm on the bus
AGAIN_S, AGAIN_MOST_S = 1.0, 3600.0  # the same again is sampled after pauses that double: it must not push out what is rare
SUBJECTS_KEPT = 1000
DISCOVERED_KEPT = 500
DISCOVERED_AGAIN_S = 60.0
DISCOVERED_AT_ONCE = 5  # a turn of the courier, two turns a second: a birth of 500 metrics is told within a minute


class Ledger:
    """The report of one source's connector (plc.connector.Report). clock: monotonic seconds."""

    def __init__(
        self, outlet: Outlet, source: str, tell: Callable[[Signal], None] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.outlet = outlet
        self.source = source
        self.drops: Counter[str] = Counter()
        self._tell = tell or (lambda signal: outlet.add_signals([signal]))
        self._clock = clock
        self._sampled: dict[str, float] = {}
        self._subjects: dict[tuple[str, str], tuple[float, float]] = {}  # (reason, what) -> (sampled at, next pause)
        self._discovered: dict[str, float] = {}
        self._waiting: dict[str, float | str] = {}
        self._turn = threading.Lock()  # the connector finds, the courier tells

    def reject(self, reason: str, count: int = 1, *, topic: str = "", sample: bytes = b"") -> None:
        """Count; keep a sample at most each SAMPLE_EVERY_S a reason, and of the same topic (or sample) ever more rarely."""
        self.drops[reason] += count
        shown = sample[:SAMPLE_BYTES].decode("utf-8", "backslashreplace")
        if not self._is_worth(reason, topic or shown):
            return
        try:
            self.outlet.add_refused([{"t": now_ms(), "source": self.source, "reason": reason, "topic": topic[:200], "sample": shown}])
        except BusUnavailable:
            self.drops["quarantine_unwritten"] += 1

    def _is_worth(self, reason: str, what: str) -> bool:
        now = self._clock()
        at, pause = self._subjects.get((reason, what), (float("-inf"), AGAIN_S))
        if now - self._sampled.get(reason, float("-inf")) < SAMPLE_EVERY_S or now - at < pause:
            return False
        is_steady = now - at < 2 * AGAIN_MOST_S
        self._subjects.pop((reason, what), None)
        self._subjects[reason, what] = (now, min(2 * pause, AGAIN_MOST_S) if is_steady else AGAIN_S)
        if len(self._subjects) > SUBJECTS_KEPT:
            del self._subjects[next(iter(self._subjects))]
        self._sampled[reason] = now
        return True

    def discovered(self, tag: str, value: float | str) -> None:
        """Note an unknown tag and its last value: each is told at most once a minute, DISCOVERED_KEPT names at most."""
        self.drops["unknown_tag"] += 1
        told = self._discovered.get(tag)
        if told is None and len(self._discovered) >= DISCOVERED_KEPT:
            return
        if told is not None and self._clock() - told < DISCOVERED_AGAIN_S:
            return
        with self._turn:
            self._discovered.setdefault(tag, float("-inf"))
            self._waiting[tag] = value[:100] if isinstance(value, str) else value

    def tell_discovered(self) -> None:
        """Tell the server of some that wait."""
        with self._turn:
            chosen = [(tag, self._waiting.pop(tag)) for tag in list(self._waiting)[:DISCOVERED_AT_ONCE]]
            self._discovered |= dict.fromkeys((tag for tag, _ in chosen), self._clock())
        for tag, value in chosen:
            try:
                self._tell(Signal(SignalName.TAG_DISCOVERED, now_ms(), {"source": self.source, "tag": tag, "value": value}))
            except BusUnavailable:
                self._discovered[tag] = float("-inf")
