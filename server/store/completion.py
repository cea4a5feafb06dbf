"""Closing an order and what follows: the record of the work, the proof window, the verified or reopened end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Conflict, Invalid
from server.models.alerts import AlertRecord
from server.models.calibration import MaintenanceRecord
from server.models.work import WorkOrder
from server.rules.work_order import OrderVerdict, completion_gaps
from server.store import alerts, proofs, steps
from server.store.actor import Person
from server.store.notifications import Message, notify

MINUTES_MAX = 60 * 24 * 31
PARTS_MAX = 50


@dataclass(frozen=True, slots=True)
class Completion:
    """What a technician says at the end."""

    notes: str
    verdict: OrderVerdict | None
    actual_minutes: int | None
    parts: list[Any]


def read(fields: dict[str, Any], order: WorkOrder) -> Completion:
    """The fields of a completion; raises Invalid for the first that is missing or wrong."""
    notes, verdict = fields.get("notes"), fields.get("verdict")
    if notes is not None and not isinstance(notes, str):
        raise Invalid("notes", "not_text", "words are wanted")
    if verdict is not None and not isinstance(verdict, str):
        raise Invalid("verdict", "unknown", f"one of {', '.join(OrderVerdict)}")
    gaps = completion_gaps(notes=notes, verdict=verdict, born_of_alert=order.alert_id is not None)
    if gaps:
        known = f"one of {', '.join(OrderVerdict)}" if gaps[0] == "verdict" else "say what was found and done"
        raise Invalid(gaps[0], "required", known)
    minutes = fields.get("actual_minutes")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes <= MINUTES_MAX):
        raise Invalid("actual_minutes", "out_of_range", f"0 to {MINUTES_MAX}")
    return Completion(str(notes).strip(), OrderVerdict(verdict) if verdict else None, minutes, _parts(fields.get("parts")))


def _parts(raw: Any) -> list[Any]:
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > PARTS_MAX:
        raise Invalid("parts", "not_a_list", f"a list of at most {PARTS_MAX} parts")
    for part in raw:
        quantity = part.get("qty", 1) if isinstance(part, dict) else None
        if isinstance(quantity, bool) or not isinstance(quantity, int | float) or quantity < 0 or not isinstance(part.get("sku"), str):
            raise Invalid("parts", "wrong", "each part is {sku, qty}")
    return raw


def complete(session: Session, order: WorkOrder, done: Completion, by: Person, now: datetime) -> None:
    """The order is done by its technician: record it and, where an alert stands behind it, let the signal judge."""
    missing = steps.missing(session, order)
    if missing is not None:
        raise Conflict("steps_missing", f"step {missing} is not done yet", order.state)
    worked = round((now - order.started_at).total_seconds() / 60) if order.started_at else None
    order.notes, order.verdict, order.parts = done.notes, done.verdict and str(done.verdict), done.parts
    order.actual_min = worked if done.actual_minutes is None else done.actual_minutes
    order.completed_at, order.completed_by_id = now, by.id
    order.hold_reason = order.problem = None
    session.add(
        MaintenanceRecord(
            asset_id=order.asset_id,
            work_order_id=order.id,
            action="inspect" if order.type == "inspection" else "repair",
            description=done.notes,
            parts=done.parts,
            duration_min=order.actual_min,
            performed_at=now,
            performed_by=by.name,
        )
    )
    if order.alert_id is not None:
        proofs.open_for(session, order, now)


def verified(session: Session, order: WorkOrder, by: Person, now: datetime, notes: str | None) -> None:
    """The repair is accepted, by the signal or by a person: what returned ends with the order."""
    order.verified_at, order.verified_by = now, by.name
    words = f"{order.number}: {order.notes or ''}".strip().rstrip(":")
    linked = select(AlertRecord).where(AlertRecord.work_order_id == order.id, AlertRecord.resolved_at.is_(None)).order_by(AlertRecord.id)
    for alert in session.scalars(linked.where(AlertRecord.condition == "returned").with_for_update()).all():
        alerts.close(session, alert, by, now, f"{words} ({notes})" if notes else words)


def reopened(session: Session, order: WorkOrder, reason: str, now: datetime) -> None:
    """The repair did not hold: the order goes back to its technician with the reason."""
    order.reopened_at, order.reopen_reason = now, reason
    message = Message("order_reopened", f"{order.number} reopened", reason, order.id, order.alert_id, order.site_id)
    notify(session, [order.assignee_id], message, now)
