"""Drift, VDrift: a level that left its place further than the channel's own minute means wander when healthy."""

from __future__ import annotations

import numpy as np

from ml.arrays import State
from ml.channels import Channels
from ml.detectors.drift_at_rest import ABSENT_MS, CELLS, SOFT, AtRest
from ml.detectors.drift_scale import TAU_S, TAU_SHIFTED_S, WINDOW_S, learn_scale
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType, Because
from realtime.settings import Settings

ON, OFF = 3.0, 1.05
NEVER = -(10**15)


class VDrift(AtRest):
    """Good at: slow drift, bias, one machine's tags leaving their level together. Bad at: faults smaller than the healthy wander,
    and spread without a change of level (noise).

    m = mean of the last 30 s (10 readings of slow tags); z = |m - r| / s with s from `drift_scale`; S = ||max(z - 2, 0)|| over
    the machine's tags, alarm on S > 3. r follows m with 400 s when quiet; in alarm the worst tag is the culprit and its r
    stands still, the others follow with 100 s; the end is the culprit's max(z - 2, 0) < 1.05, and every r restarts.
    Warm-up: one window; about 0.3 us a reading. Source: ML.md 3.5, in time instead of counts.
    """

    name = "drift"
    type = AlertType.DRIFT
    codes = ("drift_high", "drift_low")
    STATE = ("sums", "counts", "total", "number", "cell", "first_cell", "m", "r", "before", "z", "good_t", "settle_t", "calibrated_t")
    GROUP_STATE = ("alarm", "culprit_id", "onset", "rise_t", "stir")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.keys, self.group_keys = channels.tag_keys(), channels.asset_keys()
        n, groups = len(channels), len(channels.assets)
        self.wanted = np.array([tag.drift for tag in channels.tags], bool) & channels.analogue
        self.members = channels.grouped(self.wanted)
        self.scale = np.full(n, np.nan)
        window_s = np.maximum(WINDOW_S, 10 * channels.period_s)
        self.pace = window_s / WINDOW_S  # every time constant stretches with the window
        cell_s = np.maximum(window_s / CELLS, channels.period_s)
        self.cell_ms = np.maximum(np.round(cell_s * 1000), 1).astype(np.int64)
        self.cells = np.clip(np.round(window_s / cell_s), 2, CELLS).astype(np.int64)
        self.sums, self.counts = np.zeros((n, CELLS)), np.zeros((n, CELLS), np.int64)
        self.total, self.number = np.zeros(n), np.zeros(n, np.int64)
        self.cell, self.first_cell, self.good_t = np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.m, self.r, self.z = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n)
        self.before = np.full(n, np.nan)  # r when the alarm began
        self.alarm, self.stir = np.zeros(groups, bool), np.zeros(groups, bool)
        self.culprit_id = np.zeros(groups, np.int64)  # a tag id, so that it survives a change of slots
        self.onset, self.rise_t = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.settle_t = np.full(n, NEVER)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.suspect = np.zeros(n, bool)  # another detector may name what these tags do; wait for its word
        self._see(channels)

    def adopt(self, state: State) -> None:
        """Take over what is still here; a tag calibrated meanwhile starts anew at the level it has now."""
        now = self.calibrated_t.copy()
        super().adopt(state)
        calibrated = np.flatnonzero(self.calibrated_t != now)
        self.calibrated_t = now
        self._forget(calibrated)

    def _forget(self, slots: Ints) -> None:
        """No level, no window; an alarm that these tags stand for ends, and is told with the next reading."""
        self.m[slots] = self.r[slots] = self.before[slots] = np.nan
        self.sums[slots], self.counts[slots] = 0.0, 0
        self.total[slots] = self.number[slots] = self.z[slots] = 0
        self.first_cell[slots] = self.cell[slots]
        groups = self.channels.asset[slots]
        blamed = groups[self.culprit_id[groups] == self.channels.ids[slots]]
        self.alarm[blamed], self.culprit_id[blamed], self.stir[blamed] = False, 0, True

    def learn(self, history: History) -> Learned:
        """The scale of each tag; NaN where there is too little or nothing moves."""
        return learn_scale(history)

    def confirm(self, slots: Ints, learned: Learned) -> None:
        """A person called the baseline healthy: an alarm that began before its end is over, its tags take that level. Before `load`."""
        if "level_t" not in learned:
            return
        here = slots >= 0
        machines = self.channels.asset[slots[here]]
        self._forget(slots[here][self.alarm[machines] & (learned["level_t"][here] > self.onset[machines])])

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put scales in force; the level of a tag that has none yet starts with the end of the baseline, unless it was calibrated since."""
        here = slots >= 0
        if not {"scale", "level", "level_t"} <= learned.keys():
            return
        s = slots[here]
        self.scale[s] = np.where(self.wanted[s], learned["scale"][here], np.nan)  # a kept model may know more tags than are watched
        new = np.isnan(self.r[s]) & (learned["level_t"][here] >= self.calibrated_t[s])
        self.r[s[new]] = learned["level"][here][new]
        self.good_t[s[new]] = learned["level_t"][here][new]

    def score(self, chunk: Chunk) -> Score | None:
        """S of every machine that a reading touched and that is not at rest."""
        chunk = chunk.only(np.isfinite(self.scale[chunk.slots]))
        if not len(chunk):
            return None
        m = self._add(chunk)
        s = chunk.slots
        ready = self.cell[s] - self.first_cell[s] >= self.cells[s] - 1
        r = self.r[s]
        away = np.isnan(r) | (chunk.t - self.good_t[s] > ABSENT_MS * self.pace[s])
        if away.any():
            culprit = self.channels.ids[s] == self.culprit_id[self.channels.asset[s]]
            restart = ready & away & ~culprit
            self.r[s[restart]] = r[restart] = m[restart]
        with np.errstate(invalid="ignore"):
            self.z[s] = np.where(ready, np.abs(m - r) / self.scale[s], 0.0)
        scored = self._decide(chunk, self._stirred(chunk, ready)) if ready.any() else None
        self._follow(chunk.only(ready))
        return scored

    def _stirred(self, chunk: Chunk, ready: Flags) -> Ints:
        """Machines with a tag beyond SOFT now or at their last decision, or in alarm; the others are at rest: S = 0."""
        asset = self.channels.asset[chunk.slots]
        stirred = ready & ((self.z[chunk.slots] > SOFT) | (self.stir | self.alarm)[asset])
        awake = np.zeros(len(self.channels.assets), bool)
        awake[asset[stirred]] = True
        rest = ready & ~awake[asset]
        self.rise_t[asset[rest]] = chunk.t[rest]
        return np.flatnonzero(awake)

    def _add(self, chunk: Chunk) -> Floats:
        """Put readings into their cells; what left the window leaves its sum. Answers the means, float64 (n,)."""
        s, cells = chunk.slots, self.cells[chunk.slots]
        cell = chunk.t // self.cell_ms[s]
        if chunk.fresh.any():
            f = s[chunk.fresh]
            self.sums[f], self.counts[f], self.total[f], self.number[f] = 0.0, 0, 0.0, 0
            self.first_cell[f] = self.cell[f] = cell[chunk.fresh]
        before, total, number = self.cell[s], self.total[s], self.number[s]
        step = np.minimum(cell - before, cells)
        sums, counts = self.sums.reshape(-1), self.counts.reshape(-1)  # the same memory, with one index
        for k in range(1, int(step.max(initial=0)) + 1):
            left = np.flatnonzero(step >= k)
            at = s[left] * CELLS + (before[left] + k) % cells[left]
            total[left] -= sums[at]
            number[left] -= counts[at]
            sums[at], counts[at] = 0.0, 0
        at = s * CELLS + cell % cells
        sums[at] += chunk.v
        counts[at] += 1
        total += chunk.v
        number += 1
        m: Floats = total / np.maximum(number, 1)
        self.cell[s], self.total[s], self.number[s], self.m[s] = cell, total, number, m
        return m

    def _excess(self, groups: Ints) -> Floats:
        """float64 (n_groups, width): max(z - 2, 0) of each member."""
        members = self.members[groups]
        return np.where(members >= 0, np.maximum(self.z[members] - SOFT, 0.0), 0.0)

    def _decide(self, chunk: Chunk, groups: Ints) -> Score | None:
        if not len(groups):
            return None
        excess = self._excess(groups)
        self.stir[groups] = excess.any(axis=1)
        s_norm = np.sqrt((excess * excess).sum(axis=1))
        worst = self.members[groups, excess.argmax(axis=1)]
        t = np.zeros(len(self.channels.assets), np.int64)
        np.maximum.at(t, self.channels.asset[chunk.slots], chunk.t)
        now = t[groups]
        quiet = s_norm < 1
        self.rise_t[groups[quiet]] = now[quiet]
        starts = ~self.alarm[groups] & (s_norm > ON) & ~self.suspect[worst]
        g = groups[starts]
        self.alarm[g], self.culprit_id[g] = True, self.channels.ids[worst[starts]]
        members = self.members[g].ravel()
        self.before[members] = self.r[members]  # -1 writes the last slot's own level, which is harmless
        self.onset[g] = np.where(self.rise_t[g] > 0, self.rise_t[g], now[starts])
        culprit = self._culprits(groups)
        self._end_or_swap(groups, worst, culprit, starts, now)
        slot = np.where(self.alarm[groups], self._culprits(groups), np.where(culprit >= 0, culprit, worst))
        return self._named(groups, s_norm, slot, now)

    def _culprits(self, groups: Ints) -> Ints:
        return np.where(self.alarm[groups], self.channels.slots_of(self.culprit_id[groups].astype(np.uint32)), -1)

    def _end_or_swap(self, groups: Ints, worst: Ints, culprit: Ints, starts: Flags, now: Ints) -> None:
        in_alarm = self.alarm[groups] & ~starts
        z_culprit = np.where(culprit >= 0, self.z[culprit], 0.0)
        over = in_alarm & (z_culprit - SOFT < OFF)
        # a bystander's level has gone after it: it takes the blame only if it is also far from where it was before
        z_worst = np.minimum(self.z[worst], np.abs(self.m[worst] - self.before[worst]) / self.scale[worst])
        swap = in_alarm & ~over & (z_worst > 2 * z_culprit) & (z_worst > ON + SOFT)
        self.culprit_id[groups[swap]] = self.channels.ids[worst[swap]]
        self.r[worst[swap]] = self.before[worst[swap]]
        self._restart(groups[over], now[over])

    def _restart(self, ended: Ints, now: Ints) -> None:
        """After an alarm: back at the level from before it; where m is elsewhere for good, r goes with m for one window."""
        self.alarm[ended], self.culprit_id[ended] = False, 0
        members = self.members[ended]
        back, at = members[members >= 0], np.broadcast_to(now[:, None], members.shape)[members >= 0]
        moved = ~(np.abs(self.m[back] - self.before[back]) <= (SOFT + OFF) * self.scale[back])
        self.r[back] = np.where(moved, self.m[back], self.before[back])
        self.settle_t[back[moved]] = at[moved]

    def _named(self, groups: Ints, s_norm: Floats, slot: Ints, now: Ints) -> Score:
        active = self.alarm[groups]
        # the culprit may be on its way back while the alarm stands: never below the limit then, never above it otherwise
        value = np.where(active, np.maximum(s_norm, ON), np.minimum(s_norm, ON * 0.999))
        low = (self.m[slot] < self.r[slot]).astype(np.int64)
        limit = np.full(len(groups), ON)
        return Score(groups, value, limit, active, low, slot, now, self.onset[groups], self.m[slot], undecided(len(groups)))

    def _follow(self, chunk: Chunk) -> None:
        """The level r goes after m: slowly when quiet, faster for bystanders of an alarm, not at all for its culprit."""
        s, pace = chunk.slots, self.pace[chunk.slots]
        settling = chunk.t - self.settle_t[s] <= WINDOW_S * 1000 * pace
        alarm = self.alarm[self.channels.asset[s]] if self.alarm.any() else np.zeros(len(s), bool)
        gain = np.minimum(chunk.dt / (np.where(alarm, TAU_SHIFTED_S, TAU_S) * pace), 1.0)
        gain[settling & ~alarm] = 1.0
        if alarm.any():
            gain[alarm & (self.channels.ids[s] == self.culprit_id[self.channels.asset[s]])] = 0.0
        r = self.r[s]
        self.r[s] = r + gain * (self.m[s] - r)
        self.good_t[s] = chunk.t

    def judges(self, row: int) -> bool:
        """The tag that this asset's alarm stands for has a scale."""
        slot = self._culprit(row)
        return bool(slot >= 0 and np.isfinite(self.scale[slot]))

    def give_up(self, row: int) -> None:
        """End the alarm, and forget how far its tag was away."""
        super().give_up(row)
        self.z[self.channels.ids == self.culprit_id[row]] = 0.0

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of max(z - 2, 0)^2; the culprit first."""
        return self.shares(self.members[row], self._excess(np.array([row], np.int64))[0] ** 2, slot)
