"""Links between work orders: relates, duplicates, blocks, follow-up, repeat; sub-orders hang on `parent`. Nothing here commits."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from server.errors import Conflict, Invalid, NotFound
from server.models.order_records import OrderLink
from server.models.work import WorkOrder
from server.rules.order_types import DONE
from server.store import procedures
from server.store.actor import Person, need
from server.store.order_changes import told
from server.store.order_rows import lock
from server.timestamps import rfc3339

SORTS = {"id": OrderLink.id}


class LinkKind(StrEnum):
    """What the first order is to the second."""

    RELATES = "relates"
    DUPLICATES = "duplicates"
    BLOCKS = "blocks"
    FOLLOW_UP = "follow_up"
    REPEAT = "repeat"


def add(session: Session, order_id: int, other_id: int, kind: str, user: Person, now: datetime) -> OrderLink:
    """Link a visible order to another; raises Conflict where the link is there already or blocking would run in a circle."""
    need(user, "orders.create")
    if order_id == other_id:
        raise Invalid("order", "itself", "an order is not linked to itself")
    first, other = (lock(session, id_, user) for id_ in sorted((order_id, other_id)))  # in one order: nobody waits for ever
    if first.id != order_id:
        first, other = other, first
    if first.site_id != other.site_id:
        raise Invalid("order", "unknown", "not an order of this site")
    if kind == LinkKind.BLOCKS and first.id in _blocked_by(session, other.id):
        raise Conflict("circle", f"{other.number} blocks {first.number} already", first.state)
    same = _live().where(OrderLink.from_id == first.id, OrderLink.to_id == other.id, OrderLink.kind == kind)
    if session.scalar(same) is not None:
        raise Conflict("linked", f"{first.number} is linked to {other.number} already", first.state)
    row = OrderLink(from_id=first.id, to_id=other.id, kind=kind, by=user.name, at=now)
    session.add(row)
    told(session, first, "link", (None, {"to": other.number, "kind": kind}), user, now)
    return row


def remove(session: Session, order_id: int, link_id: int, user: Person, now: datetime) -> None:
    """Take a link away; that of a follow-up to its failed step stays."""
    need(user, "orders.create")
    order = lock(session, order_id, user)
    row = session.get(OrderLink, link_id)
    if row is None or row.deleted_at is not None or order.id not in {row.from_id, row.to_id}:
        raise NotFound("link", link_id)
    if row.step_id is not None:
        raise Conflict("of_step", "the follow-up of a failed step keeps its link", order.state)
    row.deleted_at = now
    told(session, order, "unlink", ({"from": row.from_id, "to": row.to_id, "kind": row.kind}, None), user, now)


def blocker_of(session: Session, order: WorkOrder) -> str | None:
    """Number of an order that must be done before this one starts; None when nothing blocks it."""
    query = select(WorkOrder.number).join(OrderLink, OrderLink.from_id == WorkOrder.id)
    query = query.where(OrderLink.to_id == order.id, OrderLink.kind == str(LinkKind.BLOCKS), OrderLink.deleted_at.is_(None))
    return session.scalar(query.where(WorkOrder.state.not_in([str(state) for state in DONE])).order_by(WorkOrder.id).limit(1))


def of_order(session: Session, order: WorkOrder) -> list[dict[str, Any]]:
    """Bodies of the order's links, both ways; `direction` tells whether it is the first (`out`) or the second (`in`)."""
    first, second = aliased(WorkOrder), aliased(WorkOrder)
    query = select(OrderLink, first, second).join(first, first.id == OrderLink.from_id).join(second, second.id == OrderLink.to_id)
    rows = session.execute(query.where((OrderLink.from_id == order.id) | (OrderLink.to_id == order.id), OrderLink.deleted_at.is_(None)))
    found = sorted(rows, key=lambda one: one[0].id)
    bodies = [
        {**_body(row, *((b, "out") if a.id == order.id else (a, "in"))), "step_text": _step_text(session, row, b)} for row, a, b in found
    ]
    repeated = session.get(WorkOrder, order.repeat_of_id) if order.repeat_of_id is not None else None
    if repeated is None:
        return bodies
    repeat = {"id": None, "kind": str(LinkKind.REPEAT), "direction": "out", "order": _brief(repeated), "step": None, "step_text": None}
    return [*bodies, {**repeat, "by": order.created_by, "at": rfc3339(order.created_at)}]


def body(session: Session, row: OrderLink) -> dict[str, Any]:
    """The body of a new link, as its first order shows it."""
    other = session.get_one(WorkOrder, row.to_id)
    return {**_body(row, other, "out"), "step_text": _step_text(session, row, other)}


def _step_text(session: Session, row: OrderLink, failed: WorkOrder) -> str | None:
    """The words of the step that a follow-up came from; its id where the procedure has none with it any more."""
    if row.step_id is None:
        return None
    texts = {step["id"]: step["t"] for step in procedures.steps_of(session, failed)}
    return str(texts.get(row.step_id, row.step_id))


def _body(row: OrderLink, other: WorkOrder, direction: str) -> dict[str, Any]:
    plain = {"id": row.id, "kind": row.kind, "direction": direction, "order": _brief(other)}
    return {**plain, "step": row.step_id, "by": row.by, "at": rfc3339(row.at)}


def _brief(order: WorkOrder) -> dict[str, Any]:
    return {"id": order.id, "number": order.number, "title": order.title, "status": order.state}


def _live() -> Any:
    return select(OrderLink.id).where(OrderLink.deleted_at.is_(None))


def _blocked_by(session: Session, order_id: int) -> set[int]:
    """Every order that this one blocks, over any number of links."""
    seen: set[int] = set()
    waiting = {order_id}
    while waiting:
        seen |= waiting
        query = select(OrderLink.to_id).where(OrderLink.from_id.in_(waiting), OrderLink.kind == str(LinkKind.BLOCKS))
        waiting = set(session.scalars(query.where(OrderLink.deleted_at.is_(None)))) - seen
    return seen
