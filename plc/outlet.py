"""Where a collector's readings and signals go: the bus, or a server by HTTP. The runner knows only this."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from realtime.events import Batch, Signal


class Outlet(Protocol):
    """`realtime.bus.Bus` is one, `plc.sink.HttpSink` another. Every method raises BusUnavailable while the other side is away."""

    def add_batches(self, batches: Sequence[Batch], *, live: bool = True) -> None:
        """When it returns the other side has them durably; raises BusFull when it takes no more."""

    def add_signals(self, signals: Iterable[Signal]) -> None:
        """Hand over signals, in order."""

    def add_refused(self, rows: Iterable[dict[str, Any]]) -> None:
        """Hand over samples of what was refused."""
