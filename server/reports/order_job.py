"""Reports that a person asks for and fetches when they are done; they run in `python -m server.jobs`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime import settings as settings_module
from server.bodies import order_bodies
from server.database import Database
from server.job_run import running
from server.models.jobs import BackgroundJob
from server.models.work import WorkOrder
from server.timestamps import utc_now

ROWS_AT_ONCE = 500
COLUMNS = [
    *("number", "title", "asset", "type", "priority", "status", "assigned_to"),
    *("created_at", "due_at", "started_at", "completed_at", "verified_at", "verified_by", "overdue"),
    *("est_min", "actual_min", "verdict", "occurrences", "notes"),
]


def work_orders(job_id: int) -> None:
    """Job `report.work_orders` {from?, to?}: the site's orders by number as CSV, with whether each was late (S2-80, S2-81)."""
    settings = settings_module.load()
    settings_module.require(settings, "database_url")
    database = Database(str(settings.database_url), pool_size=1)
    try:
        with running(database, job_id) as job:
            job.result = {"type": "text/csv", "name": f"work-orders-{job_id}.csv", "content": _orders_csv(database, job)}
    finally:
        database.close()


def _orders_csv(database: Database, job: BackgroundJob) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    with database.transaction() as session:
        ids = session.scalars(_wanted(job)).all()
    job.total = len(ids)
    for first in range(0, len(ids), ROWS_AT_ONCE):
        with database.transaction() as session:
            for row in _rows(session, ids[first : first + ROWS_AT_ONCE]):
                writer.writerow(row)
        job.done = min(first + ROWS_AT_ONCE, len(ids))
    return text.getvalue()


def _wanted(job: BackgroundJob) -> Any:
    query = select(WorkOrder.id).where(WorkOrder.site_id == job.site_id).order_by(WorkOrder.id)
    if job.args.get("from"):
        query = query.where(WorkOrder.created_at >= datetime.fromisoformat(job.args["from"]))
    if job.args.get("to"):
        query = query.where(WorkOrder.created_at < datetime.fromisoformat(job.args["to"]))
    return query


def _rows(session: Session, ids: Any) -> Iterator[list[str]]:
    orders = session.scalars(select(WorkOrder).where(WorkOrder.id.in_(ids)).order_by(WorkOrder.id)).all()
    now = utc_now()
    for order, body in zip(orders, order_bodies(session, orders), strict=True):
        late = order.due is not None and (order.completed_at or now) > order.due
        flat = {
            **body,
            "asset": body["asset"]["code"],
            "assigned_to": (body["assigned_to"] or {}).get("name"),
            "overdue": "yes" if late else "no",
        }
        yield [_cell(flat[column]) for column in COLUMNS]


def _cell(value: Any) -> str:
    """A text that no spreadsheet runs as a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
