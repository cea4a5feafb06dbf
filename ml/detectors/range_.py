"""Range: the value lies outside the signal range of its instrument, so the instrument is at fault, not the process."""

from __future__ import annotations

import numpy as np

from ml.channels import Channels
from ml.per_tag import PerTag
from ml.plain import flags, floats
from ml.scoring import Chunk, Flags, History, Ints, Learned, Score
from realtime.settings import Settings

OFF_DELAY_MS = 5000


class Range(PerTag):
    """Good at: wire breaks, shorts, saturated transmitters, at the first reading. Bad at: wrong values inside the range.

    The configured range counts at once (4-20 mA: below 3.6 or above 21 mA is NAMUR NE 43's business and stands in the
    tag's range); without one, and without a limit on that side, a jump of more than w in one reading to outside [min - w,
    max + w] of the baseline, w its span: a process gets there too, but by and by. No warm-up; about 0.03 us a reading. `beyond`
    bool (n_slots,): the last reading lay outside the configured range or was no number; such readings are no food for others.
    """

    name = "range"
    codes = ("over_range", "under_range")
    STATE = ("active", "onset", "inside_t", "code", "out", "beyond", "former")
    LEARNED = ("learned_low", "learned_high")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        n = len(channels)
        self.low = np.array([np.nan if tag.range_low is None else tag.range_low for tag in channels.tags], np.float64)
        self.high = np.array([np.nan if tag.range_high is None else tag.range_high for tag in channels.tags], np.float64)
        self.learned_low, self.learned_high = self.blank(), self.blank()
        self.former = self.blank()
        # where a person set a limit, values beyond the baseline are a matter of the process
        sides = [{limit.side for limit in tag.limits} for tag in channels.tags]
        self.limited = {side: np.array([side in limits for limits in sides], bool) for side in ("low", "high")}
        self.span, self.below, self.above, self.set_below, self.set_above = (np.zeros(n) for _ in range(5))
        self._set_bounds(np.arange(n))
        self.active, self.out, self.beyond = np.zeros(n, bool), np.zeros(n, bool), np.zeros(n, bool)
        self.onset, self.inside_t, self.code = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._below, self._above, self._former = floats(self.below), floats(self.above), floats(self.former)
        self._active, self._out, self._beyond = flags(self.active), flags(self.out), flags(self.beyond)

    def learn(self, history: History) -> Learned:
        """Bounds from the least and greatest value of the whole baseline; NaN for a tag that never moved."""
        low, high = np.full(len(history.tags), np.nan), np.full(len(history.tags), np.nan)
        for i, series in enumerate(history.series):
            if not len(series.v):
                continue
            least = min(series.v.min(), series.levels[:, 0].min(initial=np.inf))
            most = max(series.v.max(), series.levels[:, 2].max(initial=-np.inf))
            span = most - least
            if span > 0:
                low[i], high[i] = least - span, most + span
        return {"learned_low": low, "learned_high": high}

    def load(self, slots: Ints, learned: Learned) -> None:
        """Learned bounds stand in where none is configured."""
        super().load(slots, learned)
        self._set_bounds(slots[slots >= 0])

    def _set_bounds(self, s: Ints) -> None:
        low, high = self.low[s], self.high[s]
        below = np.where(np.isnan(low) & ~self.limited["low"][s], self.learned_low[s], low)
        above = np.where(np.isnan(high) & ~self.limited["high"][s], self.learned_high[s], high)
        self.span[s] = (self.learned_high[s] - self.learned_low[s]) / 3
        # without any bound only what the collector calls beyond range (infinite) is outside
        most = np.finfo(np.float64).max
        self.set_below[s], self.set_above[s] = np.where(np.isnan(low), -most, low), np.where(np.isnan(high), most, high)
        self.below[s], self.above[s] = np.where(np.isnan(below), -most, below), np.where(np.isnan(above), most, above)

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading inside, of a tag that was inside: see `Noting`."""
        if v > self._above[s] or v < self._below[s] or self._active[s]:
            return False
        self._former[s] = v
        self._out[s] = self._beyond[s] = False
        return True

    def score(self, chunk: Chunk) -> Score | None:
        """|distance from the middle of the range| in half ranges, above 1 is outside; of tags that are or were outside only."""
        s = chunk.slots
        over, under = chunk.v > self.above[s], chunk.v < self.below[s]
        with np.errstate(invalid="ignore"):
            jump = np.abs(chunk.v - self.former[s])
        self.former[s] = chunk.v
        moving = over | under | self.active[s]
        self.out[s] &= moving  # inside and at rest: nothing to do for these
        self.beyond[s] &= moving
        if not moving.any():
            return None
        chunk, over, under, jump = chunk.only(moving), over[moving], under[moving], jump[moving]
        s = chunk.slots
        beyond = (chunk.v > self.set_above[s]) | (chunk.v < self.set_below[s])
        self.beyond[s] = beyond
        # beyond learned bounds only a jump starts an alarm; a tag not heard before may have jumped
        sudden = beyond | self.active[s] | self.out[s] | ~(jump <= self.span[s])
        self._advance(chunk, over & sudden, under & sudden)
        low, high = self.below[s], self.above[s]
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            value = np.abs(chunk.v - (low + high) / 2) / np.maximum((high - low) / 2, 1e-12)
        one_sided = np.isnan(value) | ~np.isfinite(value)
        value = np.where(one_sided, np.where(over | under, 2.0, 0.0), value)
        value = np.where(self.active[s] | ~(over | under), value, 0.999)
        return self.tag_score(chunk, value, self.active[s], self.code[s], self.onset[s])

    def _advance(self, chunk: Chunk, over: Flags, under: Flags) -> None:
        s, t = chunk.slots, chunk.t
        out = over | under
        changed = out & (~self.active[s] | (self.code[s] != under))
        self.onset[s[changed]] = t[changed]
        self.code[s[out]] = under[out].astype(np.int64)
        entered = ~out & self.out[s]
        self.inside_t[s[entered]] = t[entered]
        back = ~out & (t - self.inside_t[s] >= OFF_DELAY_MS)
        self.active[s] = (self.active[s] | out) & ~back
        self.out[s] = out

    def outside(self, slots: Ints) -> Flags:
        """bool (n,): the last reading of the tag lay outside its configured range."""
        return self.beyond[slots]
