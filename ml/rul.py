"""Remaining useful life of a machine whose kind was run to failure before: learned from whole lives, told with a 90 % band.

Without such lives there is nothing to learn from; what a level alone says of its limit is `realtime.forecasts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ml import boosted
from ml.boosted import Boosted
from ml.scoring import Floats, Learned
from realtime.errors import SightlineError

CAP = 125.0  # cycles: earlier than that a machine shows no wear, whatever is left of it
LEAST_LIVES, LEAST_CYCLES = 10, 40
FIRST_CYCLES = 15  # of a life: its own level when new
QUICK, SLOW = 0.15, 0.04  # EWMA weights of the levels
PACES = (0.3, 0.15, 0.08, 0.04, 0.02)  # EWMA weights of the wear index
RIDGE = 100.0
SEEDS = (0, 1, 2)
ROUNDS = 300  # trees a booster
FOLDS = 5
BAND = (0.05, 0.95)
STEP, NEAR, LEAST_NEAR = 5.0, 6.0, 400  # grid of the band; cycles and left-out rows around each of its points
WARM = 20  # cycles of a left-out life that do not count for the band


class TooFewLives(SightlineError):
    """There are not enough lives to learn from."""


@dataclass(frozen=True, slots=True)
class Life:
    """Cycles that are left, at most CAP, and the band that held nine of ten left-out lives at this point."""

    left: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Wear:
    """What turns a history into features. columns int64 (k,): those that move; mean, std, signs, weights float64 (k,)."""

    columns: npt.NDArray[np.int64]
    mean: Floats
    std: Floats
    signs: Floats
    weights: Floats

    def features(self, history: Floats) -> Floats:
        """float64 (n, f) for history float64 (n, c), a row a cycle, oldest first. Row i from 5 on depends on rows 0..i alone."""
        z = (history[:, self.columns] - self.mean) / self.std
        age = np.arange(1, len(z) + 1)[:, None]
        quick, slow, new = smoothed(z, QUICK), smoothed(z, SLOW), _when_new(z)
        index = (z @ self.weights)[:, None]
        paced = [smoothed(index, pace) for pace in PACES]
        worn = paced[1] - (new @ self.weights)[:, None]
        parts = [quick, slow, quick - slow, quick - new, age, (quick @ self.signs)[:, None], ((quick - new) @ self.signs)[:, None]]
        parts += [*paced, paced[0] - paced[2], paced[1] - paced[3], paced[2] - paced[4], np.minimum.accumulate(paced[2])]
        return np.hstack([*parts, worn, worn / age, (worn + paced[2] - paced[1]) / age])


@dataclass(frozen=True, slots=True)
class LifeModel:
    """low, high float64 (g,): how far the truth lay from left-out predictions of 0, STEP, 2 STEP ... cycles.

    error float64 (2,): root mean square error of left-out lives, and what always telling their mean would have missed by; cycles.
    """

    wear: Wear
    trees: Boosted
    low: Floats
    high: Floats
    error: Floats

    def predict(self, history: Floats) -> Life:
        """What is left after the last row of history float64 (n, c), columns as learned; raises ValueError for what is not finite."""
        if len(history) < 1 or not np.isfinite(history).all():
            raise ValueError("a life needs at least one cycle, and every value of it")
        left = float(np.clip(self.trees.predict(self.wear.features(history)[-1:])[0], 0.0, CAP))
        low, high = (left + float(np.interp(left, _grid(), side)) for side in (self.low, self.high))
        return Life(left, float(np.clip(low, 0.0, left)), float(np.clip(high, left, CAP)))

    def arrays(self) -> Learned:
        """To be sealed by `ml.artefacts`."""
        wear = {name: getattr(self.wear, name) for name in Wear.__dataclass_fields__}
        return {**wear, **{f"trees.{name}": array for name, array in self.trees.arrays().items()}, **self._band()}

    def _band(self) -> Learned:
        return {"low": self.low, "high": self.high, "error": self.error}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> LifeModel:
    """The inverse of `LifeModel.arrays`; raises KeyError where one is missing."""
    wear = Wear(**{name: arrays[name] for name in Wear.__dataclass_fields__})
    trees = boosted.from_arrays({name.removeprefix("trees."): array for name, array in arrays.items() if name.startswith("trees.")})
    return LifeModel(wear, trees, arrays["low"], arrays["high"], arrays["error"])


def learn_life(lives: Sequence[Floats], *, rounds: int = ROUNDS) -> LifeModel:
    """Learn from lives, each float64 (n, c) from new to failure, a row a cycle; raises TooFewLives.

    Boosted trees (mean of three seeds) on smoothed levels, their trends, the distance to the life's own beginning, age and a wear
    index; target min(cycles left, CAP). The band is the 5 % and 95 % quantile of what predictions for left-out lives (five folds
    of whole lives) missed by where they said about the same. Deterministic. Source: ML.md 3.11; Vovk 2005 (Mondrian conformal).
    """
    long_enough = [np.asarray(life, np.float64) for life in lives if len(life) >= LEAST_CYCLES and np.isfinite(life).all()]
    if len(long_enough) < LEAST_LIVES:
        raise TooFewLives(f"{len(long_enough)} whole lives of {LEAST_CYCLES} cycles or more; {LEAST_LIVES} are needed")
    said, truth = [], []
    for fold in range(FOLDS):
        rest = [life for i, life in enumerate(long_enough) if i % FOLDS != fold]
        wear, trees = _fitted(rest, SEEDS[:1], rounds)
        for life in long_enough[fold::FOLDS]:
            said.append(np.clip(trees.predict(wear.features(life)[WARM:]), 0.0, CAP))
            truth.append(cycles_left(life)[WARM:])
    told, true = np.concatenate(said), np.concatenate(truth)
    low, high = _band(told, true)
    error = np.sqrt([np.mean((true - told) ** 2), np.var(true)])
    wear, trees = _fitted(long_enough, SEEDS, rounds)
    return LifeModel(wear, trees, low, high, error)


def cycles_left(life: Floats) -> Floats:
    """float64 (n,): cycles to the last row, at most CAP."""
    return np.minimum(np.arange(len(life))[::-1], CAP).astype(np.float64)


def _fitted(lives: Sequence[Floats], seeds: Sequence[int], rounds: int) -> tuple[Wear, Boosted]:
    wear = _wear(lives)
    rows = np.vstack([wear.features(life) for life in lives])
    return wear, boosted.fit(rows, np.concatenate([cycles_left(life) for life in lives]), seeds, rounds)


def _wear(lives: Sequence[Floats]) -> Wear:
    """Columns that move, which way each goes with age (0 where lives disagree), and a ridge regression of life on them."""
    whole = np.vstack(lives)
    columns = np.array([i for i in range(whole.shape[1]) if len(np.unique(whole[:, i])) > 2], np.int64)
    if not len(columns):
        raise TooFewLives("no value of these lives ever moves")
    mean, std = whole[:, columns].mean(axis=0), whole[:, columns].std(axis=0)
    scaled = [(life[:, columns] - mean) / std for life in lives]
    ways = sum((np.sign(z[-_fifth(z) :].mean(axis=0) - z[: _fifth(z)].mean(axis=0)) for z in scaled), np.zeros(len(columns)))
    signs = np.where(np.abs(ways) > 0.6 * len(lives), np.sign(ways), 0.0) / len(columns)
    levels = np.vstack([smoothed(z, QUICK) for z in scaled])
    left = np.concatenate([cycles_left(life) for life in lives])
    weights = np.linalg.solve(levels.T @ levels + RIDGE * np.eye(len(columns)), levels.T @ (left - left.mean()))
    return Wear(columns, mean, std, signs, weights)


def _fifth(z: Floats) -> int:
    return max(len(z) // 5, 5)


def smoothed(z: Floats, weight: float) -> Floats:
    """float64 (n, k): EWMA down the rows, started at the mean of the first five."""
    out = np.empty_like(z)
    level = z[:5].mean(axis=0)
    for i, row in enumerate(z):
        level = level + weight * (row - level)
        out[i] = level
    return out


def _when_new(z: Floats) -> Floats:
    """float64 (n, k): mean of the rows so far, from FIRST_CYCLES on that of the first FIRST_CYCLES."""
    count = np.minimum(np.arange(1, len(z) + 1), FIRST_CYCLES)
    means: Floats = np.cumsum(z, axis=0)[count - 1] / count[:, None]
    return means


def _grid() -> Floats:
    return np.arange(0.0, CAP + STEP, STEP)


def _band(said: Floats, truth: Floats) -> tuple[Floats, Floats]:
    """Quantiles of truth - said among left-out rows with about the same said, at each point of the grid."""
    sides = []
    missed = truth - said
    for point in _grid():
        distance = np.abs(said - point)
        reach = max(NEAR, float(np.sort(distance)[min(LEAST_NEAR, len(said)) - 1]))
        sides.append(np.quantile(missed[distance <= reach], BAND))
    low, high = np.array(sides).T
    return low, high
