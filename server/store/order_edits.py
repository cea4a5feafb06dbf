"""What a planner changes on an order beside its state: words, dates, team, procedure, parent, costs; and many orders at once.

Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.errors import SightlineError
from server.errors import Conflict, Invalid
from server.models.work import Procedure, Team, WorkOrder
from server.rules.order_types import OrderType
from server.rules.priorities import Priority, parse
from server.rules.work_order import OrderAction
from server.store import order_acts, sla_hours
from server.store.actor import Person, need
from server.store.order_changes import need_unfinished, told
from server.store.order_rows import get_order, lock

COLUMNS = {
    "title": "title",
    "description": "description",
    "external_ref": "external_ref",
    "type": "type",
    "priority": "priority",
    "due_at": "due",
    "est_min": "estimated_min",
    "other_cost": "other_cost",
    "team": "team_id",
    "procedure": "procedure_id",
    "parent": "parent_id",
}


def change(session: Session, order_id: int, fields: Mapping[str, Any], user: Person, now: datetime) -> WorkOrder:
    """Set plain fields by their names in bodies; raises Forbidden, Conflict or Invalid, and then nothing has changed."""
    need(user, "orders.assign")
    order = lock(session, order_id, user)
    need_unfinished(order)
    new = {COLUMNS[name]: _value(session, order, name, value, user) for name, value in fields.items()}
    if "priority" in new:
        new["sla_at"] = sla_hours.promised(session, order.site_id, Priority(new["priority"]), order.created_at)
    changed = {name: value for name, value in new.items() if getattr(order, name) != value}
    if not changed:
        return order
    old = {name: getattr(order, name) for name in changed}
    for name, value in changed.items():
        setattr(order, name, value)
    told(session, order, "edit", (old, changed), user, now)
    return order


def _value(session: Session, order: WorkOrder, name: str, value: Any, user: Person) -> Any:
    if name in _READ and value is not None:
        return _READ[name](session, order, value, user)
    if value is None and name in {"title", "type", "priority", "other_cost"}:
        raise Invalid(name, "required", "cannot be empty")
    return "" if name == "description" and value is None else value


def _type(_session: Session, _order: WorkOrder, value: str, _user: Person) -> str:
    if value not in set(OrderType):
        raise Invalid("type", "unknown", f"one of {', '.join(OrderType)}")
    return value


def _priority(_session: Session, _order: WorkOrder, value: str, _user: Person) -> str:
    found = parse(value)
    if found is None:
        raise Invalid("priority", "unknown", f"one of {', '.join(Priority)}")
    return str(found)


def _cost(_session: Session, _order: WorkOrder, value: float, _user: Person) -> Decimal:
    return Decimal(str(value)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def team_id(session: Session, name: str, site_id: int | None) -> int:
    """A team of the site by its name; raises Invalid."""
    found = session.scalar(select(Team.id).where(Team.name == name, Team.site_id == site_id))
    if found is None:
        raise Invalid("team", "unknown", f"there is no team {name}")
    return found


def procedure_id(session: Session, code: str, site_id: int | None) -> int:
    """A procedure that new orders may have, the site's own before the common one; raises Invalid."""
    own = (Procedure.site_id == site_id) | Procedure.site_id.is_(None)
    query = select(Procedure.id).where(Procedure.code == code, Procedure.active, own).order_by(Procedure.site_id.nulls_last()).limit(1)
    found = session.scalar(query)
    if found is None:
        raise Invalid("procedure", "unknown", f"there is no procedure {code}")
    return found


def _team(session: Session, order: WorkOrder, value: str, _user: Person) -> int:
    return team_id(session, value, order.site_id)


def _procedure(session: Session, order: WorkOrder, value: str, _user: Person) -> int:
    if order.procedure_version_id is not None:
        raise Conflict("pinned", "the order was started: its instructions do not change any more", order.state)
    return procedure_id(session, value, order.site_id)


def parent_id(session: Session, key: str, site_id: int, user: Person) -> int:
    """A visible order of the site that sub-orders may hang on: not at an end, not a sub-order itself. Raises NotFound or Conflict."""
    parent = get_order(session, key, user)
    if parent.site_id != site_id:
        raise Invalid("parent", "unknown", "not an order of this site")
    need_unfinished(parent)
    if parent.parent_id is not None:
        raise Conflict("too_deep", f"{parent.number} is a sub-order itself", parent.state)
    return parent.id


def _parent(session: Session, order: WorkOrder, value: str, user: Person) -> int:
    found = parent_id(session, value, order.site_id, user)
    below = session.scalar(select(WorkOrder.id).where(WorkOrder.parent_id == order.id).limit(1))
    if found == order.id or below is not None:
        raise Conflict("circle", "an order with sub-orders is not a sub-order", order.state)
    return found


_READ: dict[str, Callable[[Session, WorkOrder, Any, Person], Any]] = {
    "type": _type,
    "priority": _priority,
    "other_cost": _cost,
    "team": _team,
    "procedure": _procedure,
    "parent": _parent,
}


@dataclass(frozen=True, slots=True)
class Row:
    """What became of one order of many; error None = it would be done, or is."""

    key: str
    error: SightlineError | None = None


def assign_all(session: Session, keys: Sequence[str], assignee_id: int, user: Person, now: datetime) -> list[Row]:
    """Give many orders to one person, taken in one order so that two who do this never wait for each other.

    The caller commits only when no row has an error.
    """
    need(user, "orders.assign")
    rows: list[Row] = []
    for key in sorted(set(keys)):
        try:
            order = get_order(session, key, user)
            order_acts.act(session, order.id, OrderAction.ASSIGN, user, now, assignee_id=assignee_id)
            rows.append(Row(key))
        except SightlineError as error:
            rows.append(Row(key, error))
    return rows
