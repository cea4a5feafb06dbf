"""A new work order: its row, and what is told when it opens. Who may open one, and when, is in orders. Nothing here commits."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import FactName
from server import audit, bodies
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.priorities import Priority, parse
from server.rules.work_order import OrderState
from server.store import assets, numbers, procedures, sla_hours
from server.store.actor import SYSTEM, Person
from server.store.outbox import Draft, emit


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOrder:
    """What an order starts as; None = the usual."""

    title: str
    asset_id: int
    description: str = ""
    type: str = "corrective"
    priority: str | None = None
    state: OrderState = OrderState.OPEN
    alert_id: int | None = None
    procedure_id: int | None = None
    team_id: int | None = None
    due: datetime | None = None
    estimated_min: int | None = None
    proof_s: float | None = None
    repeat_of_id: int | None = None
    sla_at: datetime | None = None
    external_ref: str | None = None
    parent_id: int | None = None


def insert(session: Session, new: NewOrder, asset: Asset, by: Person, now: datetime) -> WorkOrder:
    """The row, without a word to anyone."""
    priority = parse(new.priority or "") or Priority.NORMAL
    procedure_id = procedures.in_use(session, new.procedure_id)
    version = procedures.newest(session, procedure_id)
    promised = sla_hours.promised(session, asset.site_id, priority, now)
    order = WorkOrder(
        number=numbers.order_number(session),
        external_ref=new.external_ref,
        site_id=asset.site_id,
        asset_id=asset.id,
        parent_id=new.parent_id,
        alert_id=new.alert_id,
        repeat_of_id=new.repeat_of_id,
        title=new.title.strip(),
        description=new.description,
        type=new.type,
        priority=str(priority),
        state=str(new.state),
        team_id=new.team_id,
        created_by=by.name,
        procedure_id=procedure_id,
        proof_s=new.proof_s,
        due=new.due or promised,
        sla_at=new.sla_at or promised,
        estimated_min=new.estimated_min or (version.estimated_min if version else None),
        created_at=now,
        changed_at=now,
    )
    session.add(order)
    session.flush()
    return order


def opened(session: Session, order: WorkOrder, by: Person, now: datetime) -> WorkOrder:
    """Audit, fact and the asset's state after a new row."""
    new: dict[str, Any] = {"number": order.number, "title": order.title, "priority": order.priority, "state": order.state}
    audit.record(session, audit.Change("open", "work_order", order.id, order.site_id, None, {**new, "alert": order.alert_id}), by, now)
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_OPENED, order.id, order.rev, by.name, order.site_id, body), now)
    assets.follow(session, order.asset_id, by.name, now)
    return order


def open_by_system(session: Session, new: NewOrder, now: datetime) -> WorkOrder:
    """An order that a record or a plan calls for, not a person."""
    return opened(session, insert(session, new, session.get_one(Asset, new.asset_id), SYSTEM, now), SYSTEM, now)
