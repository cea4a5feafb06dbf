"""One stream through the shipped novelty detector alone: `make_stream`, for labelled single-channel streams."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ml.channels import Channels
from ml.detectors.novelty import LIMIT, Novelty
from ml.evaluate.replayer import DetectorReplay, Rig, rig
from ml.scoring import Floats

CELL_S = 60.0  # a reading a cell, as of a tag that is read once in an aggregation window
ALL_TAGS = ("*",)  # what a person sets in NOVELTY


def rig_stream(train: Floats) -> Rig:
    """The plant of a stream, float64 (n, c), with novelty asked for and learned."""
    made = rig(train, period_s=CELL_S, detectors=("novelty",))
    settings = replace(made.settings, novelty=ALL_TAGS)
    learned = {"novelty": Novelty(Channels(made.snapshot, 1), settings).learn(made.history)}
    return replace(made, settings=settings, model=replace(made.model, learned=learned))


class Stream:
    """score: the detector's own, which is 0 within its hold-off; threshold is its limit. Readings' times are not looked at.

    `alarm` is up at the reading that begins an event, as the opening of a finding is, and not for as long as one stands.
    """

    threshold = LIMIT

    def __init__(self, train: Floats) -> None:
        made = rig_stream(train)
        self.replay = DetectorReplay("novelty", made, warm=0)
        self.t, self.period_ms = made.next_ms, made.period_ms
        self.alarm = False

    def score(self, x: Floats) -> float:
        """Judge one reading of every channel, float64 (c,); the greatest score of them."""
        said = self.replay.step(np.asarray(x, np.float64).reshape(-1), self.t)
        self.t += self.period_ms
        detector = self.replay.detector
        assert isinstance(detector, Novelty)
        held = 0.0 if said is None else float(detector.held[said.slot].max())
        self.alarm = held >= LIMIT
        return held


def make_stream(train: Floats) -> Stream:
    """Learn from train float64 (n, c), readings at one period."""
    return Stream(train)
