"""The decision interval of a CUSUM and what a tag's baseline says about its reference and spread. Learning only; `cusum` judges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import expm1

import numpy as np

from ml.detectors.drift_scale import learn_scale, window_means
from ml.scoring import Floats, History, Learned, Series

OVERSHOOT = 1.166  # Siegmund's correction for the sum's overshoot of h
MIN_BLOCKS = 20
MIN_LEVELS = 1440  # minutes: a fixed reference is worth something once day and night were seen
MARGIN = 1.6  # over what the healthy baseline itself added up to; the day after it reached 1.5 of it (bench/alarm_budget.py)
MOST_H = 60.0  # a baseline that adds up further wanders too much to be judged by sums


def run_length(h: float, k: float) -> float:
    """Blocks between false alarms of a two-sided CUSUM in control: (exp(2kb) - 2kb - 1) / (4 k^2), b = h + 1.166.

    Source: Siegmund 1985, Sequential Analysis; ML.md 3.6 (k = 0.5: h 5 -> 469, 8 -> 9556).
    """
    x = 2 * k * (h + OVERSHOOT)
    return (expm1(x) - x) / (4 * k * k)


@cache  # the same for every tag of a plant, but for the few that have a k of their own
def interval(blocks: float, k: float) -> float:
    """The h whose in-control run length is this many blocks, to 1e-9; at least 0."""
    low, high = 0.0, 1.0
    while run_length(high, k) < blocks:
        high *= 2
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if run_length(middle, k) < blocks else (low, middle)
    return high


def learn_reference(history: History, ks: Sequence[float], least_hs: Sequence[float]) -> Learned:
    """mu, sigma, h float64 (n_tags,), NaN where nothing could be learned or the level wanders too much; level_t int64 ms UTC.

    A baseline shorter than a day gives nothing: what a level does by night is not known from two hours of a morning.
    ks, least_hs: of each tag. wanders bool (n_tags,): switched off for the tag.

    sigma is the scale of `drift` or the deviation of the baseline's own means, whichever is more.
    """
    n = len(history.tags)
    mu, sigma, h = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    scale = learn_scale(history)
    for i, series in enumerate(history.series):
        if not np.isfinite(scale["scale"][i]):
            continue
        means = _blocks(series, history.window_s)
        if len(means) < MIN_BLOCKS or len(series.levels) < MIN_LEVELS:
            continue
        every = np.concatenate((means, series.levels[:, 1]))
        mu[i], sigma[i] = every.mean(), max(float(scale["scale"][i]), float(every.std()))
        reached = max(_reached((part - mu[i]) / sigma[i], ks[i]) for part in (means, series.levels[:, 1]))
        h[i] = max(least_hs[i], MARGIN * reached)
    wanders = h > MOST_H
    far = ~(h <= MOST_H)
    mu[far], sigma[far], h[far] = np.nan, np.nan, np.nan
    return {"mu": mu, "sigma": sigma, "h": h, "level_t": scale["level_t"], "wanders": wanders}


def _blocks(series: Series, window_s: float) -> Floats:
    means = window_means(series.t, series.v, window_s, window_s)
    return means[np.isfinite(means)]


def _reached(z: Floats, k: float) -> float:
    """The highest sum of either side over these blocks."""
    if not len(z):
        return 0.0
    most = 0.0
    for side in (z - k, -z - k):
        total = np.cumsum(side)
        most = max(most, float((total - np.minimum.accumulate(np.minimum(total, 0.0))).max()))
    return most
