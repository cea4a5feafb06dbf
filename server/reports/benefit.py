"""What repairs that the signal proved have saved (S3-F8), in money. The formula stands in docs/reports.md.

avoided hours = mean length of an unplanned stop of the machine in the year before the span's end, else of its class, else of its
site; 0 where the machine stood unplanned between alert and repair: then nothing was avoided. Nothing is guessed where no stop is known.
benefit = avoided hours x machine rate - labour, parts and other cost of the order.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import Numeric, Select, case, func, select
from sqlalchemy.orm import Session

from server.export.table import Column
from server.models.downtime import Downtime
from server.models.order_records import OrderLabour
from server.models.plant import Area, Asset
from server.models.work import WorkOrder
from server.reports.base import AREA, ASSET, Asked, Built, Section, count_if, one, seconds_between
from server.store.order_hooks import parts_cost

LEARNED = timedelta(days=365)


def cost_benefit(session: Session, asked: Asked) -> Built:
    """Proved repairs with what each avoided and cost, in sum and by month of the site."""
    proved = _proved(asked).subquery()
    total = [func.coalesce(func.sum(proved.c[name]), 0).label(name) for name in ("avoided_h", "avoided", "cost", "benefit")]
    counts = select(
        func.count().label("repairs"),
        count_if(proved.c.avoided_h > 0).label("stops_avoided"),
        *total,
        count_if(proved.c.machine_rate.is_(None)).label("no_rate"),
    )
    repairs, avoided_h = (
        Column("repairs", "Repairs proved by the signal", "whole"),
        Column("avoided_h", "Standstill avoided", "number", "h"),
    )
    money = (
        Column("avoided", "Worth of it", "money", asked.currency),
        Column("cost", "Cost of the repairs", "money", asked.currency),
        Column("benefit", "Benefit", "money", asked.currency),
    )
    stops = Column("stops_avoided", "Stops avoided", "whole")
    figures = (repairs, stops, avoided_h, *money, Column("no_rate", "Repairs of machines without a rate", "whole"))
    month = func.to_char(func.timezone(asked.zone, proved.c.completed_at), "YYYY-MM")
    months = select(month.label("month"), func.count().label("repairs"), *total).group_by(month).order_by(month)
    columns = (
        Column("order", "Order"),
        Column("title", "Title"),
        ASSET,
        AREA,
        Column("completed_at", "Repaired", "time"),
        Column("stood", "Stood before the repair"),
        avoided_h,
        Column("machine_rate", "Rate", "money", f"{asked.currency}/h"),
        *money,
    )
    listed = select(proved).order_by(proved.c.completed_at.desc(), proved.c.order)
    sections = (
        Section("By month", (Column("month", "Month"), repairs, avoided_h, *money), months),
        Section("Proved repairs", columns, listed),
    )
    return Built(figures, one(session, counts), sections)


def _proved(asked: Asked) -> Select[Any]:
    """Alert-born orders that the signal verified, completed in the span, with what each avoided and cost."""
    order, stop = WorkOrder, Downtime
    stood = (
        select(stop.id)
        .where(stop.asset_id == order.asset_id, stop.category == "unplanned", stop.deleted_at.is_(None))
        .where(stop.started_at < order.completed_at, func.coalesce(stop.ended_at, asked.now) > order.created_at)
        .correlate(order)
        .exists()
    )
    own, kind, site = (
        _mean_stop(asked, by, name) for by, name in ((stop.asset_id, "own"), (Asset.class_id, "kind"), (stop.site_id, "site"))
    )
    length = func.coalesce(own.c.seconds, kind.c.seconds, site.c.seconds, 0)
    avoided_h = func.round((case((stood, 0), else_=length) / 3600).cast(Numeric), 2)
    labour = select(func.sum(OrderLabour.cost)).where(OrderLabour.order_id == order.id, OrderLabour.deleted_at.is_(None))
    cost = func.coalesce(labour.correlate(order).scalar_subquery(), 0) + func.coalesce(parts_cost(), 0) + order.other_cost
    worth = func.round(avoided_h * func.coalesce(Asset.machine_rate, 0), 2)
    query = select(
        order.number.label("order"),
        order.title,
        Asset.code.label("asset"),
        Area.name.label("area"),
        order.completed_at,
        stood.label("stood"),
        avoided_h.label("avoided_h"),
        Asset.machine_rate,
        worth.label("avoided"),
        cost.label("cost"),
        (worth - cost).label("benefit"),
    )
    joined = query.select_from(order).join(Asset, Asset.id == order.asset_id).join(Area, Area.id == Asset.area_id)
    joined = joined.outerjoin(own, own.c.key == order.asset_id).outerjoin(kind, kind.c.key == Asset.class_id)
    joined = joined.outerjoin(site, site.c.key == order.site_id)
    proved = (order.alert_id.is_not(None), order.verified_by == "signal", asked.within(order.completed_at))
    return joined.where(*proved, *asked.plant(), *asked.words(order.number, order.title, Asset.code))


def _mean_stop(asked: Asked, by: Any, name: str) -> Any:
    """Mean seconds of the unplanned stops that ended in the year before the span's end, by machine, class or site."""
    row = Downtime
    query = select(by.label("key"), func.avg(seconds_between(row.started_at, row.ended_at)).label("seconds"))
    query = query.select_from(row).join(Asset, Asset.id == row.asset_id).where(row.deleted_at.is_(None), row.cause_id.is_(None))
    recent = (row.ended_at > asked.until - LEARNED, row.ended_at <= asked.until, row.category == "unplanned")
    if asked.site_id is not None:
        query = query.where(row.site_id == asked.site_id)
    return query.where(*recent, by.is_not(None)).group_by(by).subquery(name)
