"""Downtime: how long machines stood within a span."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """A state from `start` to `end`; None = still so."""

    start: datetime
    end: datetime | None


def total_s(stretches: Iterable[Stretch], start: datetime, end: datetime) -> float:
    """Seconds of the stretches within [start, end), added up: two machines down for a minute are two minutes."""
    clipped = ((max(stretch.start, start), min(stretch.end or end, end)) for stretch in stretches)
    return sum((to - since).total_seconds() for since, to in clipped if to > since)
