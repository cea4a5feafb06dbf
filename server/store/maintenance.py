"""Maintenance mode: an asset under work raises no new alerts and teaches no baseline; the proof reads its findings all the same."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.models.maintenance import MaintenanceWindow
from server.models.work import ProofWindow, WorkOrder
from server.rules.proof import ProofState
from server.store import snapshot_version
from server.store.actor import Person

LONGEST = timedelta(hours=12)  # a forgotten order re-arms the asset by itself


def in_force(session: Session, asset_id: int, now: datetime) -> bool:
    """Whether the asset is in maintenance mode."""
    query = select(MaintenanceWindow.id).where(MaintenanceWindow.asset_id == asset_id, MaintenanceWindow.ended_at.is_(None))
    return session.scalar(query.where(MaintenanceWindow.until > now).limit(1)) is not None


def is_muted(session: Session, asset_id: int, now: datetime) -> bool:
    """Maintenance mode, or the settle phase after the work (S2-59): new conditions wait unannounced."""
    if in_force(session, asset_id, now):
        return True
    settling = select(ProofWindow.id).join(WorkOrder, WorkOrder.id == ProofWindow.order_id).where(WorkOrder.asset_id == asset_id)
    return session.scalar(settling.where(ProofWindow.state == str(ProofState.SETTLING)).limit(1)) is not None


def begin(session: Session, order: WorkOrder, by: Person, now: datetime) -> None:
    """Starting work opens it; an open window of the same order is kept."""
    open_ones = select(MaintenanceWindow.id).where(MaintenanceWindow.work_order_id == order.id, MaintenanceWindow.ended_at.is_(None))
    if session.scalar(open_ones.where(MaintenanceWindow.until > now).limit(1)) is not None:
        return
    window = MaintenanceWindow(
        asset_id=order.asset_id, work_order_id=order.id, reason=f"work on {order.number}", by=by.name, starts_at=now, until=now + LONGEST
    )
    session.add(window)
    session.flush()
    new = {"asset": order.asset_id, "order": order.number, "until": window.until.isoformat()}
    audit.record(session, audit.Change("begin", "maintenance_window", window.id, order.site_id, None, new), by, now)
    snapshot_version.bump(session, now, by.name)


def end(session: Session, order: WorkOrder, by: Person, now: datetime) -> None:
    """Closing or cancelling the order re-arms the asset."""
    query = select(MaintenanceWindow).where(MaintenanceWindow.work_order_id == order.id, MaintenanceWindow.ended_at.is_(None))
    windows = session.scalars(query).all()
    for window in windows:
        _close(session, window, by, now)
    if windows:
        snapshot_version.bump(session, now, by.name)


def expire(session: Session, by: Person, now: datetime) -> int:
    """End windows that ran over their time; the number ended."""
    due = select(MaintenanceWindow).where(MaintenanceWindow.ended_at.is_(None), MaintenanceWindow.until <= now)
    windows = session.scalars(due.with_for_update(skip_locked=True)).all()
    for window in windows:
        _close(session, window, by, now)
    if windows:
        snapshot_version.bump(session, now, by.name)
    return len(windows)


def _close(session: Session, window: MaintenanceWindow, by: Person, now: datetime) -> None:
    window.ended_at = now
    change = audit.Change("end", "maintenance_window", window.id, None, {"ended_at": None}, {"ended_at": now.isoformat()})
    audit.record(session, change, by, now)
