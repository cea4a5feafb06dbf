"""Run-to-failure histories through the product's own life model: `make_rul`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ml.rul import ROUNDS, LifeModel, from_arrays, learn_life
from ml.scoring import Floats

SETTINGS = 3  # columns before the sensors: what the operator set, not what the machine answered


class Lives:
    """The model as it comes back from its stored arrays."""

    def __init__(self, lives: Sequence[Floats], rounds: int) -> None:
        self.model: LifeModel = from_arrays(learn_life([life[:, SETTINGS:] for life in lives], rounds=rounds).arrays())

    def predict(self, history: Floats) -> tuple[float, float, float]:
        """Cycles left, and the ends of the 90 % band; history float64 (n, 3 settings + sensors)."""
        life = self.model.predict(np.asarray(history, np.float64)[:, SETTINGS:])
        return life.left, life.low, life.high


def make_rul(lives: Sequence[Floats], *, rounds: int = ROUNDS) -> Lives:
    """Learn from lives, each float64 (n, 3 settings + sensors) to failure."""
    return Lives(lives, rounds)
