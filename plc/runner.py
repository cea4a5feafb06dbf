"""Runs one source on one thread: connect, poll on a fixed grid or wait for pushes, deliver, confirm; lost and recovered.

It knows no protocol. A sample is good only from a real read: a link that stays down makes one bad sample a tag and one signal.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import Any

from plc.connector import Connector, Kind, LinkError, Readings, bad_samples
from plc.delivery import Delivery, Ledger
from plc.grid import Grid, periods_of
from plc.spool import Spool
from plc.state import STATUS_WORDS, Observed, StateWatch
from realtime.bus import Bus, now_ms
from realtime.errors import BusFull, BusUnavailable
from realtime.events import Batch, Reason, Signal, SignalName
from realtime.settings import Settings
from realtime.snapshot import Source, Tag
from realtime.supervise import backoff

log = logging.getLogger("plc.runner")

LOST_AFTER_S = (2.0, 5.0)  # three polls, but within these
FIRST_CONTACT_S = 8.0  # after a power cut the devices start beside us: one that was never there is lost this much later
SILENT_PERIODS, SILENT_LEAST_S = 2.4, 6.0
PUSH_WAIT_S = 0.25
BUS_RETRY_S = 0.5


class SourceRunner:
    """The owner of one link. `update` and `stop` come from another thread; everything else runs on its own."""

    def __init__(self, kind: Kind, source: Source, tags: Sequence[Tag], settings: Settings, bus: Bus) -> None:
        self.kind = kind
        self.source = source
        self.tags = list(tags)
        self.settings = settings
        self.bus = bus
        self.ledger = Ledger(bus, source.name)
        self.state = "connecting"  # connecting | live | retrying | lost
        self.error = ""
        self.reconnects = 0
        self._next: tuple[Source, list[Tag]] | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._signals: deque[Signal] = deque(maxlen=1000)
        self._watch = StateWatch([])
        self._grid = Grid({})
        self._good_at = time.monotonic() + FIRST_CONTACT_S
        self._announced = False
        self._unusable: list[Tag] = []
        self._held: list[Batch] = []
        self._spool: Spool | None = None
        self._delivery = Delivery(bus, source, self.ledger, None)
        self._connector = self._made()
        self._thread = threading.Thread(target=self._run, name=f"source-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def update(self, source: Source, tags: Sequence[Tag]) -> None:
        """Take a new configuration at the next turn; the link stays unless the source's own settings changed."""
        if source != self.source or list(tags) != self.tags:
            self._next = (source, list(tags))
            self._wake.set()

    def stop(self, timeout_s: float = 4.0) -> None:
        """End the thread and the link."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)

    @property
    def is_alive(self) -> bool:
        """False once the thread has ended."""
        return self._thread.is_alive()

    def status(self) -> dict[str, Any]:
        """What /health shows of this source."""
        return {
            "state": self.state,
            "error": self.error,
            "tags": len(self.tags),
            "readings": self._delivery.delivered,
            "reconnects": self.reconnects,
            "overruns": self._grid.overruns,
            "spooled": self._spool.waiting if self._spool else 0,
            **self._connector.describe(),
        }

    def _made(self) -> Connector:
        return self.kind.load()(self.source, self.settings, self.ledger)

    def _run(self) -> None:
        if self.kind.is_spooled:
            self._spool = Spool(self.settings.data_dir / "spool" / f"{self.source.name}.sqlite")
            self._delivery.spool = self._spool
        self._configure()
        waits = backoff()
        while not self._stop.is_set():
            try:
                self._connector.connect()
                self._live()
            except LinkError as error:
                self._connector.close()
                self.reconnects += 1
                if self.state == "live":
                    waits = backoff()
                self._failed(error)
                self._wait_retry(next(waits), error)
        self._connector.close()
        if self._spool is not None:
            self._spool.close()

    def _configure(self) -> None:
        """Hand tags to the connector; those with a wrong address are bad (CONFIG) and stop no other."""
        addressed = [tag for tag in self.tags if not tag.virtual]
        self._delivery.configure(self.source, self.tags)
        words = {int(k): v for k, v in (self.source.config.get("status") or {}).items()} or STATUS_WORDS
        self._watch = StateWatch(self.tags, words)
        self._grid = Grid(periods_of(self.source, addressed) if self.kind.is_polled else {})
        unusable = self._connector.plan(self.tags)
        for tag, why in unusable:
            log.error("%s: tag %s: %s", self.source.name, tag.name, why)
        self._unusable = [tag for tag, _ in unusable]

    def _live(self) -> None:
        """One life of the link, until it fails (LinkError), the source changes or we stop."""
        while not self._stop.is_set():
            if self._next is not None and not self._reconfigured():
                return
            readings = self._gather()
            if readings is None:
                continue
            self._judge()
            if not self._publish(readings):
                return
            self._connector.confirm()
            self._flush_signals()

    def _judge(self) -> None:
        """The link stands: that is good, unless a source that must speak has said nothing at all for too long."""
        quiet_s = self._connector.quiet_s()
        limit_s = self._silent_after()
        if quiet_s is None or quiet_s < limit_s:
            self._is_good()
            return
        detail = f"{self.source.name}: connected, but nothing has come for {quiet_s:.0f} s"
        self._announce(LinkError("silent", detail, "check that the devices publish, and to this broker"))

    def _silent_after(self) -> float:
        """Before the monitor calls single tags silent: a whole source that is quiet is one alert, not one a tag."""
        slowest = max((tag.period_s for tag in self.tags), default=1.0)
        return max(SILENT_PERIODS * slowest, SILENT_LEAST_S)

    def _gather(self) -> list[Readings] | None:
        """The next readings; None when there was nothing to do but wait."""
        if not self.kind.is_polled:
            return self._connector.read("", PUSH_WAIT_S)
        due = self._grid.next_due()
        if due is None:
            self._pause(1.0)
            return None
        group, at = due
        if self._pause(at - time.monotonic()):
            return None
        readings = self._connector.read(group, 0.0)
        self._grid.done(group, time.monotonic())
        return readings

    def _pause(self, seconds: float) -> bool:
        """Wait; True when woken for a new configuration or the end."""
        if seconds > 0 and self._wake.wait(seconds):
            self._wake.clear()
            return True
        return False

    def _reconfigured(self) -> bool:
        """Apply the waiting configuration; False when the link must be opened anew."""
        assert self._next is not None
        (source, tags), self._next = self._next, None
        same_link = source.config == self.source.config
        self.source, self.tags = source, tags
        if not same_link:
            self._connector.close()
            self._connector = self._made()
        self._configure()
        log.info("%s: configuration taken, %d tags%s", source.name, len(tags), "" if same_link else ", link opened anew")
        return same_link

    def _publish(self, readings: Sequence[Readings]) -> bool:
        """Deliver; without a spool keep trying until the bus has them. False when we stop first.

        What is held while the link breaks goes first in its next life; at QoS 1 it then comes twice, and identity tells.
        """
        if self._unusable:
            readings = [*readings, *bad_samples(self._unusable, now_ms(), Reason.CONFIG)]
            self._unusable = []
        self._held += self._delivery.batches(readings)
        while self._held:
            try:
                self._delivery.deliver(self._held)
                break
            except (BusUnavailable, BusFull):
                self._connector.idle(BUS_RETRY_S)
                if self._stop.wait(BUS_RETRY_S / 5):
                    return False
        self._observe(self._held)
        self._held = []
        return True

    def _observe(self, batches: Sequence[Batch]) -> None:
        if not self._watch.watches:
            return
        samples = [
            (int(tag), float(value))
            for batch in batches
            if batch.kind == "f64" and "replay" not in batch.flags
            for tag, value, quality in zip(batch.ids, batch.numbers(), batch.quality, strict=True)
            if quality & 3 == 0
        ]
        for seen in self._watch.observe(samples, time.monotonic()):
            self._signals.append(Signal(SignalName.STATE_OBSERVED, now_ms(), _state_body(seen)))

    def _is_good(self) -> None:
        self._good_at = time.monotonic()
        if self.state == "live":
            return
        if self._announced:
            self._announced = False
            self._signals.append(Signal(SignalName.SOURCE_RECOVERED, now_ms(), self._source_body("recovered", "")))
        log.info("%s: %s", self.source.name, "live" if self.state == "connecting" else "live again")
        self.state, self.error = "live", ""
        self._flush_signals()

    def _failed(self, error: LinkError) -> None:
        if self.state in {"connecting", "live"}:
            log.warning("%s: %s; retrying", self.source.name, error)
            self.state = "retrying"
        self.error = str(error)
        self._announce_if_lost(error)

    def _announce_if_lost(self, error: LinkError) -> None:
        """After three polls without a good read: one bad sample a tag and one signal, not again until it recovers."""
        if time.monotonic() - self._good_at >= self._lost_after():
            self._announce(error)

    def _announce(self, error: LinkError) -> None:
        if self._announced:
            return
        batches = self._delivery.batches(bad_samples(self.tags, now_ms(), Reason.COMM))
        try:
            self._delivery.deliver(batches)
        except (BusUnavailable, BusFull):
            return  # said when the bus is back
        self._announced = True
        self.state, self.error = "lost", str(error)
        self._watch.forget()
        log.error("%s: lost, %d tags are bad: %s", self.source.name, len(self.tags), error)
        self._signals.append(Signal(SignalName.SOURCE_LOST, now_ms(), self._source_body(error.reason, str(error))))
        self._flush_signals()

    def _lost_after(self) -> float:
        fastest = min(periods_of(self.source, self.tags).values(), default=1.0)
        return min(max(3 * fastest, LOST_AFTER_S[0]), LOST_AFTER_S[1])

    def _wait_retry(self, seconds: float, error: LinkError) -> None:
        """Back off; meanwhile a link that has been down long enough is announced, and a new configuration is taken."""
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and time.monotonic() < deadline:
            self._pause(min(0.25, max(deadline - time.monotonic(), 0.01)))
            self._announce_if_lost(error)
            self._flush_signals()
            if self._next is not None:
                self._reconfigured()
                return

    def _source_body(self, reason: str, detail: str) -> dict[str, Any]:
        return {"source": self.source.name, "reason": reason, "detail": detail, "tags": [tag.name for tag in self.tags]}

    def _flush_signals(self) -> None:
        while self._signals:
            try:
                self.bus.add_signals([self._signals[0]])
            except BusUnavailable:
                return
            self._signals.popleft()


def _state_body(seen: Observed) -> dict[str, Any]:
    return {"asset": seen.asset, "operating": seen.operating, "fault_code": seen.fault_code}
