"""The ten features of many ragged windows at once equal the plain formulas on each window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ml.features import NAMES, ten_features
from ml.windows import Windows
from tests.ml.plant import T0, chunk


def plain(t: np.ndarray, v: np.ndarray, nominal: float, low: float, high: float) -> list[float]:
    """One window, feature by feature, as the names say."""
    s = (t - t[0]) / 1000
    mean, std = v.mean(), v.std()
    centred = v - mean
    slope = np.polyfit(s, v, 1)[0] if len(v) > 1 else 0.0
    rate = (v[-1] - v[0]) / s[-1] if len(v) > 1 else 0.0
    lag1 = (centred[1:] * centred[:-1]).sum() / (centred**2).sum() if std > 0 else 0.0
    return [mean, std, v.min(), v.max(), rate, mean - nominal, slope, lag1, std / abs(mean), (mean - low) / (high - low)]


@pytest.mark.parametrize("seed", range(5))
def test_matrix_equals_plain_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 40, 25)
    windows = [(T0 + np.cumsum(rng.integers(200, 5000, n)), rng.normal(50, 3, n)) for n in sizes]
    windows[3] = (windows[3][0], np.full(len(windows[3][1]), 7.0))
    frame = np.column_stack([rng.uniform(40, 60, 25), rng.uniform(0, 10, 25), rng.uniform(90, 100, 25)])

    got = ten_features(
        np.r_[0, np.cumsum(sizes)[:-1]], np.concatenate([t for t, _ in windows]), np.concatenate([v for _, v in windows]), *frame.T
    )

    expected = np.array([plain(t, v, *row) for (t, v), row in zip(windows, frame, strict=True)])
    assert got.shape == (25, len(NAMES))
    np.testing.assert_allclose(got, expected, rtol=1e-8, atol=1e-8)


def test_window_closes_after_its_end_and_holds_what_came_in_it() -> None:
    windows = Windows(10.0, np.zeros(2), np.zeros(2), np.ones(2))
    start = T0 // 10_000 * 10_000
    for i in range(25):
        windows.add(chunk([0, 1], [float(i), 5.0], start + i * 1000))

    assert windows.close(start + 19_000) is None
    closed = windows.close(start + 22_500)

    assert closed is not None
    assert closed.end == start + 20_000
    assert closed.count.tolist() == [10, 10]
    assert closed.features[0, 0] == pytest.approx(np.arange(10, 20).mean())
    assert windows.close(start + 22_500) is None


def test_empty_window_is_passed_over() -> None:
    windows = Windows(10.0, np.zeros(1), np.zeros(1), np.ones(1))
    start = T0 // 10_000 * 10_000
    windows.add(chunk([0], [1.0], start))

    assert windows.close(start + 500_000) is None

    windows.add(chunk([0], [2.0], start + 505_000))
    closed = windows.close(start + 513_000)
    assert closed is not None
    assert closed.features[0, 0] == 2.0


@pytest.mark.parametrize("behind_ms", [0, 30_000, 90_000, 290_000, -60_000])
@pytest.mark.parametrize("alone", [False, True], ids=["in-batches", "one-by-one"])
def test_windows_are_whole_by_the_clock_of_the_device(behind_ms: int, *, alone: bool) -> None:
    windows = Windows(60.0, np.zeros(1), np.zeros(1), np.ones(1))
    closed = []

    for i in range(1200):
        t = T0 + i * 1000 - behind_ms
        if not alone or not windows.add_one(0, t, 50.0):
            windows.add(replace(chunk([0], [50.0], t), at=np.array([T0 + i * 1000])))
        windows.add(chunk([], [], t))  # a batch of other machines
        closed += [one for one in [windows.close(T0 + i * 1000)] if one is not None]

    assert {one.count.tolist()[0] for one in closed} == {60}
    assert len(closed) >= 13
