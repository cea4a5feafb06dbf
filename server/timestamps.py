"""Times at the edges: RFC 3339 in bodies, ms UTC on the bus, a site's own day for everything called "today"."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import overload
from zoneinfo import ZoneInfo


def utc_now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


@overload
def rfc3339(at: datetime) -> str: ...
@overload
def rfc3339(at: None) -> None: ...
def rfc3339(at: datetime | None) -> str | None:
    """`2026-11-20T14:06:58.120Z`."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_ms(t: int) -> datetime:
    """Aware UTC from ms UTC."""
    return datetime.fromtimestamp(t / 1000, UTC)


def to_ms(at: datetime) -> int:
    """ms UTC from an aware time."""
    return round(at.timestamp() * 1000)


def day_of(now: datetime, time_zone: str) -> tuple[datetime, datetime]:
    """[start, end) of the site's calendar day that `now` falls in, as UTC; 23 or 25 hours long when clocks change."""
    zone = ZoneInfo(time_zone)
    today = now.astimezone(zone).date()
    start = datetime(today.year, today.month, today.day, tzinfo=zone)
    tomorrow = today + timedelta(days=1)
    end = datetime(tomorrow.year, tomorrow.month, tomorrow.day, tzinfo=zone)
    return start.astimezone(UTC), end.astimezone(UTC)
