"""Keeps the health of assets true where only time passes: an order becomes overdue, or is planned anew. The leader's task.

What alerts, calibrations and acts on orders change is followed at once (`assets.follow`). Nothing here commits.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.plant import Asset
from server.models.work import WorkOrder
from server.store import assets
from server.store.actor import SYSTEM
from server.store.health import LATE

AT_ONCE = 100  # assets a run; the next run takes the rest


def follow_time(session: Session, now: datetime) -> int:
    """Judge anew the assets whose overdue work began or ended; the number changed. Repeating it changes nothing."""
    late = select(WorkOrder.asset_id).where(WorkOrder.state.in_(LATE), WorkOrder.due <= now)
    told = Asset.health_reasons.contains([{"kind": "work"}])
    moved = (Asset.id.in_(late) & ~told) | (told & Asset.id.not_in(late))
    query = select(Asset).where(Asset.deleted_at.is_(None), Asset.health.is_not(None), moved).order_by(Asset.id)
    changed = 0
    for asset in session.scalars(query.limit(AT_ONCE).with_for_update(skip_locked=True, key_share=True)).all():
        if assets.refresh_health(session, asset, now):
            assets.announce(session, asset, SYSTEM.name, now)
            changed += 1
    return changed
