"""When a level would reach a limit if it went on as it did: a robust trend with a band, pure. It claims nothing where the band is wide.

It says nothing about why a level moves, and nothing about the life of a machine (see `ml.rul`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Side = Literal["high", "low"]
State = Literal["expected", "beyond", "uncertain", "far", "steady", "away", "too_little"]

POINTS = 60  # a trend is fitted on so many means at most: 1,770 slopes
LEAST_POINTS = 12
REPLICATES = 200
BAND = (0.05, 0.95)  # quantiles of the replicates' times
MOST_MEMORY = 0.97  # of an hour for the one before: above it a level walks, and no span is long enough to tell that from a trend
RUNS = 0.9  # of what an hour of this machine runs at most: one that ran less is a stop with what comes before and after
FARTHEST = 3.0  # spans ahead: beyond that an extrapolation has no ground
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Trendline:
    """A line through levels, and what it might as well have been.

    at: ms UTC, the newest level; span_ms; points: levels behind it; level: the line at `at`, engineering units; slope: per hour.
    levels, slopes, wander float64 (REPLICATES,): the same of each replicate, and how far a level then stood from its line.
    """

    at: int
    span_ms: int
    points: int
    level: float
    slope: float
    levels: Floats
    slopes: Floats
    wander: Floats


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a trendline says of one limit. The times, ms UTC, stand only where state is `expected`: a 90 % band with its middle.

    beyond: the level is there already; uncertain: the band is not narrower than its distance; far: further ahead than three times
    what was seen; steady: it may as well not move; away: it moves to the other side; too_little: fewer than 12 levels.
    """

    state: State
    expected: int | None = None
    earliest: int | None = None
    latest: int | None = None


def trendline(t: npt.ArrayLike, levels: npt.ArrayLike, seed: int = 0) -> Trendline | None:
    """Theil-Sen line through level means, with a bootstrap of its wander; None with fewer than 12 levels.

    t int64 (n,) ms UTC, levels float64 (n,) engineering units; the order does not matter, NaN and infinities are left out, of a
    time that stands twice the first counts. Deterministic for a seed. Source: Sen 1968. The replicates are the line with other
    wander on it, which remembers as much as the residuals do (AR(1), `memory`): single residuals would average it away.
    """
    at, every = _known(np.asarray(t, np.int64), np.asarray(levels, np.float64))
    hours, y = _thinned(at, every)
    if len(y) < LEAST_POINTS:
        return None
    newest = float(hours[-1])
    x = hours - newest
    scale = float(np.ptp(y)) or 1.0
    z = (y - y[0]) / scale  # a level of 1e6 with a move of 1e-3 must not drown
    slope, level = _theil_sen(x, z[None, :])
    line = level[0] + slope[0] * x
    residuals = z - line
    residuals = residuals - np.median(residuals)
    of_each = (every - y[0]) / scale - (level[0] + slope[0] * (at - newest))
    rng = np.random.default_rng(seed)
    # both tell it: hours are more and sharper, means know a daily cycle as what it is
    phi = min(memory(residuals), _of_means(memory(of_each), len(at) / len(y)))
    slopes, at_end = _theil_sen(x, line + _wandering(residuals, phi, rng))
    wander = rng.choice(residuals, REPLICATES)
    return Trendline(
        at=round(newest * HOUR_MS),
        span_ms=round(float(x[-1] - x[0]) * HOUR_MS),
        points=len(y),
        level=float(level[0] * scale + y[0]),
        slope=float(slope[0] * scale),
        levels=at_end * scale + y[0],
        slopes=slopes * scale,
        wander=wander * scale,
    )


