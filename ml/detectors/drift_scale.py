"""The scale of VDrift: how far a channel's own window means move when healthy. Learning only; `drift` judges."""

from __future__ import annotations

import numpy as np

from ml.scoring import Floats, History, Ints, Learned, Series

WINDOW_S = 30.0
TAU_S = 400.0
TAU_SHIFTED_S = 100.0
LEVEL_S = 200.0  # the level starts as the mean of the baseline's last part
LAGS_S = (100.0, 150.0, 200.0)
MIN_CELLS = 12
CALM_Z = 2.3  # a healthy baseline, followed as when live, stays below this; z - 2 counts from there
LONGEST_STEP_S, LASTING = 120.0, 5  # of minutes: the longest, and so many have one median
CHECKED_S = 3 * TAU_S  # shorter baselines are not long enough to follow


def learn_scale(history: History) -> Learned:
    """scale, level float64 (n_tags,), NaN where nothing could be learned; level_t int64 (n_tags,) ms UTC.

    s = sqrt(max(mean_L D(L), D(w), var / w) + q^2 / 12); D(L) mean squared move of the w-mean over L, q smallest step.
    """
    n = len(history.tags)
    scale, level, level_t = np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int64)
    for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True)):
        if len(series.v) < MIN_CELLS or np.ptp(series.v) == 0:
            continue
        window_s = max(WINDOW_S, 10 * tag.period_s)
        scale[i], level[i] = _scale_and_level(series, window_s, max(window_s / 30, tag.period_s))
        level_t[i] = series.t[-1]
    return {"scale": scale, "level": level, "level_t": level_t}


def _scale_and_level(series: Series, window_s: float, step_s: float) -> tuple[float, float]:
    pace = window_s / WINDOW_S
    span_s = (series.t[-1] - series.t[0]) / 1000
    # a very short baseline gets a shorter window, as in the prototype: at most a sixth of it
    window_s = min(window_s, max(span_s / 6, 2 * step_s))
    means = window_means(series.t, series.v, window_s, step_s)
    n = len(means)
    lags = sorted({min(max(round(lag / step_s), 1), n - max(n // 8, 2)) for lag in (window_s, 2 * window_s, *(pace * x for x in LAGS_S))})
    moves = np.array([np.nanmean((means[lag:] - means[:-lag]) ** 2) for lag in lags if 0 < lag < n])
    if not len(moves) or np.isnan(moves).any():
        return np.nan, np.nan
    steps = np.abs(np.diff(series.v))
    smallest = steps[steps > 0].min() if steps.any() else 0.0
    per_window = max(window_s / max(np.median(np.diff(series.t)) / 1000, 1e-3), 1.0)
    noise = (series.v.std() + 1e-9) ** 2 / per_window
    scale = float(np.sqrt(max(moves.mean(), moves[0], noise) + smallest**2 / 12))
    if span_s >= CHECKED_S * pace:
        scale *= max(1.0, _worst_z(means, scale, step_s / (TAU_S * pace)) / CALM_Z, _worst_earlier(series, scale, TAU_S * pace) / CALM_Z)
    late = series.t > series.t[-1] - LEVEL_S * pace * 1000
    return scale, float(series.v[late].mean())


def window_means(t: Ints, v: Floats, window_s: float, step_s: float) -> Floats:
    """float64 (k,): mean of the readings in (x - window, x] on a grid of step_s; NaN where fewer than half are there."""
    window_ms, step_ms = window_s * 1000, step_s * 1000
    grid = np.arange(t[0] + window_ms - step_ms, t[-1] + 1, step_ms)
    total = np.r_[0.0, np.cumsum(v - v[0])]
    upto, since = np.searchsorted(t, grid, side="right"), np.searchsorted(t, grid - window_ms, side="right")
    number = upto - since
    usual = np.median(number) if len(number) else 0
    with np.errstate(invalid="ignore", divide="ignore"):
        means = (total[upto] - total[since]) / number + v[0]
    return np.where(number >= max(usual / 2, 1), means, np.nan)


def _worst_z(means: Floats, scale: float, gain: float) -> float:
    """The greatest |m - r| / s when the level follows the baseline as it will follow live readings."""
    known = means[~np.isnan(means)]
    level, worst = float(known[0]), 0.0
    for mean in known.tolist():
        worst = max(worst, abs(mean - level))
        level += gain * (mean - level)
    return worst / scale


def lasting_minutes(series: Series) -> tuple[Floats, Floats]:
    """(seconds, medians of LASTING minutes around each) of the baseline before its newest part; empty where it is kept in longer steps.

    A step lasts; what a single minute shows may be the noise of its few readings, where they were sampled slower than now.
    """
    earlier = series.level_t < series.t[0]
    t_s = series.level_t[earlier] / 1000
    if len(t_s) < MIN_CELLS or np.median(np.diff(t_s)) > LONGEST_STEP_S:
        return np.empty(0), np.empty(0)
    around = np.lib.stride_tricks.sliding_window_view(series.levels[earlier, 1], LASTING)
    return t_s[LASTING // 2 : -(LASTING // 2)], np.median(around, axis=1)


def _worst_earlier(series: Series, scale: float, tau_s: float) -> float:
    """The same over the minutes of the baseline before its newest part: its product changes and load steps are healthy, too."""
    t_s, means = lasting_minutes(series)
    if not len(means):
        return 0.0
    level, worst = float(means[0]), 0.0
    for passed_s, mean in zip(np.diff(t_s).tolist(), means[1:].tolist(), strict=True):
        if passed_s > tau_s:
            level = mean  # it stood, or was not heard: a new beginning, as when live
        worst = max(worst, abs(mean - level))
        level += min(passed_s / tau_s, 1.0) * (mean - level)
    return worst / scale
