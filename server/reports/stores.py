"""Report on spare parts: what was used, month by month (S0-20), and what lies in the stores."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Numeric, Select, func, select
from sqlalchemy.orm import Session

from server.export.table import Column
from server.models.parts import Part, StockLevel, StockMovement
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.reports.base import Asked, Built, Section, count_if, one

PART, NAME, UNIT = Column("part", "Part"), Column("name", "Name"), Column("unit", "Unit")
USED = Column("used", "Used", "number")


def parts_usage(session: Session, asked: Asked) -> Built:
    """Parts issued less parts returned in the span, with what they cost when they left the store."""
    row = StockMovement
    used = (-func.sum(row.quantity)).label("used")
    cost = func.round(-func.sum(row.quantity * row.unit_cost).cast(Numeric), 2).label("cost")
    money = Column("cost", "Cost", "money", asked.currency)
    month = func.to_char(func.timezone(asked.zone, row.at), "YYYY-MM")
    moved = _movements(asked)
    counts = moved.add_columns(
        func.count(row.part_id.distinct()).label("parts"),
        func.count(row.order_id.distinct()).label("orders"),
        func.coalesce(cost, 0).label("cost"),
    )
    low = _stock(asked).subquery()
    below = select(count_if(low.c.on_hand < low.c.minimum).label("below"), func.coalesce(func.sum(low.c.value), 0).label("stock"))
    figures = (
        Column("parts", "Parts used", "whole"),
        Column("orders", "Orders that used parts", "whole"),
        money,
        Column("below", "Parts below their minimum", "whole"),
        Column("stock", "Value in the stores", "money", asked.currency),
    )
    named = (Part.number.label("part"), Part.name, Part.unit)
    by_part = moved.add_columns(*named, used, cost).group_by(Part.id, Part.number, Part.name, Part.unit).order_by(cost.desc(), Part.number)
    by_month = moved.add_columns(month.label("month"), *named, used, cost)
    by_month = by_month.group_by(month, Part.id, Part.number, Part.name, Part.unit).order_by(month, Part.number)
    by_asset = moved.add_columns(Asset.code.label("asset"), cost).where(Asset.id.is_not(None)).group_by(Asset.id, Asset.code)
    sections = (
        Section("By part", (PART, NAME, USED, UNIT, money), by_part),
        Section("By month", (Column("month", "Month"), PART, NAME, USED, UNIT, money), by_month),
        Section("By machine", (Column("asset", "Asset"), money), by_asset.order_by(cost.desc(), Asset.code)),
        Section("Stock", _stock_columns(asked), _stock(asked).order_by(Part.number)),
    )
    return Built(figures, {**one(session, counts), **one(session, below)}, sections)


def _movements(asked: Asked) -> Select[Any]:
    """What went to work and came back; with the machine of the order where there is one."""
    row = StockMovement
    joined = select().select_from(row).join(Part, Part.id == row.part_id).outerjoin(WorkOrder, WorkOrder.id == row.order_id)
    joined = joined.outerjoin(Asset, Asset.id == WorkOrder.asset_id).outerjoin(Area, Area.id == Asset.area_id)
    joined = joined.where(asked.within(row.at), row.reason.in_(["issue", "return"]), *asked.words(Part.number, Part.name))
    if asked.site_id is not None:
        joined = joined.where(Part.site_id == asked.site_id)
    if asked.area is not None:
        joined = joined.where(Area.name == asked.area)
    return joined if asked.asset is None else joined.where(Asset.code == asked.asset)


def _stock(asked: Asked) -> Select[Any]:
    on_hand = select(func.sum(StockLevel.on_hand)).where(StockLevel.part_id == Part.id).correlate(Part).scalar_subquery()
    held = func.coalesce(on_hand, 0)
    value = func.round((held * Part.average_cost).cast(Numeric), 2)
    query = select(
        Part.number.label("part"), Part.name, held.label("on_hand"), Part.minimum.label("minimum"), Part.unit, value.label("value")
    ).where(Part.deleted_at.is_(None), *asked.words(Part.number, Part.name))
    return query if asked.site_id is None else query.where(Part.site_id == asked.site_id)


def _stock_columns(asked: Asked) -> tuple[Column, ...]:
    on_hand, minimum = Column("on_hand", "In stock", "number"), Column("minimum", "Minimum", "number")
    return (PART, NAME, on_hand, minimum, UNIT, Column("value", "Value", "money", asked.currency))
