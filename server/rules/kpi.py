"""Key figures of maintenance as pure functions; docs/kpi.md tells each formula in words and names where it comes from.

A figure nobody can know (nothing planned, no failure, nothing due) is None, never 0 or 100.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property

from server.rules.calendar import Span, common, merged, seconds
from server.rules.downtime import Category

HOURS_A_WEEK = 40.0  # of one technician, where nothing else is said


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with the number of things it was made of."""

    value: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Stop:
    """A stretch in which a machine stood for a reason of its own, clipped to the period; `begins` = it began in it."""

    span: Span
    category: Category
    begins: bool = True


@dataclass(frozen=True)
class MachineTime:
    """One machine in one period: planned production of which its state was known, and its stops."""

    planned: Sequence[Span]
    stops: Sequence[Stop]

    @cached_property
    def planned_s(self) -> float:
        """Seconds of planned production."""
        return seconds(self.planned)

    @cached_property
    def down_s(self) -> float:
        """Seconds of it in which the machine stood, whatever for."""
        return seconds(common(self.planned, down_spans(self.stops))) if self.stops else 0.0


def down_spans(stops: Iterable[Stop], *categories: Category) -> list[Span]:
    """Time of the stops of these categories, of all without any named; overlaps once."""
    return merged(stop.span for stop in stops if not categories or stop.category in categories)


def planned_s(machines: Iterable[MachineTime]) -> float:
    """Seconds of planned production, added up over machines."""
    return sum(machine.planned_s for machine in machines)


def down_in_planned_s(machines: Iterable[MachineTime]) -> float:
    """Seconds that machines stood within planned production, whatever for."""
    return sum(machine.down_s for machine in machines)


def availability(machines: Sequence[MachineTime]) -> Figure:
    """Percent of planned production in which machines did not stand; in [0, 100]. None where nothing was planned or known.

    Source: (planned time - downtime) / planned time, docs/kpi.md.
    """
    whole = planned_s(machines)
    if whole <= 0:
        return Figure(None, 0)
    return Figure(round(100 * (1 - down_in_planned_s(machines) / whole), 2), len(machines))


def failures(machines: Iterable[MachineTime]) -> int:
    """Unplanned stops that began in the period."""
    return sum(stop.begins and stop.category is Category.UNPLANNED for machine in machines for stop in machine.stops)


def mean_time_between_failures(machines: Sequence[MachineTime]) -> Figure:
    """Mean operating time between failures in seconds; None without a failure.

    Source: (planned time - downtime) / number of failures, docs/kpi.md. Repair time is not operating time.
    """
    count = failures(machines)
    operating = planned_s(machines) - down_in_planned_s(machines)
    return Figure(round(operating / count, 1) if count else None, count)


def mean_of(durations_s: Sequence[float]) -> Figure:
    """Mean seconds; None without one."""
    return Figure(round(sum(durations_s) / len(durations_s), 1) if durations_s else None, len(durations_s))


def share(part: int, whole: int) -> Figure:
    """Percent of the whole; None of nothing. Raises ValueError when the part is more than the whole."""
    if not 0 <= part <= whole:
        raise ValueError(f"{part} of {whole}")
    return Figure(round(100 * part / whole, 1) if whole else None, whole)


def in_time(dues: Iterable[tuple[datetime, datetime | None]]) -> Figure:
    """Percent of (latest, done) that were done by their latest moment."""
    rows = list(dues)
    return share(sum(done is not None and done <= latest for latest, done in rows), len(rows))


def backlog_weeks(estimated_min: int, orders: int, people: int, hours_a_week: float = HOURS_A_WEEK) -> Figure:
    """Weeks that the technicians need for the work that waits; None without technicians.

    Source: waiting work in hours / hours that technicians have in a week, docs/kpi.md.
    """
    capacity = people * hours_a_week
    return Figure(round(estimated_min / 60 / capacity, 2) if capacity > 0 else None, orders)


@dataclass(frozen=True, slots=True)
class Cost:
    """Money of a period."""

    labour: Decimal
    parts: Decimal
    downtime: Decimal

    @property
    def total(self) -> Decimal:
        """All of it."""
        return self.labour + self.parts + self.downtime
