"""Fitting the ridge predictor of one machine, with limits from left-out thirds of the baseline. Learning only; `residual` judges."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ml.gate import RESTART_PERIODS
from ml.scoring import Flags, Floats, History, Learned, Series

LAGS = 4  # steps of the past that predict the next
RIDGE = 10.0  # against standardised readings: it matters for short baselines only
GAIN = 0.1  # of the smoothing, per step
SMOOTHED = float(np.sqrt(GAIN / (2 - GAIN)))  # deviation of smoothed white residuals, in deviations of residuals
LEAST, MARGIN = 7.0, 1.25  # limit: so many deviations, and over the greatest of the left-out thirds
SETTLED = 5  # steps of a left-out third that are not counted yet
FOLDS = 3
MIN_STEPS = 120
MAX_STEPS = 16_000
HOLD = 2  # steps that a tag's last reading stands in for a missing one


def learn_residual(history: History) -> Learned:
    """weights float64 (w * LAGS, w) over the w known tags in the order of the history; empty where the baseline is too short.

    known bool, mean, std, spread, limit float64 (n_tags,); std in engineering units, spread of the residual and limit in
    standardised ones; step_ms int64 (1,); level_t int64 (1,) ms UTC, the end of the baseline. A row of weights is lag j of
    tag i at i * LAGS + j, newest lag first.
    """
    history = history.widened()
    moves = [tag.joint and len(one.v) >= MIN_STEPS and np.ptp(one.v) > 0 for tag, one in zip(history.tags, history.series, strict=True)]
    known = np.array(moves, bool)
    if not known.any():
        return {}
    which = np.flatnonzero(known)
    step_ms = round(max(history.tags[i].period_s for i in which) * 1000)
    v, whole, cut = _steps([history.series[i] for i in which], step_ms)
    if int(whole.sum()) < MIN_STEPS:
        return {}
    mean, std = v[whole].mean(axis=0), v[whole].std(axis=0)
    std = np.where(std > 0, std, 1.0)
    past, now = _lagged((v - mean) / std, whole, cut)
    if len(now) < MIN_STEPS:
        return {}
    resolution = np.array([_resolution(history.series[i].v) for i in which]) / std
    weights, spread = _fitted(past, now, resolution)
    limit = np.maximum(LEAST, MARGIN * _left_out(past, now, resolution))
    n = len(history.tags)
    level_t = np.array([min(int(history.series[i].t[-1]) for i in which)], np.int64)
    learned: Learned = {"known": known, "weights": weights, "step_ms": np.array([step_ms], np.int64), "level_t": level_t}
    for name, column in (("mean", mean), ("std", std), ("spread", spread), ("limit", limit)):
        learned[name] = np.full(n, np.nan)
        learned[name][which] = column
    return learned


def _steps(series: list[Series], step_ms: int) -> tuple[Floats, Flags, Flags]:
    """(v (k, w) the last reading of each tag in each step, whole (k,): no tag's is older than HOLD steps, cut (k,): after a gap).

    A step in which no tag was heard is none, as when live: filled up with what was before it would teach that nothing moves.
    """
    heard = [one.t // step_ms for one in series]
    first, last = max(int(steps[0]) for steps in heard), min(int(steps[-1]) for steps in heard)
    steps = np.unique(np.concatenate(heard))
    steps = steps[(steps >= first) & (steps <= last)][-MAX_STEPS:]
    v, whole = np.empty((len(steps), len(series))), np.ones(len(steps), bool)
    for column, (one, mine) in enumerate(zip(series, heard, strict=True)):
        at = np.maximum(np.searchsorted(mine, steps, side="right") - 1, 0)
        v[:, column] = one.v[at]
        whole &= np.abs(steps - mine[at]) <= HOLD
    return v, whole, np.diff(steps, prepend=steps[:1]) > RESTART_PERIODS


def _lagged(z: Floats, whole: Flags, cut: Flags) -> tuple[Floats, Floats]:
    """(past (k, w * LAGS), now (k, w)) of the steps that LAGS whole ones came before, without a gap between them."""
    usable = whole[LAGS:].copy()
    for lag in range(1, LAGS + 1):
        usable &= whole[LAGS - lag : len(whole) - lag] & ~cut[LAGS - lag + 1 : len(whole) - lag + 1]
    past = np.stack([z[LAGS - lag : len(z) - lag] for lag in range(1, LAGS + 1)], axis=2)
    return past.reshape(len(past), -1)[usable], z[LAGS:][usable]


def _resolution(v: Floats) -> float:
    steps = np.abs(np.diff(v))
    return float(steps[steps > 0].min()) if steps.any() else 0.0


def _fitted(past: Floats, now: Floats, resolution: Floats) -> tuple[Floats, Floats]:
    """Ridge weights and the deviation of what they leave, never less than that of the rounding."""
    weights = np.linalg.solve(past.T @ past + RIDGE * np.eye(past.shape[1]), past.T @ now)
    spread: Floats = np.sqrt((now - past @ weights).var(axis=0) + resolution**2 / 12 + 1e-18)
    return weights.astype(np.float64), spread.astype(np.float64)


def _left_out(past: Floats, now: Floats, resolution: Floats) -> Floats:
    """float64 (w,): the greatest smoothed residual of each tag, by the predictor of the other two thirds."""
    most = np.zeros(now.shape[1])
    cuts = np.linspace(0, len(now), FOLDS + 1).astype(int)
    for start, end in pairwise(cuts.tolist()):
        out = np.zeros(len(now), bool)
        out[start:end] = True
        weights, spread = _fitted(past[~out], now[~out], resolution)
        smooth = np.zeros(now.shape[1])
        for i, row in enumerate((now[out] - past[out] @ weights) / spread):
            smooth = smooth + GAIN * (row - smooth)
            if i >= SETTLED:
                most = np.maximum(most, np.abs(smooth))
    return most / SMOOTHED
