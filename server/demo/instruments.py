"""The demo's instruments with their past: calibrations as found and as left, and what was mended."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.demo import plant
from server.models.calibration import CalibrationRecord, MaintenanceRecord, ReferenceStandard
from server.models.plant import Asset, Instrument, Site, Tag
from server.store import maintenance_records, numbers

POINTS_PCT = (0, 25, 50, 75, 100)
LAST_DONE = 0.4  # of the interval has passed since the last calibration


def add_instruments(session: Session, site: Site, now: datetime) -> None:
    """One instrument for each transmitter, with its calibration history."""
    for row in plant.INSTRUMENTS:
        asset = session.scalars(select(Asset).where(Asset.site_id == site.id, Asset.code == row.tag)).one()
        tag = session.scalars(select(Tag).where(Tag.name == row.tag)).one()
        interval = timedelta(days=row.interval_days)
        last = (now - LAST_DONE * interval).replace(hour=8, minute=30, second=0, microsecond=0)
        instrument = Instrument(
            asset_id=asset.id,
            tag_id=tag.id,
            tag=row.tag,
            name=row.name,
            type=row.type,
            variable=row.variable,
            unit=tag.unit,
            range_low=tag.range_low,
            range_high=tag.range_high,
            nominal=row.nominal,
            location=asset.location,
            accuracy_class=row.accuracy_class,
            criticality=asset.criticality,
            calibration_interval_days=row.interval_days,
            calibrated_at=last,
            calibration_due=last + interval,
        )
        standard = _standard(site, instrument, now)
        session.add_all([instrument, standard])
        session.flush()
        past = len(row.found_errors_pct) - 1
        for back, error in enumerate(row.found_errors_pct):
            record = _calibration(instrument, row, error, last - (past - back) * interval)
            record.number, record.standard_id = f"CAL-{numbers.next_number(session, 'calibration')}", standard.id
            session.add(record)
    session.add_all(_repairs(session, site, now))


def _standard(site: Site, instrument: Instrument, now: datetime) -> ReferenceStandard:
    return ReferenceStandard(
        site_id=site.id,
        serial=f"REF-{instrument.tag}",
        name=f"Reference {instrument.type} standard",
        type=instrument.type,
        unit=instrument.unit,
        range_low=instrument.range_low,
        range_high=instrument.range_high,
        certificate=f"K-{now.year}-{instrument.tag}",
        calibrated_at=now - timedelta(days=90),
        due=now + timedelta(days=275),
    )


def _calibration(instrument: Instrument, row: plant.InstrumentRow, error_pct: float, at: datetime) -> CalibrationRecord:
    failed = error_pct > row.tolerance_pct
    left = 0.05 * row.tolerance_pct if failed else error_pct  # only what is out of tolerance is adjusted
    return CalibrationRecord(
        instrument_id=instrument.id,
        performed_at=at,
        performed_by="S. Moreau",
        signature="S. Moreau",
        standard=f"Reference {row.type} standard, certificate K-{at.year}-{instrument.tag}",
        as_found=points(instrument, error_pct),
        as_left=points(instrument, left),
        error_pct=error_pct,
        left_error_pct=left,
        tolerance_pct=row.tolerance_pct,
        found_passed=not failed,
        passed=True,
        interval_days=row.interval_days,
        next_due=at + timedelta(days=row.interval_days),
        created_at=at,
        notes="Adjusted at zero and span." if failed else "",
    )


def points(instrument: Instrument, error_pct: float) -> list[dict[str, float]]:
    """Five points over the span; the error grows with the value, as a span error does, and is `error_pct` of span at its worst."""
    low, high = instrument.range_low or 0.0, instrument.range_high or 100.0
    span = high - low
    found = []
    for pct in POINTS_PCT:
        applied = low + span * pct / 100.0
        at_point = round(error_pct * pct / 100.0, 4)
        found.append({"applied": round(applied, 3), "reading": round(applied + span * at_point / 100.0, 4), "error_pct": at_point})
    return found


def _repairs(session: Session, site: Site, now: datetime) -> list[MaintenanceRecord]:
    rows: tuple[tuple[str, str, str, list[dict[str, object]], int, int], ...] = (
        ("M1", "replace", "Bearing B replaced, aligned by laser.", [{"sku": "SKF 6308", "qty": 1}], 95, 61),
        ("M3", "clean", "Intake filter cleaned.", [], 20, 24),
        ("FT-301", "adjust", "Adjusted at zero and span after calibration.", [], 35, 146),
        ("PL-1", "replace", "Seal of the main cylinder replaced.", [{"sku": "HYD-SEAL-80", "qty": 2}], 180, 88),
    )
    assets = {asset.code: asset for asset in session.scalars(select(Asset).where(Asset.site_id == site.id))}
    return [
        MaintenanceRecord(
            number=maintenance_records.next_number(session),
            asset_id=assets[code].id,
            action=action,
            description=text,
            parts=parts,
            duration_min=minutes,
            performed_at=now - timedelta(days=days),
            performed_by="A. Benali",
        )
        for code, action, text, parts, minutes, days in rows
        if code in assets
    ]
