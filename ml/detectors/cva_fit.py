"""Fitting the canonical variate model of one machine, with limits from thirds of the baseline it was not fitted on. Learning only."""

from __future__ import annotations

import numpy as np

from ml.scoring import Flags, Floats, History, Ints, Learned

LEAST_CHANNELS = 6  # of a machine; with fewer, what their tags say together the per-tag detectors say better
ROW_S = 10.0  # a row is the mean of so many seconds, or one reading of the slowest tag
PAST = 2  # rows in the past vector, and in the future vector
CARRY = 2  # rows for which a tag's last value still stands
CORRELATION = 0.6  # canonical variates above it are states, the others the rest
RIDGE = 1e-4  # on the correlation matrices: a direction without any variance stays finite
LAMBDA = 0.1  # EWMA weight of a new row's energy
FOLDS = 3
QUANTILE, MARGIN = 0.999, 1.1
WARM = 20  # rows of a left-out third before the EWMA has forgotten its start
LEAST_ROWS, ROWS_PER_CHANNEL = 120, 8


def learn_cva(history: History) -> Learned:
    """Means, spreads, energy matrices and limits of the joint tags that move; empty with too few of them or too short a baseline.

    joint bool, mean, std float64 (n_tags,) rows as in the history; energy float64 (2, 2c, 2c): of the states and of the rest, c
    joint tags in the order of the history, newest row first; limits float64 (2,); row_ms, level_t int64 (1,), left_out_rate
    float64 (1,). Source: Larimore 1983; Russell, Chiang, Braatz 2000; limits: ML.md 3.8.
    """
    history = history.widened()
    joint = [
        i
        for i, (tag, series) in enumerate(zip(history.tags, history.series, strict=True))
        if tag.joint and tag.kind == "f64" and tag.role is None and len(series.v) > 1 and float(np.ptp(series.v)) > 0
    ]
    if len(joint) < LEAST_CHANNELS:
        return {}
    row_ms = round(max(ROW_S, *(history.tags[i].period_s for i in joint)) * 1000)
    rows, block = _rows(history, joint, row_ms)
    if len(rows) < max(LEAST_ROWS, ROWS_PER_CHANNEL * len(joint)):
        return {}
    mean, std = rows.mean(axis=0), rows.std(axis=0)
    z = (rows - mean) / np.where(std > 0, std, 1.0)
    if (std <= 0).any():
        return {}
    left_out = _left_out_energies(z, block)
    is_joint = np.zeros(len(history.tags), bool)
    is_joint[joint] = True
    means, stds = np.zeros(len(history.tags)), np.ones(len(history.tags))
    means[joint], stds[joint] = mean, std
    return {
        "joint": is_joint,
        "mean": means,
        "std": stds,
        "energy": energy_matrices(z, _runs(block, 2 * PAST)),
        "limits": _limits(np.concatenate(left_out)),
        "row_ms": np.array([row_ms]),
        "level_t": np.array([max(int(history.series[i].t[-1]) for i in joint)]),
        "left_out_rate": np.array([_left_out_rate(left_out)]),
    }


