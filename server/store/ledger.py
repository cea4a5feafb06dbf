"""The ledger of the stores: every movement of stock, with its reason, cost and author. Stock is its sum. Nothing here commits.

The part's row is locked first in every act, so that of two people taking the last piece one is told.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid
from server.models.parts import Part, StockLevel, StockMovement
from server.rules import stock
from server.rules.stock import Level, Reason
from server.rules.work_order import FINAL
from server.store import order_rows, reservations
from server.store.actor import Person, need
from server.store.levels import level_of, levels_of
from server.store.parts import get_store, lock_parts

RIGHT = {Reason.ISSUE: "parts.issue", Reason.RETURN: "parts.issue"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A wished movement. quantity: positive; signed for an adjustment, what was found for a count."""

    part_id: int
    store_id: int
    reason: Reason
    quantity: Decimal
    order_id: int | None = None
    to_store_id: int | None = None
    unit_cost: Decimal | None = None
    note: str = ""
    purchase_line_id: int | None = None


@dataclass(frozen=True, slots=True)
class _Booking:
    session: Session
    part: Part
    move: Move
    user: Person
    now: datetime

    def row(self, quantity: Decimal, unit_cost: Decimal, store_id: int | None = None) -> StockMovement:
        """A line of the ledger."""
        move = self.move
        return StockMovement(
            part_id=self.part.id,
            store_id=store_id or move.store_id,
            reason=str(move.reason),
            quantity=quantity,
            unit_cost=unit_cost,
            order_id=move.order_id,
            purchase_line_id=move.purchase_line_id,
            note=move.note,
            by_id=self.user.id,
            by=self.user.name,
            at=self.now,
        )


def move(session: Session, wish: Move, user: Person, now: datetime) -> list[StockMovement]:
    """Book a movement; raises Forbidden, NotFound, Conflict (not enough available) or Invalid and then has booked nothing."""
    need(user, RIGHT.get(wish.reason, "parts.write"))
    get_store(session, wish.store_id, user)
    if wish.order_id is not None:
        _check_order(session, wish, user)
    part = lock_parts(session, {wish.part_id}, user)[wish.part_id]
    return book(session, part, wish, user, now)


def book(session: Session, part: Part, wish: Move, user: Person, now: datetime) -> list[StockMovement]:
    """The same for a part that is locked already, without asking for rights."""
    rows = _BOOK[wish.reason](_Booking(session, part, wish, user, now))
    session.add_all(rows)
    session.flush()
    for row in rows:
        new = {"store": row.store_id, "quantity": row.quantity, "order": row.order_id, "note": row.note, "cost": row.unit_cost}
        audit.record(session, audit.Change(f"stock.{row.reason}", "part", part.id, part.site_id, None, new), user, now)
    return rows


def _check_order(session: Session, wish: Move, user: Person) -> None:
    if wish.reason not in {Reason.ISSUE, Reason.RETURN}:
        raise Invalid("order", "no_order", f"{wish.reason} goes to no order")
    order = order_rows.lock(session, wish.order_id or 0, user)  # order, part, reservation: everybody locks in this order
    if wish.reason is Reason.ISSUE and order.state in FINAL:
        raise Conflict("wrong_state", f"{order.number} is {order.state}", order.state)


def _receipt(booking: _Booking) -> list[StockMovement]:
    part, move = booking.part, booking.move
    cost = part.unit_cost if move.unit_cost is None else move.unit_cost
    _arrive(booking, move.quantity, cost)
    return [booking.row(move.quantity, cost)]


def _arrive(booking: _Booking, quantity: Decimal, cost: Decimal) -> None:
    part = booking.part
    part.average_cost = stock.averaged(total_on_hand(booking.session, part.id), part.average_cost, quantity, cost)


def _issue(booking: _Booking) -> list[StockMovement]:
    move = booking.move
    if move.order_id is None:
        _need_note(move)
    own = reservations.open_of(booking.session, move) if move.order_id is not None else []
    reserved = sum((row.quantity - row.issued for row in own), Decimal(0))
    stock.check_available(_level(booking), move.quantity, own_reserved=reserved)
    reservations.consume(own, move.quantity)
    return [booking.row(-move.quantity, booking.part.average_cost)]


def _return(booking: _Booking) -> list[StockMovement]:
    move = booking.move
    if move.order_id is None:
        raise Invalid("order", "required", "from which order does it come back?")
    taken = next((used for used in parts_of_orders(booking.session, [move.order_id])[move.order_id] if used.part_id == move.part_id), None)
    if taken is None or taken.quantity < move.quantity:
        raise Conflict("not_issued", f"{stock.plain(taken.quantity if taken else Decimal(0))} were issued to this order")
    _arrive(booking, move.quantity, taken.unit_cost)
    return [booking.row(move.quantity, taken.unit_cost)]


