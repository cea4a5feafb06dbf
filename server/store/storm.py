"""Floods of alarms at a site: while one is on, what is not critical is held back. What is held back is told by conditions.unsuppress."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Severity
from server.models.alerts import AlertRecord
from server.rules.alarm_figures import in_flood

MAINTENANCE, FLOOD = "maintenance", "flood"  # why an alert is suppressed
CAME_AND_WENT = {MAINTENANCE: "came and went while the asset was in work", FLOOD: "came and went while a flood of alarms held it back"}
LOOKED_BACK = timedelta(days=1)


def held_back(session: Session, alert: AlertRecord, now: datetime) -> str | None:
    """FLOOD for a new alert that waits until the flood is over; None for one that is told, as every critical one is."""
    if alert.watch or alert.severity == Severity.CRITICAL:
        return None
    return FLOOD if is_on(session, alert.site_id, now, but=alert.id) else None


def is_on(session: Session, site_id: int | None, now: datetime, *, but: int = 0) -> bool:
    """Whether the site has a flood now, not counting one alert; those held back count, those of machines in work do not."""
    raised = select(AlertRecord.raised_at).where(
        AlertRecord.site_id.is_not_distinct_from(site_id),
        AlertRecord.watch.is_(False),
        AlertRecord.suppressed.is_distinct_from(MAINTENANCE),
        AlertRecord.raised_at > now - LOOKED_BACK,
        AlertRecord.id != but,
    )
    return in_flood(session.scalars(raised).all(), now)
