"""Floods of alarms at a site: what waits while one is on (server/rules/policy.py). What is held back is told by conditions.unsuppress."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType, Severity
from server.models.alerts import AlertRecord
from server.rules.alarm_figures import in_flood
from server.rules.policy import waits_in_a_flood
from server.store.judgement import route_of

MAINTENANCE, FLOOD = "maintenance", "flood"  # why an alert is suppressed
CAME_AND_WENT = {MAINTENANCE: "came and went while the asset was in work", FLOOD: "came and went while a flood of alarms held it back"}
LOOKED_BACK = timedelta(days=1)


def held_back(session: Session, alert: AlertRecord, now: datetime) -> str | None:
    """FLOOD for a new alert that waits until the flood is over; None for one that is told."""
    if alert.watch or not waits_in_a_flood(AlertType(alert.type), Severity(alert.severity), route_of(session, alert), alert.code):
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


def is_on_for(session: Session, site_id: int | None, now: datetime) -> bool:
    """Whether a flood is on where people of the site look; without a site at any."""
    if site_id is not None:
        return is_on(session, site_id, now) or is_on(session, None, now)
    recent = select(AlertRecord.site_id).where(AlertRecord.raised_at > now - LOOKED_BACK).distinct()
    return any(is_on(session, site, now) for site in session.scalars(recent).all())
