"""When a plan falls due next: recurrence rules in a site's own time, meters, season, days without production, tolerance.

Nothing here reads a table or a clock. Recurrences are those of RFC 5545 as dateutil reads them, by the wall clock of the site.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.rrule import rrule, rrulestr

from server.rules.calendar import ALWAYS, SHIFT_WITHIN, Pattern, moment, shifted

LOOKED_AHEAD = timedelta(days=366 * 12)  # a leap-day rule has one within eight years
LONGEST_RULE, LONGEST_INTERVAL = 300, 4000
REFUSED = ("COUNT", "UNTIL", "BYHOUR", "BYMINUTE", "BYSECOND", "DTSTART", "EXRULE", "RDATE", "EXDATE", "\n")
FREQUENCIES = ("FREQ=DAILY", "FREQ=WEEKLY", "FREQ=MONTHLY", "FREQ=YEARLY")


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan says of its due dates; months empty = in season all year."""

    starts_on: date
    at: time = time(8)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    months: frozenset[int] = frozenset()
    shift: str = "none"
    pattern: Pattern = ALWAYS


def read_rule(text: str, first: datetime, until: datetime) -> rrule:
    """A recurrence rule from one naive local time to another; raises ValueError with what is wrong with it."""
    upper = text.upper()
    if len(text) > LONGEST_RULE or any(word in upper for word in REFUSED):
        raise ValueError("one RRULE of days, weeks, months or years; the time of day stands in `at`, an end is the plan's `active`")
    if not any(word in upper for word in FREQUENCIES):
        raise ValueError(f"one of {', '.join(FREQUENCIES)}")
    try:
        rule = rrulestr(text, dtstart=first)
        bounded = rule.replace(until=until) if isinstance(rule, rrule) else None
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError) as error:
        raise ValueError(str(error) or "not a recurrence rule") from error
    if bounded is None or not 1 <= bounded._interval <= LONGEST_INTERVAL:  # type: ignore[attr-defined]
        raise ValueError(f"one rule with an interval of 1 to {LONGEST_INTERVAL}")
    return bounded


def in_season(day: date, months: frozenset[int]) -> bool:
    """Whether the plan is active in this month."""
    return not months or day.month in months


def due_dates(rule: str, terms: Terms, after: datetime | None, *, since: date | None = None) -> Iterator[datetime]:
    """Due times (UTC, ascending, each once) later than `after`, at most twelve years ahead.

    since: the day the rule counts from, else the plan's first day. A day out of season is left out, one without production
    moved; days that are moved onto each other are one.
    """
    last = after
    for nominal in _nominal(rule, since or terms.starts_on, terms, after):
        if not in_season(nominal, terms.months):
            continue
        due = moment(shifted(nominal, terms.shift, terms.pattern), terms.at, terms.zone)
        if last is None or due > last:
            yield due
            last = due


def _nominal(rule: str, anchor: date, terms: Terms, after: datetime | None) -> Iterator[date]:
    """Days that the rule names, from a little before `after`, since a later one may be moved in front of an earlier."""
    first = datetime.combine(anchor, time())
    begin = first
    if after is not None:
        begin = max(first, after.astimezone(terms.zone).replace(tzinfo=None) - timedelta(days=SHIFT_WITHIN + 1))
    return (found.date() for found in read_rule(rule, first, begin + LOOKED_AHEAD).xafter(begin, inc=True))


def next_due(rule: str, terms: Terms, *, last_due: datetime | None, last_done: datetime | None, floating: bool) -> datetime | None:
    """The next due time of a calendar trigger; None when the rule has ended.

    Fixed: the first of the grid after the last due one, whenever that was done. Floating: one interval after the last time it
    was done, and never a time that is past already.
    """
    if last_done is None or not floating:
        return next(due_dates(rule, terms, last_due), None)
    done_on = last_done.astimezone(terms.zone).date()
    anchor = done_on if _by_days(rule) else done_on.replace(day=min(done_on.day, 28))  # the 31st has no successor in February
    latest = max(last_done, last_due) if last_due is not None else last_done
    end_of_day = moment(done_on + timedelta(days=1), time(0), terms.zone)
    return next(due_dates(rule, terms, max(latest, end_of_day - timedelta(microseconds=1)), since=anchor), None)


def _by_days(rule: str) -> bool:
    return any(word in rule.upper() for word in ("FREQ=DAILY", "FREQ=WEEKLY"))


def season_opens(at: datetime, terms: Terms) -> datetime:
    """The time itself while the plan is in season, else the first day of the next month in which it is."""
    day = at.astimezone(terms.zone).date()
    if in_season(day, terms.months):
        return at
    while not in_season(day, terms.months):
        day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return moment(shifted(day, terms.shift, terms.pattern), terms.at, terms.zone)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """Days that an occurrence may be done early or late and still counts as in time."""

    early_days: int
    late_days: int

    def around(self, due: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
        """[first, last] moments of the due time's tolerance, by whole days of the site."""
        day = due.astimezone(zone).date()
        first = moment(day - timedelta(days=self.early_days), time(0), zone)
        last = moment(day + timedelta(days=self.late_days + 1), time(0), zone) - timedelta(seconds=1)
        return first, last

    def holds(self, due: datetime, done: datetime, zone: ZoneInfo) -> bool:
        """Whether `done` is in time for `due`."""
        first, last = self.around(due, zone)
        return first <= done <= last


def next_base(base: float, every: float, total: float, *, floating: bool) -> float:
    """Where a meter trigger counts from next: floating, from the total at which it was done; fixed, one further on its grid."""
    return max(total, base) if floating else base + every
