"""What must be so before an order is completed: its steps, its sub-orders, its calibration, what other domains ask. Reads only."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict
from server.models.work import WorkOrder
from server.rules.order_types import DONE, OrderType
from server.store import calibration_rows, order_hooks, steps
from server.store.actor import Person


def check(session: Session, order: WorkOrder, by: Person, now: datetime) -> None:
    """Raise Conflict with the first thing that is missing."""
    if order.type == OrderType.CALIBRATION and not calibration_rows.has_record(session, order.id):
        raise Conflict("calibration_missing", "record the calibration under this order first", order.state)
    missing = steps.missing(session, order)
    if missing is not None:
        raise Conflict("steps_missing", f"step {missing} is not done yet", order.state)
    below = select(WorkOrder.number).where(WorkOrder.parent_id == order.id, WorkOrder.state.not_in([str(state) for state in DONE]))
    waiting = session.scalar(below.order_by(WorkOrder.id).limit(1))
    if waiting is not None:
        raise Conflict("sub_order_open", f"sub-order {waiting} is not done yet", order.state)
    for hook in order_hooks.BEFORE_COMPLETION:
        hook(session, order, by, now)
