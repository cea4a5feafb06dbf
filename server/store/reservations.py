"""Stock kept for planned work: reserved for an order, consumed by issues to it, released when the order ends. Nothing here commits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, NotFound
from server.models.parts import Reservation
from server.rules import stock
from server.rules.work_order import BEFORE_WORK, IN_WORK
from server.store import order_rows, parts
from server.store.actor import Person
from server.store.levels import level_of


@dataclass(frozen=True, slots=True)
class Wish:
    """So much of a part out of a store for an order."""

    part_id: int
    store_id: int
    order_id: int
    quantity: Decimal


class _Taking(Protocol):
    @property
    def part_id(self) -> int: ...

    @property
    def store_id(self) -> int: ...

    @property
    def order_id(self) -> int | None: ...


def reserve(session: Session, wish: Wish, user: Person, now: datetime) -> Reservation:
    """Keep stock for an order that is not done; raises NotFound, Conflict (not enough available, or the order has ended)."""
    order = order_rows.lock(session, wish.order_id, user)
    if order.state not in BEFORE_WORK | IN_WORK:
        raise Conflict("wrong_state", f"{order.number} is {order.state}", order.state)
    store = parts.get_store(session, wish.store_id, user)
    part = parts.lock_parts(session, {wish.part_id}, user)[wish.part_id]
    stock.check_available(level_of(session, part.id, store.id), wish.quantity)
    row = Reservation(
        part_id=part.id, store_id=store.id, order_id=order.id, quantity=wish.quantity, issued=Decimal(0), by=user.name, created_at=now
    )
    session.add(row)
    session.flush()
    new = {"part": part.number, "store": store.code, "order": order.number, "quantity": wish.quantity}
    audit.record(session, audit.Change("stock.reserve", "reservation", row.id, part.site_id, None, new), user, now)
    return row


def open_of(session: Session, taking: _Taking) -> list[Reservation]:
    """Open reservations of the order for this part in this store, oldest first, locked."""
    query = select(Reservation).where(Reservation.part_id == taking.part_id, Reservation.store_id == taking.store_id)
    query = query.where(Reservation.order_id == taking.order_id, Reservation.released_at.is_(None)).order_by(Reservation.id)
    return list(session.scalars(query.with_for_update(key_share=True).execution_options(populate_existing=True)))


def consume(rows: Iterable[Reservation], quantity: Decimal) -> None:
    """Mark as issued what an issue takes of them."""
    left = quantity
    for row in rows:
        taken = min(left, row.quantity - row.issued)
        row.issued += taken
        left -= taken


def release(session: Session, reservation_id: int, user: Person, now: datetime) -> None:
    """Give back what one reservation still keeps; raises NotFound."""
    row = session.get(Reservation, reservation_id)
    if row is None:
        raise NotFound("reservation", reservation_id)
    part = parts.get_part(session, row.part_id, user)
    parts.lock_parts(session, {part.id}, user)
    session.refresh(row)
    if row.released_at is None:
        _release(session, row, part.site_id, user, now)


def release_for_order(session: Session, order_id: int, user: Person, now: datetime) -> None:
    """Give back everything that an order still keeps: it is done or cancelled. Repeating it changes nothing.

    The rows are locked in one order, not their parts: what becomes free can only help whoever waits.
    """
    query = select(Reservation).where(Reservation.order_id == order_id, Reservation.released_at.is_(None)).order_by(Reservation.id)
    for row in session.scalars(query.with_for_update(key_share=True)).all():
        _release(session, row, user.site_id, user, now)


def _release(session: Session, row: Reservation, site_id: int | None, user: Person, now: datetime) -> None:
    row.released_at = now
    old = {"part": row.part_id, "order": row.order_id, "quantity": row.quantity - row.issued}
    audit.record(session, audit.Change("stock.release", "reservation", row.id, site_id, old, None), user, now)
