"""A change of an order beside its state: one revision more, an audit row, one fact. Acts on the state are in order_acts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import FactName
from server import audit, bodies
from server.errors import Conflict
from server.models.work import WorkOrder
from server.rules.work_order import FINAL, OrderState
from server.store.actor import Person
from server.store.outbox import Draft, emit

Values = Mapping[str, Any] | None


def told(session: Session, order: WorkOrder, action: str, values: tuple[Values, Values], by: Person, now: datetime) -> None:
    """Note it (values: old and new) and tell everybody who looks at the order; the row is locked by the caller."""
    session.flush()
    order.rev += 1
    order.changed_at = now
    old, new = values
    audit.record(session, audit.Change(action, "work_order", order.id, order.site_id, old, new), by, now)
    body = bodies.order_body(session, order, now)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, by.name, order.site_id, body), now)


def need_unfinished(order: WorkOrder) -> None:
    """Raise Conflict when the order is at an end: nothing of it changes any more."""
    if OrderState(order.state) in FINAL:
        raise Conflict("wrong_state", f"the order is {order.state}", order.state)
