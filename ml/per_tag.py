"""What detectors with one row per tag have in common: keys, names and learned arrays by slot. No judgement here."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from ml.arrays import Keyed
from ml.channels import Channels
from ml.scoring import Chunk, Flags, Floats, History, Ints, Learned, Score, undecided
from realtime.events import AlertType, Because


class PerTag(Keyed):
    """Base of the per-tag detectors; `LEARNED` names the arrays that `load` fills, one value per slot, NaN = not learned."""

    name: ClassVar[str]
    type: ClassVar[AlertType] = AlertType.INSTRUMENT_FAULT
    codes: ClassVar[tuple[str, ...]]
    LEARNED: ClassVar[tuple[str, ...]] = ()
    active: Flags

    def __init__(self, channels: Channels) -> None:
        self.channels = channels
        self.keys = channels.tag_keys()

    def learn(self, history: History) -> Learned:
        """Nothing by default."""
        return {}

    def load(self, slots: Ints, learned: Learned) -> None:
        """Fill the LEARNED arrays; a tag that is gone is left out."""
        here = slots >= 0
        for name in self.LEARNED:
            if name in learned:
                getattr(self, name)[slots[here]] = learned[name][here]

    def tick(self, now: int) -> Score | None:
        """Nothing by default."""
        return None

    def row_keys(self) -> list[str]:
        """One row a tag."""
        return list(self.keys)

    def is_active(self, row: int) -> bool:
        """The alarm of this row stands."""
        return bool(self.active[row])

    def give_up(self, row: int) -> None:
        """End the alarm of this tag: see `Taught`."""
        self.active[row] = False

    def asset_row(self, row: int) -> int:
        """The tag's asset."""
        return int(self.channels.asset[row])

    def because(self, row: int, slot: int) -> tuple[Because, ...]:
        """The tag itself."""
        return (Because(self.channels.tags[row].name, 1.0),)

    def blank(self, fill: float = np.nan) -> Floats:
        """float64 (n_slots,)."""
        return np.full(len(self.channels), fill)

    @staticmethod
    def tag_score(chunk: Chunk, value: Floats, active: Flags, code: Ints, onset: Ints) -> Score:
        """A Score with limit 1 whose rows are the chunk's slots."""
        n = len(chunk)
        return Score(chunk.slots, value, np.ones(n), active, code, chunk.slots, chunk.t, onset, chunk.v, undecided(n))
