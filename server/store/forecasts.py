"""What forecasts of limits stand on: limits, last calibrations and the hourly levels since. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.forecasts import HOUR_MS, Forecast, Trendline, clearest, trendline
from realtime.hourly_levels import Levels, hourly_levels
from server.models.calibration import CalibrationRecord
from server.models.plant import Asset, Instrument, Tag, TagLimit
from server.timestamps import to_ms

DAY_MS = 24 * HOUR_MS
SPANS_DAYS = (30, 7, 1)  # whole days: a day's own rise and fall is no trend
STALE_MS = 4 * HOUR_MS  # a tag that fell silent has no forecast
MOST_TAGS = 50  # of an asset, by name


@dataclass(frozen=True, slots=True)
class Limited:
    """Tags with their limits, and when the level of each was last adjusted (ms UTC)."""

    tags: Sequence[Tag]
    limits: Sequence[TagLimit]
    calibrated: Mapping[int, int]


def limited_tags(session: Session, asset: Asset) -> list[Tag]:
    """Tags of an asset that have a limit."""
    query = select(Tag).where(Tag.asset_id == asset.id, Tag.deleted_at.is_(None), Tag.id.in_(select(TagLimit.tag_id)))
    return list(session.scalars(query.order_by(Tag.name).limit(MOST_TAGS)))


def limits_of(session: Session, tags: Sequence[Tag]) -> Limited:
    """Their limits by id, and their last calibrations."""
    ids = [tag.id for tag in tags]
    rows = list(session.scalars(select(TagLimit).where(TagLimit.tag_id.in_(ids)).order_by(TagLimit.id)))
    query = select(Instrument.tag_id, func.max(CalibrationRecord.performed_at))
    query = query.join(CalibrationRecord, CalibrationRecord.instrument_id == Instrument.id)
    query = query.where(Instrument.deleted_at.is_(None), Instrument.tag_id.in_(ids)).group_by(Instrument.tag_id)
    return Limited(tags, rows, {int(tag_id or 0): to_ms(at) for tag_id, at in session.execute(query)})


def forecasts(connection: Any, limited: Limited, now: datetime) -> Iterator[tuple[TagLimit, Tag, Forecast, Trendline | None]]:
    """Each limit with its forecast, from whole hours; deterministic."""
    end = to_ms(now) // HOUR_MS * HOUR_MS
    by_id = {tag.id: tag for tag in limited.tags}
    levels = hourly_levels(connection, list(by_id), end - SPANS_DAYS[0] * DAY_MS, end) if limited.limits else {}
    lines = {tag_id: _lines(found, end, limited.calibrated.get(tag_id, 0)) for tag_id, found in levels.items()}
    for row in limited.limits:
        found, line = clearest(lines.get(row.tag_id, []), cast("Any", row.side), row.value)
        yield row, by_id[row.tag_id], found, line


def _lines(levels: Levels, end: int, calibrated: int) -> list[Trendline | None]:
    t, value = levels
    if t[-1] < end - STALE_MS:
        return []
    starts = [max(end - days * DAY_MS, calibrated) for days in SPANS_DAYS]
    return [trendline(t[t >= start], value[t >= start]) for start in dict.fromkeys(starts)]
