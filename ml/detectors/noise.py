"""Noise: the reading-to-reading steps of a tag have grown: a bad earth, a loose screen, a dying sensor."""

from __future__ import annotations

import numpy as np

from ml.channels import Channels
from ml.per_tag import PerTag
from ml.scoring import Chunk, Flags, History, Ints, Learned, Score
from realtime.settings import Settings

RING = 20
ON, OFF = 11, 6  # bends beyond the healthy one among the last RING
RISING = 5  # so many make other detectors wait for this one's word
MIN_LEARN = 60


class Noise(PerTag):
    """Good at: broad noise and chatter. Bad at: slow disturbances (drift) and single spikes (spike, withheld from here).

    A bend is |x[i] - 2 x[i-1] + x[i-2]|: a ramp has none, noise has sqrt(6) of its deviation. In alarm when the median bend of
    the last 20 readings exceeds 1.8 times that of the worst healthy window. The median is over a limit exactly when more than
    half of the bends are, so a ring of bits and its sum is all the state. Warm-up 20 readings; about 0.1 us a reading.
    """

    name = "noise"
    codes = ("noise",)
    STATE = ("bits", "at", "count", "seen", "former", "before", "active", "onset", "rise_t")
    LEARNED = ("bend",)

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        n = len(channels)
        self.bend = self.blank()
        self.bits = np.zeros((n, RING), bool)
        self.at, self.count, self.seen = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.former, self.before = self.blank(), self.blank()
        self.active = np.zeros(n, bool)
        self.onset, self.rise_t = np.zeros(n, np.int64), np.zeros(n, np.int64)

    def learn(self, history: History) -> Learned:
        """1.8 x the greatest median bend of 20; where bends are mostly none (coarse resolution), half the greatest bend more."""
        bend = np.full(len(history.tags), np.nan)
        for i, series in enumerate(history.series):
            bends = np.abs(np.diff(series.v, n=2))
            if len(bends) < MIN_LEARN or not bends.any():
                continue
            windows = np.lib.stride_tricks.sliding_window_view(bends, RING)
            coarse = 0.5 * bends.max() if np.median(bends) == 0 else 0.0
            bend[i] = 1.8 * np.median(windows, axis=1).max() + coarse + 1e-9
        return {"bend": bend}

    def score(self, chunk: Chunk) -> Score | None:
        """Share of the last 20 bends beyond the healthy bend, in units of the alarm's share."""
        chunk = chunk.only(np.isfinite(self.bend[chunk.slots]))
        if not len(chunk):
            return None
        s = chunk.slots
        new = s[chunk.fresh]
        self.bits[new], self.count[new], self.seen[new], self.former[new], self.before[new] = False, 0, 0, np.nan, np.nan
        with np.errstate(invalid="ignore"):
            wide = np.abs(chunk.v - 2 * self.former[s] + self.before[s]) > self.bend[s]
        self.before[s] = self.former[s]
        self.former[s] = chunk.v
        at = self.at[s]
        self.count[s] += wide.astype(np.int64) - self.bits[s, at]
        self.bits[s, at] = wide
        self.at[s] = (at + 1) % RING
        self.seen[s] += 1
        self._decide(chunk, wide)
        ready = (self.seen[s] > RING) | self.active[s]
        chunk = chunk.only(ready)
        s = chunk.slots
        return self.tag_score(chunk, self.count[s] / ON, self.active[s], np.zeros(len(s), np.int64), self.onset[s])

    def _decide(self, chunk: Chunk, wide: Flags) -> None:
        s = chunk.slots
        first = wide & (self.count[s] == 1)
        self.rise_t[s[first]] = chunk.t[first]
        count, active = self.count[s], self.active[s]
        starts = ~active & (count >= ON)
        self.onset[s[starts]] = self.rise_t[s[starts]]
        self.active[s] = (active & (count >= OFF)) | starts

    def rising(self, slots: Ints) -> Flags:
        """bool (n,): so many wide bends that another detector's finding may be this one's."""
        return self.count[slots] >= RISING
