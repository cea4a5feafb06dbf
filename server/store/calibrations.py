"""Records a calibration and what follows: due date, drift starts anew, overdue alert returns, order of a failed one, review.

Nothing here commits. Records are never changed: a correction supersedes the former with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from math import isfinite

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, Invalid
from server.models.calibration import CalibrationRecord, ReferenceStandard
from server.models.plant import Asset, Instrument
from server.models.work import WorkOrder
from server.rules import calibration as rules
from server.rules import interval
from server.rules.calibration import Judged, Point
from server.rules.wording import TITLE_MAX
from server.rules.work_order import UNVERIFIED
from server.store import calibration_due, calibration_rows, impact, numbers, orders, snapshot_version, standards
from server.store.actor import Person, need

CLOCKS_APART = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCalibration:
    """What a person measured; `as_left` None = nothing was adjusted, so it is as it was found."""

    instrument: Instrument
    as_found: Sequence[Point]
    as_left: Sequence[Point] | None
    standard: ReferenceStandard
    standard_reason: str | None = None
    tolerance_pct: float | None = None
    performed_at: datetime | None = None
    performed_by: str | None = None
    signature: str | None = None
    order: WorkOrder | None = None
    ambient: str = ""
    notes: str = ""
    supersedes: CalibrationRecord | None = None
    supersede_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """Both sets of points judged."""

    tolerance_pct: float
    found: Judged
    left: Judged


def measure(
    instrument: Instrument, as_found: Sequence[Point], as_left: Sequence[Point] | None, tolerance_pct: float | None = None
) -> Measured:
    """Judge points against the instrument's range and class, storing nothing; raises Invalid where one of them is not usable."""
    for name, points in (("as_found", as_found), ("as_left", as_left or as_found)):
        problem = rules.points_problem(points)
        if problem:
            raise Invalid(name, "points", problem)
    low, high = instrument.range_low, instrument.range_high
    if low is None or high is None or not high > low:
        raise Invalid("instrument", "no_range", f"{instrument.tag} has no range, so no error in % of span can be told")
    tolerance = tolerance_pct if tolerance_pct is not None else rules.tolerance_of(instrument.accuracy_class)
    if tolerance is None:
        raise Invalid("tolerance_pct", "required", f"the accuracy class of {instrument.tag} says no tolerance")
    found, left = (rules.judge(points, low, high, tolerance) for points in (as_found, as_left or as_found))
    for name, judged in (("as_found", found), ("as_left", left)):
        if not all(map(isfinite, judged.errors_pct)):
            raise Invalid(name, "out_of_range", "an error beyond every number")
    return Measured(tolerance, found, left)


def points_body(points: Sequence[Point], judged: Judged) -> list[dict[str, float]]:
    """Points with their errors, as records keep them."""
    return [{**asdict(point), "error_pct": error} for point, error in zip(points, judged.errors_pct, strict=True)]


def record(session: Session, new: NewCalibration, user: Person, now: datetime) -> CalibrationRecord:
    """Write the calibration and everything that follows from it; raises Invalid or Conflict."""
    need(user, "calibrations.write")
    instrument = _locked(session, new.instrument)
    asset = session.get_one(Asset, instrument.asset_id)
    performed_at = new.performed_at or now
    _check(session, new, asset, performed_at, now)
    measured = measure(instrument, new.as_found, new.as_left, new.tolerance_pct)
    row = _row(session, new, measured, user, performed_at, now)
    if not measured.left.passed:
        row.follow_up_id = _order_of_failed(session, instrument, asset, row, now).id
    session.add(row)
    session.flush()
    told = {"number": row.number, "instrument": instrument.tag, "found_pct": row.error_pct, "left_pct": row.left_error_pct}
    told |= {"passed": row.passed, "standard": new.standard.serial, "supersedes": row.supersedes_id}
    change = audit.Change("create", "calibration", row.id, asset.site_id, None, told, reason=row.supersede_reason or row.standard_reason)
    audit.record(session, change, user, now)
    _bring_up_to_date(session, instrument, user, now)
    if not measured.found.passed:
        impact.open_review(session, row, instrument, asset, now)
    calibration_due.settle(session, instrument, asset, now)
    return row


def _locked(session: Session, instrument: Instrument) -> Instrument:
    query = select(Instrument).where(Instrument.id == instrument.id).with_for_update().execution_options(populate_existing=True)
    return session.scalars(query).one()


