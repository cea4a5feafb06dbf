"""The ten window features (S2-33) of many tags at once; standardising and judging them is the forest's."""

from __future__ import annotations

import numpy as np

from ml.scoring import Floats, Ints

FEATURE_SET = "ten-1"  # grows when a formula below changes: models of another set are not used
NAMES = (
    "mean",
    "std",
    "min",
    "max",
    "rate_of_change",
    "deviation_from_nominal",
    "trend_slope",
    "autocorrelation_lag1",
    "coeff_of_variation",
    "range_utilisation",
)
TINY = 1e-12


def ten_features(starts: Ints, t: Ints, v: Floats, nominal: Floats, low: Floats, high: Floats) -> Floats:
    """float64 (k, 10) of k windows laid end to end: window i is t, v [starts[i] : starts[i + 1]], at least one reading each.

    t int64 (n,) ms UTC ascending in a window, v float64 (n,) engineering units; nominal, low, high float64 (k,) of the tag.
    rate_of_change: last - first, per second; trend_slope: least squares, per second; autocorrelation_lag1: of the readings
    in order; coeff_of_variation: std / |mean|; range_utilisation: (mean - low) / (high - low).
    """
    n = len(v)
    ends = np.r_[starts[1:], n]
    count = (ends - starts).astype(np.float64)
    which = np.repeat(np.arange(len(starts)), ends - starts)
    mean = np.add.reduceat(v, starts) / count
    centred = v - mean[which]
    energy = np.add.reduceat(centred * centred, starts)
    std = np.sqrt(energy / count)
    seconds = (t - t[starts][which]) / 1000
    seconds = seconds - (np.add.reduceat(seconds, starts) / count)[which]
    slope = np.add.reduceat(seconds * centred, starts) / np.maximum(np.add.reduceat(seconds * seconds, starts), TINY)
    lagged = np.zeros(n)
    lagged[1:] = centred[1:] * centred[:-1]
    lagged[starts] = 0.0  # the pair that would reach into the window before
    span = np.maximum((t[ends - 1] - t[starts]) / 1000, TINY)
    rate = np.where(count > 1, (v[ends - 1] - v[starts]) / span, 0.0)
    flat = energy <= TINY * count * np.maximum(mean * mean, 1.0)
    return np.stack(
        [
            mean,
            std,
            np.minimum.reduceat(v, starts),
            np.maximum.reduceat(v, starts),
            rate,
            mean - nominal,
            slope,
            np.where(flat, 0.0, np.add.reduceat(lagged, starts) / np.maximum(energy, TINY)),
            std / np.maximum(np.abs(mean), TINY),
            (mean - low) / np.maximum(high - low, TINY),
        ],
        axis=1,
    )