def running(t: npt.NDArray[np.int64], rest: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """bool (n,): which hours, by their middles t int64 (n,) ms UTC, a machine ran, that stood still or idled in the stretches
    rest int64 (m, 2), ascending, none touching another. Of one that never runs a whole hour those that it ran most of.
    """
    if not len(rest) or not len(t):
        return np.ones(len(t), bool)
    edges = rest.ravel().astype(np.float64)
    stood = np.concatenate([[0.0], np.cumsum(np.where(np.arange(1, len(edges)) % 2, np.diff(edges), 0.0))])
    begins = t - HOUR_MS / 2
    share = 1 - (np.interp(begins + HOUR_MS, edges, stood) - np.interp(begins, edges, stood)) / HOUR_MS
    ran: npt.NDArray[np.bool_] = (share > 0) & (share >= RUNS * share.max())
    return ran


def _known(t: npt.NDArray[np.int64], levels: Floats) -> tuple[Floats, Floats]:
    """(hours, levels), ascending in time, finite, a time once."""
    known = np.isfinite(levels)
    at, first = np.unique(t[known], return_index=True)
    return at / HOUR_MS, levels[known][first]


def _thinned(hours: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(hours, means), at most POINTS of them."""
    if len(y) <= POINTS:
        return hours, y
    edges = np.linspace(0, len(y), POINTS + 1).astype(np.int64)
    count = np.diff(edges)
    return np.add.reduceat(hours, edges[:-1]) / count, np.add.reduceat(y, edges[:-1]) / count


def _theil_sen(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """(slope, level at x = 0), each float64 (m,), of the rows of y float64 (m, n)."""
    i, j = np.triu_indices(len(x), 1)
    slope = np.median((y[:, j] - y[:, i]) / (x[j] - x[i]), axis=1)
    return slope, np.median(y - slope[:, None] * x, axis=1)


def memory(residuals: Floats) -> float:
    """Lag-1 correlation that the wander may have, from residuals of a fitted line float64 (n,): in [0, MOST_MEMORY].

    A line takes part of a slow wander for its own: 2 + 4 phi of n are added for that, and one standard error, since the band must
    hold where the memory is longer than a day of levels shows. Source: Kendall 1954 (bias), Bartlett 1946 (error).
    """
    x, n = residuals - residuals.mean(), len(residuals)
    power = float(x @ x)
    phi = float(x[1:] @ x[:-1]) / power if power > 0 else 0.0
    phi += (2 + 4 * phi) / n
    phi += math.sqrt(max(1 - phi * phi, 0.0) / n)
    return min(max(phi, 0.0), MOST_MEMORY)


def _of_means(phi: float, m: float) -> float:
    """Lag-1 correlation of means of m neighbours of an AR(1) of phi."""
    if m <= 1 or phi <= 0:
        return phi
    gone = 1 - math.pow(phi, m)
    return phi * gone * gone / (m * (1 - phi * phi) - 2 * phi * gone)


def _wandering(residuals: Floats, phi: float, rng: np.random.Generator) -> Floats:
    """float64 (REPLICATES, n): AR(1) of phi from the residuals' own steps, drawn anew; a line has cost three of them."""
    n = len(residuals)
    steps = residuals[1:] - phi * residuals[:-1]
    steps = (steps - steps.mean()) * (len(steps) / (len(steps) - 3)) ** 0.5
    drawn = rng.choice(steps, (REPLICATES, n))
    drawn[:, 0] /= (1 - phi**2) ** 0.5
    for i in range(1, n):
        drawn[:, i] += phi * drawn[:, i - 1]
    return drawn


def forecast(line: Trendline | None, side: Side, limit: float) -> Forecast:
    """Time to one limit, in engineering units of the line. Shown only where the band is narrower than its distance (ML.md 3.11)."""
    if line is None:
        return Forecast("too_little")
    sign = 1.0 if side == "high" else -1.0
    distance, pace = sign * (limit - line.level), sign * line.slope
    if distance <= 0:
        return Forecast("beyond")
    if pace <= 0:
        return Forecast("away")
    ahead, paces = sign * (limit - line.levels - line.wander), sign * line.slopes
    never = (paces <= 0) & (ahead > 0)
    hours = np.where(never, np.inf, np.maximum(ahead, 0.0) / np.where(paces > 0, paces, 1.0))
    earliest, latest = np.quantile(hours, BAND, method="nearest")
    middle = distance / pace
    if not np.isfinite(latest):
        return Forecast("steady")
    if not latest - earliest < middle or not earliest <= middle <= latest:
        return Forecast("uncertain")
    if middle * HOUR_MS > FARTHEST * line.span_ms:
        return Forecast("far")
    times = [line.at + round(float(one) * HOUR_MS) for one in (middle, earliest, latest)]
    return Forecast("expected", times[0], times[1], times[2])


def clearest(lines: Sequence[Trendline | None], side: Side, limit: float) -> tuple[Forecast, Trendline | None]:
    """Of several spans the forecast with the narrowest band for its distance; the first line's word where none expects anything."""
    said = [(forecast(line, side, limit), line) for line in lines]
    sure = [pair for pair in said if pair[0].state == "expected"]
    return min(sure, key=_doubt) if sure else next((pair for pair in said if pair[1] is not None), (Forecast("too_little"), None))


def _doubt(pair: tuple[Forecast, Trendline | None]) -> float:
    found, line = pair
    if line is None or found.expected is None or found.earliest is None or found.latest is None:
        return np.inf
    return (found.latest - found.earliest) / max(found.expected - line.at, 1)
