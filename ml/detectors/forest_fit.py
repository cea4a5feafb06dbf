"""Fitting the joint Isolation Forest of one machine, with a limit from baseline windows it was not fitted on. Learning only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest

from ml.features import NAMES, ten_features
from ml.scoring import Floats, History, Learned, Series
from ml.trees import FIELDS, Grove, fit, flatten
from realtime.snapshot import Tag

Places = npt.NDArray[np.intp]
MIN_WINDOWS = 24  # 12 minutes at the default window, half overlapping
FOLDS = 3
MARGIN = 0.35  # of the left-out scores' reach above their median, on top of their maximum
BACKGROUND = 0.2  # rows spread evenly over the healthy range and as far again on each side: without them no tree ever
# splits outside the healthy range, and a window far beyond it scores like the outermost healthy one
COMPLETE = 0.6  # share of the usual readings that a window needs


def learn_forest(history: History) -> Learned:
    """Trees, scaling and limit of the joint forest over the joint tags; empty where the baseline is too short.

    centre, spread float64 (n_tags * 10,); nominal, low, high, usual float64 (n_tags,), rows as in the history (tags that are
    not joint have usual 0); limit, left_out_rate float64 (1,).
    """
    history = history.widened()
    joint = [
        i for i, tag in enumerate(history.tags) if tag.joint and tag.kind == "f64" and tag.role is None and len(history.series[i].v) > 1
    ]
    if not joint:
        return {}
    frame = np.array([_frame(tag, series) for tag, series in zip(history.tags, history.series, strict=True)])
    features, usual = _matrix(history, joint, frame)
    if len(features) < MIN_WINDOWS:
        return {}
    centre = np.median(features, axis=0)
    spread = np.diff(features, axis=0).std(axis=0) / np.sqrt(2)
    spread = np.where(spread > 0, spread, np.maximum(features.std(axis=0), 1e-9))
    rows = (features - centre) / spread
    left_out = _left_out_scores(rows, history)
    limit = _limit(left_out)
    trees = flatten(_fitted(rows, history))
    usual_of = np.zeros(len(history.tags))
    usual_of[joint] = usual
    learned: Learned = {name: getattr(trees, name) for name in FIELDS}
    learned.update(
        normal=np.array([trees.normal]),
        depth=np.array([trees.depth]),
        centre=centre,
        spread=spread,
        nominal=frame[:, 0],
        low=frame[:, 1],
        high=frame[:, 2],
        usual=usual_of,
        limit=np.array([limit]),
        windows=np.array([len(rows)]),
        window_s=np.array([history.window_s]),
        left_out_rate=np.array([_left_out_rate(left_out)]),
    )
    return learned


def _frame(tag: Tag, series: Series) -> tuple[float, float, float]:
    """Nominal value and range of a tag for the features: configured, else what the baseline shows."""
    low = tag.low if tag.low is not None else tag.range_low
    high = tag.high if tag.high is not None else tag.range_high
    if low is None or high is None or high <= low:
        low, high = (float(series.v.min()), float(series.v.max())) if len(series.v) else (0.0, 1.0)
    return (low + high) / 2, low, high


def _matrix(history: History, joint: list[int], frame: Floats) -> tuple[Floats, Floats]:
    """(features (n_windows, n_joint * 10) of the windows that every joint tag fills, usual readings per window (n_joint,))."""
    window_ms = round(history.window_s * 1000)
    first = max(int(history.series[i].t[0]) for i in joint)
    last = min(int(history.series[i].t[-1]) for i in joint)
    half_ms = window_ms // 2
    edges = np.arange(first // half_ms + 1, (last - window_ms) // half_ms + 1, dtype=np.int64) * half_ms
    if not len(edges):
        return np.empty((0, len(joint) * len(NAMES))), np.zeros(len(joint))
    columns, counts = [], []
    for i in joint:
        series = history.series[i]
        begin, end = np.searchsorted(series.t, edges), np.searchsorted(series.t, edges + window_ms)
        counts.append(end - begin)
        columns.append(_features_of(series, begin, end, frame[i]))
    count = np.stack(counts, axis=1)
    heard = count.any(axis=1)
    usual = np.median(count[heard], axis=0) if heard.any() else np.zeros(len(joint))
    complete = (count >= np.maximum(COMPLETE * usual, 3)).all(axis=1)
    return np.concatenate(columns, axis=1)[complete], usual


def _features_of(series: Series, begin: Places, end: Places, frame: Floats) -> Floats:
    """float64 (n_windows, 10); a window without readings has zeros and is left out by its count."""
    features = np.zeros((len(begin), len(NAMES)))
    filled = np.flatnonzero(end > begin)
    if len(filled):
        size = (end - begin)[filled]
        starts = np.r_[0, np.cumsum(size)[:-1]]
        index = np.arange(size.sum()) - np.repeat(starts, size) + np.repeat(begin[filled], size)
        nominal, low, high = (np.full(len(filled), x) for x in frame)
        features[filled] = ten_features(starts, series.t[index], series.v[index], nominal, low, high)
    return features


def _fitted(rows: Floats, history: History) -> IsolationForest:
    low, high = rows.min(axis=0), rows.max(axis=0)
    number = max(round(BACKGROUND * len(rows)), 4)
    background = np.random.default_rng(history.seed).uniform(2 * low - high, 2 * high - low, (number, rows.shape[1]))
    return fit(np.concatenate([rows, background]), trees=history.trees, seed=history.seed)


def _left_out_scores(rows: Floats, history: History) -> Floats:
    """Scores of each third of the baseline under a forest fitted on the other two."""
    scores = np.zeros(len(rows))
    for fold in np.array_split(np.arange(len(rows)), FOLDS):
        rest = np.setdiff1d(np.arange(len(rows)), fold)
        grove = Grove([flatten(_fitted(rows[rest], history))])
        scores[fold] = grove.score(np.zeros(len(fold), np.int64), rows[fold])
    return scores


def _limit(scores: Floats) -> float:
    return float(scores.max() + MARGIN * (scores.max() - np.median(scores)))


def _left_out_rate(scores: Floats) -> float:
    """Share of windows of each third that the limit of the other two thirds would have called odd."""
    folds = np.array_split(np.arange(len(scores)), FOLDS)
    return float(np.mean([(scores[fold] >= _limit(np.delete(scores, fold))).mean() for fold in folds]))
