"""Values that were seen: per row a sorted list of bounded length and how far new values usually lie from it. No judgement here."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ml.scoring import Floats, Ints

KEPT = 128  # values a list; 128 lose nothing against 20,000, see docs/decisions/010-novelty.md
RESOLUTION = 0.01  # of the healthy spread: nearer values are the same value, and no distance counts as smaller
CLIP = 8.0  # a distance enters the usual ones with so many of their deviations at most
WARM = 100  # distances before one is judged

Singles = npt.NDArray[np.float32]


def blank_lists(n: int, lists: int) -> Singles:
    """float32 (n, lists, KEPT + 2): -inf, the values kept in order, +inf to the end."""
    seen = np.full((n, lists, KEPT + 2), np.inf, np.float32)
    seen[:, :, 0] = -np.inf
    return seen


def nearest(seen: Singles, x: Floats) -> Floats:
    """Distance to the nearest kept value, 0 where nothing is kept, NaN for NaN: seen float32 (..., KEPT + 2), x float64 (...).

    x is a number of single precision, as all that is kept.
    """
    below = seen < x.astype(np.float32)[..., None]  # bytes, whose sum fits into one: KEPT + 2 < 256
    at = np.maximum(below.view(np.uint8).sum(axis=-1, dtype=np.uint8), 1).astype(np.int64).ravel()
    flat, i, wanted = seen.reshape(-1, seen.shape[-1]), np.arange(x.size), x.ravel()
    gap = np.minimum(wanted - flat[i, at - 1], flat[i, at] - wanted)
    return np.where(np.isinf(gap), 0.0, np.maximum(gap, 0.0)).reshape(x.shape)


def keep(seen: Singles, rows: Ints, x: Floats) -> None:
    """Put x float64 (m, lists) into the lists of the rows; what is kept already, NaN included, changes nothing.

    A full list gives up the value that stands closest between its neighbours, never its smallest or greatest.
    """
    found = seen[rows]
    row, of = np.nonzero(np.isfinite(x) & ((nearest(found, x) > RESOLUTION) | np.isinf(found[:, :, 1])))
    if not len(row):
        return
    lists, new = found[row, of], x[row, of].astype(np.float32)
    longer = np.sort(np.concatenate([lists, new[:, None]], axis=1), axis=1)
    width = lists.shape[1]
    drop = np.full(len(row), width)
    full = np.flatnonzero(np.isfinite(lists[:, width - 2]))
    if len(full):
        drop[full] = (longer[full, 2:] - longer[full, :-2]).argmin(axis=1) + 1
    at = np.arange(width)
    seen[rows[row], of] = np.take_along_axis(longer, at + (at >= drop[:, None]), axis=1)


def surprise(usual: Floats, rows: Ints, d: Floats) -> Floats:
    """float64 (m, lists): log2(1 + max(z, 0)) of distances d (m, lists), NaN = none, and 0 until WARM of them were seen.

    usual float64 (n, lists, 3): count, mean and variance of the distances so far; d enters them clipped.
    """
    n, mean, var = np.moveaxis(usual[rows], 2, 0)
    given = np.isfinite(d)
    spread = np.sqrt(var)
    with np.errstate(invalid="ignore"):
        z = np.where(given & (n >= WARM), (d - mean) / (spread + RESOLUTION), 0.0)
        clipped = np.where(n >= WARM, np.minimum(d, mean + CLIP * spread + RESOLUTION * (spread == 0)), d)
    step = np.where(given, clipped - mean, 0.0)
    share = np.where(given, 1 / (n + 1), 0.0)
    usual[rows] = np.stack([n + given, mean + share * step, (1 - share) * (var + share * step * step)], axis=2)
    surprised: Floats = np.log2(1 + np.maximum(z, 0.0))
    return surprised
