"""Active issues and how they are handled: open alerts with their orders; the urgent ones first (S0-22, S0-23). Reads only."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import Severity
from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.plant import Asset
from server.models.work import WorkOrder
from server.rules.priorities import Priority
from server.rules.work_order import FINAL, IN_WORK, OrderState
from server.timestamps import rfc3339

HANDLINGS = ("new", "acknowledged", "shelved", "ordered", "in_work", "proof")
MOST = 500


def active_issues(session: Session, site_id: int, now: datetime) -> dict[str, Any]:
    """Counts by handling, and every issue, dangers first, the newest first among them."""
    query = select(AlertRecord, Asset, WorkOrder, User.name.label("who")).outerjoin(Asset, Asset.id == AlertRecord.asset_id)
    query = query.outerjoin(WorkOrder, WorkOrder.id == AlertRecord.work_order_id).outerjoin(User, User.id == WorkOrder.assignee_id)
    query = query.where(AlertRecord.site_id == site_id, AlertRecord.resolved_at.is_(None), AlertRecord.watch.is_(False))
    rows = session.execute(query.where(AlertRecord.suppressed.is_(None)).order_by(AlertRecord.raised_at.desc()).limit(MOST)).all()
    items = [_item(*row, now) for row in rows]
    counts = Counter(item["handling"] for item in items)
    return {
        "at": rfc3339(now),
        "total": len(items),
        "danger": sum(item["danger"] for item in items),
        "handling": {word: counts[word] for word in HANDLINGS},
        "items": sorted(items, key=lambda item: not item["danger"]),
    }


def _item(alert: AlertRecord, asset: Asset | None, order: WorkOrder | None, who: str | None, now: datetime) -> dict[str, Any]:
    working = order if order is not None and order.state not in FINAL else None
    urgent = working is not None and working.priority == Priority.URGENT
    return {
        "alert": {"id": alert.id, "number": alert.number, "message": alert.message, "severity": alert.severity, "type": alert.type},
        "asset": {"id": asset.id, "code": asset.code, "name": asset.name} if asset else None,
        "raised_at": rfc3339(alert.raised_at),
        "condition": alert.condition,
        "handling": _handling(alert, working, now),
        "order": {"id": working.id, "number": working.number, "status": working.state, "who": who} if working else None,
        "danger": alert.shelved_until is None and alert.condition == "active" and (alert.severity == Severity.CRITICAL or urgent),
    }


def _handling(alert: AlertRecord, order: WorkOrder | None, now: datetime) -> str:
    if order is not None:
        if order.state in IN_WORK:
            return "in_work"
        return "proof" if order.state == OrderState.COMPLETED else "ordered"
    if alert.shelved_until is not None and alert.shelved_until > now:
        return "shelved"
    return "new" if alert.acknowledged_at is None else "acknowledged"
