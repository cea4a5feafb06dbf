"""Noise: the reading-to-reading steps of a tag have grown: a bad earth, a loose screen, a dying sensor."""

from __future__ import annotations

from math import isnan

import numpy as np

from ml.channels import Channels
from ml.gate import restart_ms
from ml.per_tag import PerTag
from ml.plain import flags, floats, wholes
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
        self._bend, self._former, self._before = floats(self.bend), floats(self.former), floats(self.before)
        self._bits, self._active = flags(self.bits), flags(self.active)
        self._at, self._count, self._seen, self._rise_t = wholes(self.at), wholes(self.count), wholes(self.seen), wholes(self.rise_t)

    def learn(self, history: History) -> Learned:
        """1.8 x the greatest median bend of 20; where bends are mostly none (coarse resolution), half the greatest bend more."""
        bend = np.full(len(history.tags), np.nan)
        for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True)):
            # live, the window starts anew after a pause
            bends = np.abs(np.diff(series.v, n=2))[series.unbroken(3, restart_ms(tag.period_s))]
            if len(bends) < MIN_LEARN or not bends.any():
                continue
            windows = np.lib.stride_tricks.sliding_window_view(bends, RING)
            coarse = 0.5 * bends.max() if np.median(bends) == 0 else 0.0
            bend[i] = 1.8 * np.median(windows, axis=1).max() + coarse + 1e-9
        return {"bend": bend}

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading after which the tag is not in alarm, as before it: see `Noting`."""
        bend = self._bend[s]
        if isnan(bend):
            return True
        former, at = self._former[s], self._at[s]
        wide = abs(v - 2 * former + self._before[s]) > bend
        count = self._count[s] + wide - self._bits[s * RING + at]
        if self._active[s] or count >= ON:
            return False
        if wide and count == 1:
            self._rise_t[s] = t
        self._before[s], self._former[s] = former, v
        self._bits[s * RING + at], self._count[s] = wide, count
        self._at[s] = (at + 1) % RING
        self._seen[s] += 1
        return True

    def is_rising(self, s: int) -> bool:
        """The same as `rising` of one."""
        return self._count[s] >= RISING

    def score(self, chunk: Chunk) -> Score | None:
        """Share of the last 20 bends beyond the healthy bend, in units of the alarm's share."""
        bend = self.bend[chunk.slots]
        known = np.isfinite(bend)
        if not known.all():
            chunk, bend = chunk.only(known), bend[known]
        if not len(chunk):
            return None
        s = chunk.slots
        if chunk.fresh.any():
            new = s[chunk.fresh]
            self.bits[new], self.count[new], self.seen[new], self.former[new], self.before[new] = False, 0, 0, np.nan, np.nan
        former, at = self.former[s], self.at[s]
        with np.errstate(invalid="ignore"):
            wide = np.abs(chunk.v - 2 * former + self.before[s]) > bend
        self.before[s], self.former[s] = former, chunk.v
        place = s * RING + at
        bits = self.bits.reshape(-1)
        count = self.count[s] + wide - bits[place]
        bits[place], self.count[s] = wide, count
        at += 1
        at[at == RING] = 0
        seen = self.seen[s] + 1
        self.at[s], self.seen[s] = at, seen
        active = self._decide(chunk, wide, count)
        ready = (seen > RING) | active
        if not ready.all():
            chunk, count, active = chunk.only(ready), count[ready], active[ready]
        return self.tag_score(chunk, count / ON, active, np.zeros(len(chunk), np.int64), self.onset[chunk.slots])

    def _decide(self, chunk: Chunk, wide: Flags, count: Ints) -> Flags:
        """bool (n,): in alarm now."""
        s, active = chunk.slots, self.active[chunk.slots]
        first = wide & (count == 1)
        if first.any():
            self.rise_t[s[first]] = chunk.t[first]
        many = count >= np.where(active, OFF, ON)
        starts = many & ~active
        if starts.any():
            self.onset[s[starts]] = self.rise_t[s[starts]]
        self.active[s] = many
        return many

    def judges(self, row: int) -> bool:
        """The tag has a bend."""
        return not isnan(self._bend[row])

    def rising(self, slots: Ints) -> Flags:
        """bool (n,): so many wide bends that another detector's finding may be this one's."""
        return self.count[slots] >= RISING
