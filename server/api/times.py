"""Times in queries and readings: RFC 3339 or epoch; ms UTC inside."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import marshmallow as ma

from server.errors import Invalid

EARLIEST_MS = 0
LATEST_MS = 4_102_444_800_000  # 2100-01-01
MS_FROM = 100_000_000_000  # smaller numbers are seconds: 1e11 s is the year 5138, 1e11 ms was March 1973
LONGEST = timedelta(days=366 * 10)


def to_ms(value: Any) -> int:
    """ms UTC of an RFC 3339 text or an epoch in seconds or ms; raises ValueError."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        ms = round(value if abs(value) >= MS_FROM else value * 1000)
    elif isinstance(value, str) and len(value) <= 40:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("a time needs its zone: Z or +01:00")
        ms = round(moment.timestamp() * 1000)
    else:
        raise ValueError("not a time")
    if not EARLIEST_MS <= ms <= LATEST_MS:
        raise ValueError("before 1970 or after 2100")
    return ms


class Moment(ma.fields.Field[int]):
    """A time in a query; ms UTC after loading."""

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> int:
        del attr, data, kwargs
        text = str(value).strip().replace(" ", "+")  # a plus that a client did not escape
        try:
            return to_ms(float(text) if text.replace(".", "", 1).isdigit() else text)
        except (ValueError, OverflowError) as error:
            raise ma.ValidationError("Not an RFC 3339 time or epoch.") from error


class Instant(ma.fields.AwareDateTime):
    """A time in a body, with its zone, between 1970 and 2100: every one of them has a UTC form."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(format="iso", **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any) -> datetime:
        at: datetime = super()._deserialize(value, attr, data, **kwargs)
        if not EARLIEST_MS <= at.timestamp() * 1000 <= LATEST_MS:
            raise ma.ValidationError("Before 1970 or after 2100.")
        return at


class Span(ma.Schema):
    """Query part of everything that covers a span of time."""

    from_ = Moment(data_key="from", metadata={"type": "string", "description": "RFC 3339 or epoch; default one hour before `to`"})
    to = Moment(metadata={"type": "string", "description": "RFC 3339 or epoch; default now"})


def span_of(query: Mapping[str, Any], now: datetime) -> tuple[int, int]:
    """(start, end) in ms UTC; raises Invalid when they are the wrong way round or too far apart."""
    end = int(query.get("to", now.timestamp() * 1000))
    start = int(query.get("from_", end - 3_600_000))
    if start >= end:
        raise Invalid("from", "order", "must be before `to`")
    if end - start > LONGEST.total_seconds() * 1000:
        raise Invalid("from", "too_long", "a span is ten years at most")
    return start, end
