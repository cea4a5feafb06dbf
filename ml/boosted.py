"""Boosted regression trees as flat arrays: fitted by scikit-learn, walked here, stored without pickle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from ml.scoring import Floats, Ints, Learned

SETTINGS: dict[str, Any] = {
    "learning_rate": 0.04,
    "max_leaf_nodes": 15,
    "min_samples_leaf": 60,
    "l2_regularization": 5.0,
    "max_features": 0.4,
}


@dataclass(frozen=True, slots=True)
class Boosted:
    """The mean of several boosters. left, right, feature int64, threshold, value float64 (n_nodes,); a leaf points at itself.

    roots int64 (n_trees,); base float64 (1,): mean of the boosters' start values; depth, boosters int64 (1,).
    """

    left: Ints
    right: Ints
    feature: Ints
    threshold: Floats
    value: Floats
    roots: Ints
    base: Floats
    depth: Ints
    boosters: Ints

    def predict(self, rows: Floats) -> Floats:
        """float64 (n,) for rows float64 (n, n_features), finite; equal to the mean of the boosters' own predictions."""
        node = np.broadcast_to(self.roots, (len(rows), len(self.roots)))
        at = np.arange(len(rows))[:, None]
        for _ in range(int(self.depth[0])):
            node = np.where(rows[at, self.feature[node]] > self.threshold[node], self.right[node], self.left[node])
        total: Floats = self.value[node].sum(axis=1) / self.boosters[0] + self.base[0]
        return total

    def arrays(self) -> Learned:
        """To be stored."""
        return {one.name: getattr(self, one.name) for one in fields(self)}


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> Boosted:
    """The inverse of `arrays`; raises KeyError where one is missing."""
    return Boosted(**{one.name: arrays[one.name] for one in fields(Boosted)})


def fit(rows: Floats, target: Floats, seeds: Sequence[int], rounds: int) -> Boosted:
    """A booster of `rounds` trees a seed on rows float64 (n, n_features) and target float64 (n,), as one.

    On one core: it runs beside the monitor, and more threads than free cores make it slower. Source: Ke et al. 2017, in scikit-learn.
    """
    with threadpool_limits(1):
        return flatten([HistGradientBoostingRegressor(random_state=seed, max_iter=rounds, **SETTINGS).fit(rows, target) for seed in seeds])


def flatten(models: Sequence[HistGradientBoostingRegressor]) -> Boosted:
    """Boosters as one set of arrays; numbers only, no categories.

    Reads `_predictors`, which scikit-learn does not promise to keep; tests/ml/test_rul.py compares with its own predictions.
    """
    trees = [tree.nodes for model in models for (tree,) in model._predictors]
    sizes = [len(nodes) for nodes in trees]
    roots = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
    nodes = np.concatenate(trees)
    offset = np.repeat(roots, sizes)
    own, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
    return Boosted(
        left=np.where(leaf, own, nodes["left"] + offset).astype(np.int64),
        right=np.where(leaf, own, nodes["right"] + offset).astype(np.int64),
        feature=np.where(leaf, 0, nodes["feature_idx"]).astype(np.int64),
        threshold=np.where(leaf, 0.0, nodes["num_threshold"]).astype(np.float64),
        value=np.where(leaf, nodes["value"], 0.0).astype(np.float64),
        roots=roots,
        base=np.array([np.mean([float(np.ravel(model._baseline_prediction)[0]) for model in models])]),
        depth=np.array([int(nodes["depth"].max())], np.int64),
        boosters=np.array([len(models)], np.int64),
    )
