"""Report on standstill: downtime by area, machine and reason (S0-19). Which stretches count is decided where they are written."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Numeric, Select, func, select
from sqlalchemy.orm import Session

from server.export.table import Column
from server.models.downtime import Downtime, DowntimeReason
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.reports.base import AREA, ASSET, Asked, Built, Section, count_if, hours, one, seconds_between

HOURS = Column("hours", "Stood", "number", "h")
STOPS = Column("stops", "Stops", "whole")


def _clipped(asked: Asked) -> Any:
    """Seconds of a stop within the span; one that still lasts counts to now."""
    end = func.least(func.coalesce(Downtime.ended_at, asked.now), asked.until)
    return seconds_between(func.greatest(Downtime.started_at, asked.since), end)


def _stops(asked: Asked) -> Select[Any]:
    """Stops that machines had for a reason of their own: what stood because another did is not counted twice."""
    row = Downtime
    joined = select().select_from(row).join(Asset, Asset.id == row.asset_id).join(Area, Area.id == Asset.area_id)
    joined = joined.outerjoin(DowntimeReason, DowntimeReason.id == row.reason_id).outerjoin(WorkOrder, WorkOrder.id == row.work_order_id)
    touches = (row.started_at < asked.until) & (func.coalesce(row.ended_at, asked.now) > asked.since) & (row.started_at < asked.now)
    return joined.where(row.deleted_at.is_(None), row.cause_id.is_(None), touches, *asked.plant(), *asked.words(row.note, Asset.code))


def downtime(session: Session, asked: Asked) -> Built:
    """How long machines stood in the span, where, what for and at what cost."""
    row, clipped = Downtime, _clipped(asked)
    stood = hours(func.coalesce(func.sum(clipped), 0)).label("hours")
    lost = func.round(func.coalesce(func.sum(clipped * row.machine_rate / 3600), 0).cast(Numeric), 2).label("cost")
    cost = Column("cost", "Cost", "money", asked.currency)
    kinds = [
        hours(func.coalesce(func.sum(clipped).filter(row.category == kind), 0)).label(kind)
        for kind in ("planned", "unplanned", "unclassified")
    ]
    figures = (
        STOPS,
        HOURS,
        Column("planned", "Planned", "number", "h"),
        Column("unplanned", "Unplanned", "number", "h"),
        Column("unclassified", "Not classified", "number", "h"),
        Column("standing", "Standing now", "whole"),
        cost,
    )
    count = func.count().label("stops")
    counts = _stops(asked).add_columns(count, stood, *kinds, count_if(row.ended_at.is_(None)).label("standing"), lost)
    reason = func.coalesce(DowntimeReason.label, func.nullif(row.fault_code, ""), "no reason given")
    groups = (
        ("By area", AREA, Area.name),
        ("By machine", ASSET, Asset.code),
        ("By category", Column("category", "Category", "word"), row.category),
        ("By reason", Column("reason", "Reason"), reason),
    )
    sections = [
        Section(
            title,
            (column, STOPS, HOURS, cost),
            _stops(asked).add_columns(by.label(column.key), count, stood, lost).group_by(by).order_by(stood.desc(), by),
        )
        for title, column, by in groups
    ]
    columns = (
        ASSET,
        AREA,
        Column("started_at", "From", "time"),
        Column("ended_at", "To", "time"),
        HOURS,
        Column("category", "Category", "word"),
        Column("reason", "Reason"),
        Column("fault_code", "Fault code"),
        Column("note", "Note"),
        Column("order", "Order"),
    )
    listed = _stops(asked).add_columns(
        Asset.code.label("asset"),
        Area.name.label("area"),
        row.started_at,
        row.ended_at,
        hours(clipped).label("hours"),
        row.category,
        DowntimeReason.label.label("reason"),
        row.fault_code,
        row.note,
        WorkOrder.number.label("order"),
    )
    stops = Section("Stops", columns, listed.order_by(row.started_at.desc(), row.id.desc()))
    return Built(figures, one(session, counts), (*sections, stops))
