"""How a job of queue `ml` tells how far it is and what came of it: on `signals`. The worker makes rows and facts of it."""

from __future__ import annotations

from typing import Any

from realtime.bus import Bus, now_ms
from realtime.events import Signal, SignalName


class Progress:
    """Of one job: `about` goes with every word. job "" = nobody asked by a row."""

    def __init__(self, bus: Bus, job: int | str, total: int, **about: Any) -> None:
        self.bus = bus
        self.total = total
        self.about = {"job": job, "total": total, **about}

    def at(self, done: int, message: str) -> None:
        """`done` of `total` steps are over; message: what is done now."""
        self._say({"done": min(done, self.total), "message": message})

    def end(self, message: str, **result: Any) -> None:
        """It is over; result is what the worker keeps."""
        self._say({"done": self.total, "message": message, **result})

    def _say(self, words: dict[str, Any]) -> None:
        self.bus.add_signals([Signal(SignalName.JOB_PROGRESS, now_ms(), {**self.about, **words})])
