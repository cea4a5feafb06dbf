"""Stock, reserved and available of parts per store, read in two queries however many parts there are."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from server.models.parts import Reservation, StockLevel, StockMovement
from server.models.work import WorkOrder
from server.rules.stock import Level

ZERO = Decimal(0)


def levels_of(session: Session, part_ids: Iterable[int]) -> dict[tuple[int, int], Level]:
    """Level by (part, store), where either has ever been."""
    wanted = list(part_ids)
    rows = select(StockLevel.part_id, StockLevel.store_id, StockLevel.on_hand).where(StockLevel.part_id.in_(wanted))
    on_hand = {(part, store): quantity for part, store, quantity in session.execute(rows)}
    open_ = (
        select(Reservation.part_id, Reservation.store_id, func.sum(Reservation.quantity - Reservation.issued))
        .where(Reservation.part_id.in_(wanted), Reservation.released_at.is_(None))
        .group_by(Reservation.part_id, Reservation.store_id)
    )
    reserved = {(part, store): quantity for part, store, quantity in session.execute(open_)}
    return {key: Level(on_hand.get(key, ZERO), reserved.get(key, ZERO)) for key in on_hand.keys() | reserved.keys()}


def level_of(session: Session, part_id: int, store_id: int) -> Level:
    """Level of one part in one store."""
    return levels_of(session, [part_id]).get((part_id, store_id), Level(ZERO, ZERO))


def totals_of(session: Session, part_ids: Iterable[int]) -> dict[int, Level]:
    """Level by part over all stores."""
    found: dict[int, Level] = {}
    for (part_id, _store), level in levels_of(session, part_ids).items():
        known = found.get(part_id, Level(ZERO, ZERO))
        found[part_id] = Level(known.on_hand + level.on_hand, known.reserved + level.reserved)
    return found


def cost_of_order() -> ColumnElement[Any]:
    """What the parts issued to an order cost, returns subtracted, as a column correlated with WorkOrder.id."""
    worth = func.coalesce(func.sum(-StockMovement.quantity * StockMovement.unit_cost), 0)
    return select(func.round(worth, 2)).where(StockMovement.order_id == WorkOrder.id).correlate(WorkOrder).scalar_subquery()
