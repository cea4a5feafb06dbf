"""What detectors with one row per asset have in common: keys, names and shares of tags. No judgement here."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.scoring import Flags, Floats, Ints, Noted, Score
from realtime.events import Because

LEAST_SHARE = 0.01  # a tag that explains less is not named


class PerAsset(Keyed):
    """Base of the per-asset detectors; alarm bool (n_assets,)."""

    channels: Channels
    alarm: Flags
    culprit_id: Ints  # of those that blame one tag: its id

    def tick(self, now: int) -> Score | None:
        """Nothing by default: only readings move them."""
        return None

    def note(self, s: int, t: int, v: float, dt: float) -> bool:
        """Nothing is taken by default: see `Noting`."""
        return False

    def _note_each(self, readings: Sequence[Noted], step_ms: int) -> int:
        """How many of these `note` takes, from the first on; none where they are of several steps of this length."""
        step = readings[0][1] // step_ms
        if any(t // step_ms != step for _, t, _, _ in readings):
            return 0
        return next((i for i, one in enumerate(readings) if not self.note(*one)), len(readings))

    def row_keys(self) -> list[str]:
        """One row an asset."""
        return self.channels.asset_keys()

    def is_active(self, row: int) -> bool:
        """The alarm of this asset stands."""
        return bool(self.alarm[row])

    def give_up(self, row: int) -> None:
        """End the alarm of this asset: see `Taught`."""
        self.alarm[row] = False

    def asset_row(self, row: int) -> int:
        """Rows are assets."""
        return row

    def _culprit(self, row: int) -> int:
        """Slot of the tag that is blamed, -1 without one."""
        return int(self.channels.slots_of(self.culprit_id[row : row + 1].astype(np.uint32))[0])

    def shares(self, slots: Ints, weights: Floats, first: int = -1) -> tuple[Because, ...]:
        """Shares of tags in the weights float64 (n,) of their slots (-1 = none): `first` leads, then the largest.

        Without any weight: `first` alone where it is given, else all alike.
        """
        here = slots >= 0
        slots, weights = slots[here], weights[here]
        total = float(weights.sum())
        if total <= 0:
            alike = [first] if first >= 0 else slots.tolist()
            return tuple(Because(self.channels.tags[s].name, round(1 / len(alike), 4)) for s in alike)
        pairs = sorted(zip(slots.tolist(), (weights / total).tolist(), strict=True), key=lambda pair: (pair[0] != first, -pair[1]))
        return tuple(Because(self.channels.tags[s].name, round(share, 4)) for s, share in pairs if share >= LEAST_SHARE)
