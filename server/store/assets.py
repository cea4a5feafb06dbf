"""Assets: who sees which, and how their two states change. `operating` follows the PLC, `maintenance` follows the orders."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import FactName
from server import bodies
from server.errors import NotFound
from server.models.plant import Asset, OperatingPeriod
from server.models.work import WorkOrder
from server.rules import asset as asset_rules
from server.rules.work_order import BEFORE_WORK, UNVERIFIED, OrderState
from server.store import health
from server.store.actor import Person, sees_site
from server.store.outbox import Draft, emit


def get_asset(session: Session, id_or_code: int | str, user: Person) -> Asset:
    """A visible asset by id or code; raises NotFound."""
    query = select(Asset).where(Asset.deleted_at.is_(None))
    query = query.where(Asset.id == id_or_code) if isinstance(id_or_code, int) else query.where(Asset.code == id_or_code)
    found = [asset for asset in session.scalars(query.order_by(Asset.id)) if sees_site(user, asset.site_id)]
    if not found:
        raise NotFound("asset", id_or_code)
    return found[0]


def lock_asset(session: Session, asset_id: int) -> Asset | None:
    """The row, locked until commit, though not against rows that point at it; None where it is gone."""
    return session.scalars(select(Asset).where(Asset.id == asset_id).with_for_update(key_share=True)).one_or_none()


def announce(session: Session, asset: Asset, by: str, now: datetime) -> None:
    """Count the change and tell it."""
    asset.rev += 1
    draft = Draft(FactName.ASSET_STATE_CHANGED, asset.id, asset.rev, by, asset.site_id, bodies.asset_body(session, asset))
    emit(session, draft, now)


def set_operating(session: Session, asset: Asset, operating: asset_rules.Operating, fault_code: str | None, at: datetime) -> bool:
    """Follow the machine: close the running period, open the next; False when nothing changed or the news is old."""
    if asset.operating == operating and asset.fault_code == fault_code:
        return False
    if asset.operating_since is not None and at < asset.operating_since:
        return False
    for period in session.scalars(select(OperatingPeriod).where(OperatingPeriod.asset_id == asset.id, OperatingPeriod.ended_at.is_(None))):
        period.ended_at = max(at, period.started_at)
    session.add(OperatingPeriod(asset_id=asset.id, operating=operating, fault_code=fault_code, started_at=at))
    asset.operating, asset.fault_code, asset.operating_since = str(operating), fault_code, at
    return True


def refresh_health(session: Session, asset: Asset, now: datetime) -> bool:
    """Judge the asset's health anew; True when there is news to tell."""
    judged = health.of_asset(session, asset, now)
    reasons = health.body(judged)["reasons"]
    if asset.health == judged.score and health.is_same(asset.health_reasons, reasons):
        return False
    asset.health, asset.health_reasons = judged.score, reasons
    return True


def refresh_maintenance(session: Session, asset: Asset) -> bool:
    """Judge the maintenance state anew from the asset's orders; True when it changed."""
    session.flush()
    query = select(WorkOrder.state, WorkOrder.alert_id, WorkOrder.type).where(WorkOrder.asset_id == asset.id)
    rows = session.execute(query.where(WorkOrder.state.in_([str(state) for state in UNVERIFIED]))).all()
    states = {OrderState(state) for state, _, _ in rows}
    waiting = any(alert_id is not None and OrderState(state) in BEFORE_WORK for state, alert_id, _ in rows)
    judged = str(asset_rules.maintenance_of(states, corrective_waiting=waiting))
    if asset.maintenance == judged:
        return False
    asset.maintenance = judged
    return True


def follow(session: Session, asset_id: int | None, by: str, now: datetime) -> None:
    """After alerts or orders of an asset changed: bring its health and maintenance state up to date, one fact if anything did."""
    asset = lock_asset(session, asset_id) if asset_id is not None else None
    if asset is None:
        return
    session.flush()
    changed = [refresh_health(session, asset, now), refresh_maintenance(session, asset)]
    if any(changed):
        announce(session, asset, by, now)
