"""Forecast of a meter: when it reaches a total, from how fast it grew lately. Straight lines only; no learning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from math import sqrt

DAY_S = 86_400.0
LEAST_DAYS = 1.0  # of readings; less says nothing
STEADY, LOOSE = 0.15, 0.5  # standard error of the mean rate, as part of it
FURTHEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Usage:
    """How fast a meter grows: per day, its standard error, and the days that were seen."""

    per_day: float
    error: float
    days: float

    @property
    def confidence(self) -> str:
        """high, medium or low: by how even the use was and how long it was seen."""
        if self.per_day <= 0 or self.days < 3:
            return "low"
        spread = self.error / self.per_day
        if spread <= STEADY and self.days >= 7:
            return "high"
        return "medium" if spread <= LOOSE else "low"


@dataclass(frozen=True, slots=True)
class Forecast:
    """When a total is reached: by the mean rate, and 95 % bounds; None = not within ten years."""

    due: datetime | None
    earliest: datetime | None
    latest: datetime | None


def usage(samples: Sequence[tuple[datetime, float]], now: datetime, window: timedelta) -> Usage | None:
    """Mean use per day over the window from ascending (time, total) samples; None with less than a day of them.

    The error is that of the mean of daily use: each day's growth, read off the line between samples.
    """
    seen = [(at, total) for at, total in samples if now - window <= at <= now]
    if len(seen) < 2:
        return None
    days = (seen[-1][0] - seen[0][0]).total_seconds() / DAY_S
    if days < LEAST_DAYS:
        return None
    per_day = (seen[-1][1] - seen[0][1]) / days
    steps = [_between(seen, seen[0][0] + timedelta(days=day)) for day in range(int(days) + 1)]
    daily = [later - earlier for earlier, later in pairwise(steps)]
    mean = sum(daily) / len(daily)
    spread = sum((value - mean) ** 2 for value in daily) / max(1, len(daily) - 1)
    return Usage(per_day, sqrt(spread / len(daily)), days)


def _between(samples: Sequence[tuple[datetime, float]], at: datetime) -> float:
    before = max((row for row in samples if row[0] <= at), key=lambda row: row[0])
    after = next((row for row in samples if row[0] > at), None)
    if after is None or after[0] == before[0]:
        return before[1]
    share = (at - before[0]) / (after[0] - before[0])
    return before[1] + share * (after[1] - before[1])


def reach(total: float, target: float, rate: Usage | None, now: datetime) -> Forecast:
    """When `target` is reached; now where it is already."""
    if total >= target:
        return Forecast(now, now, now)
    if rate is None:
        return Forecast(None, None, None)
    left = target - total
    fast, slow = rate.per_day + 1.96 * rate.error, rate.per_day - 1.96 * rate.error
    return Forecast(_after(left, rate.per_day, now), _after(left, fast, now), _after(left, slow, now))


def _after(left: float, per_day: float, now: datetime) -> datetime | None:
    if per_day <= 0 or left / per_day > FURTHEST / timedelta(days=1):
        return None
    return now + timedelta(days=left / per_day)
