"""CUSUM: a small lasting shift of a tag's level, added up over block means until it can be no chance."""

from __future__ import annotations

from math import inf, isfinite

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.cusum_interval import interval, learn_reference
from ml.detectors.cusum_start import SelfStart
from ml.per_tag import PerTag
from ml.plain import flags, floats, wholes
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType
from realtime.settings import Settings
from realtime.snapshot import Tag

FALSE_ALARM_S = 365.25 * 86_400  # in control: one false alarm a tag and year
CEILING = 1.25  # of h: a sum goes no higher, so that an alarm ends soon after its cause
BACK = 4.0  # deviations added up towards the reference that end an alarm
NEW_REFERENCE_BLOCKS = 10  # after a calibration the reference is their mean
NEVER = -1


class Cusum(PerTag):
    """Good at: lasting shifts and slow drifts too small for `drift`, given some blocks of time. Bad at: what must be seen in
    seconds, and levels that wander by themselves (their baseline widens h, or switches the tag off).

    z = (block mean - mu) / sigma; S+ = max(0, S+ + z - k), S- = max(0, S- - z - k); in alarm at h. A block is one aggregation
    window; sigma is how far block means move when healthy, never the deviation of readings. k and h are the tag's own, else
    `CUSUM_K` and `CUSUM_H`; without an h it is the one that gives one false alarm a tag and year. More than an h of the settings is
    learned where the baseline itself adds up further; the tag's own stands as it is. An alarm ends when the same sum towards the
    reference reaches 4: about 8 blocks after the level is back. A calibration sets the sums to zero and takes
    the reference anew. A tag of which nothing was learned is judged by its own blocks since the first reading
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
        "back",
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
        self.k = np.array([self._k(tag) for tag in channels.tags], np.float64)
        self.own_h = np.array([np.nan if tag.cusum_h is None else tag.cusum_h for tag in channels.tags], np.float64)
        self.block_ms = round(settings.aggregation_window_s * 1000)
        self.least_h = np.array([self._least_h(tag) for tag in channels.tags], np.float64)
        self.wanted = np.array([tag.drift for tag in channels.tags], bool) & channels.analogue
        self.least = np.maximum(settings.aggregation_window_s / channels.period_s / 2, 1.0)  # readings that make a block
        self.sigma, self.h, self.mu = self.blank(), self.blank(), self.blank()
        self.block = np.full(n, NEVER, np.int64)
        self.sum, self.count = np.zeros(n), np.zeros(n, np.int64)
        self.high, self.low, self.mean = np.zeros(n), np.zeros(n), self.blank()
        self.high_t, self.low_t, self.onset = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.back, self.side = np.zeros(n), np.zeros(n, np.int64)
        self.active = np.zeros(n, bool)
        self.new_sum, self.new_left = np.zeros(n), np.zeros(n, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.wanders = np.zeros(n, bool)  # learned: its level wanders too much to be added up
        self._block, self._sum, self._count, self._least = wholes(self.block), floats(self.sum), wholes(self.count), floats(self.least)
        self._sigma, self._mu, self._h, self._mean = floats(self.sigma), floats(self.mu), floats(self.h), floats(self.mean)
        self._high, self._low, self._high_t, self._low_t = floats(self.high), floats(self.low), wholes(self.high_t), wholes(self.low_t)
        self._k_of, self._own_h, self._h_untaught = floats(self.k), floats(self.own_h), floats(self.least_h)
        self._new_left, self._active = wholes(self.new_left), flags(self.active)
        self._wanted, self._wanders = flags(self.wanted), flags(self.wanders)
        self.own = SelfStart(n)
        for name in SelfStart.STATE:  # the same arrays, so that they are saved with the others
            setattr(self, name, getattr(self.own, name))

    def learn(self, history: History) -> Learned:
        """Reference, spread and decision interval of each tag; NaN where there is too little or the level wanders too much."""
        return learn_reference(history, [self._k(tag) for tag in history.tags], [self._least_h(tag) for tag in history.tags])

    def _k(self, tag: Tag) -> float:
        return self.settings.cusum_k if tag.cusum_k is None else tag.cusum_k

    def _least_h(self, tag: Tag) -> float:
        """h where nothing was learned."""
        h = self.settings.cusum_h if tag.cusum_h is None else tag.cusum_h
        return h or interval(FALSE_ALARM_S / self.settings.aggregation_window_s, self._k(tag))

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

    def judges(self, row: int) -> bool:
        """The tag is watched for drift, and does not wander too much to be added up."""
        return self._wanted[row] and not self._wanders[row]

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
        for name in ("sum", "count", "high", "low", "back", "new_sum"):
            getattr(self, name)[slots] = 0
        self.block[slots], self.mu[slots], self.new_left[slots] = NEVER, np.nan, NEW_REFERENCE_BLOCKS
        self.active[slots] = False
        self.own.forget(slots)

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading that ends no block, or one that leaves a taught tag in control: see `Noting`."""
        if not self._wanted[s] or self._wanders[s]:
            return True
        block, former, count = t // self.block_ms, self._block[s], self._count[s]
        if block > former != NEVER and count >= self._least[s] and not self._ended(s, former * self.block_ms):
            return False
        if block > former:
            self._block[s], self._sum[s], count = block, 0.0, 0
        self._sum[s] += v
        self._count[s] = count + 1
        return True

    def _ended(self, s: int, began: int) -> bool:
        """`_close` of one; False, and nothing changed, where the tag is or comes into alarm, was not taught or has no reference."""
        sigma, mu, k = self._sigma[s], self._mu[s], self._k_of[s]
        if self._active[s] or not 0 < sigma < inf or not isfinite(mu) or self._new_left[s] > 0:
            return False
        # as in `_interval`
        h = next(h for h in (self._own_h[s], self._h[s], self._h_untaught[s]) if isfinite(h))
        mean = self._sum[s] / self._count[s]
        z, was_high, was_low = (mean - mu) / sigma, self._high[s], self._low[s]
        high, low = min(max(was_high + (z - k), 0.0), CEILING * h), min(max(was_low + (-z - k), 0.0), CEILING * h)
        if not max(high, low) < h:
            return False
        if was_high <= 0:
            self._high_t[s] = began
        if was_low <= 0:
            self._low_t[s] = began
        self._high[s], self._low[s], self._mean[s] = high, low, mean
        return True

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
        for sums, since, step in ((self.high, self.high_t, z - self.k[s]), (self.low, self.low_t, -z - self.k[s])):
            rest = sums[s] <= 0
            since[s[rest]] = began[rest]
            sums[s] = np.clip(sums[s] + step, 0.0, top)
        # the same sum the other way: from the level that made the alarm towards the reference
        away = np.where(self.side[s] == 1, -z, z)
        self.back[s] = np.where(self.active[s], np.maximum(self.back[s] + self.k[s] - away, 0.0), 0.0)
        self._decide(s)
        calm = s[np.isnan(self.sigma[s]) & ~self.active[s]]
        self.own.add(calm, self.mean[calm])
        return self._said(s, began + self.block_ms)

    def _interval(self, s: Ints) -> Floats:
        """float64 (n,): h as a person set it for the tag, else as learned, else the one of the wanted run length."""
        learned = np.where(np.isfinite(self.h[s]), self.h[s], self.least_h[s])
        return np.where(np.isfinite(self.own_h[s]), self.own_h[s], learned)

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
        over = self.active[s] & (self.back[s] >= BACK)
        ended = s[over]
        self.active[ended], self.high[ended], self.low[ended], self.back[ended] = False, 0.0, 0.0, 0.0
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
