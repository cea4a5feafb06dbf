"""The body of a work order in REST and facts. What hangs on one (comments, labour, links) has bodies beside its store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy.orm import Session

from server.briefs import alert_brief, asset_brief
from server.models.work import ProcedureVersion, ProofWindow, WorkOrder
from server.rules import proof
from server.rules.order_types import is_breached, is_overdue
from server.rules.safety import dangers
from server.rules.work_order import OrderState
from server.store import related as related_rows
from server.store.related import Related
from server.timestamps import rfc3339, utc_now

Body = dict[str, Any]


def order_body(session: Session, order: WorkOrder, now: datetime | None = None) -> Body:
    """One order."""
    return order_bodies(session, [order], now)[0]


def order_bodies(session: Session, orders: Collection[WorkOrder], now: datetime | None = None) -> list[Body]:
    """Orders, in their order; `now` (None = the clock's) decides which are late."""
    session.flush()
    related = related_rows.of_orders(session, orders)
    return [_order(order, related, now or utc_now()) for order in orders]


def _order(order: WorkOrder, related: Related, now: datetime) -> Body:
    assignee = related.users.get(order.assignee_id or 0)
    team = related.teams.get(order.team_id or 0)
    repeat, parent = related.orders.get(order.repeat_of_id or 0), related.orders.get(order.parent_id or 0)
    version = _version_of(order, related)
    return {
        "id": order.id,
        "number": order.number,
        "external_ref": order.external_ref,
        "site": order.site_id,
        "title": order.title,
        "description": order.description,
        "type": order.type,
        "asset": asset_brief(related.assets[order.asset_id], related),
        "priority": order.priority,
        "status": order.state,
        "assigned_to": {"id": assignee.id, "name": assignee.name} if assignee else None,
        "team": team.name if team else None,
        "created_by": order.created_by,
        "est_min": order.estimated_min,
        "actual_min": order.actual_min,
        "labour_min": related.labour_min.get(order.id, 0),
        "steps": {"done": min(related.done.get(order.id, 0), _n_steps(version)), "total": _n_steps(version)},
        "procedure": _procedure(order, version, related),
        "safety": dangers(version.safety, version.steps) if version else [],
        "hazards": version.hazards if version else [],
        "lock_out": bool(version and version.lock_out),
        "alert": alert_brief(related.alerts.get(order.alert_id or 0), related),
        "proof": _proof(related.proofs.get(order.id)),
        "occurrences": order.occurrences,
        "requests": related.requests.get(order.id, []),
        "repeat_of": repeat.number if repeat else None,
        "verdict": order.verdict,
        "parent": {"id": parent.id, "number": parent.number} if parent else None,
        "notes": order.notes,
        "parts": order.parts,
        "signature": {name: order.signature[name] for name in ("name", "at")} if order.signature else None,
        "cost": _cost(order, related),
        "hold_reason": order.hold_reason,
        "problem": order.problem,
        "reopen_reason": order.reopen_reason,
        "cancel_reason": order.cancel_reason,
        "verified_by": order.verified_by,
        "completed_by": order.completed_by_id,
        **_order_times(order),
        **_promise(order, now),
        "rev": order.rev,
    }


def _promise(order: WorkOrder, now: datetime) -> Body:
    state = OrderState(order.state)
    breached = is_breached(state, order.sla_at, order.completed_at, now)
    return {"sla_at": rfc3339(order.sla_at), "sla_breached": breached, "overdue": is_overdue(state, order.due, now)}


def _cost(order: WorkOrder, related: Related) -> Body:
    labour, parts = related.labour.get(order.id, Decimal(0)), related.parts.get(order.id, Decimal(0))
    other = order.other_cost or Decimal(0)
    sums = {"labour": labour, "parts": parts, "other": other, "total": labour + parts + other}
    return {**{name: round(float(amount), 2) for name, amount in sums.items()}, "currency": related.currencies.get(order.site_id, "")}


def _order_times(order: WorkOrder) -> Body:
    names = ("created", "assigned", "started", "completed", "verified", "reopened", "cancelled", "changed")
    return {"due_at": rfc3339(order.due), **{f"{name}_at": rfc3339(getattr(order, f"{name}_at")) for name in names}}


def _version_of(order: WorkOrder, related: Related) -> ProcedureVersion | None:
    pinned = related.versions.get(order.procedure_version_id or 0)
    return pinned or related.newest.get(order.procedure_id or 0)


def _n_steps(version: ProcedureVersion | None) -> int:
    return len(version.steps) if version else 0


def _procedure(order: WorkOrder, version: ProcedureVersion | None, related: Related) -> Body | None:
    procedure = related.procedures.get(order.procedure_id or 0)
    if procedure is None or version is None:
        return None
    return {
        "id": procedure.id,
        "code": procedure.code,
        "title": procedure.title,
        "version": version.version,
        "version_id": version.id,
        "pinned": order.procedure_version_id is not None,
    }


def _proof(window: ProofWindow | None) -> Body | None:
    if window is None:
        return None
    return {
        "state": window.state,
        "started_at": rfc3339(window.opened_at),
        "settle_s": round((window.settle_until - window.opened_at).total_seconds(), 1),
        "settle_until": rfc3339(window.settle_until),
        "required_s": window.required_s,
        "good_s": round(window.good_s, 1),
        "ends_at": rfc3339(window.closed_at or window.deadline),
        "tags": window.tags,
        "reason": window.reason,
        "evidence": window.evidence or None,
        "open": window.state in proof.OPEN,
    }
