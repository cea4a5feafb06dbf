"""Flattened forests give scikit-learn's scores, many machines in one call."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import IsolationForest

from ml.trees import Grove, fit, flatten


def rows(seed: int, n: int, width: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 1, (n, width))


@pytest.mark.parametrize(("n", "width", "trees"), [(40, 3, 10), (300, 10, 100), (1000, 50, 100)])
def test_scores_equal_scikit_learn(n: int, width: int, trees: int) -> None:
    forest = fit(rows(1, n, width), trees=trees, seed=3)
    probe = np.concatenate([rows(2, 200, width), rows(3, 20, width) * 8])

    mine = Grove([flatten(forest)]).score(np.zeros(len(probe), np.int64), probe)

    assert np.abs(mine + forest.score_samples(probe)).max() < 1e-9


def test_forests_of_different_size_are_scored_in_one_call() -> None:
    made = [fit(rows(i, 100 + 50 * i, width), trees=trees, seed=i) for i, (width, trees) in enumerate([(3, 10), (20, 50), (8, 100)])]
    grove = Grove([flatten(one) for one in made])
    which = np.array([2, 0, 1, 0, 2])
    probe = np.zeros((5, 20))
    expected = []
    for i, k in enumerate(which):
        width = made[k].n_features_in_
        probe[i, :width] = rows(10 + i, 1, width)
        expected.append(-made[k].score_samples(probe[i : i + 1, :width])[0])

    assert np.abs(grove.score(which, probe) - np.array(expected)).max() < 1e-9


def test_same_seed_gives_the_same_forest() -> None:
    first, second = (flatten(fit(rows(1, 200, 5), trees=20, seed=7)) for _ in range(2))

    assert all(np.array_equal(getattr(first, name), getattr(second, name)) for name in ("left", "right", "feature", "threshold", "path"))


def test_far_row_scores_higher_than_a_near_one() -> None:
    forest: IsolationForest = fit(rows(1, 300, 4), trees=100, seed=1)
    near, far = Grove([flatten(forest)]).score(np.zeros(2, np.int64), np.array([[0.0] * 4, [9.0] * 4]))

    assert far > near
