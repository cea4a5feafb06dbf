"""Isolation trees as flat arrays: fitted by scikit-learn, scored here for many machines in one call, stored without pickle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import IsolationForest

from ml.scoring import Floats, Ints

TOGETHER = 64  # rows judged in one pass: what is in hand stays in a processor's cache
FIELDS = ("left", "right", "feature", "threshold", "path", "roots")


@dataclass(frozen=True, slots=True)
class Trees:
    """One forest. left, right, feature int32, threshold, path float64 (n_nodes,); a leaf points at itself; roots int32 (n_trees,).

    path: depth of a leaf plus the mean depth of what it still holds (Liu, Ting, Zhou 2008); normal: that of the sample size.
    """

    left: npt.NDArray[np.int32]
    right: npt.NDArray[np.int32]
    feature: npt.NDArray[np.int32]
    threshold: Floats
    path: Floats
    roots: npt.NDArray[np.int32]
    normal: float
    depth: int


def fit(rows: Floats, *, trees: int, seed: int) -> IsolationForest:
    """scikit-learn's forest on rows float64 (n_windows, n_features)."""
    return IsolationForest(n_estimators=trees, max_samples=min(256, len(rows)), random_state=seed).fit(rows)


def flatten(forest: IsolationForest) -> Trees:
    """The same forest as arrays."""
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in FIELDS[:-1]}
    roots, at, deepest = [], 0, 0
    for estimator in forest.estimators_:
        tree = estimator.tree_
        own = np.arange(tree.node_count)
        leaf = tree.children_left < 0
        depth = _depths(tree.children_left, tree.children_right)
        deepest = max(deepest, int(depth.max()))
        parts["left"].append(np.where(leaf, own, tree.children_left) + at)
        parts["right"].append(np.where(leaf, own, tree.children_right) + at)
        parts["feature"].append(np.where(leaf, 0, tree.feature))
        parts["threshold"].append(np.where(leaf, 0.0, tree.threshold))
        parts["path"].append(depth + mean_depth(tree.n_node_samples))
        roots.append(at)
        at += tree.node_count
    joined = {name: np.concatenate(columns) for name, columns in parts.items()}
    return Trees(
        left=joined["left"].astype(np.int32),
        right=joined["right"].astype(np.int32),
        feature=joined["feature"].astype(np.int32),
        threshold=joined["threshold"].astype(np.float64),
        path=joined["path"].astype(np.float64),
        roots=np.array(roots, np.int32),
        normal=float(mean_depth(np.array([forest.max_samples_]))[0]),
        depth=deepest,
    )


def mean_depth(samples: npt.NDArray[np.integer]) -> Floats:
    """Mean depth of an unsuccessful search in a binary tree of so many samples: 2 (ln(n - 1) + gamma) - 2 (n - 1) / n."""
    n = np.asarray(samples, np.float64)
    many = np.maximum(n, 3)
    depth = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(n <= 1, 0.0, np.where(n == 2, 1.0, depth))


def _depths(left: Ints, right: Ints) -> Floats:
    depth = np.zeros(len(left))
    for node in range(len(left)):  # scikit-learn numbers a parent before its children
        if left[node] >= 0:
            depth[left[node]] = depth[right[node]] = depth[node] + 1
    return depth


@dataclass(slots=True)
class Grove:
    """Many forests end to end; `score` takes rows of any of them in one call."""

    forests: Sequence[Trees]
    child: npt.NDArray[np.int32] = field(init=False)  # left and right of node i at 2 i and 2 i + 1
    feature: npt.NDArray[np.int32] = field(init=False)
    threshold: Floats = field(init=False)
    path: Floats = field(init=False)
    roots: Ints = field(init=False)
    grown: Ints = field(init=False)

    def __post_init__(self) -> None:
        sizes = [len(trees.left) for trees in self.forests]
        at = np.concatenate([[0], np.cumsum(sizes)])[:-1].astype(np.int64)
        left = _end_to_end([trees.left + o for trees, o in zip(self.forests, at, strict=True)], np.int32)
        right = _end_to_end([trees.right + o for trees, o in zip(self.forests, at, strict=True)], np.int32)
        self.feature = _end_to_end([trees.feature for trees in self.forests], np.int32)
        # one node more at the end, with no path: forests of fewer trees are filled up with it
        self.threshold = np.append(_end_to_end([trees.threshold for trees in self.forests], np.float64), 0.0)
        self.path = np.append(_end_to_end([trees.path for trees in self.forests], np.float64), 0.0)
        last = len(left)
        self.child = np.append(np.stack([left, right], axis=1).ravel(), np.array([last, last], np.int32))
        self.feature = np.append(self.feature, np.int32(0))
        width = max((len(trees.roots) for trees in self.forests), default=0)
        self.roots = np.full((len(self.forests), width), last, np.int64)
        for row, (trees, offset) in enumerate(zip(self.forests, at, strict=True)):
            self.roots[row, : len(trees.roots)] = trees.roots + offset
        self.grown = np.array([len(trees.roots) for trees in self.forests], np.int64)

    def score(self, forest: Ints, rows: Floats) -> Floats:
        """float64 (n,) in (0, 1), high = odd; forest int64 (n,) which one, rows float64 (n, widest), padded with anything.

        Equal to -IsolationForest.score_samples; 100 trees cost about 30 us a row.
        """
        x = rows.astype(np.float32).astype(np.float64)  # scikit-learn compares single-precision features with double limits
        levels = max((trees.depth for trees in self.forests), default=0)
        depth = np.empty(len(rows))
        for first in range(0, len(rows), TOGETHER):
            few = slice(first, first + TOGETHER)
            depth[few] = self.path[self._leaves(self.roots[forest[few]], x[few], levels)].sum(axis=1)
        normal = np.array([trees.normal for trees in self.forests])[forest]
        total = self.grown[forest] * normal
        return np.where(total > 0, 2.0 ** (-depth / np.where(total > 0, total, 1.0)), 1.0)

    def _leaves(self, node: Ints, x: Floats, levels: int) -> Ints:
        """int64 (n, n_trees): where rows x float64 (n, features) end, from the roots int64 (n, n_trees)."""
        own = np.repeat(np.arange(len(x)) * x.shape[1], node.shape[1])  # where the row of each begins in `flat`
        flat, at, to = x.ravel(), node.flatten(), np.empty_like(own)
        for _ in range(levels):  # `take` with "clip" does not look at every index twice; all are inside
            np.add(own, self.feature.take(at, mode="clip"), out=to)
            right = flat.take(to, mode="clip") > self.threshold.take(at, mode="clip")
            np.add(at, at, out=to)
            at[:] = self.child.take(np.add(to, right, out=to), mode="clip")
        return at.reshape(node.shape)


def _end_to_end(parts: Sequence[npt.NDArray[Any]], dtype: type) -> npt.NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *parts]).astype(dtype)
