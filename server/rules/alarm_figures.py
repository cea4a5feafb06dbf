"""Alarm figures as EEMUA 191 and ISA-18.2 count them: rate per operator, floods, chattering, stale, the ten worst. Pure.

What would remove a bad actor is the store's business. Sources and limits: docs/alarm-figures.md.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

WINDOW = timedelta(minutes=10)
ACCEPTABLE = 1.0  # new alarms per operator in ten minutes
FLOOD_ABOVE, FLOOD_OVER_BELOW = 10, 5  # new alarms in ten minutes: more than, fewer than
CHATTER_TIMES, CHATTER_WITHIN = 3, timedelta(minutes=1)
STALE_AFTER = timedelta(hours=24)
WORST = 10


@dataclass(frozen=True, slots=True)
class Spell:
    """An alarm that stood once: what it is about, from when, until when (None = still standing)."""

    subject: str
    raised: datetime
    returned: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rate:
    """New alarms per operator in ten minutes: the mean over the span, the worst ten minutes, and the share of them acceptable."""

    raised: int
    mean: float
    peak: float
    acceptable_share: float


@dataclass(frozen=True, slots=True)
class Flood:
    """From the first alarm of the ten minutes that had more than ten, until ten minutes had fewer than five; None = still on."""

    start: datetime
    end: datetime | None
    raised: int


@dataclass(frozen=True, slots=True)
class Actor:
    """One of the worst: how often it was raised and its share of all."""

    subject: str
    raised: int
    share: float


def rate(spells: Sequence[Spell], start: datetime, end: datetime, operators: int) -> Rate:
    """Over [start, end) in whole windows from start; the last may be cut short. Raises ValueError for an empty span or no operator."""
    if start >= end or operators < 1:
        raise ValueError("a span and at least one operator are needed")
    windows = max(1, -((start - end) // WINDOW))
    counts = Counter((spell.raised - start) // WINDOW for spell in spells if start <= spell.raised < end)
    total = counts.total()
    busy = sum(n / operators > ACCEPTABLE for n in counts.values())
    return Rate(total, total / operators / windows, max(counts.values(), default=0) / operators, 1 - busy / windows)


def floods(spells: Iterable[Spell]) -> list[Flood]:
    """Every flood, by a window that slides: on at the eleventh alarm in ten minutes, over when fewer than five are left in it."""
    found: list[Flood] = []
    recent: deque[datetime] = deque()
    start: datetime | None = None
    raised = 0
    for at in sorted(spell.raised for spell in spells):
        while recent and at - recent[0] >= WINDOW:
            gone = recent.popleft()
            if start is not None and len(recent) < FLOOD_OVER_BELOW:
                found.append(Flood(start, gone + WINDOW, raised))
                start = None
        recent.append(at)
        if start is not None:
            raised += 1
        elif len(recent) > FLOOD_ABOVE:
            start, raised = recent[0], len(recent)
    if start is not None:
        found.append(Flood(start, None, raised))
    return found


def ended_by(found: Sequence[Flood], spells: Sequence[Spell], now: datetime) -> list[Flood]:
    """The same floods, the last one ended where by `now` fewer than five alarms of the last ten minutes are left."""
    if not found or found[-1].end is not None:
        return list(found)
    last = sorted(spell.raised for spell in spells)[-FLOOD_OVER_BELOW:]
    over = last[0] + WINDOW  # then only four of them are left
    return [*found[:-1], Flood(found[-1].start, over, found[-1].raised)] if over <= now else list(found)


def in_flood(raised: Iterable[datetime], now: datetime) -> bool:
    """Whether a flood is on, by the times at which alarms were raised lately."""
    spells = [Spell("", at) for at in raised if at <= now]
    found = ended_by(floods(spells), spells, now)
    return bool(found) and found[-1].end is None


def chattering(spells: Iterable[Spell]) -> dict[str, int]:
    """Subjects raised three times or more within one minute, with the most raises in any minute."""
    found: dict[str, int] = {}
    recent: dict[str, deque[datetime]] = {}
    for spell in sorted(spells, key=lambda spell: spell.raised):
        times = recent.setdefault(spell.subject, deque())
        times.append(spell.raised)
        while spell.raised - times[0] > CHATTER_WITHIN:
            times.popleft()
        if len(times) >= CHATTER_TIMES:
            found[spell.subject] = max(found.get(spell.subject, 0), len(times))
    return found


def stale(spells: Iterable[Spell], now: datetime) -> dict[str, timedelta]:
    """Subjects that stand now for more than 24 hours, with how long."""
    standing = {spell.subject: now - spell.raised for spell in spells if spell.returned is None}
    return {subject: age for subject, age in standing.items() if age > STALE_AFTER}


def worst(spells: Iterable[Spell], count: int = WORST) -> list[Actor]:
    """The subjects raised most, most first; equal ones by name."""
    counts = Counter(spell.subject for spell in spells)
    total = counts.total()
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:count]
    return [Actor(subject, n, n / total) for subject, n in ranked]


def remedy(what: str, *, chatters: bool, stands: bool, mostly_false: bool, usual: str) -> tuple[str, str]:
    """(title, why) of the order that would remove a bad actor; `what` is its tag or asset, `usual` the alert's own order title."""
    if chatters:
        return f"Set deadband or delay of {what}", "it is raised three times or more in a minute: the limit lies within the noise"
    if stands:
        return f"Repair or retire the alarm of {what}", "it stands for more than a day: nobody acts on it, or nobody can"
    if mostly_false:
        return f"Review the limit of {what}", "most verdicts say that nothing was wrong"
    return usual, "the cause that it names is still there"
