"""When each group of a polled source is due: a fixed grid of the monotonic clock. Pure but for the start time it is given.

No drift, nothing queued up: a cycle that took too long skips to the next grid point and is counted.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Mapping, Sequence

from realtime.snapshot import Source, Tag

LEAST_PERIOD_S = 0.05


def periods_of(source: Source, tags: Sequence[Tag]) -> dict[str, float]:
    """Seconds between polls of each group that has tags: the source's group, else the fastest of its tags' periods."""
    periods: dict[str, float] = {}
    for tag in tags:
        period = source.groups.get(tag.group, min(tag.period_s, periods.get(tag.group, tag.period_s)))
        periods[tag.group] = max(period, LEAST_PERIOD_S)
    return periods


class Grid:
    """Due times of groups; the fastest goes first where several are due."""

    def __init__(self, periods: Mapping[str, float], start: float | None = None) -> None:
        self.periods = dict(sorted(periods.items(), key=lambda item: item[1]))
        self.overruns = 0
        self.took_ms: dict[str, float] = {}
        first = time.monotonic() if start is None else start
        self._due = dict.fromkeys(self.periods, first)
        self._spent_s = dict.fromkeys(self.periods, 0.0)

    def next_due(self, now: float = float("-inf")) -> tuple[str, float] | None:
        """The fastest of those that are due by now, else the group that is due first; and when. None without groups."""
        if not self._due:
            return None
        overdue = next((name for name in self.periods if self._due[name] <= now), None)
        group = overdue or min(self._due, key=lambda name: self._due[name])
        return group, self._due[group]

    def room_s(self, group: str, now: float) -> float:
        """Seconds until a faster group is due: so long may a poll of this one last before it makes way; 0 where none is faster."""
        faster = [due for name, due in self._due.items() if self.periods[name] < self.periods[group]]
        return max(min(faster) - now, 1e-6) if faster else 0.0

    def partly(self, group: str, began: float, now: float) -> None:
        """Some of the group was polled; it stays due."""
        self._spent_s[group] += now - began

    def done(self, group: str, now: float, began: float | None = None) -> None:
        """The group was polled, or the rest of it, since `began`, by `now`; its next grid point lies after that."""
        self.took_ms[group] = round((self._spent_s[group] + (now - began if began is not None else 0.0)) * 1000, 1)
        self._spent_s[group] = 0.0
        period = self.periods[group]
        due = self._due[group] + period
        if due <= now:
            missed = int((now - due) // period) + 1
            self.overruns += missed
            due += missed * period
        self._due[group] = due


def spread_start(name: str, period_s: float) -> float:
    """When a source's grid begins, on the monotonic clock: each source at a phase of its own, so that none polls in step with others."""
    phase = zlib.crc32(name.encode()) % 1000 / 1000 * period_s
    now = time.monotonic()
    return now + (phase - now) % period_s
