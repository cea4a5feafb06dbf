"""Closing an order and what follows: the record of the work, the proof window, the verified or reopened end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.errors import Invalid
from server.models.alerts import AlertRecord
from server.models.calibration import MaintenanceRecord
from server.models.work import WorkOrder
from server.rules.procedure_steps import is_number, is_text
from server.rules.work_order import OrderVerdict, completion_gaps
from server.store import alerts, completion_checks, follow_ups, labour, maintenance_records, proofs
from server.store.actor import Person
from server.store.notifications import Message, notify
from server.timestamps import rfc3339

CALIBRATION = "calibration"  # type of the orders that end with a calibration record instead of a verdict
MINUTES_MAX = 60 * 24 * 31
PARTS_MAX, SKU_MAX, COST_MAX = 50, 64, 99_999_999
STROKES_MAX, POINTS_MAX = 60, 400


@dataclass(frozen=True, slots=True)
class Completion:
    """What a technician says at the end."""

    notes: str
    verdict: OrderVerdict | None
    actual_minutes: int | None
    parts: list[Any]
    other_cost: Decimal | None = None
    signature: dict[str, Any] | None = None


def read(fields: dict[str, Any], order: WorkOrder) -> Completion:
    """The fields of a completion; raises Invalid for the first that is missing or wrong."""
    notes, verdict = fields.get("notes"), fields.get("verdict")
    if notes is not None and not isinstance(notes, str):
        raise Invalid("notes", "not_text", "words are wanted")
    if verdict is not None and not isinstance(verdict, str):
        raise Invalid("verdict", "unknown", f"one of {', '.join(OrderVerdict)}")
    gaps = completion_gaps(notes=notes, verdict=verdict, born_of_alert=order.alert_id is not None and order.type != CALIBRATION)
    if gaps:
        known = f"one of {', '.join(OrderVerdict)}" if gaps[0] == "verdict" else "say what was found and done"
        raise Invalid(gaps[0], "required", known)
    minutes = fields.get("actual_minutes")
    if minutes is not None and (isinstance(minutes, bool) or not isinstance(minutes, int) or not 0 <= minutes <= MINUTES_MAX):
        raise Invalid("actual_minutes", "out_of_range", f"0 to {MINUTES_MAX}")
    return Completion(
        notes=str(notes).strip(),
        verdict=OrderVerdict(verdict) if verdict else None,
        actual_minutes=minutes,
        parts=read_parts(fields.get("parts")),
        other_cost=_cost(fields.get("other_cost")),
        signature=read_signature(fields.get("signature")),
    )


def read_parts(raw: Any) -> list[Any]:
    """Parts used, `[{sku, qty}]`; raises Invalid."""
    if raw is None:
        return []
    if not isinstance(raw, list) or len(raw) > PARTS_MAX:
        raise Invalid("parts", "not_a_list", f"a list of at most {PARTS_MAX} parts")
    for part in raw:
        quantity = part.get("qty", 1) if isinstance(part, dict) else -1
        if not is_number(quantity) or quantity < 0 or not is_text(part.get("sku"), SKU_MAX):
            raise Invalid("parts", "wrong", "each part is {sku, qty}; a quantity is not negative")
    return raw


def _cost(raw: Any) -> Decimal | None:
    if raw is None:
        return None
    if not is_number(raw) or not 0 <= raw <= COST_MAX:
        raise Invalid("other_cost", "out_of_range", f"0 to {COST_MAX}")
    return Decimal(str(raw)).quantize(Decimal("0.01"), ROUND_HALF_UP)


def read_signature(raw: Any) -> dict[str, Any] | None:
    """A typed name, and strokes `[[[x, y], ...], ...]` (0 to 1 of the field) where it was drawn; raises Invalid."""
    if raw is None:
        return None
    if not isinstance(raw, dict) or not is_text(raw.get("name"), 200) or set(raw) - {"name", "strokes"}:
        raise Invalid("signature", "wrong", "{name, strokes?}")
    strokes = raw.get("strokes") or []
    if not isinstance(strokes, list) or len(strokes) > STROKES_MAX or not all(_is_stroke(stroke) for stroke in strokes):
        raise Invalid("signature", "strokes", f"at most {STROKES_MAX} strokes of points [x, y] between 0 and 1")
    return {"name": raw["name"].strip(), **({"strokes": strokes} if strokes else {})}


def _is_stroke(stroke: Any) -> bool:
    if not isinstance(stroke, list) or len(stroke) > POINTS_MAX:
        return False
    return all(isinstance(point, list) and len(point) == 2 and all(is_number(x) and 0 <= x <= 1 for x in point) for point in stroke)


def complete(session: Session, order: WorkOrder, done: Completion, by: Person, now: datetime) -> None:
    """The order is done by its technician: record it and, where an alert stands behind it, let the signal judge."""
    completion_checks.check(session, order, by, now)
    labour.stop_all(session, order.id, now)
    entered = labour.minutes_on(session, order.id)
    elapsed = round((now - order.started_at).total_seconds() / 60) if order.started_at else None
    worked = elapsed if entered is None else entered
    order.notes, order.verdict, order.parts = done.notes, done.verdict and str(done.verdict), done.parts
    order.actual_min = worked if done.actual_minutes is None else done.actual_minutes
    order.completed_at, order.completed_by_id = now, by.id
    order.signature = done.signature and {**done.signature, "at": rfc3339(now), "by": by.id}
    if done.other_cost is not None:
        order.other_cost = done.other_cost
    order.hold_reason = order.problem = None
    session.add(
        MaintenanceRecord(
            number=maintenance_records.next_number(session),
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
    if order.alert_id is not None and order.type != CALIBRATION:  # there the record is the proof
        proofs.open_for(session, order, now)
    follow_ups.open_for(session, order, by, now)


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
