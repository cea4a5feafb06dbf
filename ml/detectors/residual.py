"""Residual: readings that the machine's own last readings do not predict."""

from __future__ import annotations

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.detectors.residual_fit import GAIN, HOLD, LAGS, SMOOTHED, learn_residual
from ml.scoring import Chunk, Floats, History, Ints, Learned, Score
from realtime.events import AlertType, Because
from realtime.settings import Settings

OFF = 0.7  # of the limit: an alarm ends below it
CEILING = 4.0  # limits: a single residual counts for no more, so that an alarm ends soon after its cause
QUIET = 0.5  # of the limit: an alarm began when it was left
NEVER = -1
ADVISORY = 0
PATIENCE = 20  # steps beyond the limit that another detector's suspicion may hold an alarm back


class Residual(Keyed):
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
        self.alarm, self.beyond = np.zeros(groups, bool), np.zeros(groups, np.int64)  # steps in a row over the limit
        self.onset, self.rise_t = np.zeros(groups, np.int64), np.zeros(groups, np.int64)
        self.calibrated_t = np.array([tag.calibrated_at or 0 for tag in channels.tags], np.int64)
        self.suspect = np.zeros(n, bool)  # another detector may name what these tags do; wait for its word

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
        self.filled[g[chunk.fresh]] = 0
        step = chunk.t // self.step_ms[g]
        late = step <= self.open[g]
        ended = [self._put(chunk.only(late), step[late])] if late.any() else []
        if not late.all():
            ahead = g[~late]
            # what is open there will not be whole any more: the last readings stand in
            ended.append(self._close(np.unique(ahead[~self.done[ahead]])))
            np.maximum.at(self.open, ahead, step[~late])
            self.number[ahead], self.done[ahead] = 0, False
            ended.append(self._put(chunk.only(~late), step[~late]))
        judged = np.unique(np.concatenate(ended))
        return self._said(judged) if len(judged) else None

    def _put(self, chunk: Chunk, step: Ints) -> Ints:
        """Take readings in; answers the machines whose step they made whole and that were judged."""
        s = chunk.slots
        g = self.channels.asset[s]
        self.z[s] = (chunk.v - self.mean[s]) / self.std[s]
        new = (step == self.open[g]) & (self.at[s] != step)
        self.at[s] = step
        np.add.at(self.number, g[new], 1)
        whole = g[new][(self.number[g[new]] >= self.width[g[new]]) & ~self.done[g[new]]]
        return self._close(np.unique(whole))

    def _close(self, groups: Ints) -> Ints:
        """End the open step of these machines; answers those that could be judged."""
        if not len(groups):
            return groups
        m = self.members[groups]
        there = m >= 0
        z = np.where(there, self.z[m], 0.0)
        past = np.where(there[:, :, None], self.past[m], 0.0)
        broken = (there & (self.open[groups][:, None] - self.at[m] > HOLD)).any(axis=1)
        ready = ~broken & (self.filled[groups] >= LAGS)
        if ready.any():
            self._judge(groups[ready], m[ready], z[ready], past[ready])
        self.past[m[there]] = np.concatenate([z[:, :, None], past[:, :, :-1]], axis=2)[there]
        self.smooth[m[there & ~ready[:, None]]] = 0.0
        self.filled[groups] = np.where(broken, 0, np.minimum(self.filled[groups] + 1, LAGS))
        self.done[groups] = True
        judged: Ints = groups[ready]
        return judged

    def _judge(self, groups: Ints, m: Ints, z: Floats, past: Floats) -> None:
        there = m >= 0
        predicted = np.matmul(past.reshape(len(m), 1, -1), self.weights[groups])[:, 0]
        most = CEILING * SMOOTHED * self.limit[m]
        residual = np.clip((z - predicted) / self.spread[m], -most, most)
        self.smooth[m[there]] += GAIN * (residual - self.smooth[m])[there]
        ratio = self._ratios(groups).max(axis=1)
        now = self.open[groups] * self.step_ms[groups]
        self.rise_t[groups[ratio < QUIET]] = now[ratio < QUIET]
        self.beyond[groups] = np.where(ratio >= 1, self.beyond[groups] + 1, 0)
        may = ~(self.suspect[m] & there).any(axis=1) | (self.beyond[groups] > PATIENCE)
        starts = ~self.alarm[groups] & (ratio >= 1) & may
        self.onset[groups[starts]] = np.where(self.rise_t[groups] > 0, self.rise_t[groups], now)[starts]
        self.alarm[groups] = (self.alarm[groups] & (ratio >= OFF)) | starts

    def _ratios(self, groups: Ints) -> Floats:
        m = self.members[groups]
        return np.where(m >= 0, np.abs(self.smooth[m]) / (SMOOTHED * self.limit[m]), 0.0)

    def _said(self, groups: Ints) -> Score:
        n = len(groups)
        ratio, active = self._ratios(groups).max(axis=1), self.alarm[groups]
        value = np.where(active, np.maximum(ratio, 1.0), np.minimum(ratio, 0.999))
        t, code = self.open[groups] * self.step_ms[groups], np.zeros(n, np.int64)
        nothing = np.full(n, -1)
        return Score(groups, value, np.ones(n), active, code, nothing, t, self.onset[groups], np.full(n, np.nan), np.full(n, ADVISORY))

    def tick(self, now: int) -> Score | None:
        """Nothing: only readings end a step."""
        return None

    def row_keys(self) -> list[str]:
        """One row an asset."""
        return self.channels.asset_keys()

    def is_active(self, row: int) -> bool:
        """The alarm of this asset stands."""
        return bool(self.alarm[row])

    def asset_row(self, row: int) -> int:
        """Rows are assets."""
        return row

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """Shares of (smoothed residual / limit)^2, largest first."""
        ratios = self._ratios(np.array([row], np.int64))[0] ** 2
        m, total = self.members[row], float(ratios.sum())
        if total <= 0:
            slots = m[m >= 0] if (m >= 0).any() else np.flatnonzero(self.channels.asset == row)
            return tuple(Because(self.channels.tags[s].name, 1 / len(slots)) for s in slots.tolist())
        pairs = sorted(zip(m.tolist(), (ratios / total).tolist(), strict=True), key=lambda pair: -pair[1])
        return tuple(Because(self.channels.tags[s].name, round(share, 4)) for s, share in pairs if s >= 0 and share >= 0.01)
