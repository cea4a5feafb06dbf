"""What the jobs left behind: orders, labour, interventions, records, downtimes, alerts, calibrations and fault reports."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord, MaintenanceRecord, ReferenceStandard
from server.models.interventions import FaultTerm, Intervention
from server.models.maintenance import MaintenanceWindow
from server.models.order_records import OrderLabour
from server.models.plant import Asset, Instrument, OperatingPeriod
from server.models.requests import FaultRequest, ReportLink
from server.models.work import WorkOrder
from server.seed.bulk import ACTOR, Bulk, Row
from server.seed.catalogue import MEASURES
from server.seed.jobs import Job, chance, row_of
from server.seed.plant import Plant
from server.store import assets, taxonomy

RATE = 42  # of an hour of labour, in the site's currency
TOLERANCE_PCT = 1.0


def write_orders(bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """Orders with labour, interventions, maintenance records and one audit row each."""
    ids, numbers = bulk.ids(WorkOrder, len(jobs)), bulk.numbers("work_order", len(jobs))
    for job, id_, number in zip(jobs, ids, numbers, strict=True):
        job.id, job.number = id_, f"WO-{number}"
    rows = [row_of(plant, job) for job in jobs]
    bulk.copy(WorkOrder, rows)
    told = [(row["id"], row["created_at"], {name: row[name] for name in ("number", "title", "priority", "state")}) for row in rows]
    bulk.audit("work_order", plant.site.id, told)
    bulk.copy(OrderLabour, [_labour(row) for row in rows if row["actual_min"] is not None])
    done = [job for job in jobs if job.done and job.type != "calibration"]
    numbered = zip(done, bulk.numbers("maintenance_record", len(done)), strict=True)
    bulk.copy(MaintenanceRecord, [_record(job, number) for job, number in numbered])
    windows = [job for job in jobs if job.state == "in_progress"]
    bulk.copy(MaintenanceWindow, [_window(job) for job in windows])


def _labour(row: Row) -> Row:
    minutes = row["actual_min"]
    return {
        "order_id": row["id"],
        "user_id": row["completed_by_id"],
        "minutes": minutes,
        "rate": RATE,
        "cost": round(minutes * RATE / 60, 2),
        "started_at": row["started_at"],
        "ended_at": row["completed_at"],
        "entered_by": ACTOR,
    }


def _record(job: Job, number: int) -> Row:
    action = (
        "inspect" if job.type == "inspection" else "replace" if job.fault and job.fault.part else "repair" if job.fault else "lubricate"
    )
    assert job.who is not None
    return {
        "number": f"MR-{number}",
        "asset_id": job.machine.id,
        "work_order_id": job.id,
        "action": action,
        "description": job.title,
        "duration_min": job.minutes,
        "performed_at": job.times["completed"],
        "performed_by": job.who[1],
    }


def _window(job: Job) -> Row:
    started = job.times["started"]
    assert started is not None
    return {
        "asset_id": job.machine.id,
        "work_order_id": job.id,
        "reason": job.number,
        "by": ACTOR,
        "starts_at": started,
        "until": started + timedelta(days=2),
    }


def write_interventions(session: Session, bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """What technicians found, in the words of the site's taxonomy."""
    taxonomy.ensure(session, plant.site.id)
    terms = session.scalars(select(FaultTerm).where(FaultTerm.site_id == plant.site.id)).all()
    by_code = {(term.level, term.code): term.id for term in terms}
    whys = [term.id for term in terms if term.level == "why" and term.parent_id is None]
    places = [term.id for term in terms if term.level == "where"]
    found = [job for job in jobs if job.fault is not None and job.done]
    rows: list[Row] = []
    for job, number in zip(found, bulk.numbers("intervention", len(found)), strict=True):
        assert job.fault is not None
        assert job.who is not None
        rows.append(
            {
                "number": f"IV-{number}",
                "site_id": plant.site.id,
                "order_id": job.id,
                "asset_id": job.machine.id,
                "technician_id": job.who[0],
                "technician": job.who[1],
                "received_at": job.times["assigned"],
                "ended_at": job.times["completed"],
                "category_id": by_code["category", job.fault.category],
                "what_id": by_code["what", job.fault.what],
                "why_id": plant.rng.choice(whys),
                "where_id": plant.rng.choice(places),
                "created_at": job.times["started"],
                "changed_at": job.times["completed"],
            }
        )
    bulk.copy(Intervention, rows)


