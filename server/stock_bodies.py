"""The bodies of stores, parts, movements, reservations, parts lists and purchases in REST; each kind in a handful of queries."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.parts import BomLine, Part, Reservation, StockMovement, Store
from server.models.plant import Asset, AssetClass
from server.models.purchases import Purchase
from server.models.work import WorkOrder
from server.rules.stock import Level, money, plain
from server.store import purchases, usage
from server.store.levels import ZERO, levels_of, totals_of
from server.store.related import by_id
from server.timestamps import rfc3339

Body = dict[str, Any]
_NOTHING = Level(ZERO, ZERO)


def price(amount: Decimal) -> float:
    """Money as a JSON number with two decimals."""
    return float(money(amount))


def store_body(store: Store) -> Body:
    """One store."""
    return {"id": store.id, "code": store.code, "name": store.name, "location": store.location, "rev": store.rev}


def part_brief(part: Part) -> Body:
    """A part inside another body."""
    return {"id": part.id, "number": part.number, "name": part.name, "unit": part.unit}


def part_bodies(session: Session, parts: Sequence[Part]) -> list[Body]:
    """Parts with their stock over all stores."""
    ids = [part.id for part in parts]
    levels, coming = totals_of(session, ids), usage.on_order(session, ids)
    return [_part(part, levels.get(part.id, _NOTHING), coming.get(part.id, ZERO)) for part in parts]


def _part(part: Part, level: Level, coming: Decimal) -> Body:
    return {
        **part_brief(part),
        "description": part.description,
        "supplier": part.supplier,
        "supplier_part_no": part.supplier_part_no,
        "external_ref": part.external_ref,
        "unit_cost": price(part.unit_cost),
        "average_cost": price(part.average_cost),
        "minimum": plain(part.minimum),
        "maximum": plain(part.maximum),
        "reorder_quantity": plain(part.reorder_quantity),
        "lead_days": part.lead_days,
        "critical": part.critical,
        **_level(level),
        "on_order": plain(coming),
        "below_minimum": level.available < part.minimum,
        "value": price(level.on_hand * part.average_cost),
        "rev": part.rev,
        "created_at": rfc3339(part.created_at),
    }


def _level(level: Level) -> Body:
    return {"on_hand": plain(level.on_hand), "reserved": plain(level.reserved), "available": plain(level.available)}


def part_body(session: Session, part: Part) -> Body:
    """One part, with its stock in each store."""
    session.flush()
    levels = levels_of(session, [part.id])
    stores = by_id(session, Store, (store for _part, store in levels))
    each = [{"store": store_body(stores[store]), **_level(level)} for (_part, store), level in sorted(levels.items())]
    return {**part_bodies(session, [part])[0], "stores": each}


def movement_bodies(session: Session, rows: Sequence[StockMovement]) -> list[Body]:
    """Lines of the ledger."""
    parts = by_id(session, Part, (row.part_id for row in rows))
    stores = by_id(session, Store, (row.store_id for row in rows))
    orders = by_id(session, WorkOrder, (row.order_id for row in rows))
    return [
        {
            "id": row.id,
            "part": part_brief(parts[row.part_id]),
            "store": stores[row.store_id].code,
            "reason": row.reason,
            "quantity": plain(row.quantity),
            "unit_cost": price(row.unit_cost),
            "order": _order(orders.get(row.order_id or 0)),
            "note": row.note,
            "by": row.by,
            "at": rfc3339(row.at),
        }
        for row in rows
    ]


def _order(order: WorkOrder | None) -> Body | None:
    return {"id": order.id, "number": order.number, "status": order.state} if order else None


def reservation_bodies(session: Session, rows: Sequence[Reservation]) -> list[Body]:
    """Reservations."""
    parts = by_id(session, Part, (row.part_id for row in rows))
    stores = by_id(session, Store, (row.store_id for row in rows))
    orders = by_id(session, WorkOrder, (row.order_id for row in rows))
    return [
        {
            "id": row.id,
            "part": part_brief(parts[row.part_id]),
            "store": stores[row.store_id].code,
            "order": _order(orders[row.order_id]),
            "quantity": plain(row.quantity),
            "issued": plain(row.issued),
            "by": row.by,
            "created_at": rfc3339(row.created_at),
            "released_at": rfc3339(row.released_at),
        }
        for row in rows
    ]


def bom_bodies(session: Session, rows: Sequence[BomLine]) -> list[Body]:
    """Lines of parts lists, with what is available of each part."""
    parts = by_id(session, Part, (row.part_id for row in rows))
    levels = totals_of(session, list(parts))
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    classes = by_id(session, AssetClass, (row.class_id for row in rows))
    return [
        {
            "id": row.id,
            "part": part_brief(parts[row.part_id]),
            "asset": assets[row.asset_id].code if row.asset_id else None,
            "asset_class": classes[row.class_id].name if row.class_id else None,
            "quantity": plain(row.quantity),
            "position": row.position,
            "available": plain(levels.get(row.part_id, _NOTHING).available),
            "rev": row.rev,
        }
        for row in rows
    ]


def purchase_bodies(session: Session, rows: Sequence[Purchase]) -> list[Body]:
    """Purchases with their lines."""
    session.flush()
    lines: dict[int, list[Body]] = {row.id: [] for row in rows}
    totals: dict[int, Decimal] = {row.id: ZERO for row in rows}
    for line, part in purchases.lines_of(session, list(lines)):
        cost = line.quantity * line.unit_cost
        totals[line.purchase_id] += cost
        quantities = {"quantity": plain(line.quantity), "received": plain(line.received)}
        costs = {"unit_cost": price(line.unit_cost), "cost": price(cost), "why": line.why}
        lines[line.purchase_id].append({"id": line.id, "part": part_brief(part), **quantities, **costs})
    return [_purchase(row, lines[row.id], totals[row.id]) for row in rows]


def _purchase(row: Purchase, lines: list[Body], total: Decimal) -> Body:
    return {
        "id": row.id,
        "number": row.number,
        "status": row.state,
        "supplier": row.supplier,
        "note": row.note,
        "reference": row.reference,
        "reason": row.reason,
        "expected_on": row.expected_on.isoformat() if row.expected_on else None,
        "lines": lines,
        "total": price(total),
        "requested_by": row.requested_by,
        "approved_by": row.approved_by,
        "created_by": row.created_by,
        "created_at": rfc3339(row.created_at),
        "ordered_at": rfc3339(row.ordered_at),
        "changed_at": rfc3339(row.changed_at),
        "rev": row.rev,
    }


def open_reservations(session: Session, part_id: int | None, order_id: int | None) -> list[Reservation]:
    """What is reserved of a part or for an order, open ones only, oldest first."""
    query = select(Reservation).where(Reservation.released_at.is_(None), Reservation.issued < Reservation.quantity)
    if part_id is not None:
        query = query.where(Reservation.part_id == part_id)
    if order_id is not None:
        query = query.where(Reservation.order_id == order_id)
    return list(session.scalars(query.order_by(Reservation.id).limit(500)))
