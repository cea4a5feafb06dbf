"""What a machine does at other hours and with other products is part of its baseline, although only the end is kept reading by reading."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.detectors.cva_fit import _rows, learn_cva, smoothed_energies
from ml.detectors.drift_scale import learn_scale
from ml.detectors.forest_fit import learn_forest
from ml.healthy import spread
from ml.scoring import Floats, History, Series
from tests.ml.plant import T0, tag, wander

HOUR = 3600
TAGS = tuple(tag(n) for n in range(1, 7))
OTHER = np.array([4.0, -4.0, 3.0, 0.0, -3.0, 4.0])  # what the other product does to the levels


def readings(seed: int, seconds: int, product: Floats) -> Floats:
    return wander(seconds, seed=seed, channels=len(TAGS)) + product


def baseline(*, wide: bool) -> History:
    """Two hours of one product; before them, for the wide one, 24 stretches of which every other is of the other product."""
    fine, t = readings(1, 2 * HOUR, 0 * OTHER), T0 + np.arange(2 * HOUR) * 1000
    earlier = np.concatenate([readings(10 + k, 300, OTHER * (k % 2)) for k in range(24)])
    earlier_t = np.concatenate([T0 - (24 - k) * HOUR * 1000 + np.arange(300) * 1000 for k in range(24)])
    series = [Series(t, fine[:, i], np.empty((0, 3))) for i in range(len(TAGS))]
    if wide:
        series = [replace(one, wide_t=earlier_t, wide_v=earlier[:, i]) for i, one in enumerate(series)]
    return History(TAGS, tuple(series), 60.0, 20)


@pytest.mark.parametrize("wide", [True, False])
def test_a_product_of_the_same_day_is_no_other_relation(wide: bool) -> None:
    learned = learn_cva(baseline(wide=wide))
    values = readings(99, HOUR, OTHER)
    rows, _ = _rows(
        History(TAGS, tuple(Series(T0 + np.arange(HOUR) * 1000, values[:, i], np.empty((0, 3))) for i in range(len(TAGS))), 60.0),
        [0, 1, 2, 3, 4, 5],
        10_000,
    )

    energies = smoothed_energies((rows - learned["mean"]) / learned["std"], np.arange(len(rows)) > 0, learned["energy"])

    assert bool((energies[20:] < learned["limits"]).all()) is wide


def test_windows_of_the_whole_day_are_learned() -> None:
    short, whole = (learn_forest(baseline(wide=wide)) for wide in (False, True))

    assert int(whole["windows"][0]) >= int(short["windows"][0]) + 24 * 8
    np.testing.assert_array_equal(whole["usual"], short["usual"])


def test_a_step_that_a_healthy_day_has_is_no_drift() -> None:
    fine, t = wander(2 * HOUR)[:, 0], T0 + np.arange(2 * HOUR) * 1000
    minute = T0 - (np.arange(24 * 60)[::-1] + 1) * 60_000
    means = 50.0 + 20.0 * (np.arange(24 * 60) // 240 % 2)  # another product every four hours
    plain = Series(t, fine, np.repeat(means[:, None], 3, axis=1), minute)

    steady, stepped = (
        float(learn_scale(History((tag(1),), (one,), 60.0))["scale"][0]) for one in (replace(plain, levels=0 * plain.levels + 50.0), plain)
    )

    assert 20.0 / stepped < 3.0 < 20.0 / steady


def test_pieces_are_spread_over_what_is_free() -> None:
    stretches = [(0, 1000), (5000, 7000)]

    pieces = spread(stretches, 3, 200)

    assert pieces == [(400, 600), (5400, 5600), (6400, 6600)]
    assert spread(stretches, 3, 2000) == stretches
    assert spread([], 3, 200) == []
