"""The second thread of a source: tells signals, sends what waits in the spool, and measures the rate. It never touches the link."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from plc.outlet import Outlet
from realtime.bus import now_ms
from realtime.errors import BusUnavailable
from realtime.events import Signal, SignalName

if TYPE_CHECKING:
    from plc.delivery import Delivery

TURN_S = 0.5
TURN_BEHIND_S = 0.05  # while more waits than one turn sends
SIGNALS_KEPT = 1000
RATE_S = 10.0


class Courier:
    """Any thread may `tell`; `delivery` is set before `start`."""

    def __init__(self, outlet: Outlet, source: str, *, is_edge: bool = False) -> None:
        self.outlet = outlet
        self.source = source
        self.delivery: Delivery | None = None
        self._is_edge = is_edge
        self._signals: deque[Signal] = deque(maxlen=SIGNALS_KEPT)
        self._told_damaged = 0
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._counts: deque[tuple[float, int]] = deque()
        self._thread = threading.Thread(target=self._run, name=f"courier-{source}", daemon=True)

    def tell(self, signal: Signal) -> None:
        """Hand a signal over soon; kept while the other side is away."""
        self._signals.append(signal)
        self._wake.set()

    def wake(self) -> None:
        """Something waits."""
        self._wake.set()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Tell what is left, once, and end."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def rate(self, delivered: int) -> float:
        """Readings a second over the last ten seconds."""
        now = time.monotonic()
        self._counts.append((now, delivered))
        while now - self._counts[0][0] > RATE_S:
            self._counts.popleft()
        at, before = self._counts[0]
        return round((delivered - before) / (now - at), 2) if now > at else 0.0

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            is_done = self._turn()
            self._wake.wait(TURN_S if is_done else TURN_BEHIND_S)
        self._turn()

    def _turn(self) -> bool:
        """Once: send, look at the spool, tell. False when more waits and goes well."""
        delivery = self.delivery
        if delivery is None:
            return True
        is_done = True
        if delivery.is_away or delivery.is_store_first or (delivery.spool is not None and delivery.spool.waiting):
            is_done = delivery.catch_up() or delivery.is_away
        self._look_at_spool(delivery)
        delivery.ledger.tell_discovered()
        self._flush()
        return is_done

    def _look_at_spool(self, delivery: Delivery) -> None:
        """An alarm when the quota thins or drops, once, and its end; a damaged file is an alarm of its own."""
        spool = delivery.spool
        if spool is None:
            return
        if spool.damaged != self._told_damaged:
            self._told_damaged = spool.damaged
            self._tell_spool("damaged", f"the spool's file could not be read and was set aside beside {spool.path.name}")
        while spool.turns:
            held = f"{spool.bytes / 1e6:.0f} of {spool.max_bytes / 1e6:.0f} MB used"
            self._tell_spool(spool.turns.pop(0), f"{held}, {spool.thinned} readings thinned away, {spool.dropped} dropped")

    def _tell_spool(self, state: str, detail: str) -> None:
        self.tell(Signal(SignalName.SPOOL, now_ms(), {"source": self.source, "state": state, "detail": detail}))

    def _flush(self) -> None:
        while self._signals:
            try:
                self.outlet.add_signals([self._signals[0]])
            except BusUnavailable:
                return
            self._signals.popleft()
