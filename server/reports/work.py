"""Reports on work: maintenance done (S2-76), orders with their promises (S2-80, S0-18), interventions (S0-25, S0-26)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, aliased

from server.export.table import Column
from server.models.calibration import MaintenanceRecord
from server.models.interventions import FaultTerm, Intervention
from server.models.people import User
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.reports.base import AREA, ASSET, Asked, Built, Row, Section, count_if, hours, minutes, one, percent, seconds_between

ORDER = Column("order", "Order")
BY = Column("performed_by", "By")
MINUTES = Column("minutes", "Time", "number", "min")
RECORDS = Column("records", "Records", "whole")


def maintenance(session: Session, asked: Asked) -> Built:
    """What was done to machines in the span."""
    row = MaintenanceRecord
    joined = select().select_from(row).join(Asset, Asset.id == row.asset_id).join(Area, Area.id == Asset.area_id)
    joined = joined.outerjoin(WorkOrder, WorkOrder.id == row.work_order_id)
    joined = joined.where(asked.within(row.performed_at), *asked.plant(), *asked.words(row.number, row.description, row.performed_by))
    spent = func.coalesce(func.sum(row.duration_min), 0)
    figures = (RECORDS, Column("assets", "Assets", "whole"), MINUTES)
    counts = joined.add_columns(func.count().label("records"), func.count(row.asset_id.distinct()).label("assets"), spent.label("minutes"))
    columns = (
        Column("number", "Number"),
        Column("performed_at", "Done", "time"),
        ASSET,
        AREA,
        Column("action", "Act", "word"),
        Column("description", "What was done"),
        Column("parts", "Parts"),
        MINUTES,
        BY,
        ORDER,
    )
    listed = joined.add_columns(
        row.number,
        row.performed_at,
        Asset.code.label("asset"),
        Area.name.label("area"),
        row.action,
        row.description,
        row.parts,
        row.duration_min.label("minutes"),
        row.performed_by,
        WorkOrder.number.label("order"),
    ).order_by(row.performed_at.desc(), row.id.desc())
    by_action = joined.add_columns(row.action, func.count().label("records"), spent.label("minutes")).group_by(row.action)
    sections = (
        Section("Maintenance history", columns, listed, _with_parts),
        Section("By act", (columns[4], RECORDS, MINUTES), by_action.order_by(func.count().desc(), row.action)),
    )
    return Built(figures, one(session, counts), sections)


def _with_parts(row: Row) -> Row:
    return {**row, "parts": ", ".join(f"{part.get('qty', '')} x {part.get('sku', part.get('part', ''))}" for part in row["parts"] or [])}


def _orders(asked: Asked, *columns: Any) -> Select[Any]:
    joined = select(*columns).select_from(WorkOrder).join(Asset, Asset.id == WorkOrder.asset_id).join(Area, Area.id == Asset.area_id)
    return joined.where(asked.within(WorkOrder.created_at), *asked.plant(), *asked.words(WorkOrder.number, WorkOrder.title, Asset.code))


def _late(asked: Asked, promised: Any) -> Any:
    """Past a promise: done after it, or not done and it is over; cancelled work breaks none."""
    return (WorkOrder.state != "cancelled") & (func.coalesce(WorkOrder.completed_at, asked.now) > promised)


def work_orders(session: Session, asked: Asked) -> Built:
    """Orders opened in the span, and whether each kept what was promised."""
    row = WorkOrder
    breached, overdue = _late(asked, row.sla_at), _late(asked, row.due)
    figures = (
        Column("orders", "Orders", "whole"),
        Column("open", "Not done", "whole"),
        Column("completed", "Completed or verified", "whole"),
        Column("cancelled", "Cancelled", "whole"),
        Column("overdue", "Late by their due date", "whole"),
        Column("promised", "With a promised time", "whole"),
        Column("breached", "Promise broken", "whole"),
        Column("kept_pct", "Promise kept", "percent", "%"),
        Column("mean_hours", "Mean time to complete", "number", "h"),
    )
    done = row.state.in_(["completed", "verified"])
    counts = one(
        session,
        _orders(
            asked,
            func.count().label("orders"),
            count_if(row.state.not_in(["completed", "verified", "cancelled"])).label("open"),
            count_if(done).label("completed"),
            count_if(row.state == "cancelled").label("cancelled"),
            func.coalesce(count_if(overdue), 0).label("overdue"),
            count_if(row.sla_at.is_not(None) & (row.state != "cancelled")).label("promised"),
            count_if(breached).label("breached"),
            hours(func.avg(seconds_between(row.created_at, row.completed_at)).filter(done)).label("mean_hours"),
        ),
    )
    summary = {**counts, "kept_pct": percent(counts["promised"] - counts["breached"], counts["promised"])}
    sections = (
        _counted(asked, "By status", Column("status", "Status", "word"), row.state),
        _counted(asked, "By type", Column("type", "Type", "word"), row.type),
        _counted(asked, "By priority", Column("priority", "Priority", "word"), row.priority),
        _order_list(asked, breached, overdue),
    )
    return Built(figures, summary, sections)


def _counted(asked: Asked, title: str, column: Column, by: Any) -> Section:
    late = count_if(_late(asked, WorkOrder.sla_at)).label("breached")
    query = _orders(asked, by.label(column.key), func.count().label("orders"), late).group_by(by)
    columns = (column, Column("orders", "Orders", "whole"), Column("breached", "Promise broken", "whole"))
    return Section(title, columns, query.order_by(func.count().desc(), by))


def _order_list(asked: Asked, breached: ColumnElement[bool], overdue: ColumnElement[bool]) -> Section:
    columns = (
        Column("number", "Number"),
        Column("title", "Title"),
        ASSET,
        AREA,
        Column("type", "Type", "word"),
        Column("priority", "Priority", "word"),
        Column("status", "Status", "word"),
        Column("assigned_to", "Assigned to"),
        Column("created_at", "Opened", "time"),
        Column("due_at", "Due", "time"),
        Column("sla_at", "Promised", "time"),
        Column("completed_at", "Completed", "time"),
        Column("overdue", "Late"),
        Column("breached", "Promise broken"),
        Column("actual_min", "Time taken", "whole", "min"),
        Column("verdict", "Alert was", "word"),
    )
    row = WorkOrder
    query = _orders(
        asked,
        row.number,
        row.title,
        Asset.code.label("asset"),
        Area.name.label("area"),
        row.type,
        row.priority,
        row.state.label("status"),
        User.name.label("assigned_to"),
        row.created_at,
        row.due.label("due_at"),
        row.sla_at,
        row.completed_at,
        func.coalesce(overdue, False).label("overdue"),
        func.coalesce(breached, False).label("breached"),
        row.actual_min,
        row.verdict,
    ).outerjoin(User, User.id == row.assignee_id)
    return Section("Work orders", columns, query.order_by(row.created_at.desc(), row.id.desc()))


def interventions(session: Session, asked: Asked) -> Built:
    """Visits of technicians by what they found; the day is the site's."""
    row, category = Intervention, aliased(FaultTerm)
    joined = select().select_from(row).join(Asset, Asset.id == row.asset_id).join(Area, Area.id == Asset.area_id)
    joined = joined.join(category, category.id == row.category_id).join(WorkOrder, WorkOrder.id == row.order_id)
    wanted = asked.words(row.number, row.technician, row.comments, Asset.code)
    joined = joined.where(asked.within(row.received_at), row.deleted_at.is_(None), *asked.plant(), *wanted)
    spent = seconds_between(row.received_at, row.ended_at)
    count, total = func.count().label("interventions"), minutes(func.coalesce(func.sum(spent), 0)).label("minutes")
    visits = Column("interventions", "Interventions", "whole")
    figures = (visits, Column("open", "Not ended", "whole"), Column("machines", "Machines", "whole"), MINUTES)
    counts = joined.add_columns(
        count, count_if(row.ended_at.is_(None)).label("open"), func.count(row.asset_id.distinct()).label("machines"), total
    )
    day = func.to_char(func.timezone(asked.zone, row.received_at), "YYYY-MM-DD")
    groups = (
        ("By category", Column("category", "Category"), category.label),
        ("By machine", ASSET, Asset.code),
        ("By technician", Column("technician", "Technician"), row.technician),
    )
    sections = [
        Section(
            title, (column, visits, MINUTES), joined.add_columns(by.label(column.key), count, total).group_by(by).order_by(count.desc(), by)
        )
        for title, column, by in groups
    ]
    days = joined.add_columns(day.label("day"), count, total).group_by(day).order_by(day)
    sections.append(Section("By day", (Column("day", "Day"), visits, MINUTES), days))
    return Built(figures, one(session, counts), (_visits(joined, category, spent), *sections))


def _visits(joined: Select[Any], category: Any, spent: Any) -> Section:
    row = Intervention
    terms = {name: aliased(FaultTerm) for name in ("what", "why", "where")}
    for name, term in terms.items():
        joined = joined.outerjoin(term, term.id == getattr(row, f"{name}_id"))
    columns = (
        Column("number", "Number"),
        Column("received_at", "Began", "time"),
        Column("ended_at", "Ended", "time"),
        MINUTES,
        ASSET,
        AREA,
        Column("technician", "Technician"),
        Column("category", "Category"),
        Column("what", "What"),
        Column("why", "Why"),
        Column("where", "Where"),
        Column("comments", "Comments"),
        ORDER,
    )
    query = joined.add_columns(
        row.number,
        row.received_at,
        row.ended_at,
        minutes(spent).label("minutes"),
        Asset.code.label("asset"),
        Area.name.label("area"),
        row.technician,
        category.label.label("category"),
        *(term.label.label(name) for name, term in terms.items()),
        row.comments,
        WorkOrder.number.label("order"),
    )
    return Section("Interventions", columns, query.order_by(row.received_at.desc(), row.id.desc()))
