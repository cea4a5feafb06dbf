"""VDrift of single readings in plain numbers, while its machine is at rest. What is not at rest `drift` judges, in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

from ml.channels import Channels
from ml.detectors.drift_scale import TAU_S, WINDOW_S
from ml.per_asset import PerAsset
from ml.plain import flags, floats, wholes
from ml.scoring import Flags, Floats, Ints, Noted

CELLS = 30
SOFT = 2.0  # deviations that count as nothing
ABSENT_MS = int(TAU_S * 1000)  # away longer than the level's memory: start at what is there

# slot, t, dt, cell and its place, its sum and count, those of the window, its mean, z, whether the window is whole
Kept = tuple[int, int, float, int, int, float, int, float, int, float, float, bool]


class AtRest(PerAsset):
    """The state of `VDrift` that a quiet reading moves; `note_machine` moves it as `VDrift.score` would."""

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
        one = self._look(s, t, v, dt)
        if one:
            self._keep(one)
        return one is not None

    def note_machine(self, readings: Sequence[Noted]) -> int:
        """Readings that leave their machine at rest, all or none of them: one that stirs it changes what the others mean."""
        looked = [self._look(*one) for one in readings]
        if None in looked:
            return 0
        for one in looked:
            if one:
                self._keep(one)
        return len(readings)

    def _look(self, s: int, t: int, v: float, dt: float) -> tuple[()] | Kept | None:
        """What to keep of a reading; () where the tag is not judged, None where its machine is not at rest with it."""
        scale, asset = self._scale[s], self._asset[s]
        if not scale > 0:
            return () if isnan(scale) else None
        before, cell, cells = self._cell[s], t // self._cell_ms[s], self._cells[s]
        if not 0 <= cell - before < cells or self._alarm[asset] or self._stir[asset]:
            return None
        total, number, first = self._total[s], self._number[s], s * CELLS
        here, summed, counted = first + cell % cells, 0.0, 0
        if cell == before:
            summed, counted = self._sums[here], self._counts[here]
        for k in range(before + 1, cell + 1):  # cells that leave the window
            total -= self._sums[first + k % cells]
            number -= self._counts[first + k % cells]
        total, number = total + v, number + 1
        m, z, ready = total / number, 0.0, cell - self._first_cell[s] >= cells - 1
        if ready:
            z = abs(m - self._r[s]) / scale
            if not z <= SOFT or t - self._good_t[s] > ABSENT_MS * self._pace[s]:
                return None
        return s, t, dt, cell, here, summed + v, counted + 1, total, number, m, z, ready

    def _keep(self, one: Kept) -> None:
        s, t, dt, cell, here, summed, counted, total, number, m, z, ready = one
        first, cells = s * CELLS, self._cells[s]
        for k in range(self._cell[s] + 1, cell):
            self._sums[first + k % cells], self._counts[first + k % cells] = 0.0, 0
        self._sums[here], self._counts[here] = summed, counted
        self._cell[s], self._total[s], self._number[s], self._m[s], self._z[s] = cell, total, number, m, z
        if ready:
            pace, r = self._pace[s], self._r[s]
            settling = t - self._settle_t[s] <= WINDOW_S * 1000 * pace
            gain = 1.0 if settling else min(dt / (TAU_S * pace), 1.0)
            self._r[s], self._good_t[s] = r + gain * (m - r), t
            self._rise_t[self._asset[s]] = t
