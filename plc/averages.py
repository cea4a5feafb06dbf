"""Means instead of every reading, where a tag says so (`Tag.average_s`): for edges behind a thin line. Time is in the samples.

One window of a tag gives its mean; virtual tags `<tag>.min`, `.max`, `.mean`, `.std` get the other statistics where they are configured.
A sample that is not good ends the window and goes on as it is. What an open window holds is lost when the process dies.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from plc.connector import Readings, numbers
from plc.thinning import STATES
from realtime.events import Quality
from realtime.snapshot import Tag

STATISTICS = ("min", "max", "mean", "std")
LATE_MS = 2_000  # after its end by our clock a window is closed even when nothing more comes


@dataclass(slots=True)
class Window:
    """Good samples of one tag from `start` on; m2 is the sum of squares about the mean (Welford 1962)."""

    start: int
    last: int
    n: int = 0
    mean: float = 0.0
    m2: float = 0.0
    low: float = math.inf
    high: float = -math.inf

    def add(self, t: int, value: float) -> None:
        """Take one sample."""
        self.n += 1
        self.last = max(self.last, t)
        step = value - self.mean
        self.mean += step / self.n
        self.m2 += step * (value - self.mean)
        self.low, self.high = min(self.low, value), max(self.high, value)

    def statistics(self) -> dict[str, float]:
        """By the endings of the virtual tags; std is that of the samples themselves."""
        return {"min": self.low, "max": self.high, "mean": self.mean, "std": math.sqrt(max(self.m2, 0.0) / self.n)}


class Averages:
    """Open windows by tag id; a new configuration keeps those whose width is unchanged."""

    def __init__(self, tags: Sequence[Tag], former: Averages | None = None) -> None:
        by_name = {tag.name: tag for tag in tags}
        self.width = {
            tag.id: max(1, int(tag.average_s * 1000))
            for tag in tags
            if tag.average_s and tag.kind == "f64" and tag.role not in STATES and not tag.virtual
        }
        self._ids = np.array(sorted(self.width), "u4")
        self._virtual = {
            tag.id: [(ending, by_name[f"{tag.name}.{ending}"].id) for ending in STATISTICS if f"{tag.name}.{ending}" in by_name]
            for tag in tags
            if tag.id in self.width
        }
        self._open: dict[int, Window] = {}
        if former is not None:
            self._open = {tag: window for tag, window in former._open.items() if self.width.get(tag) == former.width[tag]}

    def fold(self, part: Readings) -> Iterator[Readings]:
        """What goes on of these readings: what is not averaged, and the windows they have ended."""
        if not self.width or part.replay or not isinstance(part.values, np.ndarray):
            yield part
            return
        mine = np.isin(part.ids, self._ids)
        bad = part.quality & 3 != Quality.GOOD
        ended: list[tuple[int, int, float]] = []
        for i in np.flatnonzero(mine):
            tag, t = int(part.ids[i]), int(part.t[i])
            if bad[i]:
                ended += self._end(tag, early=True)
            else:
                ended += self._add(tag, t, float(part.values[i]))
        yield from _columns(ended)
        rest = ~mine | bad
        if rest.any():
            yield part if rest.all() else _take(part, rest)

    def overdue(self, now_ms: int) -> Iterator[Readings]:
        """Windows whose time is over though nothing more has come."""
        due = [tag for tag, window in self._open.items() if now_ms > window.start + self.width[tag] + LATE_MS]
        yield from _columns([row for tag in due for row in self._end(tag)])

    def _add(self, tag: int, t: int, value: float) -> list[tuple[int, int, float]]:
        width = self.width[tag]
        start = t // width * width
        window = self._open.get(tag)
        ended: list[tuple[int, int, float]] = []
        if window is not None and start > window.start:
            ended = self._end(tag)
            window = None
        if window is None:
            window = self._open[tag] = Window(start, t)
        window.add(t, value)  # an older sample counts in the window that is open
        return ended

    def _end(self, tag: int, *, early: bool = False) -> list[tuple[int, int, float]]:
        """Rows (tag id, t, value) of the tag's window: at its end, or at its last sample where it was cut short."""
        window = self._open.pop(tag, None)
        if window is None:
            return []
        t = window.last if early else window.start + self.width[tag]
        found = window.statistics()
        return [(tag, t, window.mean), *((virtual, t, found[ending]) for ending, virtual in self._virtual[tag])]


def _columns(rows: Sequence[tuple[int, int, float]]) -> Iterator[Readings]:
    if rows:
        ids, t, values = zip(*rows, strict=True)
        yield numbers(ids, t, values)


def _take(part: Readings, wanted: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Readings:
    assert isinstance(part.values, np.ndarray)
    return Readings(part.ids[wanted], part.t[wanted], part.values[wanted], part.quality[wanted], part.seq[wanted], part.kind, part.replay)
