"""Downtime: how long machines stood within a span, and what a machine stands for while its parents and itself come and go."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from enum import StrEnum

from server.rules.asset import Operating

DOWN = frozenset({Operating.FAULT, Operating.STOPPED})
CENT = Decimal("0.01")
HOUR_S = 3600


class Category(StrEnum):
    """What a stretch was for; a fault is unplanned by itself, a stop waits for a person to say it."""

    PLANNED = "planned"
    UNPLANNED = "unplanned"
    UNCLASSIFIED = "unclassified"


@dataclass(frozen=True, slots=True)
class Stretch:
    """A state from `start` to `end`; None = still so."""

    start: datetime
    end: datetime | None


@dataclass(frozen=True, slots=True)
class OpenRow:
    """The open row of a machine: `cause` is the row it stands because of, None = for a reason of its own."""

    id: int
    cause: int | None


OWN = 0  # no row has this id


def stands_for(*, own_down: bool, above: int | None, current: OpenRow | None) -> int | None:
    """What a machine stands for: OWN, the id of the row above it that keeps it, or None while it runs.

    above: the parent's cause, or the parent's row where that is its own. A machine that stood first keeps its own row while its
    parent stands too; one that its parent stopped, and that is faulty besides, stands for itself from when the parent runs.
    """
    was_own = current is not None and current.cause is None
    return OWN if own_down and (was_own or above is None) else above


def category_at_start(operating: Operating, *, in_planned_work: bool) -> Category:
    """What a new row is until a person says more."""
    if in_planned_work:
        return Category.PLANNED
    return Category.UNPLANNED if operating is Operating.FAULT else Category.UNCLASSIFIED


def total_s(stretches: Iterable[Stretch], start: datetime, end: datetime) -> float:
    """Seconds of the stretches within [start, end), added up: two machines down for a minute are two minutes."""
    clipped = ((max(stretch.start, start), min(stretch.end or end, end)) for stretch in stretches)
    return sum((to - since).total_seconds() for since, to in clipped if to > since)


def overlaps(first: Stretch, second: Stretch) -> bool:
    """Whether two stretches share time; touching ends do not."""
    return (second.end is None or first.start < second.end) and (first.end is None or second.start < first.end)


def money(seconds: float, rate: Decimal | None) -> Decimal:
    """Minutes x machine rate (money an hour), to the cent; no rate = no money."""
    if rate is None:
        return Decimal("0.00")
    return (Decimal(str(seconds)) / HOUR_S * rate).quantize(CENT, ROUND_HALF_UP)
