"""Warranties about to end: the planners and managers of the site are told once an asset and date. Nothing here commits."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from server.models.notifications import Notification
from server.models.plant import Asset
from server.rules.roles import Role
from server.store.notifications import Message, notify, people_with

AHEAD = timedelta(days=30)
AT_ONCE = 200  # assets a run; the next run takes the rest


def tell_ending(session: Session, now: datetime) -> int:
    """Tell of each warranty that ends within 30 days; the number of assets told of. Repeating it tells nobody twice."""
    told = literal("warranty:") + Asset.id.cast(Notification.group_key.type) + ":" + Asset.warranty_until.cast(Notification.group_key.type)
    ending = select(Asset, told).where(Asset.deleted_at.is_(None), Asset.warranty_until.between(now.date(), (now + AHEAD).date()))
    ending = ending.where(~select(Notification.id).where(Notification.group_key == told).exists())
    rows = session.execute(ending.order_by(Asset.warranty_until, Asset.id).limit(AT_ONCE)).all()
    for asset, group in rows:
        message = Message(
            "warranty_ends",
            f"{asset.code}: the warranty ends on {asset.warranty_until}"[:200],
            f"{asset.name}: claim what is open before then",
            site_id=asset.site_id,
            group=group,
        )
        notify(session, people_with(session, asset.site_id, Role.PLANNER, Role.MANAGER), message, now)
    return len(rows)
