"""Spike and noise learn nothing from the step between the two sides of a pause: live, their windows start anew after it."""

from __future__ import annotations

import numpy as np
import pytest

from ml.scoring import History, Series
from tests.ml.plant import T0, detector, snapshot, tag, wander

LENGTH = 600
PLANT = snapshot(tag(11))


def learned(name: str, values: np.ndarray, seconds: np.ndarray) -> dict[str, np.ndarray]:
    one = Series(T0 + seconds * 1000, values, np.empty((0, 3)))
    return dict(detector(name, PLANT).learn(History(tuple(PLANT.tags), (one,), 60.0)))


@pytest.mark.parametrize(("name", "bound"), [("spike", "reach"), ("spike", "quiet"), ("noise", "bend")])
def test_a_pause_with_a_new_level_behind_it_widens_no_bound(name: str, bound: str) -> None:
    values, seconds = wander(LENGTH)[:, 0], np.arange(LENGTH)
    values[::40] = values[::40].round(0)  # healthy jumps of its own
    before = learned(name, values, seconds)[bound]
    values[LENGTH // 2 :] += 40.0
    together = learned(name, values, seconds)[bound]
    seconds[LENGTH // 2 :] += 3600

    apart = learned(name, values, seconds)[bound]

    assert apart <= before
    assert (apart > 0.8 * before).all()
    if name == "spike":
        assert together > 3 * apart  # the same step without a pause is healthy behaviour


def test_a_series_tells_its_unbroken_windows() -> None:
    t = np.array([0, 1, 2, 9, 10, 11]) * 1000
    one = Series(t, np.zeros(6), np.empty((0, 3)))

    assert one.unbroken(3, 5000).tolist() == [True, False, False, True]
    assert one.unbroken(3, 7000).all()
    assert len(one.unbroken(7, 5000)) == 0
