"""Reports on instruments: calibration (S2-75), compliance (S2-79), health (S2-77)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from server.export.table import Column
from server.models.alerts import AlertRecord
from server.models.calibration import CalibrationRecord
from server.models.plans import PmOccurrence
from server.models.plant import Area, Asset, Instrument
from server.reports.base import AREA, ASSET, Asked, Built, Row, Section, count_if, one, percent

SOON = timedelta(days=30)
TAG, NAME = Column("tag", "Instrument"), Column("name", "Name")
DUE = Column("due", "Next due", "time")
COMPLIANCE = Column("compliance_pct", "In date", "percent", "%")


def _instruments(asked: Asked, *columns: Any) -> Select[Any]:
    joined = select(*columns).select_from(Instrument).join(Asset, Asset.id == Instrument.asset_id).join(Area, Area.id == Asset.area_id)
    return joined.where(Instrument.deleted_at.is_(None), Asset.deleted_at.is_(None), *asked.plant(), *_named(asked))


def _named(asked: Asked) -> list[ColumnElement[bool]]:
    return asked.words(Instrument.tag, Instrument.name, Instrument.type)


def _overdue(asked: Asked) -> ColumnElement[bool]:
    return Instrument.calibration_due < asked.now


def _scheduled() -> ColumnElement[bool]:
    """Whether the instrument is to be calibrated at all."""
    return Instrument.calibration_due.is_not(None) | Instrument.calibration_interval_days.is_not(None)


def _state(asked: Asked) -> ColumnElement[str]:
    return case(
        (~_scheduled(), "not scheduled"),
        (Instrument.calibration_due.is_(None), "never calibrated"),
        (_overdue(asked), "overdue"),
        (Instrument.calibration_due < asked.now + SOON, "due soon"),
        else_="in date",
    )


def calibration(session: Session, asked: Asked) -> Built:
    """Where each instrument stands, and what was done in the span."""
    state = _state(asked)
    counts = _instruments(
        asked,
        func.count().label("instruments"),
        count_if(state.in_(["in date", "due soon"])).label("in_date"),
        count_if(state == "due soon").label("due_soon"),
        count_if(state == "overdue").label("overdue"),
        count_if(state == "never calibrated").label("never"),
    )
    history = _instruments(asked).join(CalibrationRecord, CalibrationRecord.instrument_id == Instrument.id)
    history = history.where(asked.within(CalibrationRecord.performed_at))
    done = history.add_columns(
        func.count().label("performed"),
        count_if(CalibrationRecord.passed).label("passed"),
        count_if(~CalibrationRecord.found_passed).label("found_out"),
    )
    figures = (
        Column("instruments", "Instruments", "whole"),
        Column("in_date", "In date", "whole"),
        Column("due_soon", "Due within 30 days", "whole"),
        Column("overdue", "Overdue", "whole"),
        Column("never", "Never calibrated", "whole"),
        Column("performed", "Calibrations done", "whole"),
        Column("passed", "Passed as left", "whole"),
        Column("found_out", "Found out of tolerance", "whole"),
    )
    return Built(figures, {**one(session, counts), **one(session, done)}, (_status(asked), _history(history)))


def _status(asked: Asked) -> Section:
    columns = (
        TAG,
        NAME,
        ASSET,
        AREA,
        Column("accuracy_class", "Class"),
        Column("calibrated_at", "Last calibrated", "time"),
        DUE,
        Column("days_left", "Days left", "whole"),
        Column("state", "State", "word"),
    )
    query = _instruments(
        asked,
        Instrument.tag,
        Instrument.name,
        Asset.code.label("asset"),
        Area.name.label("area"),
        Instrument.accuracy_class,
        Instrument.calibrated_at,
        Instrument.calibration_due.label("due"),
        func.floor(func.extract("epoch", Instrument.calibration_due - asked.now) / 86_400).label("days_left"),
        _state(asked).label("state"),
    )
    return Section("Calibration status", columns, query.order_by(Instrument.calibration_due.asc().nulls_last(), Instrument.tag))


def _history(history: Select[Any]) -> Section:
    columns = (
        Column("number", "Number"),
        Column("performed_at", "Done", "time"),
        TAG,
        ASSET,
        Column("error_pct", "Error as found", "number", "%"),
        Column("left_error_pct", "Error as left", "number", "%"),
        Column("tolerance_pct", "Tolerance", "number", "%"),
        Column("found_passed", "Found in tolerance"),
        Column("passed", "Passed"),
        Column("standard", "Standard"),
        Column("performed_by", "By"),
    )
    record = CalibrationRecord
    query = history.add_columns(
        record.number,
        record.performed_at,
        Instrument.tag,
        Asset.code.label("asset"),
        record.error_pct,
        record.left_error_pct,
        record.tolerance_pct,
        record.found_passed,
        record.passed,
        record.standard,
        record.performed_by,
    )
    return Section("Calibrations", columns, query.order_by(record.performed_at.desc(), record.id.desc()))


def compliance(session: Session, asked: Asked) -> Built:
    """How many instruments are in date, which are not, and whether planned maintenance was done in its tolerance."""
    overdue, scheduled = _overdue(asked), _scheduled()
    late = overdue | Instrument.calibration_due.is_(None)
    figures = (
        Column("scheduled", "Instruments to calibrate", "whole"),
        Column("in_date", "In date", "whole"),
        COMPLIANCE,
        Column("overdue", "Overdue", "whole"),
        Column("pm_due", "Planned maintenance due", "whole"),
        Column("pm_in_time", "Done in its tolerance", "whole"),
        Column("pm_compliance_pct", "PM compliance", "percent", "%"),
    )
    counts = one(session, _instruments(asked, func.count().label("scheduled"), count_if(late).label("overdue")).where(scheduled))
    in_date = counts["scheduled"] - counts["overdue"]
    planned = one(session, _planned(asked))
    summary = {
        **counts,
        "in_date": in_date,
        "compliance_pct": percent(in_date, counts["scheduled"]),
        **planned,
        "pm_compliance_pct": percent(planned["pm_in_time"], planned["pm_due"]),
    }
    by_area = _instruments(
        asked,
        Area.name.label("area"),
        func.count().label("scheduled"),
        count_if(late).label("overdue"),
    )
    by_area = by_area.where(scheduled).group_by(Area.id, Area.name).order_by(Area.name)
    areas = Section("By area", (AREA, figures[0], figures[3], COMPLIANCE), by_area, _with_share)
    listed = _instruments(
        asked, Instrument.tag, Instrument.name, Asset.code.label("asset"), Area.name.label("area"), Instrument.calibration_due.label("due")
    )
    listed = listed.where(scheduled, late).order_by(Instrument.calibration_due.asc().nulls_first(), Instrument.tag)
    return Built(figures, summary, (areas, Section("Overdue", (TAG, NAME, ASSET, AREA, DUE), listed)))


def _planned(asked: Asked) -> Any:
    """Occurrences of PM plans whose tolerance ended in the span; those left out on purpose do not count."""
    row = PmOccurrence
    joined = select(func.count().label("pm_due"), count_if(row.done_at <= row.latest).label("pm_in_time")).select_from(row)
    joined = joined.join(Asset, Asset.id == row.asset_id).join(Area, Area.id == Asset.area_id)
    return joined.where(asked.within(row.latest), row.latest < asked.now, row.state.not_in(["skipped", "swallowed"]), *asked.plant())


def _with_share(row: Row) -> Row:
    return {**row, "compliance_pct": percent(row["scheduled"] - row["overdue"], row["scheduled"])}


def health_status(session: Session, asked: Asked) -> Built:
    """What rules, drift detector and models say of each instrument now, with its asset's health."""
    alerts = (
        select(
            AlertRecord.tag.label("tag"),
            count_if(AlertRecord.origin.in_(["rule", "plc", "system"])).label("rule"),
            count_if(AlertRecord.origin == "cusum").label("drift"),
            count_if(AlertRecord.origin == "ml").label("model"),
        )
        .where(AlertRecord.resolved_at.is_(None), AlertRecord.condition == "active", AlertRecord.tag.is_not(None))
        .group_by(AlertRecord.tag)
        .subquery()
    )
    said = {name: func.coalesce(alerts.c[name], 0) for name in ("rule", "drift", "model")}
    state = case((said["rule"] > 0, "limit or fault"), (said["drift"] > 0, "drifting"), (said["model"] > 0, "unusual"), else_="ok")
    base = _instruments(asked).outerjoin(alerts, alerts.c.tag == Instrument.tag)
    counts = base.add_columns(
        func.count().label("instruments"),
        count_if(state == "ok").label("ok"),
        count_if(state == "limit or fault").label("faulty"),
        count_if(state == "drifting").label("drifting"),
        count_if(state == "unusual").label("unusual"),
        func.round(func.avg(Asset.health), 1).label("health"),
    )
    figures = (
        Column("instruments", "Instruments", "whole"),
        Column("ok", "Healthy", "whole"),
        Column("faulty", "Limit or fault", "whole"),
        Column("drifting", "Drifting", "whole"),
        Column("unusual", "Unusual", "whole"),
        Column("health", "Mean health of their assets", "number", "of 100"),
    )
    columns = (
        TAG,
        NAME,
        ASSET,
        AREA,
        Column("criticality", "Criticality"),
        Column("state", "State", "word"),
        Column("rule", "Limit or fault alerts", "whole"),
        Column("drift", "Drift alerts", "whole"),
        Column("model", "Model alerts", "whole"),
        Column("health", "Asset health", "whole", "of 100"),
        Column("reasons", "Why"),
    )
    listed = base.add_columns(
        Instrument.tag,
        Instrument.name,
        Asset.code.label("asset"),
        Area.name.label("area"),
        Instrument.criticality,
        state.label("state"),
        *(column.label(name) for name, column in said.items()),
        Asset.health,
        Asset.health_reasons.label("reasons"),
    ).order_by(case((state == "ok", 1), else_=0), Asset.health.asc().nulls_last(), Instrument.tag)
    return Built(figures, one(session, counts), (Section("Instruments", columns, listed, _with_reasons),))


def _with_reasons(row: Row) -> Row:
    return {**row, "reasons": "; ".join(str(reason.get("text", "")) for reason in row["reasons"] or [])}
