"""Residuals of one reading in plain numbers, while its machine is not in alarm. What is not at rest `residual` judges, in arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.channels import Channels
from ml.detectors.residual_fit import GAIN, HOLD, LAGS, SMOOTHED
from ml.per_asset import PerAsset
from ml.plain import flags, floats, wholes
from ml.scoring import Flags, Floats, Ints, Noted

CEILING = 4.0  # limits: a single residual counts for no more, so that an alarm ends soon after its cause
QUIET = 0.5  # of the limit: an alarm began when it was left


class AtRest(PerAsset):
    """The state of `Residual` that a quiet reading moves; `note` moves it as `Residual.score` would, to the last bit."""

    known: Flags
    members: Ints
    weights: Floats
    width: Ints
    step_ms: Ints
    mean: Floats
    std: Floats
    spread: Floats
    limit: Floats
    z: Floats
    past: Floats
    at: Ints
    smooth: Floats
    open: Ints
    number: Ints
    done: Flags
    filled: Ints
    alarm: Flags
    rise_t: Ints
    beyond: Ints

    def _see(self, channels: Channels) -> None:
        """Views of the arrays, once they are made; not of `members` and `weights`, which grow."""
        self._known, self._width, self._step_ms, self._asset = (
            flags(self.known),
            wholes(self.width),
            wholes(self.step_ms),
            wholes(channels.asset),
        )
        self._mean, self._std, self._spread, self._limit = floats(self.mean), floats(self.std), floats(self.spread), floats(self.limit)
        self._z, self._past, self._at, self._smooth = floats(self.z), floats(self.past), wholes(self.at), floats(self.smooth)
        self._open, self._number, self._done, self._filled = wholes(self.open), wholes(self.number), flags(self.done), wholes(self.filled)
        self._alarm, self._rise_t, self._beyond = flags(self.alarm), wholes(self.rise_t), wholes(self.beyond)
        self._machines: dict[int, tuple[list[int], Ints, Floats]] = {}  # slots, the same padded, weights; forgotten by `load`

    def note_machine(self, readings: Sequence[Noted]) -> int:
        """Readings of one step, as far as `note` takes them; none where they are of several, or one replaces a former of its tag."""
        step_ms = self._step_ms[self._asset[readings[0][0]]]
        if any(self._at[s] == t // step_ms for s, t, _, _ in readings):
            return 0
        return self._note_each(readings, step_ms)

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading that is neither late nor begins a step before the former is whole: see `Noting`."""
        if not self._known[s]:
            return True
        g = self._asset[s]
        step, former = t // self._step_ms[g], self._open[g]
        if self._alarm[g] or step < former or (step > former and not self._done[g]):
            return False
        new, number, done = self._at[s] != step, self._number[g], self._done[g]
        if step > former:
            number, done = 0, False
        z, number = (v - self._mean[s]) / self._std[s], number + new
        if new and not done and number >= self._width[g]:
            self._z[s] = z
            if not self._whole(g, s, step):
                return False
            done = True
        self._z[s], self._at[s] = z, step
        self._open[g], self._number[g], self._done[g] = step, number, done
        return True

    def _whole(self, g: int, newest: int, step: int) -> bool:
        """End a step with all its readings; False, and nothing changed, where it began an alarm or the ones before it are not whole."""
        slots, padded, weights = self._machine(g)
        if self._filled[g] < LAGS:
            return False
        predicted = np.matmul(self.past.take(padded, axis=0).reshape(1, -1), weights)[0].tolist()
        smooth, worst = [], 0.0
        for s, expected in zip(slots, predicted, strict=False):  # padded for the widest machine
            if s != newest and step - self._at[s] > HOLD:
                return False
            limit, former = self._limit[s], self._smooth[s]
            most = CEILING * SMOOTHED * limit
            residual = min(max((self._z[s] - expected) / self._spread[s], -most), most)
            now = former + GAIN * (residual - former)
            worst = max(worst, abs(now) / (SMOOTHED * limit))
            smooth.append(now)
        if not worst < 1:
            return False
        for s, now in zip(slots, smooth, strict=True):
            first = s * LAGS
            self._past[first + 1 : first + LAGS] = self._past[first : first + LAGS - 1]
            self._past[first], self._smooth[s] = self._z[s], now
        self._beyond[g] = 0
        if worst < QUIET:
            self._rise_t[g] = step * self._step_ms[g]
        return True

    def _machine(self, g: int) -> tuple[list[int], Ints, Floats]:
        if g not in self._machines:
            m = self.members[g]
            slots: list[int] = m[m >= 0].tolist()
            # what stands in for no tag is multiplied by weights of nought
            self._machines[g] = (slots, np.where(m >= 0, m, slots[0]), self.weights[g])
        return self._machines[g]
