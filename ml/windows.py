"""Aggregation windows: readings are kept as they come and become one feature matrix when the window closes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ml.features import ten_features
from ml.scoring import Chunk, Flags, Floats, Ints

GRACE_MS = 2000  # a window closes so long after its end: what is on the way still belongs to it
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
        self._parts: list[Chunk] = []
        self._held = 0

    def add(self, chunk: Chunk) -> None:
        """Keep the readings; those of a window that is closed already are left out."""
        if not self.start and len(chunk):
            # the window in which the monitor woke up is not whole
            self.start = (int(chunk.t.min()) // self.window_ms + 1) * self.window_ms
        if self._held + len(chunk) > MAX_READINGS:
            self.left_out += len(chunk)
            return
        self._parts.append(chunk)
        self._held += len(chunk)

    def close(self, now: int) -> Closed | None:
        """The oldest open window, once `now` (ms UTC, source time) is past its end; None before, and when it was empty."""
        if not self.start or now < self.start + self.window_ms + GRACE_MS:
            return None
        end = self.start + self.window_ms
        slots = np.concatenate([np.empty(0, np.int64), *(part.slots for part in self._parts)])
        t = np.concatenate([np.empty(0, np.int64), *(part.t for part in self._parts)])
        v = np.concatenate([np.empty(0), *(part.v for part in self._parts)])
        inside, later = (t >= self.start) & (t < end), t >= end
        self._keep(later)
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

    def _keep(self, later: Flags) -> None:
        at, kept = 0, []
        for part in self._parts:
            mine = later[at : at + len(part)]
            at += len(part)
            if mine.any():
                kept.append(part.only(mine))
        self._parts = kept
        self._held = sum(len(part) for part in kept)
