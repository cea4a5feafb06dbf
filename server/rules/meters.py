"""How meters count: run hours from operating stretches, pulses from a counter that rolls over or starts anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from server.rules.calendar import Span, common, seconds, without

HOUR_S = 3600.0


def run_hours(running: Iterable[Span], parents_down: Iterable[Span], start: datetime, end: datetime) -> float:
    """Hours within [start, end) that the machine ran and none of its parents stood; unknown time is in neither and never counts."""
    return seconds(without(common(running, [Span(start, end)]), parents_down)) / HOUR_S


def pulses(values: Sequence[float], last: float | None, rollover: float | None) -> tuple[float, float | None]:
    """(growth, last value) of a counter over its good readings in order of time; the first reading ever only sets where it starts.

    A counter that falls has rolled over when `rollover` is known and the step is the shorter way round; else it was reset and
    has counted `value` since.
    """
    growth = 0.0
    for value in values:
        if last is not None:
            growth += _step(last, value, rollover)
        last = value
    return growth, last


def _step(last: float, value: float, rollover: float | None) -> float:
    if value >= last:
        return value - last
    round_the_end = rollover - last + value if rollover is not None and last < rollover else None
    if rollover is not None and round_the_end is not None and round_the_end <= rollover / 2:
        return round_the_end
    return max(value, 0.0)
