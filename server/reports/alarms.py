"""Reports on alerts: anomalies and drift (S2-78), the whole history with who did what (N-8), faults by machine (S0-21)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, case, func, select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server.export.table import Column
from server.models.alerts import AlertRecord
from server.models.people import User
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.reports.base import AREA, ASSET, Asked, Built, Section, count_if, minutes, one, percent, seconds_between

NUMBER = Column("number", "Alert")
RAISED = Column("raised_at", "Raised", "time")
TAG = Column("tag", "Tag")
TYPE = Column("type", "Kind", "word")
SEVERITY = Column("severity", "Severity", "word")
ORDER = Column("order", "Order")
VERDICT = Column("verdict", "Alert was", "word")


def _alerts(asked: Asked, *columns: Any) -> Select[Any]:
    """Alerts raised in the span; those of no asset (a lost source) only where no area or asset is named."""
    joined = select(*columns).select_from(AlertRecord).outerjoin(Asset, Asset.id == AlertRecord.asset_id)
    joined = joined.outerjoin(Area, Area.id == Asset.area_id).outerjoin(WorkOrder, WorkOrder.id == AlertRecord.work_order_id)
    conditions: list[ColumnElement[bool]] = [asked.within(AlertRecord.raised_at), *_found(asked)]
    if asked.site_id is not None:
        conditions.append((AlertRecord.site_id == asked.site_id) | AlertRecord.site_id.is_(None))
    if asked.area is not None:
        conditions.append(Area.name == asked.area)
    if asked.asset is not None:
        conditions.append(Asset.code == asked.asset)
    return joined.where(*conditions)


def _found(asked: Asked) -> list[ColumnElement[bool]]:
    return asked.words(AlertRecord.number, AlertRecord.message, AlertRecord.tag, AlertRecord.notes, AlertRecord.acknowledged_by, Asset.code)


def anomalies(session: Session, asked: Asked) -> Built:
    """What drift detectors and models said, and what people found there was to it."""
    wanted = AlertRecord.type.in_([str(AlertType.ANOMALY), str(AlertType.DRIFT)])
    counts = one(
        session,
        _alerts(
            asked,
            count_if(AlertRecord.type == str(AlertType.ANOMALY)).label("anomalies"),
            count_if(AlertRecord.type == str(AlertType.DRIFT)).label("drifts"),
            count_if(AlertRecord.watch).label("watched"),
            count_if(WorkOrder.verdict == "confirmed").label("confirmed"),
            count_if(WorkOrder.verdict == "false").label("false"),
        ).where(wanted),
    )
    figures = (
        Column("anomalies", "Unusual behaviour", "whole"),
        Column("drifts", "Drift", "whole"),
        Column("watched", "On the watch list only", "whole"),
        Column("confirmed", "Confirmed at the machine", "whole"),
        Column("false", "False", "whole"),
        Column("precision_pct", "Confirmed of those judged", "percent", "%"),
    )
    columns = (
        NUMBER,
        RAISED,
        ASSET,
        TAG,
        TYPE,
        SEVERITY,
        Column("detector", "Detector"),
        Column("score", "Score", "number"),
        Column("limit", "Limit", "number"),
        Column("value", "Value", "number"),
        Column("unit", "Unit"),
        Column("state", "State", "word"),
        ORDER,
        VERDICT,
    )
    row = AlertRecord
    listed = _alerts(
        asked,
        row.number,
        row.raised_at,
        Asset.code.label("asset"),
        row.tag,
        row.type,
        row.severity,
        row.detector,
        row.score,
        row.limit,
        row.value,
        row.unit,
        case((row.resolved_at.is_not(None), "resolved"), else_=row.condition).label("state"),
        WorkOrder.number.label("order"),
        WorkOrder.verdict,
    ).where(wanted)
    summary = {**counts, "precision_pct": percent(counts["confirmed"], counts["confirmed"] + counts["false"])}
    return Built(figures, summary, (Section("Anomalies and drift", columns, listed.order_by(row.raised_at.desc(), row.id.desc())),))


def alarms(session: Session, asked: Asked) -> Built:
    """Every alert with who acknowledged, shelved and resolved it, what they noted, and who was given the work."""
    row = AlertRecord
    answered = seconds_between(row.raised_at, row.acknowledged_at)
    figures = (
        Column("alerts", "Alerts", "whole"),
        Column("critical", "Critical", "whole"),
        Column("open", "Not resolved", "whole"),
        Column("unacknowledged", "Not acknowledged", "whole"),
        Column("shelved", "Shelved now", "whole"),
        Column("answer_min", "Mean time to acknowledge", "number", "min"),
    )
    counts = _alerts(
        asked,
        func.count().label("alerts"),
        count_if(row.severity == "critical").label("critical"),
        count_if(row.resolved_at.is_(None)).label("open"),
        count_if(row.acknowledged_at.is_(None) & row.resolved_at.is_(None)).label("unacknowledged"),
        count_if(row.shelved_until > asked.now).label("shelved"),
        minutes(func.avg(answered)).label("answer_min"),
    )
    columns = (
        NUMBER,
        RAISED,
        ASSET,
        AREA,
        TAG,
        TYPE,
        SEVERITY,
        Column("message", "What"),
        Column("occurrences", "Times", "whole"),
        Column("returned_at", "Returned", "time"),
        Column("acknowledged_at", "Acknowledged", "time"),
        Column("acknowledged_by", "Acknowledged by"),
        Column("shelved_by", "Shelved by"),
        Column("shelved_reason", "Why shelved"),
        Column("resolved_at", "Resolved", "time"),
        Column("resolved_by", "Resolved by"),
        Column("notes", "Note"),
        ORDER,
        Column("assignee", "Assigned to"),
    )
    names = [column.key for column in columns if hasattr(row, column.key) and column.key not in {"asset", "area"}]
    listed = _alerts(
        asked,
        *(getattr(row, name) for name in names),
        Asset.code.label("asset"),
        Area.name.label("area"),
        WorkOrder.number.label("order"),
        User.name.label("assignee"),
    ).outerjoin(User, User.id == WorkOrder.assignee_id)
    history = Section("Alert history", columns, listed.order_by(row.raised_at.desc(), row.id.desc()))
    return Built(figures, one(session, counts), (history,))


def faults(session: Session, asked: Asked) -> Built:
    """Which machines fail most, and with which codes."""
    fault = AlertRecord.type == str(AlertType.MACHINE_FAULT)
    figures = (
        Column("faults", "Machine faults", "whole"),
        Column("machines", "Machines with faults", "whole"),
        Column("occurrences", "Times in all", "whole"),
    )
    times = func.sum(AlertRecord.occurrences)
    counts = _alerts(
        asked,
        func.count().label("faults"),
        func.count(AlertRecord.asset_id.distinct()).label("machines"),
        func.coalesce(times, 0).label("occurrences"),
    ).where(fault)
    machine = _alerts(
        asked,
        Asset.code.label("asset"),
        Asset.name.label("name"),
        Area.name.label("area"),
        func.count().label("faults"),
        times.label("occurrences"),
        func.max(AlertRecord.last_at).label("last_at"),
    ).where(fault, Asset.id.is_not(None))
    machine = machine.group_by(Asset.id, Asset.code, Asset.name, Area.name).order_by(times.desc(), Asset.code)
    code = _alerts(
        asked,
        AlertRecord.code,
        func.max(AlertRecord.message).label("message"),
        func.count(AlertRecord.asset_id.distinct()).label("machines"),
        times.label("occurrences"),
    ).where(fault)
    code = code.group_by(AlertRecord.code).order_by(times.desc(), AlertRecord.code)
    last = Column("last_at", "Last", "time")
    by_machine = Section("By machine", (ASSET, Column("name", "Name"), AREA, figures[0], figures[2], last), machine)
    by_code = Section("By fault code", (Column("code", "Code"), Column("message", "What"), figures[1], figures[2]), code)
    return Built(figures, one(session, counts), (by_machine, by_code))
