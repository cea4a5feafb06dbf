"""Runs one source on one thread: connect, poll on a fixed grid or wait for pushes, deliver, confirm; lost and recovered.

It knows no protocol. A sample is good only from a real read: after the first failed read each tag is uncertain (STALE), a link that
stays down makes one bad sample a tag and one signal. A second thread, `plc.courier`, tells and sends what waits.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from itertools import islice
from typing import Any

from plc.connector import Connector, Diagnoser, Divisible, Kind, LinkError, Readings, bad_samples
from plc.courier import Courier
from plc.delivery import Delivery
from plc.grid import Grid, periods_of, spread_start
from plc.ledger import Ledger
from plc.link_health import LinkHealth
from plc.link_record import LinkRecord
from plc.outlet import Outlet
from plc.retries import retries
from plc.scaling import readable
from plc.spool import Spool
from plc.standing import SHOWN
from plc.state import STATUS_WORDS, Observed, StateWatch
from realtime.bus import now_ms
from realtime.errors import BusFull, BusUnavailable
from realtime.events import Batch, Reason, Signal, SignalName
from realtime.settings import Settings
from realtime.snapshot import Source, Tag

log = logging.getLogger("plc.runner")

SILENT_PERIODS, SILENT_LEAST_S = 2.4, 6.0
PUSH_WAIT_S = 0.25
BUS_RETRY_S = 0.5


class SourceRunner:
    """The owner of one link. `update` and `stop` come from another thread; everything else runs on its own."""

    def __init__(
        self,
        kind: Kind,
        source: Source,
        tags: Sequence[Tag],
        settings: Settings,
        outlet: Outlet,
        *,
        share: float = 1.0,
        is_edge: bool = False,
        stood: tuple[int, bool] | None = None,
    ) -> None:
        """stood: when another collector last found the link good (ms UTC), and whether it told of its loss."""
        self.kind = kind
        self.source = source
        self.tags = list(tags)
        self.settings = settings
        folder = settings.data_dir / "spool"
        spool = Spool(folder / f"{source.name}.sqlite", settings.spool_mb * share, settings.spool_days) if kind.is_spooled else None
        self._courier = Courier(outlet, source.name, is_edge=is_edge)
        self.ledger = Ledger(outlet, source.name, self._courier.tell)
        self.delivery = Delivery(outlet, source, self.ledger, spool, is_store_first=is_edge)
        self._courier.delivery = self.delivery
        self.link = LinkHealth(source, self.delivery, self._courier, LinkRecord(folder / f"{source.name}.link", stood))
        self.reconnects = 0
        self._next: tuple[Source, list[Tag]] | None = None
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._watch = StateWatch([])
        self._grid = Grid({})
        self._read_ms = now_ms()  # when the read now under way began
        self._unusable: list[Tag] = []
        self._held: list[Batch] = []
        self._connector = self._made()
        self._thread = threading.Thread(target=self._run, name=f"source-{source.name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()
        self._courier.start()

    def update(self, source: Source, tags: Sequence[Tag], share: float = 1.0) -> None:
        """Take a new configuration at the next turn; the link stays unless the source's own settings changed."""
        if self.delivery.spool is not None:
            self.delivery.spool.max_bytes = int(self.settings.spool_mb * share * 1_000_000)
        if source != self.source or list(tags) != self.tags:
            self._next = (source, list(tags))
            self._wake.set()

    def stop(self, timeout_s: float = 4.0) -> None:
        """End the threads and the link."""
        self._stop.set()
        self._wake.set()
        self._thread.join(timeout_s)
        self._courier.stop(timeout_s / 4)
        if self.delivery.spool is not None:
            self.delivery.spool.close()

    @property
    def state(self) -> str:
        """connecting, live, retrying or lost."""
        return self.link.state

    @property
    def is_alive(self) -> bool:
        """False once the thread has ended."""
        return self._thread.is_alive()

    def status(self, shown: int = SHOWN) -> dict[str, Any]:
        """What /health shows of this source (docs/connectors.md, Status). shown: how many tags that are not good are told one by one."""
        standing, spool = self.delivery.standing, self.delivery.spool
        newest = standing.newest()
        count, not_good = standing.not_good(shown)
        return {
            **self._connector.describe(),
            "state": self.link.state,
            "since": self.link.since_ms,
            "error": self.link.error,
            "tags": len(self.tags),
            "readings": self.delivery.delivered,
            "rate": self._courier.rate(self.delivery.delivered),
            "newest": newest,
            "lag_ms": None if newest is None else max(now_ms() - newest, 0),
            "reconnects": self.reconnects,
            "overruns": self._grid.overruns,
            "groups": {name: {"period_s": period, "took_ms": self._grid.took_ms.get(name)} for name, period in self._grid.periods.items()},
            "drops": dict(self.ledger.drops),
            "not_good": count,
            "not_good_tags": not_good,
            "spooled": spool.waiting if spool else 0,
            "spool": spool.status() if spool else None,
            "delivering": not self.delivery.is_away,
            "troubles": dict(islice(self._connector.troubles().items(), shown)) if isinstance(self._connector, Diagnoser) else {},
        }

    def _made(self) -> Connector:
        return self.kind.load()(self.source, self.settings, self.ledger)

    def _run(self) -> None:
        self._configure()
        if self.kind.is_spooled:  # what has no spool waited at its broker
            self.link.tell_gap_of_restart()
        waits = retries()
        while not self._stop.is_set():
            try:
                self._read_ms = now_ms()
                self._connector.connect()
                self._live()
            except LinkError as error:
                self._connector.close()
                self.reconnects += 1
                if self.link.state == "live":
                    waits = retries()
                self.link.failed(error, self._read_ms)
                self._forget_lost()
                self._wait_retry(next(waits), error)
        self._connector.close()

    def _configure(self) -> None:
        """Hand tags to the connector; those with a wrong address are bad (CONFIG) and stop no other."""
        self.tags, wrong = readable(self.tags)
        addressed = [tag for tag in self.tags if not tag.virtual]
        self.delivery.configure(self.source, self.tags)
        self.link.configure(self.source, self.tags)
        words = {int(k): v for k, v in (self.source.config.get("status") or {}).items()} or STATUS_WORDS
        self._watch = StateWatch(self.tags, words)
        self._grid = Grid(
            periods_of(self.source, addressed) if self.kind.is_polled else {}, spread_start(self.source.name, self.link.fastest_s)
        )
        unusable = wrong + self._connector.plan(self.tags)
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

    def _judge(self) -> None:
        """The link stands: that is good, unless a source that must speak has said nothing at all for too long."""
        quiet_s = self._connector.quiet_s()
        limit_s = self._silent_after()
        if quiet_s is None or quiet_s < limit_s:
            self.link.good(self._read_ms)
            return
        detail = f"{self.source.name}: connected, but nothing has come for {quiet_s:.0f} s"
        self.link.announce(LinkError("silent", detail, "check that the devices publish, and to this broker"))
        self._forget_lost()

    def _silent_after(self) -> float:
        """Before the monitor calls single tags silent: a whole source that is quiet is one alert, not one a tag."""
        slowest = max((tag.period_s for tag in self.tags), default=1.0)
        return max(SILENT_PERIODS * slowest, SILENT_LEAST_S)

    def _gather(self) -> list[Readings] | None:
        """The next readings; None when there was nothing to do but wait."""
        if not self.kind.is_polled:
            readings = self._connector.read("", PUSH_WAIT_S)
            self._read_ms = now_ms()
            return readings
        due = self._grid.next_due(time.monotonic())
        if due is None:
            self._pause(1.0)
            return None
        group, at = due
        if self._pause(at - time.monotonic()):
            return None
        self._read_ms, began = now_ms(), time.monotonic()
        readings = self._connector.read(group, self._grid.room_s(group, began))
        is_cut = isinstance(self._connector, Divisible) and self._connector.is_unfinished(group)
        (self._grid.partly if is_cut else self._grid.done)(group, began=began, now=time.monotonic())
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
        """Deliver; without a spool keep trying until the outlet has them. False when we stop first.

        What is held while the link breaks goes first in its next life; at QoS 1 it then comes twice, and identity tells.
        """
        if self._unusable:
            readings = [*readings, *bad_samples(self._unusable, now_ms(), Reason.CONFIG)]
            self._unusable = []
        self._held += self.delivery.batches(readings)
        while self._held:
            try:
                self.delivery.deliver(self._held)
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
            self._courier.tell(Signal(SignalName.STATE_OBSERVED, now_ms(), _state_body(seen)))

    def _forget_lost(self) -> None:
        """Machines of a lost link are observed anew when it is back."""
        if self.link.state == "lost":
            self._watch.forget()

    def _wait_retry(self, seconds: float, error: LinkError) -> None:
        """Back off; meanwhile a link that has been down long enough is announced, and a new configuration is taken."""
        deadline = time.monotonic() + seconds
        while not self._stop.is_set() and time.monotonic() < deadline:
            self._pause(min(0.25, max(deadline - time.monotonic(), 0.01)))
            self.link.announce_if_lost(error)
            self._forget_lost()
            if self._next is not None:
                self._reconfigured()
                return


def _state_body(seen: Observed) -> dict[str, Any]:
    return {"asset": seen.asset, "operating": seen.operating, "fault_code": seen.fault_code}