def _check(session: Session, new: NewCalibration, asset: Asset, performed_at: datetime, now: datetime) -> None:
    if performed_at > now + CLOCKS_APART:
        raise Invalid("performed_at", "future", "it has not happened yet")
    if rules.is_overdue(new.standard.due, performed_at) and not (new.standard_reason or "").strip():
        raise Invalid("standard", "expired", f"{new.standard.serial} was due itself by then; say in standard_reason why it may be used")
    if new.order is not None and new.order.asset_id != asset.id:
        raise Invalid("work_order", "other_asset", f"{new.order.number} is about another asset")
    if new.supersedes is None:
        return
    if new.supersedes.instrument_id != new.instrument.id:
        raise Invalid("supersedes", "other_instrument", f"{new.supersedes.number} is about another instrument")
    if not (new.supersede_reason or "").strip():
        raise Invalid("supersede_reason", "required", "say what was wrong with the former record")
    later = select(CalibrationRecord.number).where(CalibrationRecord.supersedes_id == new.supersedes.id)
    number = session.scalar(later)
    if number is not None:
        raise Conflict("superseded", f"{new.supersedes.number} was superseded by {number} already")


def _row(
    session: Session, new: NewCalibration, measured: Measured, user: Person, performed_at: datetime, now: datetime
) -> CalibrationRecord:
    instrument, standard = new.instrument, new.standard
    days = instrument.calibration_interval_days
    left = new.as_found if new.as_left is None else new.as_left
    order = new.order or calibration_due.order_in_work(session, instrument)
    replaced = new.supersedes.id if new.supersedes else None
    history = [row for row in calibration_rows.in_force(session, instrument.id) if row.performed_at < performed_at and row.id != replaced]
    check = interval.Check(performed_at, measured.found.worst_pct, measured.left.worst_pct)
    drift = interval.drift_rate([*calibration_rows.checks(history), check])
    name = new.performed_by or user.name
    return CalibrationRecord(
        number=f"CAL-{numbers.next_number(session, 'calibration')}",
        instrument_id=instrument.id,
        work_order_id=order.id if order else None,
        performed_at=performed_at,
        performed_by=name,
        performed_by_id=user.id,
        signature=new.signature or name,
        standard=f"{standard.name}, {standard.serial}, certificate {standard.certificate}"[:200],
        standard_id=standard.id,
        standard_facts=standards.facts(standard),
        standard_reason=(new.standard_reason or "").strip() or None,
        as_found=points_body(new.as_found, measured.found),
        as_left=points_body(left, measured.left),
        error_pct=measured.found.worst_pct,
        left_error_pct=measured.left.worst_pct,
        tolerance_pct=measured.tolerance_pct,
        found_passed=measured.found.passed,
        passed=measured.left.passed,
        interval_days=days,
        next_due=rules.next_due(performed_at, days, passed=measured.left.passed),
        drift_pct_per_year=round(drift.pct_per_year, 6) if drift else None,
        ambient=new.ambient,
        notes=new.notes,
        supersedes_id=replaced,
        supersede_reason=(new.supersede_reason or "").strip() or None,
        created_at=now,
    )


def _order_of_failed(session: Session, instrument: Instrument, asset: Asset, row: CalibrationRecord, now: datetime) -> WorkOrder:
    """The order that an instrument left out of tolerance needs; the one of an earlier failure where it is not verified yet."""
    earlier = (
        select(WorkOrder)
        .join(CalibrationRecord, CalibrationRecord.follow_up_id == WorkOrder.id)
        .where(CalibrationRecord.instrument_id == instrument.id, WorkOrder.state.in_([str(state) for state in UNVERIFIED]))
    )
    found = session.scalars(earlier.order_by(WorkOrder.id.desc()).limit(1)).one_or_none()
    if found is not None:
        return found
    words = f"{row.number}: left {row.left_error_pct:+.3f} % of span off, tolerance ±{row.tolerance_pct:g} %."
    title = f"Repair or replace {instrument.tag}: calibration failed"
    return orders.open_by_system(
        session, orders.NewOrder(title=title[:TITLE_MAX], asset_id=asset.id, description=words, priority="high"), now
    )


def _bring_up_to_date(session: Session, instrument: Instrument, user: Person, now: datetime) -> None:
    """Last and next date from the newest record in force that passed; the snapshot tells the monitor to begin drift anew."""
    newest = next((row for row in reversed(calibration_rows.in_force(session, instrument.id)) if row.passed), None)
    if newest is not None:
        old = {"calibrated_at": instrument.calibrated_at, "calibration_due": instrument.calibration_due}
        instrument.calibrated_at = newest.performed_at
        instrument.calibration_due = rules.next_due(newest.performed_at, instrument.calibration_interval_days, passed=True)
        instrument.rev += 1
        new = {"calibrated_at": instrument.calibrated_at, "calibration_due": instrument.calibration_due}
        site = session.get_one(Asset, instrument.asset_id).site_id
        audit.record(session, audit.Change("calibrate", "instrument", instrument.id, site, old, new), user, now)
    snapshot_version.bump(session, now, user.name)