def _adjust(booking: _Booking) -> list[StockMovement]:
    move = booking.move
    _need_note(move)
    if move.quantity < 0:
        stock.check_available(_level(booking), -move.quantity)
    return [booking.row(move.quantity, booking.part.average_cost)]


def _transfer(booking: _Booking) -> list[StockMovement]:
    move, cost = booking.move, booking.part.average_cost
    if move.to_store_id is None or move.to_store_id == move.store_id:
        raise Invalid("to_store", "required", "name another store")
    target = get_store(booking.session, move.to_store_id, booking.user)
    stock.check_available(_level(booking), move.quantity)
    return [booking.row(-move.quantity, cost), booking.row(move.quantity, cost, target.id)]


def _count(booking: _Booking) -> list[StockMovement]:
    return [booking.row(booking.move.quantity - _level(booking).on_hand, booking.part.average_cost)]


_BOOK: dict[Reason, Callable[[_Booking], list[StockMovement]]] = {
    Reason.RECEIPT: _receipt,
    Reason.ISSUE: _issue,
    Reason.RETURN: _return,
    Reason.ADJUSTMENT: _adjust,
    Reason.TRANSFER: _transfer,
    Reason.COUNT: _count,
}


def _need_note(move: Move) -> None:
    if not move.note.strip():
        raise Invalid("note", "required", "say what for")


def _level(booking: _Booking) -> Level:
    return level_of(booking.session, booking.move.part_id, booking.move.store_id)


def take_stock(session: Session, store_id: int, counted: dict[int, Decimal], note: str, user: Person, now: datetime) -> list[StockMovement]:
    """A stock take: what was found of each part in one store; a line for each, of 0 where the ledger was right."""
    need(user, "parts.write")
    get_store(session, store_id, user)
    parts = lock_parts(session, set(counted), user)
    levels = levels_of(session, counted)
    rows: list[StockMovement] = []
    for part_id, found in sorted(counted.items()):
        wish = Move(part_id=part_id, store_id=store_id, reason=Reason.COUNT, quantity=found, note=note)
        had = levels.get((part_id, store_id), Level(Decimal(0), Decimal(0))).on_hand
        rows.append(_Booking(session, parts[part_id], wish, user, now).row(found - had, parts[part_id].average_cost))
        new = {"store": store_id, "counted": found, "difference": found - had, "note": note}
        audit.record(session, audit.Change("stock.count", "part", part_id, parts[part_id].site_id, {"on_hand": had}, new), user, now)
    session.add_all(rows)
    session.flush()
    return rows


def total_on_hand(session: Session, part_id: int) -> Decimal:
    """Stock of a part over all stores."""
    return session.scalar(select(func.coalesce(func.sum(StockLevel.on_hand), 0)).where(StockLevel.part_id == part_id)) or Decimal(0)


@dataclass(frozen=True, slots=True)
class PartUsed:
    """What an order took of one part, returns subtracted. unit_cost: mean of what was issued."""

    part_id: int
    number: str
    name: str
    unit: str
    quantity: Decimal
    unit_cost: Decimal

    @property
    def cost(self) -> Decimal:
        """In the site's currency."""
        return stock.money(self.quantity * self.unit_cost)


def parts_of_orders(session: Session, order_ids: Iterable[int]) -> dict[int, list[PartUsed]]:
    """Parts that orders took, by order; [] where none. One query."""
    wanted = list(order_ids)
    amount, worth = func.sum(-StockMovement.quantity), func.sum(-StockMovement.quantity * StockMovement.unit_cost)
    query = (
        select(func.coalesce(StockMovement.order_id, 0), Part.id, Part.number, Part.name, Part.unit, amount, worth)
        .join(Part, Part.id == StockMovement.part_id)
        .where(StockMovement.order_id.in_(wanted))
        .group_by(StockMovement.order_id, Part.id)
        .order_by(Part.number)
    )
    found: dict[int, list[PartUsed]] = {order_id: [] for order_id in wanted}
    for order_id, part_id, number, name, unit, quantity, value in session.execute(query):
        if quantity > 0:
            found[order_id].append(PartUsed(part_id, number, name, unit, quantity, value / quantity))
    return found


def cost_of_orders(session: Session, order_ids: Collection[int]) -> dict[int, Decimal]:
    """Cost of the parts of each order; 0 where none."""
    return {order_id: sum((used.cost for used in rows), Decimal(0)) for order_id, rows in parts_of_orders(session, order_ids).items()}
