"""One ordinary reading through the detectors of a shard, in plain numbers where nothing happens. What happens they judge in arrays.

The order is the engine's; what a reading is for is decided there and here alike (tests/ml/test_one_by_one.py holds the two together).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from ml.book import Book
from ml.detector import Detector, Noting
from ml.detectors.gap import Gap
from ml.detectors.noise import Noise
from ml.detectors.range_ import Range
from ml.detectors.spike import Spike
from ml.gate import Gate
from ml.per_tag import PerTag
from ml.plain import flags
from ml.scoring import RUNNING, Flags, Single
from realtime.events import Batch, Finding

# Those that take what is neither a spike nor a fault of range, in the order of judgement.
CALM = ("residual", "drift", "shift", "cusum", "cva", "novelty")


class Step(NamedTuple):
    """A detector's turn. standing: its rows with a finding, one a tag, or one a machine where `of_asset`."""

    note: Callable[[int, int, float, float], bool]
    standing: memoryview[bool]
    of_asset: bool
    name: str


class Singly:
    """Judges batches of one reading. waiting: flags by slot that hold a detector's word back while noise rises."""

    def __init__(
        self, gate: Gate, book: Book, detectors: Mapping[str, Detector], named: tuple[Gap, Range, Spike, Noise], waiting: list[Flags]
    ) -> None:
        self.gate, self.book, self.detectors = gate, book, detectors
        self.gap, self.range, self.spike, self.noise = named
        self.waiting = [flags(one) for one in waiting]
        self.steps = tuple(self._step(name) for name in ("range", "limits", "stuck", "spike", "noise", *CALM, "forest"))
        self._beyond, self._suspect = flags(self.range.beyond), flags(self.spike.suspect)

    def _step(self, name: str) -> Step:
        detector = self.detectors[name]
        note = detector.note if isinstance(detector, Noting) else _declined
        standing = self.book.standing[name]
        if name == "limits":  # several rows a tag, which are not at rest while a finding stands
            standing = np.zeros(len(self.gate.channels), bool)
        if name == "noise":
            note = self._note_noise
        return Step(note, flags(standing), not isinstance(detector, PerTag) and name != "limits", name)

    def _note_noise(self, s: int, t: int, v: float, dt: float) -> bool:
        if not self.noise.note(s, t, v, dt):
            return False
        self._wait(s)
        return True

    def _wait(self, s: int) -> None:
        rising = self.noise.is_rising(s)
        for flag in self.waiting:
            flag[s] = rising

    def process(self, batch: Batch) -> list[Finding] | None:
        """Findings of a batch of one; None, and nothing changed, where its reading is not an ordinary one."""
        one = self.gate.single(batch)
        if one is None:
            return None
        slot, asset, t, v, dt, fresh, running, judged, at = one
        found = [] if self.gap.hear(slot, asset, t, at, fresh) else self.book.fold("gap", self.gap.score(Single(*one).chunk()))
        if not judged:
            return found
        if fresh or running != RUNNING:
            return found + self._judge(0, Single(*one))
        for i, (note, standing, of_asset, _) in enumerate(self.steps):
            if standing[asset if of_asset else slot] or not note(slot, t, v, dt):
                return found + self._judge(i, Single(*one))
        return found

    def _judge(self, first: int, one: Single) -> list[Finding]:
        """The same from this step on, of which at least one is not ordinary."""
        found: list[Finding] = []
        slot = one.slot
        for note, standing, of_asset, name in self.steps[first:]:
            if self._suspect[slot] and (name == "noise" or name in CALM):
                continue
            if one.fresh or standing[one.asset if of_asset else slot] or not note(slot, one.t, one.v, one.dt):
                found += self.book.fold(name, self.detectors[name].score(one.chunk()))
            if (name == "range" and self._beyond[slot]) or (name == "limits" and one.running != RUNNING):
                self.gate.pause_one(slot)
                return found
            if name == "noise":
                self._wait(slot)
        return found


def _declined(s: int, t: int, v: float, dt: float) -> bool:
    return False
