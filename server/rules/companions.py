"""What the signals of a machine did when one of them went wrong: how far each moved, and which of them usually move together. Pure.

Scales come from the hour before, as minute means: a healthy plant wanders, and readings alone say nothing of that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from math import sqrt
from statistics import median

MOVED, STILL = 5.0, 3.0  # spreads; between the two nobody should say either
FOLLOWS = 0.6  # correlation of minute means from which two signals vouch for each other
LEAST_POINTS = 30  # minutes of the hour before
WIDER = 4.0  # times the usual span of a minute
MAD_TO_SIGMA = 1.4826  # of a normal distribution


class Shape(StrEnum):
    """How the newest minute of a signal looks beside the hour before."""

    STILL = "still"
    WIDE = "wide"
    HIGHER = "higher"
    LOWER = "lower"
    AS_BEFORE = "as_before"


@dataclass(frozen=True, slots=True)
class Course:
    """One signal: minute -> (mean, span = max - min) of the hour before, and the newest minute's mean and span; engineering units."""

    before: Mapping[int, tuple[float, float]]
    mean: float
    span: float


def spread_of(means: Sequence[float]) -> float | None:
    """Robust standard deviation of minute means with the share of their resolution; None with fewer than LEAST_POINTS or none that moves.

    sqrt((1.4826 MAD)^2 + q^2 / 12), q = the smallest step seen.
    """
    if len(means) < LEAST_POINTS:
        return None
    centre = median(means)
    ordered = sorted(set(means))
    step = min((b - a for a, b in pairwise(ordered)), default=0.0)
    spread = sqrt((MAD_TO_SIGMA * median(abs(one - centre) for one in means)) ** 2 + step**2 / 12)
    return spread if spread > 0 else None


def movement(course: Course) -> float | None:
    """How many spreads the newest minute lies from the median of the hour before, signed; None where the hour says too little."""
    means = [mean for mean, _ in course.before.values()]
    spread = spread_of(means)
    return None if spread is None else (course.mean - median(means)) / spread


def shape(course: Course) -> Shape | None:
    """Still, wide, higher, lower or as before; None where the hour before says too little."""
    moved = movement(course)
    if moved is None:
        return None
    usual = median(span for _, span in course.before.values())
    if usual > 0 and course.span == 0:
        return Shape.STILL
    if usual > 0 and course.span >= WIDER * usual and abs(moved) < course.span / usual:
        return Shape.WIDE
    if abs(moved) >= MOVED:
        return Shape.HIGHER if moved > 0 else Shape.LOWER
    return Shape.AS_BEFORE


def correlation(one: Mapping[int, tuple[float, float]], other: Mapping[int, tuple[float, float]]) -> float | None:
    """Pearson's r of the minute means that both have, -1..1; None with fewer than LEAST_POINTS in common or a signal that stood still."""
    common = sorted(one.keys() & other.keys())
    if len(common) < LEAST_POINTS:
        return None
    a, b = [one[t][0] for t in common], [other[t][0] for t in common]
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    over_a, over_b = [x - mean_a for x in a], [y - mean_b for y in b]
    scale = sqrt(sum(x * x for x in over_a)) * sqrt(sum(y * y for y in over_b))
    if scale == 0:
        return None
    return max(-1.0, min(1.0, sum(x * y for x, y in zip(over_a, over_b, strict=True)) / scale))
