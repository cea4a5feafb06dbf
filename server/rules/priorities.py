"""Priorities of work orders: from severity and criticality, with the time each leaves and its number in the feed."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from realtime.events import Severity


class Priority(StrEnum):
    """In the order people work them off."""

    URGENT = "urgent"
    HIGH = "high"
    NORMAL = "normal"
    LOW = "low"


RANK = {priority: rank for rank, priority in enumerate(Priority, 1)}  # 1 urgent .. 4 low, `pri` of the feed
ACCEPTED_SPELLINGS = {"medium": Priority.NORMAL}  # S2-24

_LEAVES = {
    Priority.URGENT: timedelta(hours=2),
    Priority.HIGH: timedelta(hours=8),
    Priority.NORMAL: timedelta(days=3),
    Priority.LOW: timedelta(days=14),
}


def priority_for(severity: Severity, criticality: str) -> Priority:
    """Priority of an order that an alert opens where the policy row names none."""
    weighty = criticality in {"high", "critical"}
    if severity is Severity.CRITICAL:
        return Priority.HIGH if criticality == "low" else Priority.URGENT
    if severity is Severity.WARNING:
        return Priority.HIGH if weighty else Priority.NORMAL
    return Priority.LOW


def time_left(priority: Priority) -> timedelta:
    """Time from opening to due where nothing else says so."""
    return _LEAVES[priority]


def promised(opened_at: datetime, priority: Priority, hours: float | None) -> datetime:
    """Until when an order is promised: the site's own hours for its priority, else time_left; counted by the clock, nights too."""
    return opened_at + (time_left(priority) if hours is None else timedelta(hours=hours))


def parse(raw: str) -> Priority | None:
    """A priority from its name or an accepted spelling."""
    word = raw.lower()
    return ACCEPTED_SPELLINGS.get(word) or (Priority(word) if word in set(Priority) else None)
