"""Key figures of the overview: what is open, late, down and repaired, in the site's own day. Counts only what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from realtime import historian
from realtime.events import FactName
from server.models.people import User
from server.models.plant import Asset, OperatingPeriod, Site, Source, Tag
from server.models.work import WorkOrder
from server.rules.downtime import Stretch, total_s
from server.rules.priorities import Priority
from server.rules.work_order import IN_WORK, UNVERIFIED, OrderState
from server.store import facts, kpi_facts, kpis
from server.timestamps import day_of, rfc3339, to_ms

REPAIRS_WITHIN = timedelta(days=30)
TOLD = (
    FactName.ALERT_RAISED,
    FactName.ALERT_RESOLVED,
    FactName.WORK_ORDER_OPENED,
    FactName.WORK_ORDER_ASSIGNED,
    FactName.WORK_ORDER_COMPLETED,
    FactName.WORK_ORDER_VERIFIED,
    FactName.WORK_ORDER_REOPENED,
    FactName.SOURCE_LOST,
    FactName.SOURCE_RECOVERED,
)


def summary(session: Session, site_id: int, now: datetime) -> dict[str, Any]:
    """All figures of one site; a figure nobody can know yet is None."""
    asset = select(Asset.id).where(Asset.site_id == site_id)
    since = select(func.min(OperatingPeriod.started_at)).where(OperatingPeriod.asset_id.in_(asset)).scalar_subquery()
    time_zone, first = session.execute(select(Site.time_zone, since).where(Site.id == site_id)).one()
    today = day_of(now, time_zone)
    mean_s, repairs = _time_to_repair(session, site_id, now)
    return {
        "at": rfc3339(now),
        "day_starts_at": rfc3339(today[0]),
        "orders": _orders(session, site_id, now),
        "downtime_s": _downtime(session, site_id, now, time_zone, first=first),
        "mttr_s": mean_s,
        "mttr_n": repairs,
        "pm": _planned(session, site_id, now),
        "gaps": _gaps(session, site_id, today[0], now),
        "on_the_way": _on_the_way(session, site_id),
        "events": [_event(fact) for fact in facts.latest(session, site_id, list(TOLD), 12)],
    }


def _orders(session: Session, site_id: int, now: datetime) -> dict[str, Any]:
    waiting = [str(state) for state in UNVERIFIED - {OrderState.COMPLETED}]
    rows = session.execute(
        select(WorkOrder.priority, WorkOrder.due, WorkOrder.number).where(WorkOrder.site_id == site_id, WorkOrder.state.in_(waiting))
    )
    orders = rows.all()
    counts = {priority: sum(row.priority == priority for row in orders) for priority in Priority}
    coming = min((row for row in orders if row.due is not None and row.due > now), key=lambda row: row.due, default=None)
    return {
        "open": len(orders),
        "urgent": counts[Priority.URGENT],
        "high": counts[Priority.HIGH],
        "other": counts[Priority.NORMAL] + counts[Priority.LOW],
        "overdue": sum(row.due is not None and row.due <= now for row in orders),
        "next_due": {"at": rfc3339(coming.due), "number": coming.number} if coming else None,
    }


def _downtime(session: Session, site_id: int, now: datetime, time_zone: str, *, first: datetime | None) -> dict[str, float | None]:
    """The key figure `downtime` of today, and its mean over the last seven whole days.

    The mean is None while the site's machines have no such past; `first` is when one of them was first known.
    """
    today = day_of(now, time_zone)[0]
    days = [day_of(today - timedelta(hours=1), time_zone)]
    while len(days) < 7:
        days.append(day_of(days[-1][0] - timedelta(hours=1), time_zone))
    rows = kpi_facts.own_downtime(session, None, days[-1][0], now, site_id)
    down = [Stretch(row.started_at, row.ended_at or now) for row in rows]
    known = [total_s(down, start, end) for start, end in days if first is not None and first <= start]
    return {"today": round(total_s(down, today, now), 1), "mean_7d": round(sum(known) / len(known), 1) if known else None}


def _time_to_repair(session: Session, site_id: int, now: datetime) -> tuple[float | None, int]:
    """The key figure `repair_time` of the last 30 days."""
    done = WorkOrder.completed_at > now - REPAIRS_WITHIN
    rows = kpi_facts.order_rows(session, (WorkOrder.site_id == site_id) & (WorkOrder.state == str(OrderState.VERIFIED)) & done)
    figure = kpis.repair_time(rows, now - REPAIRS_WITHIN, now)
    return figure.value, figure.n


def _planned(session: Session, site_id: int, now: datetime) -> dict[str, Any]:
    """The key figure `schedule_compliance` of the last 30 days, with its counts."""
    due = WorkOrder.due.between(now - REPAIRS_WITHIN, now)
    rows = kpi_facts.order_rows(session, (WorkOrder.site_id == site_id) & due)
    figure = kpis.schedule_compliance(rows, now - REPAIRS_WITHIN, now)
    done = round(figure.n * figure.value / 100) if figure.value is not None else 0
    return {"percent": figure.value, "done": done, "due": figure.n}


def _gaps(session: Session, site_id: int, start: datetime, now: datetime) -> dict[str, Any]:
    """Interruptions of today: gaps of one source that overlap are one."""
    query = select(Tag.id, Source.name).join(Asset, Asset.id == Tag.asset_id).outerjoin(Source, Source.id == Tag.source_id)
    sources: dict[int, str] = {
        tag: name or "" for tag, name in session.execute(query.where(Asset.site_id == site_id, Tag.deleted_at.is_(None)))
    }
    if not sources:
        return {"today": 0, "open": 0, "open_source": None}
    found = historian.gaps(session.connection().connection, list(sources), to_ms(start), to_ms(now))
    by_source: dict[str, list[tuple[int, int | None]]] = {}
    for tag, begins, ends, _reason in found:
        by_source.setdefault(sources[tag] or f"tag {tag}", []).append((begins, ends))
    merged = {name: _merged(spans) for name, spans in by_source.items()}
    open_ones = sorted(name for name, spans in merged.items() if spans[-1][1] is None)
    return {"today": sum(map(len, merged.values())), "open": len(open_ones), "open_source": open_ones[0] if open_ones else None}


def _merged(spans: Sequence[tuple[int, int | None]]) -> list[tuple[int, int | None]]:
    joined: list[tuple[int, int | None]] = []
    for begins, ends in sorted(spans, key=lambda span: span[0]):
        last = joined[-1] if joined else None
        if last is not None and (last[1] is None or begins <= last[1]):
            joined[-1] = (last[0], None if last[1] is None or ends is None else max(last[1], ends))
        else:
            joined.append((begins, ends))
    return joined


def _on_the_way(session: Session, site_id: int) -> list[dict[str, Any]]:
    states = [str(state) for state in (OrderState.ASSIGNED, *IN_WORK)]
    query = (
        select(User.name, Asset.code, WorkOrder.number, WorkOrder.state, WorkOrder.assigned_at)
        .join(User, User.id == WorkOrder.assignee_id)
        .join(Asset, Asset.id == WorkOrder.asset_id)
        .where(WorkOrder.site_id == site_id, WorkOrder.state.in_(states))
        .order_by(WorkOrder.assigned_at.desc(), WorkOrder.id.desc())
        .limit(5)
    )
    return [
        {"name": row.name, "asset": row.code, "order": row.number, "status": row.state, "since": rfc3339(row.assigned_at)}
        for row in session.execute(query)
    ]


def _event(fact: Any) -> dict[str, Any]:
    return {"seq": fact.seq, "at": fact.at, "name": str(fact.name), "id": fact.id, "rev": fact.rev, "by": fact.by, "data": fact.data}
