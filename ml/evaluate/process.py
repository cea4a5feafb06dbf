"""A plant under closed-loop control through the CVA detector: `make_process`, for labelled process faults."""

from __future__ import annotations

import numpy as np

from ml.evaluate.replayer import DetectorReplay, rig
from ml.scoring import Floats

PERIOD_S = 180.0  # of the public process simulations; a row of the detector is then one reading


class Process:
    """The detector as the monitor makes it; score: energy / limit of the newest row, in alarm by the detector's own decision."""

    def __init__(self, train: Floats, period_s: float = PERIOD_S) -> None:
        made = rig(train, period_s=period_s, detectors=("cva",))
        self.replay = DetectorReplay("cva", made, warm=0)  # another run of the plant: its first reading does not follow the last of train
        self.t, self.period_ms = made.next_ms, made.period_ms
        self.tags = [tag.name for tag in made.snapshot.tags]
        self.alarm, self.last = False, 0.0

    def score(self, x: Floats) -> float:
        """Judge one reading of every channel, float64 (c,)."""
        said = self.replay.step(np.asarray(x, np.float64), self.t)
        self.t += self.period_ms
        if said is not None and len(said.rows):
            self.last, self.alarm = float(said.value[-1]), bool(said.active[-1])
        return self.last

    def contributions(self) -> Floats:
        """float64 (c,): each channel's share."""
        share = {part.tag: part.share for part in self.replay.detector.because(0, -1)}
        return np.array([share.get(tag, 0.0) for tag in self.tags])


def make_process(train: Floats) -> Process:
    """Learn from train float64 (n, c), one reading in three minutes."""
    return Process(train)
