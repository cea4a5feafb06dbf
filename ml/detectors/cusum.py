"""CUSUM: a small lasting shift of a tag's level, added up over block means until it can be no chance."""

from __future__ import annotations

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.cusum_interval import interval, learn_reference
from ml.detectors.cusum_start import SelfStart
from ml.per_tag import PerTag
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType
from realtime.settings import Settings

FALSE_ALARM_S = 365.25 * 86_400  # in control: one false alarm a tag and year
CEILING = 1.25  # of h: a sum goes no higher, so that an alarm ends soon after its cause
BACK_BLOCKS = 3  # so many blocks in a row near the reference end an alarm
NEW_REFERENCE_BLOCKS = 10  # after a calibration the reference is their mean
NEVER = -1


class Cusum(PerTag):
    """Good at: lasting shifts and slow drifts too small for `drift`, given some blocks of time. Bad at: what must be seen in
    seconds, and levels that wander by themselves (their baseline widens h, or switches the tag off).

    z = (block mean - mu) / sigma; S+ = max(0, S+ + z - k), S- = max(0, S- - z - k); in alarm at h. A block is one aggregation
    window; sigma is how far block means move when healthy, never the deviation of readings. h is `CUSUM_H`, else the one that
    gives one false alarm a tag and year, and more where the baseline itself adds up further. A calibration sets the sums to
    zero and takes the reference anew. A tag of which nothing was learned is judged by its own blocks since the first reading
    (`SelfStart`), provisionally. Warm-up: one block, untaught 120. Source: Page 1954, Biometrika 41; ML.md 3.6.
    """

    name = "cusum"
    type = AlertType.DRIFT
    codes = ("cusum_high", "cusum_low")
    LEARNED = ("sigma", "h")
    STATE = (
        "block",
        "sum",
        "count",
        "high",
        "low",
        "high_t",
        "low_t",
        "near",
        "active",
        "side",
        "onset",
        "mean",
        "mu",
        "new_sum",
        "new_left",
        "calibrated_t",
        *SelfStart.STATE,
    )

    def __init__(self, channels: Channels, settings: Settings) -> None:
        super().__init__(channels)
        n = len(channels)
        self.settings = settings
        self.k = settings.cusum_k
        self.block_ms = round(settings.aggregation_window_s * 1000)
        self.least_h = settings.cusum_h or interval(FALSE_ALARM_S / settings.aggregation_window_s, self.k)
        self.wanted = np.array([tag.drift for tag in channels.tags], bool) & channels.analogue
        self.least = np.maximum(settings.aggregation_window_s / channels.period_s / 2, 1.0)  # readings that make a block
        self.sigma, self.h, self.mu = self.blank(), self.blank(), self.blank()
        self.block = np.full(n, NEVER, np.int64)
        self.sum, self.count = np.zeros(n), np.zeros(n, np.int64)
        self.high, self.low, self.mean = np.zeros(n), np.zeros(n), self.blank()
        self.high_t, self.low_t, self.onset = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.near, self.side = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.active = np.zeros(n, bool)
        self.new_sum, self.new_left = np.zeros(n), np.zeros(n, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.wanders = np.zeros(n, bool)  # learned: its level wanders too much to be added up
        self.own = SelfStart(n)
        for name in SelfStart.STATE:  # the same arrays, so that they are saved with the others
            setattr(self, name, getattr(self.own, name))

    def learn(self, history: History) -> Learned:
        """Reference, spread and decision interval of each tag; NaN where there is too little or the level wanders too much."""
        return learn_reference(history, self.k, self.least_h)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put spreads in force, and the reference of a tag that was not calibrated since and has not found its own."""
        here = slots >= 0
        untaught = np.isnan(self.sigma)
        super().load(slots, learned)
        if "wanders" in learned:
            self.wanders[slots[here]] = learned["wanders"][here]
        # what was added up in other units counts no more; a standing alarm ends with the next block
        taught = np.flatnonzero(untaught & (np.isfinite(self.sigma) | self.wanders) & (self.own.held > 0))
        self.high[taught], self.low[taught], self.active[taught] = 0.0, 0.0, False
        self.own.forget(taught)
        if not {"mu", "level_t"} <= learned.keys():
            return
        s, since = slots[here], learned["level_t"][here]
        older = since < self.calibrated_t[s]
        self._forget(s[older & np.isnan(self.mu[s]) & (self.new_left[s] == 0)])
        own = (self.new_left[s] > 0) | (older & np.isfinite(self.mu[s]))
        self.mu[s[~own]] = learned["mu"][here][~own]

    def adopt(self, state: State) -> None:
        """Take over what is still here; a tag calibrated meanwhile starts anew."""
        now, fresh_mu = self.calibrated_t.copy(), self.mu.copy()
        super().adopt(state)
        calibrated = np.flatnonzero(self.calibrated_t != now)
        self.calibrated_t = now
        unset = np.isnan(self.mu) & (self.new_left == 0)
        self.mu[unset] = fresh_mu[unset]
        self._forget(calibrated)

    def _forget(self, slots: Ints) -> None:
        """No sums, no block, no reference: the next blocks make one. A standing alarm ends and is told with the next block."""
        for name in ("sum", "count", "high", "low", "near", "new_sum"):
            getattr(self, name)[slots] = 0
        self.block[slots], self.mu[slots], self.new_left[slots] = NEVER, np.nan, NEW_REFERENCE_BLOCKS
        self.active[slots] = False
        self.own.forget(slots)

    def score(self, chunk: Chunk) -> Score | None:
        """The sums of every tag whose block a reading has closed."""
        chunk = chunk.only(self.wanted[chunk.slots] & ~self.wanders[chunk.slots])
        if not len(chunk):
            return None
        s, block = chunk.slots, chunk.t // self.block_ms
        cut = s[chunk.fresh]
        self.sum[cut], self.count[cut], self.block[cut] = 0.0, 0, NEVER  # half a block says nothing
        closed = (block > self.block[s]) & (self.block[s] != NEVER) & (self.count[s] >= self.least[s])
        scored = self._close(s[closed], self.block[s[closed]] * self.block_ms) if closed.any() else None
        moved = s[block > self.block[s]]
        self.sum[moved], self.count[moved] = 0.0, 0
        self.block[s] = np.maximum(block, self.block[s])
        self.sum[s] += chunk.v
        self.count[s] += 1
        return scored

    def _close(self, s: Ints, began: Ints) -> Score | None:
        """Judge whole blocks: began int64 (n,) ms UTC, when each began."""
        self.mean[s] = self.sum[s] / self.count[s]
        taught = np.isfinite(self.sigma[s])
        z = np.zeros(len(s))
        z[~taught] = self.own.z(s[~taught], self.mean[s[~taught]])
        ready = ~taught
        ready[taught] = self._referred(s[taught])
        learned = taught & ready
        z[learned] = (self.mean[s[learned]] - self.mu[s[learned]]) / self.sigma[s[learned]]
        s, began, z = s[ready], began[ready], z[ready]
        if not len(s):
            return None
        top = CEILING * self._interval(s)
        for sums, since, step in ((self.high, self.high_t, z - self.k), (self.low, self.low_t, -z - self.k)):
            rest = sums[s] <= 0
            since[s[rest]] = began[rest]
            sums[s] = np.clip(sums[s] + step, 0.0, top)
        self.near[s] = np.where(np.abs(z) <= 2 * self.k, self.near[s] + 1, 0)
        self._decide(s)
        calm = s[np.isnan(self.sigma[s]) & ~self.active[s]]
        self.own.add(calm, self.mean[calm])
        return self._said(s, began + self.block_ms)

    def _interval(self, s: Ints) -> Floats:
        """float64 (n,): h, the one of the wanted run length where none was learned."""
        return np.where(np.isfinite(self.h[s]), self.h[s], self.least_h)

    def _referred(self, s: Ints) -> Flags:
        """bool (n,): has a reference to be judged by. After a calibration the block makes part of one instead."""
        finding = self.new_left[s] > 0
        new = s[finding]
        self.new_sum[new] += self.mean[new]
        self.new_left[new] -= 1
        done = new[self.new_left[new] == 0]
        self.mu[done] = self.new_sum[done] / NEW_REFERENCE_BLOCKS
        return ~finding & np.isfinite(self.mu[s])

    def _decide(self, s: Ints) -> None:
        over = self.active[s] & (self.near[s] >= BACK_BLOCKS)
        ended = s[over]
        self.active[ended], self.high[ended], self.low[ended] = False, 0.0, 0.0
        falls = self.low[s] > self.high[s]
        starts = ~self.active[s] & (np.maximum(self.high[s], self.low[s]) >= self._interval(s))
        starts &= np.isfinite(self.sigma[s]) | self.own.warm(s)
        new = s[starts]
        self.active[new] = True
        self.side[new] = falls[starts]
        self.onset[new] = np.where(falls, self.low_t[s], self.high_t[s])[starts]

    def _said(self, s: Ints, t: Ints) -> Score:
        active = self.active[s]
        value = np.maximum(self.high[s], self.low[s]) / self._interval(s)
        value = np.where(active, np.maximum(value, 1.0), np.minimum(value, 0.999))
        return Score(
            s, value, np.ones(len(s)), active, self.side[s], s, t, self.onset[s], self.mean[s], undecided(len(s)), np.isnan(self.sigma[s])
        )
