"""Shift of single readings in plain numbers, while its machine is at rest. What is not at rest `shift` judges, in arrays."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan

import numpy as np

from ml.channels import Channels
from ml.detectors.shift_fit import SCALES, SPAN
from ml.per_asset import PerAsset
from ml.plain import flags, floats, wholes
from ml.scoring import Flags, Floats, Ints, Noted

QUIET = 0.5  # of the limit: an alarm began when it was left
PARTIAL = -1  # whole cells, less the first one, which begins anywhere
SPANS = [late + early for late, early in SCALES]
Kept = tuple[float, int, float, float, float]  # of a cell that ended: its mean; whole cells, greatest ratio, its newest and former mean


def _weights(bounds: list[tuple[int, int]]) -> Floats:
    """float64 (SPAN, scales): what makes the mean of cells [first, last) of a product."""
    cell = np.arange(SPAN)[:, None]
    first, last = np.array(bounds).T
    weights: Floats = ((cell >= first) & (cell < last)) / (last - first)
    return weights


NEWEST, BEFORE = _weights([(0, late) for late, _ in SCALES]), _weights([(late, late + early) for late, early in SCALES])


class AtRest(PerAsset):
    """The state of `Shift` that a quiet reading moves; `note_machine` moves it as `Shift.score` would, to the last bit."""

    members: Ints
    cell_ms: Ints
    limit: Floats
    judged: Flags
    cells: Floats
    filled: Ints
    sums: Floats
    number: Ints
    until: Ints
    ratio: Floats
    mean: Floats
    before: Floats
    home: Floats
    alarm: Flags
    rise_t: Ints

    def _see(self, channels: Channels) -> None:
        """Views of the arrays, once they are made."""
        self._judged, self._limit, self._cells, self._filled = (
            flags(self.judged),
            floats(self.limit),
            floats(self.cells),
            wholes(self.filled),
        )
        self._sums, self._number, self._until = floats(self.sums), wholes(self.number), wholes(self.until)
        self._cell_ms, self._asset = wholes(self.cell_ms), wholes(channels.asset)
        self._ratio, self._mean, self._before, self._home = floats(self.ratio), floats(self.mean), floats(self.before), floats(self.home)
        self._alarm, self._rise_t = flags(self.alarm), wholes(self.rise_t)
        self._tags = [[slot for slot in row if slot >= 0] for row in self.members.tolist()]

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """A reading that ends no cell, or one that leaves its machine at rest: see `Noting`."""
        if self._judged[s]:
            if t >= self._until[s]:
                return self.note_machine([(s, t, v, dt)]) == 1
            self._sums[s] += v
            self._number[s] += 1
        return True

    def note_machine(self, readings: Sequence[Noted]) -> int:
        """Readings that leave their machine at rest, all or none of them: one that stirs it changes what the others mean."""
        ended: dict[int, Kept] = {}
        for s, t, _, _ in readings:
            if self._judged[s] and t >= self._until[s]:
                one = self._ended(s, t)
                if one is None:
                    return 0
                ended[s] = one
        for s, t, v, _ in readings:
            if s in ended:
                self._keep(s, ended[s])
                length = self._cell_ms[s]
                self._until[s], self._sums[s], self._number[s] = (t // length + 1) * length, v, 1
            elif self._judged[s]:
                self._sums[s] += v
                self._number[s] += 1
        if ended and any(filled >= SPANS[0] for _, filled, _, _, _ in ended.values()):
            self._rise_t[self._asset[readings[0][0]]] = max(t for s, t, _, _ in readings if s in ended)
        return len(readings)

    def _ended(self, s: int, t: int) -> Kept | None:
        """Compare the newest means with those before them; None where that or another tag leaves its place, or a cell is missing."""
        asset, first, until = self._asset[s], s * SPAN, self._until[s]
        filled = min(self._filled[s] + 1, SPAN)
        if self._alarm[asset] or not self._number[s] or t >= until + self._cell_ms[s]:
            return None
        cell = self._sums[s] / self._number[s]
        row = np.array([[cell, *self._cells[first : first + SPAN - 1]]])
        newest, before = (row @ NEWEST)[0].tolist(), (row @ BEFORE)[0].tolist()
        ratios = [self._contrast(s, k, newest[k], before[k]) if filled >= span else 0.0 for k, span in enumerate(SPANS)]
        worst = max(ratios)
        if not worst < QUIET or any(not self._ratio[k] < QUIET for k in self._tags[asset] if k != s):
            return None
        best = ratios.index(worst)
        return cell, filled, worst, newest[best], before[best]

    def _keep(self, s: int, one: Kept) -> None:
        first = s * SPAN
        self._cells[first + 1 : first + SPAN] = self._cells[first : first + SPAN - 1]
        self._cells[first], self._filled[s], self._ratio[s], self._mean[s], self._before[s] = one

    def _contrast(self, s: int, k: int, newest: float, before: float) -> float:
        """How far the newest mean lies from the one before it and from home, over the limit; 0 without one."""
        limit, home = self._limit[s * len(SCALES) + k], self._home[s]
        if isnan(limit):
            return 0.0
        low, high = (before, before) if isnan(home) else (min(before, home), max(before, home))
        return max(newest - high, low - newest) / limit if limit > 0 else np.inf
