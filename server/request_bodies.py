"""The bodies of fault reports in REST: for those who triage, and the little that a reporter may read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from server.models.plant import Asset
from server.models.requests import FaultRequest
from server.models.work import WorkOrder
from server.store import attachments
from server.store.related import by_id
from server.store.requests import Status
from server.timestamps import rfc3339

Body = dict[str, Any]


def request_bodies(session: Session, rows: Sequence[FaultRequest]) -> list[Body]:
    """Reports with their pictures, order and original."""
    session.flush()
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    orders = by_id(session, WorkOrder, (row.order_id for row in rows))
    firsts = by_id(session, FaultRequest, (row.duplicate_of_id for row in rows))
    photos = attachments.of_many(session, "request", [row.id for row in rows])
    return [
        {
            "id": row.id,
            "number": row.number,
            "status": row.state,
            "asset": _asset(assets[row.asset_id]),
            "description": row.words,
            "severity": row.severity,
            "reporter": row.reporter,
            "contact": row.contact,
            "photos": [attachments.body(photo) for photo in photos.get(row.id, [])],
            "order": _order(orders.get(row.order_id or 0)),
            "duplicate_of": _brief(firsts.get(row.duplicate_of_id or 0)),
            "reason": row.reason,
            "triaged_by": row.triaged_by,
            "triaged_at": rfc3339(row.triaged_at),
            "created_at": rfc3339(row.created_at),
            "rev": row.rev,
        }
        for row in rows
    ]


def _asset(asset: Asset) -> Body:
    return {"id": asset.id, "code": asset.code, "name": asset.name, "location": asset.location}


def _order(order: WorkOrder | None) -> Body | None:
    return {"id": order.id, "number": order.number, "status": order.state} if order else None


def _brief(row: FaultRequest | None) -> Body | None:
    return {"id": row.id, "number": row.number} if row else None


def public_body(status: Status) -> Body:
    """What the reporter reads."""
    row = status.row
    return {
        "number": row.number,
        "asset": {"code": status.asset.code, "name": status.asset.name},
        "description": row.words,
        "severity": row.severity,
        "status": status.progress,
        "order": status.order.number if status.order else None,
        "reason": row.reason,
        "created_at": rfc3339(row.created_at),
        "status_url": f"/report/status/{row.status_token}",
        "api_url": f"/api/public/reports/{row.status_token}",
    }
