"""Planned-production time: a weekly pattern and its exceptions in a site's own time, as spans of UTC. Interval arithmetic.

Nothing here reads a table or a clock; times are aware, spans hold their start and not their end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from operator import attrgetter
from zoneinfo import ZoneInfo

ONE_DAY = timedelta(days=1)
IN_TIME = attrgetter("start", "end")
SHIFT_WITHIN = 31  # days that a due date is moved at most to find a day with production


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """[start, end), aware."""

    start: datetime
    end: datetime

    @property
    def seconds(self) -> float:
        """Its length in elapsed time, whatever the clocks on the wall did."""
        return (self.end.astimezone(UTC) - self.start.astimezone(UTC)).total_seconds()


@dataclass(frozen=True, slots=True)
class Window:
    """Wall-clock hours of a day; an end at or before the start is on the next day."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class Pattern:
    """weekly: weekday (Monday 0) -> windows; exceptions: what a date has instead, nothing = closed. always: around the clock."""

    weekly: Mapping[int, Sequence[Window]] = field(default_factory=dict)
    exceptions: Mapping[date, Sequence[Window]] = field(default_factory=dict)
    always: bool = False

    def windows(self, day: date) -> Sequence[Window]:
        """Windows that begin on this day."""
        if day in self.exceptions:
            return self.exceptions[day]
        return (Window(time(0), time(0)),) if self.always else self.weekly.get(day.weekday(), ())


ALWAYS = Pattern(always=True)


def merged(spans: Iterable[Span]) -> list[Span]:
    """The same time as ascending spans that neither touch nor overlap; empty ones are gone."""
    joined: list[Span] = []
    for span in sorted((span for span in spans if span.end > span.start), key=IN_TIME):
        if joined and span.start <= joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, span.end))
        else:
            joined.append(span)
    return joined


def common(first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """Time that is in both."""
    ours, theirs = merged(first), merged(second)
    found: list[Span] = []
    i = j = 0
    while i < len(ours) and j < len(theirs):
        start, end = max(ours[i].start, theirs[j].start), min(ours[i].end, theirs[j].end)
        if start < end:
            found.append(Span(start, end))
        if ours[i].end <= theirs[j].end:
            i += 1
        else:
            j += 1
    return found


def without(first: Iterable[Span], second: Iterable[Span]) -> list[Span]:
    """Time of the first that is not in the second."""
    left: list[Span] = []
    holes = merged(second)
    for span in merged(first):
        start = span.start
        for hole in holes:
            if hole.end <= start:
                continue
            if hole.start >= span.end:
                break
            if hole.start > start:
                left.append(Span(start, hole.start))
            start = hole.end
        if start < span.end:
            left.append(Span(start, span.end))
    return left


def seconds(spans: Iterable[Span]) -> float:
    """Elapsed time of the spans, overlaps counted once."""
    return sum(span.seconds for span in merged(spans))


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """UTC of a wall-clock time; one that the spring change leaves out is as much later as the clocks jumped, of a doubled one the first."""
    return datetime.combine(day, at, zone).astimezone(UTC)


def planned(pattern: Pattern, zone: ZoneInfo, start: datetime, end: datetime) -> list[Span]:
    """Planned production within [start, end); a night shift on the day clocks change is 7 or 9 hours long."""
    if pattern == ALWAYS:
        return merged([Span(start, end)])
    day, last = start.astimezone(zone).date() - ONE_DAY, end.astimezone(zone).date()
    spans: list[Span] = []
    while day <= last:
        for window in pattern.windows(day):
            until = day if window.end > window.start else day + ONE_DAY
            spans.append(Span(moment(day, window.start, zone), moment(until, window.end, zone)))
        day += ONE_DAY
    return common(spans, [Span(start, end)])


def is_working(pattern: Pattern, day: date) -> bool:
    """Whether production begins on this day."""
    return bool(pattern.windows(day))


def shifted(day: date, shift: str, pattern: Pattern) -> date:
    """The day, or the nearest working one `before` or `after` it; the day itself where there is none within a month."""
    if shift == "none" or is_working(pattern, day):
        return day
    step = ONE_DAY if shift == "after" else -ONE_DAY
    moved = day
    for _ in range(SHIFT_WITHIN):
        moved += step
        if is_working(pattern, moved):
            return moved
    return day
