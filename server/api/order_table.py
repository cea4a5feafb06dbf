"""The list of work orders as a table for files: one row an order, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from server import bodies
from server.export.table import Column, Table
from server.store import orders
from server.store.order_lists import Wanted

AT_ONCE = 500
COLUMNS = (
    Column("number", "Number"),
    Column("external_ref", "External reference"),
    Column("title", "Title"),
    Column("type", "Type", "word"),
    Column("asset", "Asset"),
    Column("priority", "Priority", "word"),
    Column("status", "Status", "word"),
    Column("assigned_to", "Assigned to"),
    Column("created_at", "Opened", "moment"),
    Column("due_at", "Due", "moment"),
    Column("completed_at", "Completed", "moment"),
    Column("overdue", "Overdue"),
    Column("sla_breached", "SLA breached"),
    Column("est_min", "Estimated", "number", "min"),
    Column("actual_min", "Actual", "number", "min"),
    Column("cost", "Cost", "money"),
)


def table(session: Session, wanted: Wanted, sort: str, now: datetime) -> Table:
    """All orders that are wanted, in the list's order."""
    return Table("Work orders", COLUMNS, _rows(session, wanted, sort, now))


def _rows(session: Session, wanted: Wanted, sort: str, now: datetime) -> Iterator[dict[str, Any]]:
    offset = 0
    while True:
        items = orders.list_orders(session, wanted, now=now, limit=AT_ONCE, offset=offset, sort=sort).items
        yield from map(_row, bodies.order_bodies(session, items, now))
        offset += AT_ONCE
        if len(items) < AT_ONCE:
            return


def _row(body: dict[str, Any]) -> dict[str, Any]:
    late = {name: "yes" if body[name] else "" for name in ("overdue", "sla_breached")}
    who = body["assigned_to"]["name"] if body["assigned_to"] else ""
    return {**body, **late, "asset": body["asset"]["code"], "assigned_to": who, "cost": body["cost"]["total"]}
