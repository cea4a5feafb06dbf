"""How often an instrument needs calibration, from how fast it drifts, with every step of the calculation. Pure.

A proposal only: the interval changes when a person accepts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

DAYS_PER_YEAR = 365.25
USED_SHARE = 0.8  # of the tolerance: the error should be found before it has used it up
SHORTEST_DAYS, LONGEST_DAYS = 30, 1825
LARGEST_STEP = 2.0  # a stable instrument's interval grows at most so much at once, as NCSLI RP-1 advises for reactive methods
PCT, PCT_PER_YEAR, DAYS = "% of span", "% of span per year", "days"
SLOW_PCT_PER_YEAR = 1e-6  # below it nothing drifts: the interval is bounded by the other steps


@dataclass(frozen=True, slots=True)
class Check:
    """One calibration in the history: the worst error found and left, in % of span."""

    at: datetime
    found_pct: float
    left_pct: float


@dataclass(frozen=True, slots=True)
class Drift:
    """% of span per year, with its sign; `method` last_pair or least_squares over `n` calibrations."""

    pct_per_year: float
    method: str
    n: int


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the calculation as a person reads it; `code` names it for pages in other languages."""

    code: str
    text: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class Proposal:
    """What is proposed and how it was reached."""

    days: int
    drift: Drift
    steps: tuple[Step, ...]


def drift_rate(history: Sequence[Check]) -> Drift | None:
    """Drift from calibrations in order of time; None with fewer than two, or all at one time.

    Between two calibrations the instrument moved by found - left of the one before: what was adjusted is no drift. With one such
    move it is the rate; with more it is the slope of their running sum by least squares (ordinary, over years).
    Source: docs/calibration.md.
    """
    if len(history) < 2:
        return None
    start = history[0].at
    years, moved = [0.0], [0.0]
    for before, after in pairwise(history):
        years.append((after.at - start).total_seconds() / 86_400 / DAYS_PER_YEAR)
        moved.append(moved[-1] + after.found_pct - before.left_pct)
    mean_x, mean_y = sum(years) / len(years), sum(moved) / len(moved)
    spread = sum((x - mean_x) ** 2 for x in years)
    if spread == 0:
        return None
    slope = sum((x - mean_x) * (y - mean_y) for x, y in zip(years, moved, strict=True)) / spread
    return Drift(slope, "last_pair" if len(history) == 2 else "least_squares", len(history))


def propose(history: Sequence[Check], tolerance_pct: float, current_days: int | None) -> Proposal | None:
    """The interval after which the error reaches 80 % of the tolerance; None where no drift rate can be told.

    The error starts at what the last calibration left and is taken to grow away from zero, whatever the signs: the cautious case.
    """
    drift = drift_rate(history)
    if drift is None:
        return None
    rate, left = abs(drift.pct_per_year), abs(history[-1].left_pct)
    room = max(USED_SHARE * tolerance_pct - left, 0.0)
    upper = LONGEST_DAYS if current_days is None else min(LONGEST_DAYS, round(LARGEST_STEP * current_days))
    upper = max(upper, SHORTEST_DAYS)
    reached = room / rate * DAYS_PER_YEAR if rate > SLOW_PCT_PER_YEAR else float(upper)
    days = int(min(max(reached, SHORTEST_DAYS), upper))
    reached_at = USED_SHARE * tolerance_pct
    longest = "Longest interval allowed" + ("" if current_days is None else ", at most twice the present one")
    steps = (
        Step("calibrations", "Calibrations looked at", drift.n, ""),
        Step(f"drift_{drift.method}", f"Drift rate ({drift.method.replace('_', ' ')})", round(drift.pct_per_year, 4), PCT_PER_YEAR),
        Step("tolerance", "Tolerance", tolerance_pct, PCT),
        Step("reached", f"Error to be reached at most: {USED_SHARE:.0%} of the tolerance", round(reached_at, 4), PCT),
        Step("left", "Error left at the last calibration", round(left, 4), PCT),
        Step("room", "Room for drift", round(room, 4), PCT),
        Step("time", "Time until the room is used", round(min(reached, 1e6), 1), DAYS),
        Step("shortest", "Shortest interval allowed", SHORTEST_DAYS, DAYS),
        Step("longest", longest, upper, DAYS),
        Step("proposed", "Proposed interval", days, DAYS),
    )
    return Proposal(days, drift, steps)