def write_alerts(session: Session, bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """An alert behind two of five failures, resolved with its order; the technician's verdict on it."""
    born = [job for job in jobs if job.fault is not None and job.state == "verified" and chance(plant.rng, 0.4)]
    ids, numbers = bulk.ids(AlertRecord, len(born)), bulk.numbers("alert", len(born))
    rows: list[Row] = []
    links: list[dict[str, Any]] = []
    for job, id_, number in zip(born, ids, numbers, strict=True):
        assert job.fault is not None
        kind = "machine_fault" if job.fault.stops else "rule_violation"
        rows.append(
            {
                "id": id_,
                "number": f"ALERT_{number:04d}",
                "site_id": plant.site.id,
                "asset_id": job.machine.id,
                "type": kind,
                "severity": "critical" if job.fault.stops else "warning",
                "detector": "plc" if job.fault.stops else "limits",
                "origin": "plc" if job.fault.stops else "rule",
                "message": job.fault.words,
                "condition": "returned",
                "raised_at": job.at - timedelta(minutes=1),
                "last_at": job.times["started"],
                "returned_at": job.times["completed"],
                "resolved_at": job.times["verified"],
                "resolved_by": job.verifier,
                "notes": job.number,
                "work_order_id": job.id,
            }
        )
        verdict = plant.rng.choices(["confirmed", "false", "something_else"], [8, 1, 1])[0]
        links.append({"id": job.id, "alert_id": id_, "verdict": verdict})
    bulk.copy(AlertRecord, rows)
    if links:
        session.execute(update(WorkOrder), links)


def write_calibrations(session: Session, bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """Standards, instruments with their due dates, and a record for every calibration done; errors drift, adjustment takes them back."""
    standards = {
        type_: ReferenceStandard(
            site_id=plant.site.id,
            serial=f"{plant.site.code}-REF-{n}",
            name=f"{type_.title()} standard",
            type=type_,
            unit=unit,
            certificate=f"DAkkS-{4000 + n}",
            calibrated_at=plant.now - timedelta(days=60),
            due=plant.now + timedelta(days=305),
        )
        for n, (type_, unit) in enumerate(MEASURES.items(), 1)
    }
    session.add_all(standards.values())
    session.flush()
    done = [job for job in jobs if job.instrument is not None and job.done]
    rows: list[Row] = []
    for job, number in zip(done, bulk.numbers("calibration", len(done)), strict=True):
        assert job.instrument is not None
        rows.append(_calibration(plant, job, number, standards[job.instrument["type"]]))
    newest = {row["instrument_id"]: row for row in rows}
    blank = {"performed_at": None, "next_due": None}
    register = []
    for instrument in plant.instruments:
        last = newest.get(instrument["id"], blank)
        register.append({**instrument, "calibrated_at": last["performed_at"], "calibration_due": last["next_due"]})
    bulk.copy(Instrument, register)
    bulk.copy(CalibrationRecord, rows)


def _calibration(plant: Plant, job: Job, number: int, standard: ReferenceStandard) -> Row:
    assert job.instrument is not None
    assert job.who is not None
    completed, days = job.times["completed"], job.instrument["calibration_interval_days"]
    assert completed is not None
    found = round(plant.rng.gauss(0.25, 0.3) * days / 365, 3)
    left = round(found if abs(found) < TOLERANCE_PCT * 0.7 else plant.rng.gauss(0, 0.08), 3)
    return {
        "number": f"CAL-{number}",
        "instrument_id": job.instrument["id"],
        "work_order_id": job.id,
        "performed_at": completed,
        "performed_by": job.who[1],
        "performed_by_id": job.who[0],
        "signature": job.who[1],
        "standard": standard.name,
        "standard_id": standard.id,
        "as_found": _points(job.instrument, found),
        "as_left": _points(job.instrument, left),
        "error_pct": found,
        "left_error_pct": left,
        "tolerance_pct": TOLERANCE_PCT,
        "found_passed": abs(found) <= TOLERANCE_PCT,
        "passed": abs(left) <= TOLERANCE_PCT,
        "interval_days": days,
        "next_due": completed + timedelta(days=days),
        "created_at": completed,
    }


def _points(instrument: Row, error_pct: float) -> list[Row]:
    """Five points over the range with one error, in % of span."""
    low, span = instrument["range_low"], instrument["range_high"] - instrument["range_low"]
    applied = [low + span * share for share in (0.0, 0.25, 0.5, 0.75, 1.0)]
    return [{"applied": round(a, 4), "reading": round(a + span * error_pct / 100, 4), "error_pct": error_pct} for a in applied]


def write_requests(session: Session, bulk: Bulk, plant: Plant, jobs: list[Job]) -> None:
    """Reports behind one failure in fifteen, and a few of today that wait for triage."""
    links = {link.asset_id: link.id for link in session.scalars(select(ReportLink).where(ReportLink.revoked_at.is_(None)))}
    told = [job for job in jobs if job.fault is not None and chance(plant.rng, 1 / 15)]
    rows: list[Row] = []
    waiting = [Job(plant.rng.choice(plant.machines), plant.now - timedelta(hours=n), "corrective", "", 0) for n in range(1, 9)]
    for job, number in zip([*told, *waiting], bulk.numbers("request", len(told) + len(waiting)), strict=True):
        fault = job.fault or plant.rng.choice(job.machine.kind.faults)
        is_new = job.id == 0
        rows.append(
            {
                "number": f"RQ-{number}",
                "site_id": plant.site.id,
                "asset_id": job.machine.id,
                "link_id": links[job.machine.id],
                "key": f"{plant.rng.getrandbits(96):024x}",
                "status_token": secrets.token_urlsafe(16),
                "state": "new" if is_new else "accepted",
                "words": fault.words,
                "severity": "stopped" if fault.stops else "bad",
                "order_id": None if is_new else job.id,
                "triaged_by": None if is_new else plant.planner[1],
                "triaged_by_id": None if is_new else plant.planner[0],
                "triaged_at": None if is_new else job.at,
                "created_at": job.at - timedelta(minutes=2),
            }
        )
    ids = bulk.ids(FaultRequest, len(rows))
    rows = [{"id": id_, **row} for id_, row in zip(ids, rows, strict=True)]
    bulk.copy(FaultRequest, rows)
    bulk.audit("request", plant.site.id, [(row["id"], row["created_at"], {"number": row["number"], "words": row["words"]}) for row in rows])


def settle(session: Session, plant: Plant, jobs: list[Job]) -> None:
    """States of the machines as their open orders and last periods make them."""
    busy = {job.machine.id for job in jobs if job.state not in {"verified", "cancelled"}}
    standing = select(OperatingPeriod).where(
        OperatingPeriod.ended_at.is_(None), OperatingPeriod.asset_id.in_([m.id for m in plant.machines])
    )
    for period in session.scalars(standing):
        state = {"operating": period.operating, "operating_since": period.started_at}
        session.execute(update(Asset).where(Asset.id == period.asset_id).values(state))
    for asset in session.scalars(select(Asset).where(Asset.id.in_(busy)).execution_options(populate_existing=True)):
        assets.refresh_maintenance(session, asset)
