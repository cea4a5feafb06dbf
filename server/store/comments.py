"""Remarks under a work order: append-only; whoever has the order, and who wrote before, is told. Nothing here commits."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Invalid
from server.models.order_records import OrderComment
from server.store.actor import Person, need
from server.store.notifications import Message, notify
from server.store.order_changes import told
from server.store.order_rows import get_order, lock
from server.store.page import Page, ordering, page_of
from server.timestamps import rfc3339

SORTS = {"id": OrderComment.id, "at": OrderComment.at, "author": OrderComment.author}


def list_comments(session: Session, order_id: int, user: Person, *, limit: int, offset: int, sort: str = "") -> Page[OrderComment]:
    """Remarks of a visible order, oldest first."""
    order = get_order(session, order_id, user)
    return page_of(session, select(OrderComment).where(OrderComment.order_id == order.id), ordering(sort, SORTS, "id"), limit, offset)


def add(session: Session, order_id: int, text: str, user: Person, now: datetime) -> OrderComment:
    """Say something about the order, whatever its state; raises NotFound or Forbidden."""
    need(user, "orders.read")
    if not text.strip():
        raise Invalid("body", "required", "say something")
    order = lock(session, order_id, user)
    row = OrderComment(order_id=order.id, user_id=user.id, author=user.name, body=text.strip(), at=now)
    writers = list(session.scalars(select(OrderComment.user_id).where(OrderComment.order_id == order.id).distinct()))
    session.add(row)
    session.flush()
    told(session, order, "comment", (None, {"id": row.id, "body": row.body}), user, now)
    message = Message("order_comment", f"{order.number}: {user.name}", row.body[:200], order.id, None, order.site_id)
    notify(session, [who for who in (order.assignee_id, *writers) if who != user.id], message, now)
    return row


def body(row: OrderComment) -> dict[str, Any]:
    """The REST body."""
    return {"id": row.id, "order": row.order_id, "author": row.author, "body": row.body, "at": rfc3339(row.at)}
