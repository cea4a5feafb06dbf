"""A machine's channels through the whole engine: `make_plant`, for labelled experiments and injected instrument faults."""

from __future__ import annotations

import numpy as np

from ml.evaluate.replayer import EngineReplay, rig
from ml.scoring import Floats


class Plant:
    """The monitor's engine, a reading a second. alarm: something stands that pages (`Engine.pages`); score: the greatest
    score / limit of that, 0 when there is none."""

    def __init__(self, train: Floats, period_s: float = 1.0) -> None:
        made = rig(train, period_s=period_s)
        self.replay = EngineReplay(made)
        self.t = made.next_ms
        self.period_ms = made.period_ms
        self.channel = {tag.name: i for i, tag in enumerate(made.snapshot.tags)}
        self.alarm = False

    def score(self, x: Floats) -> float:
        """Judge one reading of every channel, float64 (c,)."""
        self.replay.step(np.asarray(x, np.float64), self.t)
        self.t += self.period_ms
        standing = self.replay.engine.pages()
        self.alarm = bool(standing)
        return max((one.score / one.limit for one in standing), default=0.0)

    def contributions(self) -> Floats:
        """float64 (c,): each channel's share in what stands."""
        shares = np.zeros(len(self.channel))
        for one in self.replay.engine.pages():
            for part in one.because:
                shares[self.channel[part.tag]] += part.share * one.score / one.limit
        return shares / max(float(shares.sum()), 1e-12)


def make_plant(train: Floats) -> Plant:
    """Learn from train float64 (n, c), one reading a second."""
    return Plant(train)
