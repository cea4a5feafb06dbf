"""What the residual learns from a baseline with holes in it is what it meets when live."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detectors.residual_fit import learn_residual
from ml.scoring import History, Learned, Series
from tests.ml.plant import T0, tag, wander

LENGTH = 1200
TAGS = (tag(1), tag(2), tag(3))


def learned(values: np.ndarray, seconds: np.ndarray) -> Learned:
    t = T0 + seconds.astype(np.int64) * 1000
    return learn_residual(History(TAGS, tuple(Series(t, values[:, i], np.empty((0, 3))) for i in range(len(TAGS))), 60.0, 20))


def test_seconds_in_which_nothing_was_heard_teach_nothing() -> None:
    values = wander(LENGTH, channels=3)
    dropped = np.random.default_rng(3).integers(1, 3, LENGTH).cumsum()  # every other second is missing, as live readings may be

    whole, holed = learned(values, np.arange(LENGTH)), learned(values, dropped)

    for name in ("weights", "spread", "limit"):
        np.testing.assert_allclose(holed[name], whole[name])


@pytest.mark.parametrize("pause_s", [6, 3600])
def test_nothing_is_predicted_across_a_gap(pause_s: int) -> None:
    values, seconds = wander(LENGTH, channels=3), np.arange(LENGTH)
    values[LENGTH // 2 :] += 40.0  # another operating point after the pause
    at_once = learned(values, seconds)["spread"]

    seconds[LENGTH // 2 :] += pause_s

    assert (learned(values, seconds)["spread"] < at_once / 3).all()
