"""Impact of a bad as-found: every alert, order, proof verdict and decision made on the instrument since it was last known good.

The list is frozen when the review opens; a person other than the one who calibrated signs it. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Forbidden, NotFound
from server.models.alerts import AlertRecord
from server.models.audit import AuditLog
from server.models.calibration import CalibrationRecord, ImpactReview
from server.models.plant import Asset, Instrument
from server.models.work import ProofWindow, StepEvent, WorkOrder
from server.rules.roles import Role
from server.store import calibration_rows
from server.store.actor import Person, need
from server.store.notifications import Message, notify, people_with
from server.store.page import Page, ordering, page_of
from server.store.related import by_id
from server.timestamps import rfc3339

DECISIONS = ("acknowledge", "resolve", "shelve", "unshelve", "promote")
MOST = 2_000  # of each kind
Item = dict[str, Any]


def open_review(session: Session, row: CalibrationRecord, instrument: Instrument, asset: Asset, now: datetime) -> ImpactReview:
    """The review of a calibration that found the instrument out of tolerance; managers and planners are told."""
    since = known_good(session, row)
    items = gather(session, instrument, since, row.performed_at)
    review = ImpactReview(
        calibration_id=row.id, instrument_id=instrument.id, since=since, until=row.performed_at, items=items, state="open", opened_at=now
    )
    session.add(review)
    session.flush()
    words = f"{row.number}: {instrument.tag} was {row.error_pct:+.2f} % of span off, tolerance ±{row.tolerance_pct:g} %"
    people = people_with(session, asset.site_id, Role.MANAGER, Role.PLANNER)
    notify(session, people, Message("impact_review", words[:200], f"{len(items)} decisions to review", None, None, asset.site_id), now)
    return review


def known_good(session: Session, row: CalibrationRecord) -> datetime | None:
    """When the instrument was last left in tolerance before this calibration; None = never."""
    former = [
        one for one in calibration_rows.in_force(session, row.instrument_id) if one.id != row.id and one.performed_at < row.performed_at
    ]
    return next((one.performed_at for one in reversed(former) if one.passed), None)


def gather(session: Session, instrument: Instrument, since: datetime | None, until: datetime) -> list[Item]:
    """Items {kind, at, what, id, number, by} in order of time."""
    alerts = _alerts(session, instrument, since, until)
    orders = _orders(session, [alert.id for alert in alerts])
    items = [
        *[_item("alert", alert.raised_at, alert.message, alert.id, alert.number, None) for alert in alerts],
        *[_item("order", order.created_at, order.title, order.id, order.number, order.created_by) for order in orders],
        *_verdicts(orders),
        *_proofs(session, instrument, since, until),
        *_decisions(session, alerts, until),
        *_answers(session, instrument, orders, until),
    ]
    return sorted(items, key=lambda item: str(item["at"]))


def _item(kind: str, at: datetime, what: str, id_: int, number: str | None, by: str | None) -> Item:
    return {"kind": kind, "at": rfc3339(at), "what": what, "id": id_, "number": number, "by": by}


def _alerts(session: Session, instrument: Instrument, since: datetime | None, until: datetime) -> Sequence[AlertRecord]:
    """Alerts on its tag, or for which its tag was a reason; its own overdue calibration is no decision."""
    reason = AlertRecord.because.contains([{"tag": instrument.tag}])
    query = select(AlertRecord).where(or_(AlertRecord.tag == instrument.tag, reason), AlertRecord.asset_id.is_not(None))
    query = query.where(AlertRecord.raised_at <= until, AlertRecord.type != "calibration_overdue")
    if since is not None:
        query = query.where(or_(AlertRecord.raised_at > since, AlertRecord.last_at > since))
    return session.scalars(query.order_by(AlertRecord.raised_at).limit(MOST)).all()


def _orders(session: Session, alert_ids: Sequence[int]) -> Sequence[WorkOrder]:
    worked = select(AlertRecord.work_order_id).where(AlertRecord.id.in_(alert_ids), AlertRecord.work_order_id.is_not(None))
    query = select(WorkOrder).where(or_(WorkOrder.alert_id.in_(alert_ids), WorkOrder.id.in_(worked)))
    return session.scalars(query.order_by(WorkOrder.created_at)).all()


def _verdicts(orders: Sequence[WorkOrder]) -> list[Item]:
    ended = [order for order in orders if order.verdict is not None and order.completed_at is not None]
    return [_item("verdict", order.completed_at or order.created_at, f"{order.verdict}", order.id, order.number, None) for order in ended]


def _proofs(session: Session, instrument: Instrument, since: datetime | None, until: datetime) -> list[Item]:
    query = select(ProofWindow, WorkOrder).join(WorkOrder, WorkOrder.id == ProofWindow.order_id)
    query = query.where(ProofWindow.tags.contains([instrument.tag]), ProofWindow.opened_at <= until)
    if since is not None:
        query = query.where(ProofWindow.opened_at > since)
    return [
        _item(
            "proof",
            window.closed_at or window.opened_at,
            f"{window.state}: {window.reason or 'no reason given'}",
            order.id,
            order.number,
            "signal",
        )
        for window, order in session.execute(query.order_by(ProofWindow.id).limit(MOST))
    ]


def _decisions(session: Session, alerts: Sequence[AlertRecord], until: datetime) -> list[Item]:
    numbers = {alert.id: alert.number for alert in alerts}
    query = select(AuditLog).where(AuditLog.thing == "alert", AuditLog.thing_id.in_(numbers), AuditLog.action.in_(DECISIONS))
    rows = session.scalars(query.where(AuditLog.at <= until).order_by(AuditLog.id).limit(MOST))
    return [_item("decision", row.at, row.action, int(row.thing_id or 0), numbers.get(int(row.thing_id or 0)), row.actor) for row in rows]


def _answers(session: Session, instrument: Instrument, orders: Sequence[WorkOrder], until: datetime) -> list[Item]:
    """Values read from the instrument into a step, on the orders above."""
    numbers = {order.id: order.number for order in orders}
    query = select(StepEvent).where(StepEvent.order_id.in_(numbers), StepEvent.kind == "answer", StepEvent.unit == instrument.unit)
    rows = session.scalars(query.where(StepEvent.value.is_not(None), StepEvent.received_at <= until).order_by(StepEvent.id).limit(MOST))
    said = [(row, f"step {row.step_id}: {row.value} {row.unit or ''}".strip()) for row in rows if isinstance(row.value, int | float)]
    return [_item("measurement", row.at, words, row.order_id, numbers[row.order_id], None) for row, words in said]


def get(session: Session, review_id: int, user: Person, *, lock: bool = False) -> ImpactReview:
    """A visible review; raises NotFound."""
    query = select(ImpactReview).join(Instrument, Instrument.id == ImpactReview.instrument_id).join(Asset, Asset.id == Instrument.asset_id)
    query = query.where(ImpactReview.id == review_id)
    if user.site_id is not None:
        query = query.where(Asset.site_id == user.site_id)
    if lock:
        query = query.with_for_update(of=ImpactReview).execution_options(populate_existing=True)
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound("impact review", review_id)
    return row


def list_reviews(session: Session, site: int | None, wanted: Mapping[str, Any]) -> Page[ImpactReview]:
    """Reviews of a site, newest first; `wanted` as in the query of GET /api/impact-reviews."""
    query = select(ImpactReview).join(Instrument, Instrument.id == ImpactReview.instrument_id).join(Asset, Asset.id == Instrument.asset_id)
    if site is not None:
        query = query.where(Asset.site_id == site)
    if wanted.get("state"):
        query = query.where(ImpactReview.state == wanted["state"])
    if wanted.get("instrument"):
        query = query.where(Instrument.tag == wanted["instrument"])
    order = ordering(wanted["sort"] or "-opened_at", {"opened_at": ImpactReview.opened_at, "id": ImpactReview.id}, "-id")
    return page_of(session, query, order, wanted["limit"], wanted["offset"])


def sign(session: Session, review_id: int, conclusion: str, user: Person, now: datetime) -> ImpactReview:
    """A person answers for the review; raises Forbidden for whoever calibrated, Conflict where it is signed already."""
    need(user, "calibrations.accept")
    row = get(session, review_id, user, lock=True)
    if row.state != "open":
        raise Conflict("signed", f"the review was signed by {row.reviewed_by}", row.state)
    record = session.get_one(CalibrationRecord, row.calibration_id)
    if record.performed_by_id is not None and record.performed_by_id == user.id:
        raise Forbidden("own_work", "somebody other than the person who calibrated signs the review")
    row.state, row.conclusion = "signed", conclusion.strip()
    row.reviewed_by, row.reviewed_by_id, row.reviewed_at = user.name, user.id, now
    row.rev += 1
    site = session.get_one(Asset, session.get_one(Instrument, row.instrument_id).asset_id).site_id
    new = {"state": "signed", "conclusion": row.conclusion, "items": len(row.items)}
    change = audit.Change("sign", "impact_review", row.id, site, {"state": "open"}, new, reason=row.conclusion)
    audit.record(session, change, user, now)
    return row


def bodies(session: Session, rows: Sequence[ImpactReview]) -> list[dict[str, Any]]:
    """The REST bodies."""
    places = calibration_rows.instruments_of(session, (row.instrument_id for row in rows))
    records = by_id(session, CalibrationRecord, (row.calibration_id for row in rows))

    def body(row: ImpactReview) -> dict[str, Any]:
        record = records[row.calibration_id]
        return {
            "id": row.id,
            "number": record.number,
            "calibration": {
                "id": record.id,
                "number": record.number,
                "found_error_pct": record.error_pct,
                "tolerance_pct": record.tolerance_pct,
            },
            "instrument": calibration_rows.instrument_brief(*places[row.instrument_id]),
            "since": rfc3339(row.since),
            "until": rfc3339(row.until),
            "items": row.items,
            "count": len(row.items),
            "state": row.state,
            "opened_at": rfc3339(row.opened_at),
            "conclusion": row.conclusion,
            "reviewed_by": row.reviewed_by,
            "reviewed_at": rfc3339(row.reviewed_at),
            "rev": row.rev,
        }

    return [body(row) for row in rows]
