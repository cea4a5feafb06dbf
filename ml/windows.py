"""Aggregation windows: readings are kept as they come and become one feature matrix when the window closes."""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np

from ml.features import ten_features
from ml.scoring import Chunk, Floats, Ints

GRACE_MS = 2000  # a window closes so long after its end: what is on the way still belongs to it
MOST_BEHIND_MS = 300_000  # a device's clock or its buffer; windows wait so long for the readings of all
MAX_READINGS = 5_000_000  # of one shard and window; more are counted and left out


@dataclass(frozen=True, slots=True)
class Closed:
    """One window of every tag that spoke: slots int64 (k,), features float64 (k, 10), count int64 (k,), end ms UTC."""

    end: int
    slots: Ints
    features: Floats
    count: Ints


class Windows:
    """Windows [k W, (k + 1) W) in source time. nominal, low, high float64 (n_slots,) as `ten_features` wants them."""

    def __init__(self, window_s: float, nominal: Floats, low: Floats, high: Floats) -> None:
        self.window_ms = round(window_s * 1000)
        self.nominal, self.low, self.high = nominal, low, high
        self.start = 0  # of the open window; 0 = none yet
        self.left_out = 0
        self.behind_ms = 0  # how far the readings of the last window lay behind their receipt; those of the open one: `_behind`
        self._behind = -1  # none is known yet
        self._parts: list[tuple[Ints, Ints, Floats]] = []
        self._singles = (array("q"), array("q"), array("d"))  # what came one by one: 24 bytes a reading, not one array a column
        self._held = 0

    def add(self, chunk: Chunk) -> None:
        """Keep the readings; those of a window that is closed already are left out."""
        if not len(chunk):
            return
        if not self.start:
            # the window in which the monitor woke up is not whole
            self.start = (int(chunk.t.min()) // self.window_ms + 1) * self.window_ms
        self._behind = max(self._behind, int((chunk.at - chunk.t).max()), 0)
        if self._held + len(chunk) > MAX_READINGS:
            self.left_out += len(chunk)
            return
        self._parts.append((chunk.slots, chunk.t, chunk.v))
        self._held += len(chunk)

    def add_one(self, slot: int, t: int, v: float) -> bool:
        """Keep one reading; False, and nothing kept, where `add` must do it."""
        if not self.start or self._held >= MAX_READINGS:
            return False
        slots, at, values = self._singles
        slots.append(slot)
        at.append(t)
        values.append(v)
        self._held += 1
        return True

    def close(self, now: int) -> Closed | None:
        """The oldest open window, once `now` (ms UTC) is past its end by every device's clock; None before, and when it was empty."""
        now -= min(max(self.behind_ms, self._behind), MOST_BEHIND_MS)
        if not self.start or now < self.start + self.window_ms + GRACE_MS:
            return None
        end = self.start + self.window_ms
        self.behind_ms, self._behind = (self._behind if self._behind >= 0 else self.behind_ms), -1
        slots, t, v = self._taken()
        inside, later = (t >= self.start) & (t < end), t >= end
        self._parts, self._held = [(slots[later], t[later], v[later])], int(later.sum())
        # after an absence jump straight to the window that is running now
        self.start = end if now - end < 2 * self.window_ms else now // self.window_ms * self.window_ms
        slots, t, v = slots[inside], t[inside], v[inside]
        if not len(slots):
            return None
        order = np.lexsort((t, slots))
        slots, t, v = slots[order], t[order], v[order]
        starts = np.flatnonzero(np.r_[True, slots[1:] != slots[:-1]])
        own = slots[starts]
        features = ten_features(starts, t, v, self.nominal[own], self.low[own], self.high[own])
        return Closed(end, own, features, np.diff(np.r_[starts, len(slots)]))

    def _taken(self) -> tuple[Ints, Ints, Floats]:
        """All readings held: slots, t and v; none are held after it."""
        singles = self._singles
        self._singles = (array("q"), array("q"), array("d"))
        one_by_one = (np.frombuffer(singles[0], np.int64), np.frombuffer(singles[1], np.int64), np.frombuffer(singles[2], np.float64))
        slots, t, v = zip(*self._parts, one_by_one, strict=True)
        return np.concatenate(slots), np.concatenate(t), np.concatenate(v)
