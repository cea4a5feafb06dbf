"""Tells the history which spans stay in full: an hour around an alert's life, on every tag of its asset, and around each calibration.

The history itself knows no alert. A span is told again for as long as it may grow; saying it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.keep_spans import Keep, keep
from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord
from server.models.plant import Instrument, Tag
from server.timestamps import to_ms

AROUND = timedelta(hours=1)
LONGEST = timedelta(days=7)  # of an alert's life: one that nobody repairs for a year is not a year of readings
LOOKS_BACK = timedelta(days=6)  # readings are kept in full for seven days anyway


def tell(session: Session, now: datetime) -> int:
    """Tell the spans of the last days; how many are new or grew. For the leader's clock."""
    spans = [*_of_alerts(session, now), *_of_calibrations(session, now)]
    return keep(session.connection().connection, spans)


def _of_alerts(session: Session, now: datetime) -> Iterator[Keep]:
    """Announced alerts; the watch list is none of them."""
    alerts = select(AlertRecord.id, AlertRecord.asset_id, AlertRecord.raised_at, AlertRecord.returned_at)
    recent = (AlertRecord.raised_at > now - LOOKS_BACK) | (AlertRecord.last_at > now - LOOKS_BACK)
    rows = session.execute(alerts.where(recent, AlertRecord.watch.is_(False), AlertRecord.asset_id.is_not(None))).all()
    tags: dict[int, list[int]] = {}
    for tag_id, asset_id in session.execute(select(Tag.id, Tag.asset_id).where(Tag.asset_id.in_({row.asset_id for row in rows}))):
        tags.setdefault(asset_id, []).append(tag_id)
    for row in rows:
        end = min(row.returned_at or now, row.raised_at + LONGEST) + AROUND
        for tag_id in tags.get(row.asset_id, []):
            yield Keep(tag_id, to_ms(row.raised_at - AROUND), to_ms(end), f"alert {row.id}")


def _of_calibrations(session: Session, now: datetime) -> Iterator[Keep]:
    query = select(CalibrationRecord.id, CalibrationRecord.performed_at, Instrument.tag_id)
    query = query.join(Instrument, Instrument.id == CalibrationRecord.instrument_id)
    query = query.where(CalibrationRecord.performed_at > now - LOOKS_BACK, Instrument.tag_id.is_not(None))
    for row in session.execute(query):
        yield Keep(row.tag_id, to_ms(row.performed_at - AROUND), to_ms(row.performed_at + AROUND), f"calibration {row.id}")
