"""The end of one tag's cell in plain numbers, as nearly every cell ends: it is remembered, and nobody is told."""

from __future__ import annotations

from bisect import bisect_left
from math import inf, isfinite, isinf, nan, sqrt
from typing import NamedTuple

import numpy as np

from ml.detectors.novelty_memory import (
    BLOCKS,
    LEAST_SPREAD,
    NEAR,
    OLD,
    PEAK_FACTOR,
    SHIFT,
    SHORT,
    SPREAD,
    USUAL_HOLDS,
    USUAL_SHARE,
    VALUE,
    Memory,
)
from ml.detectors.novelty_seen import CLIP, KEPT, RESOLUTION, WARM
from ml.plain import floats, singles, wholes

WIDTH, LISTS = KEPT + 2, SPREAD + 1
FIGURES = 3  # of the usual distances: count, mean, variance


class Known(NamedTuple):
    """What a cell says: surprise by VALUE, SHIFT, SPREAD, and the greatest where it is no echo of a peak, else 0."""

    surprised: tuple[float, float, float]
    held: float


class Usual(NamedTuple):
    """Of one list: how new its value is, and the count, mean and variance of the distances with it."""

    surprise: float
    n: float
    mean: float
    var: float


class AtRest:
    """Moves one row of a `Memory` as its `step` and `held` would, to the last bit.

    Logarithms, powers and sums of ten and more values stay numpy's, which rounds them otherwise than Python.
    """

    def __init__(self, memory: Memory) -> None:
        m = self.memory = memory
        self._mean, self._scale, self._hold = floats(m.mean), floats(m.scale), floats(m.hold)
        self._log_add, self._log_mean, self._log_scale = floats(m.log_add), floats(m.log_mean), floats(m.log_scale)
        self._count, self._run, self._last = wholes(m.count), wholes(m.run), singles(m.last)
        self._shorts, self._blocks = singles(m.shorts), singles(m.blocks)
        self._old_shift, self._old_spread = singles(m.old_shift), singles(m.old_spread)
        self._seen, self._usual = singles(m.seen), floats(m.usual)
        self._peak, self._age, self._usual_peak = floats(m.peak), wholes(m.age), floats(m.usual_peak)
        longer, single = np.zeros(WIDTH + 1, np.float32), np.zeros(1, np.float32)
        self._above, self._below, self._longer, self._single = longer[2:], longer[:-2], singles(longer), singles(single)

    def end(self, row: int, cell: float, *, fresh: bool, limit: float) -> Known | None:
        """Take one cell's mean in; None, and nothing is remembered, where its score reaches the limit."""
        count, run = self._count[row], 1 if fresh else self._run[row] + 1
        far, near = row * SHORT + count % SHORT, row * NEAR + count % NEAR
        plain = (cell - self._mean[row]) / self._scale[row]
        # both places are written again where arrays judge the cell
        self._shorts[far] = plain
        self._last[near] = self._value(row, cell, plain)
        value, short = self._last[near], float(np.add.reduce(self.memory.shorts[row], dtype=np.float64)) / SHORT
        shift, spread = self._shift(row, count // SHORT, short), self._spread(row) if run >= NEAR else nan
        usual = [self._judged(row, which, x) for which, x in ((VALUE, value), (SHIFT, shift), (SPREAD, spread))]
        surprised = (usual[VALUE].surprise, usual[SHIFT].surprise, usual[SPREAD].surprise)
        held = self._held(row, max(surprised), limit)
        if held is None:
            return None
        for which, (_, n, mean, var) in enumerate(usual):
            at = (row * LISTS + which) * FIGURES
            self._usual[at], self._usual[at + 1], self._usual[at + 2] = n, mean, var
        self._keep(row, VALUE, value)
        self._keep(row, SHIFT, self._old_shift[far])
        self._keep(row, SPREAD, self._old_spread[near])
        self._old_shift[far], self._old_spread[near] = shift, spread
        if count % SHORT == SHORT - 1:
            self._blocks[row * BLOCKS + count // SHORT % BLOCKS] = short
        self._count[row], self._run[row] = count + 1, run
        return Known(surprised, held)

    def _value(self, row: int, cell: float, plain: float) -> float:
        add = self._log_add[row]
        if not isfinite(add):
            return plain
        return (float(np.log(max(cell, 0.0) + add)) - self._log_mean[row]) / self._log_scale[row]

    def _shift(self, row: int, whole: int, short: float) -> float:
        blocks = min(whole, BLOCKS)
        if not blocks:
            return nan
        self._single[0] = short - float(np.add.reduce(self.memory.blocks[row], dtype=np.float64)) / blocks
        return self._single[0]

    def _spread(self, row: int) -> float:
        a, b, c, d, e = self._last[row * NEAR : row * NEAR + NEAR]
        mean = (a + b + c + d + e) / NEAR
        a, b, c, d, e = a - mean, b - mean, c - mean, d - mean, e - mean
        self._single[0] = float(np.log(sqrt((a * a + b * b + c * c + d * d + e * e) / NEAR) + LEAST_SPREAD))
        return self._single[0]

    def _distance(self, row: int, which: int, x: float) -> tuple[float, int]:
        """Distance to the nearest kept value, 0 where nothing is kept; where x stands among them."""
        first = (row * LISTS + which) * WIDTH
        at = bisect_left(self._seen, x, first, first + WIDTH)
        gap = min(x - self._seen[at - 1], self._seen[at] - x)
        return (0.0 if isinf(gap) else max(gap, 0.0)), at

    def _judged(self, row: int, which: int, x: float) -> Usual:
        at = (row * LISTS + which) * FIGURES
        n, mean, var = self._usual[at : at + FIGURES]
        if not isfinite(x):
            return Usual(0.0, n, mean, var)
        d, z = self._distance(row, which, x)[0], 0.0
        clipped = d
        if n >= WARM:
            spread = sqrt(var)
            z, clipped = (d - mean) / (spread + RESOLUTION), min(d, mean + CLIP * spread + RESOLUTION * (spread == 0))
        step, share = clipped - mean, 1 / (n + 1)
        surprise = float(np.log2(1 + z)) if z > 0 else 0.0
        return Usual(surprise, n + 1, mean + share * step, (1 - share) * (var + share * step * step))

    def _held(self, row: int, score: float, limit: float) -> float | None:
        """What `Memory.held` says of one row, with half the limit as its floor; None, and nothing changed, from the limit on."""
        hold, age = self._hold[row], min(self._age[row] + 1, OLD)
        left = self._peak[row] * max(1 - age / hold, 0.0)
        usual = self._usual_peak[row] * float(np.exp(-1 / (USUAL_HOLDS * hold)))
        counts = score > PEAK_FACTOR * left and score > usual
        if counts and score >= limit:
            return None
        self._usual_peak[row] = usual + USUAL_SHARE * (score - usual) if counts and score > limit / 2 else usual
        if not counts:
            self._age[row] = age
            return 0.0
        self._age[row], self._peak[row] = 0, score
        return score

    def _keep(self, row: int, which: int, x: float) -> None:
        if not isfinite(x):
            return
        first, end = (row * LISTS + which) * WIDTH, (row * LISTS + which + 1) * WIDTH
        distance, at = self._distance(row, which, x)
        if distance <= RESOLUTION and self._seen[first + 1] != inf:
            return
        longer, to = self._longer, at - first
        longer[:to], longer[to], longer[to + 1 :] = self._seen[first:at], x, self._seen[at:end]
        drop = WIDTH if self._seen[end - 2] == inf else int(np.subtract(self._above, self._below).argmin()) + 1
        self._seen[first : first + drop], self._seen[first + drop : end] = longer[:drop], longer[drop + 1 :]
