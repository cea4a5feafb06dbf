"""VDrift of one reading in plain numbers, while its machine is at rest. What is not at rest `drift` judges, in arrays."""

from __future__ import annotations

from math import isnan

from ml.channels import Channels
from ml.detectors.drift_scale import TAU_S, WINDOW_S
from ml.per_asset import PerAsset
from ml.plain import flags, floats, wholes
from ml.scoring import Flags, Floats, Ints

CELLS = 30
SOFT = 2.0  # deviations that count as nothing
ABSENT_MS = int(TAU_S * 1000)  # away longer than the level's memory: start at what is there


class AtRest(PerAsset):
    """The state of `VDrift` that a quiet reading moves; `note` moves it as `VDrift.score` would."""

    scale: Floats
    pace: Floats
    cell_ms: Ints
    cells: Ints
    sums: Floats
    counts: Ints
    total: Floats
    number: Ints
    cell: Ints
    first_cell: Ints
    m: Floats
    r: Floats
    z: Floats
    good_t: Ints
    settle_t: Ints
    alarm: Flags
    stir: Flags
    rise_t: Ints

    def _see(self, channels: Channels) -> None:
        """Views of the arrays, once they are made."""
        self._scale, self._pace = floats(self.scale), floats(self.pace)
        self._sums, self._counts, self._total, self._number = (
            floats(self.sums),
            wholes(self.counts),
            floats(self.total),
            wholes(self.number),
        )
        self._cell_ms, self._cells, self._cell, self._first_cell = (
            wholes(self.cell_ms),
            wholes(self.cells),
            wholes(self.cell),
            wholes(self.first_cell),
        )
        self._m, self._r, self._z = floats(self.m), floats(self.r), floats(self.z)
        self._good_t, self._settle_t, self._rise_t = wholes(self.good_t), wholes(self.settle_t), wholes(self.rise_t)
        self._alarm, self._stir, self._asset = flags(self.alarm), flags(self.stir), wholes(channels.asset)

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading that leaves its machine at rest: see `Noting`."""
        scale, asset = self._scale[s], self._asset[s]
        if not scale > 0:
            return isnan(scale)
        before, cell, cells = self._cell[s], t // self._cell_ms[s], self._cells[s]
        if not 0 <= cell - before < cells or self._alarm[asset] or self._stir[asset]:
            return False
        total, number, first = self._total[s], self._number[s], s * CELLS
        here, summed, counted = first + cell % cells, 0.0, 0
        if cell == before:
            summed, counted = self._sums[here], self._counts[here]
        for k in range(before + 1, cell + 1):  # cells that leave the window
            total -= self._sums[first + k % cells]
            number -= self._counts[first + k % cells]
        total, number = total + v, number + 1
        m, z = total / number, 0.0
        if cell - self._first_cell[s] >= cells - 1:
            z = abs(m - self._r[s]) / scale
            if not z <= SOFT or t - self._good_t[s] > ABSENT_MS * self._pace[s]:
                return False
            self._track(s, t, m, dt)
            self._rise_t[asset] = t
        for k in range(before + 1, cell):
            self._sums[first + k % cells], self._counts[first + k % cells] = 0.0, 0
        self._sums[here], self._counts[here] = summed + v, counted + 1
        self._cell[s], self._total[s], self._number[s], self._m[s], self._z[s] = cell, total, number, m, z
        return True

    def _track(self, s: int, t: int, m: float, dt: float) -> None:
        pace, r = self._pace[s], self._r[s]
        settling = t - self._settle_t[s] <= WINDOW_S * 1000 * pace
        gain = 1.0 if settling else min(dt / (TAU_S * pace), 1.0)
        self._r[s], self._good_t[s] = r + gain * (m - r), t
