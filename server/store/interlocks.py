"""What forbids a write to a machine: work on it, on what it is part of or on a part of it, and maintenance mode. There is no override."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict
from server.models.maintenance import MaintenanceWindow
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.work_order import IN_WORK

DEEPEST = 50  # a circle in the tree ends here


def family(session: Session, asset: Asset) -> set[int]:
    """Ids of the asset, of all that it is part of and of all its parts."""
    found = {asset.id}
    above = asset.parent_id
    while above is not None and above not in found and len(found) < DEEPEST:
        found.add(above)
        above = session.scalar(select(Asset.parent_id).where(Asset.id == above))
    below = {asset.id}
    while below:
        below = set(session.scalars(select(Asset.id).where(Asset.parent_id.in_(below), Asset.deleted_at.is_(None)))) - found
        found |= below
    return found


def check_free(session: Session, asset: Asset, now: datetime) -> None:
    """Raise Conflict while anybody works on the asset or its family, or it is in maintenance mode."""
    ids = family(session, asset)
    states = [str(state) for state in IN_WORK]
    order = session.scalar(select(WorkOrder.number).where(WorkOrder.asset_id.in_(ids), WorkOrder.state.in_(states)).limit(1))
    if order is not None:
        raise Conflict("in_work", f"{order} is in work on {asset.code}, a part of it or what it is part of: nothing is written meanwhile")
    windows = select(MaintenanceWindow.id).where(MaintenanceWindow.asset_id.in_(ids), MaintenanceWindow.ended_at.is_(None))
    windows = windows.where(MaintenanceWindow.starts_at <= now, MaintenanceWindow.until > now)
    if session.scalar(windows.limit(1)) is not None:
        raise Conflict(
            "maintenance", f"{asset.code}, a part of it or what it is part of is in maintenance mode: nothing is written meanwhile"
        )
