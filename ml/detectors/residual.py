"""Residual: readings that the machine's own last readings do not predict."""

from __future__ import annotations

import numpy as np

from ml.channels import Channels
from ml.detectors.residual_at_rest import CEILING, QUIET, AtRest
from ml.detectors.residual_fit import GAIN, HOLD, LAGS, SMOOTHED, learn_residual
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score
from realtime.events import AlertType, Because
from realtime.settings import Settings

OFF = 0.7  # of the limit: an alarm ends below it
NEVER = -1
ADVISORY = 0
PATIENCE = 20  # steps beyond the limit that another detector's suspicion may hold an alarm back


class Residual(AtRest):
    """Good at: a change within seconds, also one that only the other tags of the machine betray. Bad at: saying what broke, and
    at operating points that the baseline does not have (it stays in alarm there). Advisory; drift that agrees with it pages.

    Per machine a ridge regression predicts each tag's standardised reading from the last 4 steps of all of them; a step is the
    period of the slowest tag. EWMA 0.1 of residual / spread, in alarm above a limit from left-out thirds of the baseline, never
    below 7 deviations. Warm-up: 4 steps. Cost: about 0.3 us a reading of machines of 5 tags. Source: ML.md 3.7.
    """

    name = "residual"
    type = AlertType.ANOMALY
    codes = ("residual",)
    STATE = ("z", "past", "at", "smooth")
    GROUP_STATE = ("open", "number", "done", "filled", "alarm", "onset", "rise_t", "beyond")

    def __init__(self, channels: Channels, settings: Settings) -> None:
        self.channels = channels
        self.keys, self.group_keys = channels.tag_keys(), channels.asset_keys()
        n, groups = len(channels), len(channels.assets)
        self.known, self.members = np.zeros(n, bool), np.full((groups, 1), -1, np.int64)
        self.weights = np.zeros((groups, LAGS, 1))
        self.width, self.step_ms = np.zeros(groups, np.int64), np.ones(groups, np.int64)
        self.mean, self.std, self.spread, self.limit = np.zeros(n), np.ones(n), np.ones(n), np.ones(n)
        self.z, self.past = np.zeros(n), np.zeros((n, LAGS))  # newest lag first
        self.at, self.smooth = np.full(n, NEVER, np.int64), np.zeros(n)  # step of the last reading
        self.open, self.number = np.full(groups, NEVER, np.int64), np.zeros(groups, np.int64)  # tags heard in the open step
        self.done, self.filled = np.ones(groups, bool), np.zeros(groups, np.int64)
        self.ratio = np.zeros(groups)  # of the last step judged; the worst tag's
        self.alarm, self.beyond = np.zeros(groups, bool), np.zeros(groups, np.int64)  # steps in a row over the limit
        self.onset, self.rise_t = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.suspect = np.zeros(n, bool)  # another detector may name what these tags do; wait for its word
        self._see(channels)

    def learn(self, history: History) -> Learned:
        """Weights, spreads and limits."""
        return learn_residual(history)

    def load(self, slots: Ints, learned: Learned) -> None:
        """Put a predictor in force; not when one of its tags is gone or was calibrated since."""
        if "weights" not in learned:
            return
        mine = slots[learned["known"]]
        if (mine < 0).any() or (self.calibrated_t[mine] > int(learned["level_t"][0])).any():
            return
        g, w = int(self.channels.asset[mine[0]]), len(mine)
        if w > self.members.shape[1]:
            wider = w - self.members.shape[1]
            self.members = np.pad(self.members, ((0, 0), (0, wider)), constant_values=-1)
            self.weights = np.pad(self.weights, ((0, 0), (0, LAGS * wider), (0, wider)))
        self._machines.clear()
        self.members[g], self.weights[g] = -1, 0.0
        self.members[g, :w], self.weights[g, : w * LAGS, :w] = mine, learned["weights"]
        self.width[g], self.step_ms[g], self.known[mine] = w, int(learned["step_ms"][0]), True
        for name in ("mean", "std", "spread", "limit"):
            getattr(self, name)[mine] = learned[name][learned["known"]]

    def score(self, chunk: Chunk) -> Score | None:
        """The greatest smoothed residual of each machine that ended a step, over its tag's limit."""
        chunk = chunk.only(self.known[chunk.slots])
        if not len(chunk):
            return None
        g = self.channels.asset[chunk.slots]
        if chunk.fresh.any():
            self.filled[g[chunk.fresh]] = 0
        step = chunk.t // self.step_ms[g]
        late = step <= self.open[g]
        ended = [self._put(chunk.only(late), step[late])] if late.any() else []
        if not late.all():
            ahead = ~late
            machines, newest = g[ahead], step[ahead]
            # what is open there will not be whole any more: the last readings stand in
            ended.append(self._close(self._each(machines[~self.done[machines]])))
            np.maximum.at(self.open, machines, newest)
            self.number[machines], self.done[machines] = 0, False
            ended.append(self._put(chunk.only(ahead), newest))
        judged = ended[0] if len(ended) == 1 else self._each(np.concatenate(ended))
        return self._said(judged) if len(judged) else None

    def _each(self, groups: Ints) -> Ints:
        """These machines once each, ascending: what `np.unique` answers, in a tenth of its time."""
        here = np.zeros(len(self.open), bool)
        here[groups] = True
        return np.flatnonzero(here)

    def _put(self, chunk: Chunk, step: Ints) -> Ints:
        """Take readings in; answers the machines whose step they made whole and that were judged."""
        s = chunk.slots
        g = self.channels.asset[s]
        self.z[s] = (chunk.v - self.mean[s]) / self.std[s]
        new = g[(step == self.open[g]) & (self.at[s] != step)]
        self.at[s] = step
        self.number += np.bincount(new, minlength=len(self.number))
        return self._close(self._each(new[(self.number[new] >= self.width[new]) & ~self.done[new]]))

    def _close(self, groups: Ints) -> Ints:
        """End the open step of these machines; answers those that could be judged."""
        if not len(groups):
            return groups
        m = self.members[groups]
        there = m >= 0
        z, past = self.z[m], self.past[m]
        if not there.all():
            z[~there], past[~there] = 0.0, 0.0
        broken = (there & (self.open[groups][:, None] - self.at[m] > HOLD)).any(axis=1)
        ready = ~broken & (self.filled[groups] >= LAGS)
        if ready.all():
            self._judge(groups, m, z, past)
        elif ready.any():
            self._judge(groups[ready], m[ready], z[ready], past[ready])
        self._shift(m, there, z, past)
        self.smooth[m[there & ~ready[:, None]]], self.ratio[groups[~ready]] = 0.0, 0.0
        self.filled[groups] = np.where(broken, 0, np.minimum(self.filled[groups] + 1, LAGS))
        self.done[groups] = True
        judged: Ints = groups[ready]
        return judged

    def _shift(self, m: Ints, there: Flags, z: Floats, past: Floats) -> None:
        """This step is the newest of the past; the oldest is forgotten."""
        now = np.empty_like(past)
        now[:, :, 0], now[:, :, 1:] = z, past[:, :, :-1]
        if there.all():
            self.past[m] = now
        else:
            self.past[m[there]] = now[there]

    def _judge(self, groups: Ints, m: Ints, z: Floats, past: Floats) -> None:
        there = m >= 0
        predicted = np.matmul(past.reshape(len(m), 1, -1), self._weights_of(groups))[:, 0]
        limit, smooth = self.limit[m], self.smooth[m]
        most = CEILING * SMOOTHED * limit
        residual = np.minimum(np.maximum((z - predicted) / self.spread[m], -most), most)
        smooth += GAIN * (residual - smooth)
        self.smooth[m[there]] = smooth[there]
        self.ratio[groups] = ratio = np.where(there, np.abs(smooth) / (SMOOTHED * limit), 0.0).max(axis=1)
        now = self.open[groups] * self.step_ms[groups]
        self.rise_t[groups[ratio < QUIET]] = now[ratio < QUIET]
        self.beyond[groups] = np.where(ratio >= 1, self.beyond[groups] + 1, 0)
        may = ~(self.suspect[m] & there).any(axis=1) | (self.beyond[groups] > PATIENCE)
        starts = ~self.alarm[groups] & (ratio >= 1) & may
        self.onset[groups[starts]] = np.where(self.rise_t[groups] > 0, self.rise_t[groups], now)[starts]
        self.alarm[groups] = (self.alarm[groups] & (ratio >= OFF)) | starts

    def _weights_of(self, groups: Ints) -> Floats:
        """float64 (n, w * LAGS, w); machines in a row are not copied."""
        first, last = int(groups[0]), int(groups[-1]) + 1
        return self.weights[first:last] if last - first == len(groups) else self.weights[groups]

    def _ratios(self, groups: Ints) -> Floats:
        m = self.members[groups]
        return np.where(m >= 0, np.abs(self.smooth[m]) / (SMOOTHED * self.limit[m]), 0.0)

    def _said(self, groups: Ints) -> Score:
        n = len(groups)
        ratio, active = self.ratio[groups], self.alarm[groups]
        value = np.where(active, np.maximum(ratio, 1.0), np.minimum(ratio, 0.999))
        t, code = self.open[groups] * self.step_ms[groups], np.zeros(n, np.int64)
        nothing = np.full(n, -1)
        return Score(groups, value, np.ones(n), active, code, nothing, t, self.onset[groups], np.full(n, np.nan), np.full(n, ADVISORY))

    def judges(self, row: int) -> bool:
        """This asset has a predictor."""
        return bool(self.width[row])

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of (smoothed residual / limit)^2, largest first."""
        m = self.members[row]
        if not (m >= 0).any():
            own = np.flatnonzero(self.channels.asset == row)
            return self.shares(own, np.zeros(len(own)))
        return self.shares(m, self._ratios(np.array([row], np.int64))[0] ** 2)
