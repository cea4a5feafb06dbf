"""Calibration by numbers: errors in % of span, the tolerance of an accuracy class, pass or fail, the next due date. Pure.

What a failed calibration leads to (orders, reviews) is the store's business; intervals are in server/rules/interval.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

POINTS_MANY = 5  # one point, or five and more: two to four neither check a point nor a line
POINTS_MOST = 50
DECIMALS = 4  # of an error in % of span; far below any accuracy class

# "0.5", "0,5 %", "class 1", "Cl. 1.6", "±0.25 % FS", "0.1 % of span"
_CLASS = re.compile(r"(?:class|cl\.?)?\s*(?:±|\+/-)?\s*(\d{1,3}(?:[.,]\d{1,4})?)\s*%?\s*(?:(?:of )?(?:fs|full scale|span))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Point:
    """One point of a calibration: what the standard applied and what the instrument read, in engineering units."""

    applied: float
    reading: float


@dataclass(frozen=True, slots=True)
class Judged:
    """Errors of the points in % of span, in their order; `worst` is the largest in size, with its sign."""

    errors_pct: tuple[float, ...]
    worst_pct: float
    passed: bool


def tolerance_of(accuracy_class: str) -> float | None:
    """Tolerance in ± % of span that an accuracy class says; None where the text says none.

    Source: IEC 60051-1 and IEC 61298: the class is the limit of the intrinsic error in % of the fiducial value, here the span.
    """
    found = _CLASS.fullmatch(accuracy_class.strip())
    tolerance = float(found[1].replace(",", ".")) if found else 0.0
    return tolerance if 0 < tolerance <= 100 else None


def error_pct(point: Point, low: float, high: float) -> float:
    """(reading - applied) / span in %; raises ValueError where the range has no span."""
    if not high > low:
        raise ValueError("the range has no span")
    return round((point.reading - point.applied) / (high - low) * 100, DECIMALS)


def judge(points: Sequence[Point], low: float, high: float, tolerance_pct: float) -> Judged:
    """Every point's error and whether all lie within the tolerance, its edge included; raises ValueError without points."""
    errors = tuple(error_pct(point, low, high) for point in points)
    worst = max(errors, key=abs)
    return Judged(errors, worst, abs(worst) <= tolerance_pct)


def points_problem(points: Sequence[Point]) -> str | None:
    """What is wrong with the number of points; None when nothing is."""
    if len(points) == 1 or POINTS_MANY <= len(points) <= POINTS_MOST:
        return None
    return f"one point, or {POINTS_MANY} to {POINTS_MOST}"


def next_due(performed_at: datetime, interval_days: int | None, *, passed: bool) -> datetime | None:
    """When the instrument is due again; None where nothing says how often, or where it was left out of tolerance."""
    if interval_days is None or not passed:
        return None
    return performed_at + timedelta(days=interval_days)


def is_overdue(due: datetime | None, now: datetime) -> bool:
    """Whether the day has come; an instrument without a due date is never overdue."""
    return due is not None and due <= now


def nominal_points(low: float, high: float) -> list[float]:
    """The five points of a certificate that is not yet filled: 0, 25, 50, 75 and 100 % of the span."""
    return [low + (high - low) * share / 4 for share in range(5)]
