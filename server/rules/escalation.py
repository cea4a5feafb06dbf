"""When an alert that nobody acknowledged is told again, and to whom next. Pure; the store keeps what was said.

A policy speaks first `after` the alert was raised, then every `repeat`, at most `rounds` times. Rounds that were missed while
nobody looked are not made up for: only the newest one is said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta

from realtime.events import Severity


@dataclass(frozen=True, slots=True)
class Step:
    """One policy of a site; shift None = at any hour, repeat None = once."""

    id: int
    severity: Severity
    after: timedelta
    repeat: timedelta | None = None
    rounds: int = 1
    shift: str | None = None


def due_round(step: Step, raised_at: datetime, now: datetime) -> int | None:
    """The newest round (0, 1, ...) whose time has come; None before the first."""
    late = now - raised_at - step.after
    if late < timedelta(0):
        return None
    if step.repeat is None:
        return 0
    return min(step.rounds - 1, late // step.repeat)


def shift_works(shifts: Iterable[Mapping[str, str]], name: str, local: datetime) -> bool:
    """Whether the shift of that name works at the local time; one of an unknown name never does."""
    spans = [(time.fromisoformat(one["start"]), time.fromisoformat(one["end"])) for one in shifts if one.get("name") == name]
    at = local.time()
    return any(start <= at < end if start < end else at >= start or at < end for start, end in spans)
