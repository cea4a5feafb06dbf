"""Spike: how far beyond the healthy readings one must lie, and what comes back at once is told."""

from __future__ import annotations

import numpy as np
import pytest

from ml.detectors.spike import RING, Spike
from tests.ml.plant import T0, chunk, detector, history, snapshot, tag

TAGS = (tag(11),)


def even(seconds: int = 3000) -> np.ndarray:
    """float64 (seconds, 1): white noise of deviation 1 in coarse steps, and one of 5."""
    values = np.round(np.random.default_rng(3).normal(0, 1.0, (seconds, 1)) / 1.3) * 1.3
    values[50] = 5.2
    return values


def learned(values: np.ndarray) -> tuple[float, float, float]:
    """(reach, greatest healthy distance, root mean square of them)."""
    reach = detector("spike", snapshot(*TAGS)).learn(history(TAGS, values))["reach"][0]
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values[:, 0], RING)[:-1], axis=1)
    away = np.abs(values[RING:, 0] - middle)
    return float(reach), float(away.max()), float(np.sqrt(np.mean(away**2)))


def test_distances_all_of_a_kind_ask_for_less_than_twice_the_greatest() -> None:
    reach, greatest, rms = learned(even())

    assert 4 < greatest / rms < 5.5
    assert greatest + 4 * rms <= reach < 1.97 * greatest


@pytest.mark.parametrize("far", [8.0, 50.0])
def test_one_distance_far_from_the_others_asks_for_twice_of_it(far: float) -> None:
    values = even()
    values[1500] += far
    reach, greatest, _ = learned(values)

    assert reach == pytest.approx(2 * greatest)


def test_a_single_wild_reading_of_a_coarse_tag_is_told() -> None:
    one = detector("spike", snapshot(*TAGS), baseline=history(TAGS, even(), start=T0 - 3000_000))
    assert isinstance(one, Spike)
    live = even(200)
    live[100] = 10.4
    scores = [one.score(chunk([0], row, T0 + i * 1000, fresh=i == 0)) for i, row in enumerate(live)]

    alarms = {i: score for i, score in enumerate(scores) if score is not None and score.active.any()}
    assert 100 < min(alarms) < 110
    assert {float(score.reading[0]) for score in alarms.values()} == {10.4}  # not the healthy ones after it
