"""What novelty remembers of each tag, cell by cell: scales, the last cells, the values seen, the last peaks. Bounded, as arrays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.arrays import Keyed
from ml.detectors.novelty_seen import blank_lists, keep, nearest, surprise
from ml.scoring import Flags, Floats, Ints

VALUE, SHIFT, SPREAD = 0, 1, 2
NEAR, SHORT, BLOCKS = 5, 40, 10  # cells of a spread; cells of a short mean; short means that make the long one
LEAST_SPREAD = 1e-3  # of the healthy one
PEAK_FACTOR = 2.0  # within the hold-off a score must exceed so many times the decayed peak
USUAL_SHARE, USUAL_HOLDS = 0.3, 20.0  # how much a peak raises the usual one, and how many hold-offs that lasts
SKEWED = 1.0
OLD = 10**9


class Memory(Keyed):
    """State of n rows. `step` takes one cell mean a row and says how new it is; about 2.3 kB a row.

    A row is ready when `fit` gave it a scale. A non-negative skewed signal is taken in logarithms: what doubles is as far as
    what halves. Source: ML.md 3.9, with three lists instead of two and lists of bounded length.
    """

    STATE = ("mean", "scale", "log_add", "log_mean", "log_scale", "hold", "count", "run", "last", "shorts", "blocks", "old_shift",
             "old_spread", "seen", "usual", "peak", "age", "usual_peak")  # fmt: skip

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = keys
        n = len(keys)
        self.mean, self.scale = np.full(n, np.nan), np.full(n, np.nan)
        self.log_add, self.log_mean, self.log_scale = np.full(n, np.nan), np.zeros(n), np.ones(n)
        self.hold = np.full(n, 20.0)
        self.count, self.run = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self.last = np.zeros((n, NEAR), np.float32)
        self.shorts, self.blocks = np.zeros((n, SHORT), np.float32), np.zeros((n, BLOCKS), np.float32)
        self.old_shift, self.old_spread = np.full((n, SHORT), np.nan, np.float32), np.full((n, NEAR), np.nan, np.float32)
        self.seen, self.usual = blank_lists(n, 3), np.zeros((n, 3, 3))
        self.peak, self.age, self.usual_peak = np.zeros(n), np.full(n, OLD, np.int64), np.zeros(n)

    def fit(self, row: int, cells: Floats, hold: float) -> None:
        """Scales of one row from its baseline, float64 (n,); hold in cells."""
        self.mean[row], self.scale[row], self.hold[row] = cells.mean(), _spread(cells), hold
        middle = float(np.median(cells)) or float(cells.mean())
        deviation = float(cells.std())
        if deviation <= 0 or cells.min() < 0 or middle <= 0:
            return
        if float((((cells - cells.mean()) / deviation) ** 3).mean()) <= SKEWED:
            return
        self.log_add[row] = middle / 2
        logs = np.log(cells + middle / 2)
        self.log_mean[row], self.log_scale[row] = logs.mean(), _spread(logs)

    def forget(self, rows: Ints) -> None:
        """As new, but for the scales."""
        fresh = Memory([str(row) for row in rows])
        for name in self.STATE[5:]:
            getattr(self, name)[rows] = getattr(fresh, name) if name != "hold" else self.hold[rows]

    def step(self, rows: Ints, cells: Floats, fresh: Flags) -> Floats:
        """Surprise float64 (m, 3) by VALUE, SHIFT, SPREAD of one cell mean a row (unique), which is then remembered.

        fresh bool (m,): the cell does not follow on the former one, so no spread runs across.
        """
        plain = (cells - self.mean[rows]) / self.scale[rows]
        value = plain.copy()
        skewed = np.flatnonzero(np.isfinite(self.log_add[rows]))
        if len(skewed):
            s = rows[skewed]
            value[skewed] = (np.log(np.maximum(cells[skewed], 0.0) + self.log_add[s]) - self.log_mean[s]) / self.log_scale[s]
        value = value.astype(np.float32).astype(np.float64)
        shift, spread = self._shift(rows, plain), self._spread(rows, value, fresh)
        found = np.stack([value, shift, spread], axis=1)
        surprised = surprise(self.usual, rows, nearest(self.seen[rows], found))
        # a mean and a spread share cells with those just before them: they are known only when they no longer do
        short, near = self.count[rows] % SHORT, self.count[rows] % NEAR
        keep(self.seen, rows, np.stack([value, self.old_shift[rows, short], self.old_spread[rows, near]], axis=1))
        self.old_shift[rows, short], self.old_spread[rows, near] = shift, spread
        self.count[rows] += 1
        return surprised

    def _shift(self, rows: Ints, plain: Floats) -> Floats:
        """Mean of the last SHORT cells less that of the last BLOCKS whole ones; NaN until there is one."""
        count = self.count[rows]
        self.shorts[rows, count % SHORT] = plain
        short = self.shorts[rows].mean(axis=1, dtype=np.float64)
        blocks = np.minimum(count // SHORT, BLOCKS)
        shift = np.where(blocks > 0, short - self.blocks[rows].sum(axis=1, dtype=np.float64) / np.maximum(blocks, 1), np.nan)
        whole = count % SHORT == SHORT - 1
        self.blocks[rows[whole], count[whole] // SHORT % BLOCKS] = short[whole]
        return shift.astype(np.float32).astype(np.float64)

    def _spread(self, rows: Ints, value: Floats, fresh: Flags) -> Floats:
        """Logarithm of the deviation of the last NEAR cells; NaN until there are as many without a gap."""
        self.run[rows] = np.where(fresh, 1, self.run[rows] + 1)
        self.last[rows, self.count[rows] % NEAR] = value
        spread = np.log(self.last[rows].std(axis=1, dtype=np.float64) + LEAST_SPREAD)
        return np.where(self.run[rows] >= NEAR, spread, np.nan).astype(np.float32).astype(np.float64)

    def held(self, rows: Ints, score: Floats, floor: float) -> Floats:
        """Scores float64 (m,) that are no echo of a peak, else 0. One event, one peak.

        Within the hold-off after a peak a score counts only above twice the peak, which decays to nothing meanwhile; and
        always above what this row's peaks usually are, so that a restless signal has to show more. Peaks begin at `floor`.
        """
        self.age[rows] = np.minimum(self.age[rows] + 1, OLD)
        left = self.peak[rows] * np.maximum(1 - self.age[rows] / self.hold[rows], 0.0)
        usual = self.usual_peak[rows] * np.exp(-1 / (USUAL_HOLDS * self.hold[rows]))
        counts = (score > PEAK_FACTOR * left) & (score > usual)
        self.peak[rows] = np.where(counts, score, self.peak[rows])
        self.age[rows[counts]] = 0
        self.usual_peak[rows] = np.where(counts & (score > floor), usual + USUAL_SHARE * (score - usual), usual)
        return np.where(counts, score, 0.0)


def _spread(values: Floats) -> float:
    """Standard deviation; of a signal that stood still a hundredth of its value, or 1."""
    deviation = float(values.std())
    if deviation > 1e-9 * max(float(np.abs(values).max()), 1e-30):
        return deviation
    return abs(float(values.mean())) / 100 or 1.0
