"""Photos that answer a step: kept before the answer that names them, tied to the order by it. Nothing here commits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import pictures
from server.errors import Forbidden, Invalid
from server.models.feed import Media
from server.models.work import WorkOrder
from server.store.actor import Person

MOST_OF_ORDER = 200


def keep(session: Session, order: WorkOrder, content: bytes, declared: str, person: Person, now: datetime) -> dict[str, Any]:
    """Keep a picture of one order's step; raises Problem 413 or 415, Invalid where the order has too many."""
    if (session.scalar(select(func.count()).where(Media.order_id == order.id)) or 0) >= MOST_OF_ORDER:
        raise Invalid("file", "too_many", f"{order.number} has {MOST_OF_ORDER} photos already")
    picture = pictures.read(content, declared)
    row = Media(
        order_id=order.id,
        user_id=person.id,
        site_id=order.site_id,
        type=picture.type,
        width=picture.width,
        height=picture.height,
        sha256=hashlib.sha256(content).hexdigest(),
        content=picture.content,
        created_at=now,
    )
    session.add(row)
    session.flush()
    return {"id": row.id, "bytes": len(picture.content), "w": picture.width, "h": picture.height}


def tie(session: Session, order: WorkOrder, ids: Sequence[int | str], person: Person) -> None:
    """The photos of an answer belong to its order from now on; raises Invalid where one is of another order or somebody else's."""
    wanted = {id_ for id_ in ids if isinstance(id_, int)}
    if not wanted:
        return
    query = select(Media).where(Media.id.in_(wanted), Media.site_id == order.site_id)
    found = session.scalars(query.where(Media.order_id.is_(None) & (Media.user_id == person.id) | (Media.order_id == order.id))).all()
    missing = wanted - {row.id for row in found}
    if missing:
        raise Invalid("media", "unknown", f"there is no photo {min(missing)} of {order.number}; send it first")
    for row in found:
        row.order_id = order.id


def need_holder(order: WorkOrder, person: Person) -> None:
    """Photos of a step are sent by who works on the order; raises Forbidden."""
    if order.assignee_id != person.id:
        raise Forbidden("not_assignee", "the order is not yours; take it over first")
