"""The interval that an instrument's history proposes, and the person who accepts one. Nothing here commits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.models.calibration import IntervalDecision
from server.models.plant import Asset, Instrument
from server.rules import calibration, interval
from server.store import calibration_due, calibration_rows
from server.store.actor import Person, need
from server.timestamps import rfc3339


def proposal(session: Session, instrument: Instrument) -> interval.Proposal | None:
    """What the history proposes; None where there is too little of it."""
    records = calibration_rows.in_force(session, instrument.id)
    if not records:
        return None
    tolerance = calibration.tolerance_of(instrument.accuracy_class) or records[-1].tolerance_pct
    return interval.propose(calibration_rows.checks(records), tolerance, instrument.calibration_interval_days)


def body(session: Session, instrument: Instrument) -> dict[str, Any]:
    """The proposal with its calculation, and what people decided before, newest first."""
    found = proposal(session, instrument)
    query = select(IntervalDecision).where(IntervalDecision.instrument_id == instrument.id).order_by(IntervalDecision.id.desc()).limit(100)
    return {
        "instrument": {"id": instrument.id, "tag": instrument.tag},
        "current_days": instrument.calibration_interval_days,
        **_proposed(found),
        "decisions": [_decision(row) for row in session.scalars(query)],
        "rev": instrument.rev,
    }


def _proposed(found: interval.Proposal | None) -> dict[str, Any]:
    if found is None:
        return {"proposed_days": None, "drift": None, "steps": [], "reason": "two calibrations at different times are needed"}
    drift = {"pct_per_year": round(found.drift.pct_per_year, 6), "method": found.drift.method, "calibrations": found.drift.n}
    return {"proposed_days": found.days, "drift": drift, "steps": [asdict(step) for step in found.steps], "reason": None}


def _decision(row: IntervalDecision) -> dict[str, Any]:
    return {
        "id": row.id,
        "old_days": row.old_days,
        "new_days": row.new_days,
        "proposed_days": row.calculation.get("proposed_days"),
        "reason": row.reason,
        "decided_by": row.decided_by,
        "decided_at": rfc3339(row.decided_at),
    }


def accept(session: Session, instrument: Instrument, days: int, reason: str, user: Person, now: datetime) -> None:
    """A person sets the interval, the proposal beside it as it stood; the due date follows from the last calibration."""
    need(user, "calibrations.accept")
    old = {"calibration_interval_days": instrument.calibration_interval_days, "calibration_due": instrument.calibration_due}
    decision = IntervalDecision(
        instrument_id=instrument.id,
        old_days=instrument.calibration_interval_days,
        new_days=days,
        calculation=_proposed(proposal(session, instrument)),
        reason=reason.strip(),
        decided_by=user.name,
        decided_at=now,
    )
    session.add(decision)
    instrument.calibration_interval_days = days
    if instrument.calibrated_at is not None:
        instrument.calibration_due = calibration.next_due(instrument.calibrated_at, days, passed=True)
    instrument.rev += 1
    session.flush()
    asset = session.get_one(Asset, instrument.asset_id)
    new = {"calibration_interval_days": days, "calibration_due": instrument.calibration_due}
    audit.record(
        session,
        audit.Change("accept_interval", "instrument", instrument.id, asset.site_id, old, new, reason=decision.reason or None),
        user,
        now,
    )
    calibration_due.settle(session, instrument, asset, now)
