"""The limits of Shift: how far a tag's means leave those before them when it is healthy. Learning only; `shift` judges."""

from __future__ import annotations

import numpy as np

from ml.detectors.drift_scale import LASTING, LONGEST_STEP_S, lasting_minutes
from ml.scoring import Floats, History, Ints, Learned, Series
from realtime.snapshot import Tag

CELL_S, CELL_READINGS = 10.0, 5  # a cell is the longer of the two
SCALES = ((3, 6), (6, 36))  # cells: the newest against those before them; 30 s against 60 s, 60 s against 360 s
SPAN = max(newest + before for newest, before in SCALES)
MIN_CELLS = 120  # twenty minutes: five minutes must fit in several times
MIN_CONTRASTS = 90  # of a scale: fewer are mostly the same readings
MARGIN, DEVIATIONS = 1.5, 5.0  # limit: over the greatest healthy contrast, and in deviations beyond the mean one
GROWTH_CELLS = (12, 18, 24, 30)  # lags whose moves are compared with those over one mean
GROWTH_POWER = 1.5  # of how much further the level goes in five minutes than in one


def cell_ms(tag: Tag) -> int:
    """Length of a tag's cell."""
    return max(round(max(CELL_S, CELL_READINGS * tag.period_s) * 1000), 1)


def learn_shift(history: History) -> Learned:
    """limits float64 (n_tags, scales), engineering units; NaN where there is too little or nothing moves."""
    limits = np.full((len(history.tags), len(SCALES)), np.nan)
    for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True)):
        if tag.drift and len(series.v) >= MIN_CELLS and np.ptp(series.v) > 0:
            limits[i] = _limits(series, cell_ms(tag))
    return {"limits": limits}


def _limits(series: Series, length_ms: int) -> Floats:
    """float64 (scales,): max(1.5 greatest, mean and 5 deviations of the healthy contrasts) x growth^1.5; at least 1.5 x the greatest
    step of the whole baseline's minutes, its product changes.

    growth = sqrt(mean moves of the mean over two to five minutes / over one), at least 1, of what the baseline's own straight line
    leaves: about 1 where a level always comes back, 2 to 3 where it wanders, whose next hour may differ from the hour it was
    learned from. A steady trend (a warm-up) is no wander: it is the mean of the contrasts.
    """
    means = _cell_means(series, length_ms)
    if np.isfinite(means).sum() < MIN_CELLS:
        return np.full(len(SCALES), np.nan)
    newest = SCALES[-1][0]
    level = _running(_without_trend(means), newest)
    near = _moves(level, newest)
    far = np.array([_moves(level, lag) for lag in GROWTH_CELLS])
    growth = max(float(np.sqrt(far.mean() / near)), 1.0) if near > 0 else np.nan
    resolution = _resolution(series, length_ms)
    limits: Floats = np.full(len(SCALES), np.nan)
    for k, (late, early) in enumerate(SCALES):
        away = _running(means, late)[early:] - _running(means, early)[:-late]
        away = away[np.isfinite(away)]
        if len(away) >= MIN_CONTRASTS:
            beyond = abs(away.mean()) + DEVIATIONS * np.sqrt(away.var() + resolution**2 / 12)
            limits[k] = max(MARGIN * np.abs(away).max(), beyond) * growth**GROWTH_POWER
    return np.maximum(limits, MARGIN * _greatest_step(series))


def _greatest_step(series: Series) -> float:
    """How far five minutes lie from the five before them at most, where the machine ran through both; 0 where minutes are not kept."""
    t_s, medians = lasting_minutes(series)
    through = t_s[LASTING:] - t_s[:-LASTING] <= LASTING * LONGEST_STEP_S
    return float(np.abs(medians[LASTING:] - medians[:-LASTING])[through].max(initial=0.0))


def _resolution(series: Series, length_ms: int) -> float:
    """Smallest step of the readings; 0 where they spread wider within a cell than any flicker between two steps can (half a step):
    the mean of such readings is as true between the steps as on them, and its contrasts tell. Source: dither, Widrow and Kollar 2008.
    """
    steps = np.abs(np.diff(series.v))
    smallest = float(steps[steps > 0].min())
    _, sums, number = _cells(series, length_ms)
    within = series.v - np.repeat(sums / number, number)
    return smallest if np.mean(within**2) <= (smallest / 2) ** 2 else 0.0


def _cells(series: Series, length_ms: int) -> tuple[Ints, Floats, Ints]:
    """(number of the cell since 1970, sum of its readings, how many) of each cell that has any."""
    cell = series.t // length_ms
    starts = np.flatnonzero(np.diff(cell, prepend=cell[0] - 1))
    return cell[starts], np.add.reduceat(series.v, starts), np.diff(starts, append=len(cell))


def _cell_means(series: Series, length_ms: int) -> Floats:
    """float64 (k,): mean of each cell from the first to the last, NaN where there is no reading."""
    cell, sums, number = _cells(series, length_ms)
    means = np.full(int(cell[-1] - cell[0]) + 1, np.nan)
    means[cell - cell[0]] = sums / number
    return means


def _running(means: Floats, width: int) -> Floats:
    running: Floats = np.lib.stride_tricks.sliding_window_view(means, width).mean(axis=1)
    return running


def _without_trend(means: Floats) -> Floats:
    """float64 (k,): less the straight line of least squares through them."""
    known = np.isfinite(means)
    cell = np.arange(len(means)) - np.flatnonzero(known).mean()
    slope = float(cell[known] @ means[known] / (cell[known] @ cell[known]))
    left: Floats = means - slope * cell
    return left


def _moves(level: Floats, lag: int) -> float:
    """Mean squared move over `lag` cells; NaN where there is none."""
    moves = (level[lag:] - level[:-lag]) ** 2
    moves = moves[np.isfinite(moves)]
    return float(moves.mean()) if len(moves) else np.nan
