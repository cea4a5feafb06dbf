"""Shift: a level that leaves, within minutes, where it was, as it never did when healthy."""

from __future__ import annotations

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.shift_at_rest import BEFORE, NEWEST, PARTIAL, QUIET, SPANS, AtRest
from ml.detectors.shift_fit import SCALES, SPAN, cell_ms, learn_shift
from ml.scoring import Chunk, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType, Because
from realtime.settings import Settings

OFF = 0.7  # of the limit: an alarm ends below it


class Shift(AtRest):
    """Good at: a bias, a wrong gain or a ramp on a tag whose level always comes back, however noisy its readings. Bad at: tags that
    wander by themselves (their limits are wide), and it says that a level moved, not that it is elsewhere: drift and CUSUM do.

    Means of 30 s against the 60 s before, and of 60 s against the 360 s before (longer for slow tags), every 10 s; in alarm
    beyond a limit from the baseline (`shift_fit`) until below 0.7 of it, seven minutes after a step at the latest. The way
    back to where the machine's tags stood before its last alarm is none. One row a machine, which names the tag that went furthest.
    Warm-up: 90 s; about 0.1 us a reading. Source: finite moving averages, Basseville and Nikiforov 1993, 2.1.
    """

    name = "shift"
    type = AlertType.DRIFT
    codes = ("drift_high", "drift_low")
    STATE = ("cells", "sums", "number", "until", "filled", "ratio", "mean", "before", "home", "calibrated_t")
    GROUP_STATE = ("alarm", "culprit_id", "onset", "rise_t")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.keys, self.group_keys = channels.tag_keys(), channels.asset_keys()
        n, groups = len(channels), len(channels.assets)
        self.members = channels.grouped(channels.analogue)
        self.cell_ms = np.array([cell_ms(tag) for tag in channels.tags], np.int64)
        self.wanted = np.array([tag.drift for tag in channels.tags], bool)  # a kept model may know more tags than are watched
        self.limit, self.judged = np.full((n, len(SCALES)), np.nan), np.zeros(n, bool)
        self.cells, self.filled = np.zeros((n, SPAN)), np.full(n, PARTIAL)  # means, newest first
        self.sums, self.number, self.until = np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64)  # of the open cell; ms UTC
        self.ratio, self.mean, self.before = np.zeros(n), np.full(n, np.nan), np.full(n, np.nan)
        self.home = np.full(n, np.nan)  # where the tag stood before its machine's last alarm
        self.alarm, self.culprit_id = np.zeros(groups, bool), np.zeros(groups, np.int64)  # a tag id: slots change
        self.onset, self.rise_t = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.suspect = np.zeros(n, bool)  # another detector may name what these tags do; wait for its word
        self.known = np.zeros(groups, bool)  # machines with a tag that is judged
        self._see(channels)

    def adopt(self, state: State) -> None:
        """Take over what is still here; a tag calibrated meanwhile starts anew."""
        now, cells = self.calibrated_t.copy(), state.arrays.get("cells")
        super().adopt(state)
        # the cells of a monitor with other scales were not taken over
        kept = cells is not None and cells.shape[1:] == self.cells.shape[1:]
        self._restart(np.flatnonzero(self.calibrated_t != now) if kept else np.arange(len(now)))
        self.calibrated_t = now

    def learn(self, history: History) -> Learned:
        """Limits by scale."""
        return learn_shift(history)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Tags with a limit are judged from now on."""
        here = slots >= 0
        if "limits" in learned:  # `limit` was of other scales
            self.limit[slots[here]] = learned["limits"][here]
        self.judged[:] = self.wanted & np.isfinite(self.limit).any(axis=1)
        self.known[:] = False
        self.known[self.channels.asset[self.judged]] = True

    def score(self, chunk: Chunk) -> Score | None:
        """The greatest contrast over its limit of each machine that ended a cell."""
        chunk = chunk.only(self.judged[chunk.slots])
        if not len(chunk):
            return None
        s = chunk.slots
        if chunk.fresh.any():
            self._restart(s[chunk.fresh])
        ended = chunk.t >= self.until[s]
        said = self._end(chunk.only(ended)) if ended.any() else None
        self.sums[s] += chunk.v
        self.number[s] += 1
        return said

    def _restart(self, slots: Ints) -> None:
        self.filled[slots], self.number[slots], self.sums[slots], self.ratio[slots] = PARTIAL, 0, 0.0, 0.0
        self.home[slots], self.before[slots], self.until[slots] = np.nan, np.nan, 0

    def _end(self, chunk: Chunk) -> Score | None:
        """End the open cells of these tags, which begin another with this reading."""
        s, t = chunk.slots, chunk.t
        heard = self.number[s] > 0
        if heard.any():
            self._close(s[heard])
        length = self.cell_ms[s]
        # a cell is missing: the windows start anew
        self.filled[s[t >= self.until[s] + length]] = PARTIAL
        self.until[s] = (t // length + 1) * length
        self.sums[s], self.number[s] = 0.0, 0
        return self._decide(chunk.only(heard)) if heard.any() else None

    def _close(self, s: Ints) -> None:
        """Compare the newest means with those before them."""
        cells = self.cells[s]
        cells[:, 1:] = cells[:, :-1]
        cells[:, 0] = self.sums[s] / self.number[s]
        self.cells[s] = cells
        filled = np.minimum(self.filled[s] + 1, SPAN)
        newest, before = cells @ NEWEST, cells @ BEFORE
        home = self.home[s, None]
        away = np.maximum(newest - np.fmax(before, home), np.fmin(before, home) - newest)
        with np.errstate(invalid="ignore"):
            ratios = np.where(filled[:, None] >= SPANS, np.nan_to_num(away / self.limit[s]), 0.0)
        best, each = ratios.argmax(axis=1), np.arange(len(s))
        self.filled[s], self.ratio[s] = filled, ratios[each, best]
        self.mean[s], self.before[s] = newest[each, best], before[each, best]

    def _decide(self, chunk: Chunk) -> Score | None:
        t = np.zeros(len(self.channels.assets), np.int64)
        np.maximum.at(t, self.channels.asset[chunk.slots], chunk.t)
        groups = np.flatnonzero(t)
        ready = self.alarm.copy()
        ready[self.channels.asset[chunk.slots[self.filled[chunk.slots] >= sum(SCALES[0])]]] = True
        groups = groups[ready[groups]]
        if not len(groups):
            return None
        ratios, now = self._ratios(groups), t[groups]
        worst, most = self.members[groups, ratios.argmax(axis=1)], ratios.max(axis=1)
        self.rise_t[groups[most < QUIET]] = now[most < QUIET]
        starts = ~self.alarm[groups] & (most >= 1) & ~self.suspect[worst]
        g = groups[starts]
        self.alarm[g], self.culprit_id[g] = True, self.channels.ids[worst[starts]]
        members = self.members[g].ravel()
        self.home[members] = self.before[members]  # -1 writes the last slot's own level, which is harmless
        self.onset[g] = np.where(self.rise_t[g] > 0, self.rise_t[g], now[starts])
        culprit = np.where(self.alarm[groups], self.channels.slots_of(self.culprit_id[groups].astype(np.uint32)), -1)
        stays = (culprit >= 0) & (self.ratio[culprit] >= OFF)
        self.alarm[groups[~stays]] = False
        slot = np.where(culprit >= 0, culprit, worst)
        value = np.where(stays, np.maximum(self.ratio[slot], 1.0), np.minimum(self.ratio[slot], 0.999))
        low = (self.mean[slot] < self.before[slot]).astype(np.int64)
        n = len(groups)
        return Score(groups, value, np.ones(n), stays, low, slot, now, self.onset[groups], self.mean[slot], undecided(n))

    def _ratios(self, groups: Ints) -> Floats:
        m = self.members[groups]
        return np.where(m >= 0, self.ratio[m], 0.0)

    def judges(self, row: int) -> bool:
        """The tag that this asset's alarm stands for has a limit."""
        slot = self._culprit(row)
        return bool(slot >= 0 and self.judged[slot])

    def give_up(self, row: int) -> None:
        """End the alarm, and forget how far its tag was away."""
        super().give_up(row)
        self.ratio[self.channels.ids == self.culprit_id[row]] = 0.0

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of (contrast / limit)^2, the named tag first."""
        return self.shares(self.members[row], self._ratios(np.array([row], np.int64))[0] ** 2, slot)