def _rows(history: History, joint: list[int], row_ms: int) -> tuple[Floats, Ints]:
    """(rows float64 (n, c) of means, block int64 (n,) = time // row_ms) where every tag has a value, carried forward at most CARRY rows."""
    blocks = [history.series[i].t // row_ms for i in joint]
    first, last = max(int(b[0]) for b in blocks), min(int(b[-1]) for b in blocks)
    if last <= first:
        return np.empty((0, len(joint))), np.empty(0, np.int64)
    rows = np.full((last - first + 1, len(joint)), np.nan)
    for column, (i, block) in enumerate(zip(joint, blocks, strict=True)):
        inside = (block >= first) & (block <= last)
        at, v = block[inside] - first, history.series[i].v[inside]
        count = np.bincount(at, minlength=len(rows))
        mean = np.bincount(at, v, minlength=len(rows)) / np.maximum(count, 1)
        newest = np.maximum.accumulate(np.where(count > 0, np.arange(len(rows)), -CARRY - 1))
        fresh = np.arange(len(rows)) - newest <= CARRY
        rows[fresh, column] = mean[newest[fresh]]
    whole = np.isfinite(rows).all(axis=1)
    return rows[whole], np.flatnonzero(whole) + first


def _runs(block: Ints, length: int) -> Flags:
    """bool (n,): this row and the length - 1 rows before it follow each other in time."""
    index = np.arange(len(block))
    began = np.maximum.accumulate(np.where(np.diff(block, prepend=block[:1] - 2) != 1, index, 0))
    return index - began >= length - 1


def energy_matrices(z: Floats, ends: Flags) -> Floats:
    """float64 (2, 2c, 2c): A and B with x'Ax the energy of the states, x'Bx that of the rest of the past vector x.

    z float64 (n, c) standardised rows; ends bool (n,): rows that end 2 * PAST rows in a row. A + B is the inverse covariance of x.
    """
    at = np.flatnonzero(ends)
    past = np.hstack([z[at - PAST - j] for j in range(PAST)])
    future = np.hstack([z[at - j] for j in range(PAST)])
    n, ridge = len(at), RIDGE * np.eye(past.shape[1])
    whiten = _inverse_root(past.T @ past / n + ridge)
    _, correlation, axes = np.linalg.svd(_inverse_root(future.T @ future / n + ridge) @ (future.T @ past / n) @ whiten)
    states = max(int((correlation > CORRELATION).sum()), 3)
    project = axes @ whiten
    return np.stack([project[:states].T @ project[:states], project[states:].T @ project[states:]])


def _inverse_root(covariance: Floats) -> Floats:
    values, vectors = np.linalg.eigh(covariance)
    root: Floats = (vectors * np.maximum(values, 1e-9) ** -0.5) @ vectors.T
    return root


def _left_out_energies(z: Floats, block: Ints) -> list[Floats]:
    """Smoothed energies float64 (m, 2) of each third under a model of the other two; warm-up left out."""
    found = []
    for fold in np.array_split(np.arange(len(z)), FOLDS):
        rest = np.setdiff1d(np.arange(len(z)), fold)
        energy = energy_matrices(z[rest], _runs(block[rest], 2 * PAST))
        found.append(smoothed_energies(z[fold], _runs(block[fold], PAST), energy)[WARM:])
    return found


def smoothed_energies(z: Floats, ready: Flags, energy: Floats) -> Floats:
    """float64 (m, 2): EWMA of both energies over the rows that are ready; starts at what is expected, the trace of energy x covariance."""
    at = np.flatnonzero(ready)
    past = np.hstack([z[at - j] for j in range(PAST)])
    raw: Floats = np.einsum("ij,ejk,ik->ie", past, energy, past)
    smooth = np.empty_like(raw)
    level = expected(energy)
    for i, one in enumerate(raw):
        level = level + LAMBDA * (one - level)
        smooth[i] = level
    return smooth


def expected(energy: Floats) -> Floats:
    """float64 (..., 2): mean energy of healthy rows = the number of variates, the trace of A (A + B)^-1; energy (..., 2, 2c, 2c)."""
    inverse = np.linalg.inv(energy.sum(axis=-3))
    means: Floats = np.einsum("...ejk,...kj->...e", energy, inverse)
    return means


def _limits(energies: Floats) -> Floats:
    limits: Floats = MARGIN * np.quantile(energies, QUANTILE, axis=0)
    return limits


def _left_out_rate(left_out: list[Floats]) -> float:
    """Share of rows of each third that the limits of the other two thirds would have called odd."""
    rates = [
        (fold >= _limits(np.concatenate([other for j, other in enumerate(left_out) if j != i]))).any(axis=1).mean()
        for i, fold in enumerate(left_out)
    ]
    return float(np.mean(rates))
