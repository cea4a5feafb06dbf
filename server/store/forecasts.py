"""What forecasts of limits stand on: limits, calibrations, stops and the hourly levels since. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime.events import PACES
from realtime.forecasts import HOUR_MS, Forecast, Trendline, clearest, running, trendline
from realtime.hourly_levels import Levels, hourly_levels
from server.models.calibration import CalibrationRecord
from server.models.plant import Asset, Instrument, OperatingPeriod, Tag, TagLimit
from server.timestamps import to_ms

DAY_MS = 24 * HOUR_MS
SPANS_DAYS = (30, 7, 1)  # whole days: a day's own rise and fall is no trend
STALE_MS = 4 * HOUR_MS  # a tag that fell silent has no forecast
STOOD_MS = 3 * DAY_MS
MOST_TAGS = 50  # of an asset, by name


Rest = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Limited:
    """Tags with their limits, and when the level of each was last adjusted (ms UTC).

    rest: of assets whose state is observed, when each did not run: int64 (n, 2) ms UTC, ascending, none touching another.
    """

    tags: Sequence[Tag]
    limits: Sequence[TagLimit]
    calibrated: Mapping[int, int]
    rest: Mapping[int, Rest]


def limited_tags(session: Session, asset: Asset) -> list[Tag]:
    """Tags of an asset that have a limit."""
    query = select(Tag).where(Tag.asset_id == asset.id, Tag.deleted_at.is_(None), Tag.id.in_(select(TagLimit.tag_id)))
    return list(session.scalars(query.order_by(Tag.name).limit(MOST_TAGS)))


def limits_of(session: Session, tags: Sequence[Tag], now: datetime) -> Limited:
    """Their limits of level by id, their last calibrations, and when their assets stood still."""
    ids = [tag.id for tag in tags]
    levels = select(TagLimit).where(TagLimit.tag_id.in_(ids), TagLimit.side.not_in(PACES)).order_by(TagLimit.id)
    rows = list(session.scalars(levels))
    query = select(Instrument.tag_id, func.max(CalibrationRecord.performed_at))
    query = query.join(CalibrationRecord, CalibrationRecord.instrument_id == Instrument.id)
    query = query.where(Instrument.deleted_at.is_(None), Instrument.tag_id.in_(ids)).group_by(Instrument.tag_id)
    calibrated = {int(tag_id or 0): to_ms(at) for tag_id, at in session.execute(query)}
    return Limited(tags, rows, calibrated, _rest(session, {tag.asset_id for tag in tags}, now))


def _rest(session: Session, asset_ids: Set[int], now: datetime) -> dict[int, Rest]:
    query = select(OperatingPeriod.asset_id, OperatingPeriod.started_at, OperatingPeriod.ended_at)
    query = query.where(OperatingPeriod.asset_id.in_(asset_ids), OperatingPeriod.operating.not_in(["running", "unknown"]))
    since = now - timedelta(days=SPANS_DAYS[0])
    found: dict[int, list[list[int]]] = {}
    ended = func.coalesce(OperatingPeriod.ended_at, now)
    for asset_id, start, end in session.execute(query.where(ended > since).order_by(OperatingPeriod.started_at)):
        own = found.setdefault(asset_id, [])
        if own and to_ms(start) <= own[-1][1]:  # from stopped to idle it rests on
            own[-1][1] = max(own[-1][1], to_ms(end or now))
        else:
            own.append([to_ms(start), to_ms(end or now)])
    return {asset_id: np.array(own, np.int64) for asset_id, own in found.items()}


def forecasts(connection: Any, limited: Limited, now: datetime) -> Iterator[tuple[TagLimit, Tag, Forecast, Trendline | None]]:
    """Each limit with its forecast, from whole hours, of one that holds while running from those in which it ran; deterministic."""
    end = to_ms(now) // HOUR_MS * HOUR_MS
    by_id = {tag.id: tag for tag in limited.tags}
    levels = hourly_levels(connection, list(by_id), end - SPANS_DAYS[0] * DAY_MS, end) if limited.limits else {}
    lines: dict[tuple[int, bool], list[Trendline | None]] = {}
    for row in limited.limits:
        key = (row.tag_id, row.holds == "running")
        if key not in lines:
            tag = by_id[row.tag_id]
            rest = limited.rest.get(tag.asset_id) if key[1] else None
            lines[key] = _lines(levels.get(tag.id), rest, end, limited.calibrated.get(tag.id, 0))
        found, line = clearest(lines[key], cast("Any", row.side), row.value)
        yield row, by_id[row.tag_id], found, line


def _lines(levels: Levels | None, rest: Rest | None, end: int, calibrated: int) -> list[Trendline | None]:
    """rest: stretches that do not count; a machine that stands since Friday has its trend on Monday, and none a week later."""
    if levels is None or levels[0][-1] < end - STALE_MS:
        return []
    t, value = levels
    if rest is not None:
        ran = running(t, rest)
        t, value = t[ran], value[ran]
        if not len(t) or t[-1] < end - STOOD_MS:
            return []
    starts = [max(end - days * DAY_MS, calibrated) for days in SPANS_DAYS]
    return [trendline(t[t >= start], value[t >= start]) for start in dict.fromkeys(starts)]
