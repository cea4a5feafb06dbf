"""Key figures of a site, an area or a machine over a span, and as a series of weeks; docs/kpi.md has every formula.

The overview's figures come from the same functions. Reads only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.errors import Invalid, NotFound
from server.models.work import WorkOrder
from server.rules import kpi
from server.rules.calendar import moment
from server.rules.downtime import Category
from server.rules.kpi import Figure
from server.rules.order_types import OrderType
from server.rules.work_order import OrderState
from server.store import kpi_facts
from server.store.kpi_facts import UNDONE, Facts, Scope
from server.timestamps import rfc3339

PLANNED_TYPES = frozenset({str(word) for word in OrderType} - {str(OrderType.CORRECTIVE)})
NOT_SAID = "not said"
TOP = 20
LONGEST_SERIES = timedelta(days=1100)


def _downtime(facts: Facts, start: datetime, end: datetime) -> Figure:
    return downtime_s(facts, start, end)


def downtime_s(facts: Facts, start: datetime, end: datetime, *categories: Category) -> Figure:
    """Seconds that machines stood for a reason of their own, added up over machines."""
    lengths = [length for row, length in facts.down(start, end) if not categories or row.category in categories]
    return Figure(round(sum(lengths), 1), len(lengths))


def _failures(facts: Facts, start: datetime, end: datetime) -> Figure:
    count = kpi.failures(facts.machines(start, end))
    return Figure(count, count)


def _restore(facts: Facts, start: datetime, end: datetime) -> Figure:
    ended = [row for row in facts.downs if row.category == Category.UNPLANNED and row.ended_at is not None and start <= row.ended_at < end]
    return kpi.mean_of([(row.ended_at - row.started_at).total_seconds() for row in ended])


def repair_time(orders: Sequence[Any], start: datetime, end: datetime) -> Figure:
    """Mean seconds from start to completion of corrective work that was completed in the span and verified."""
    done = [row for row in orders if row.type == OrderType.CORRECTIVE and row.state == OrderState.VERIFIED and row.completed_at is not None]
    spans = [(row.completed_at - row.started_at).total_seconds() for row in done if start < row.completed_at <= end and row.started_at]
    return kpi.mean_of(spans)


def schedule_compliance(orders: Sequence[Any], start: datetime, end: datetime) -> Figure:
    """Percent of the planned work due in the span that was completed by its due time; cancelled work is not counted."""
    due = [row for row in orders if row.type in PLANNED_TYPES and row.state != OrderState.CANCELLED and row.due is not None]
    return kpi.in_time((row.due, row.completed_at) for row in due if start <= row.due <= end)


def _pm_compliance(facts: Facts, start: datetime, end: datetime) -> Figure:
    rows = [row for row in facts.occurrences if start <= row.latest < min(end, facts.now)]
    return kpi.share(sum(row.done_at is not None and row.earliest <= row.done_at <= row.latest for row in rows), len(rows))


def _planned_ratio(facts: Facts, start: datetime, end: datetime) -> Figure:
    done = [row for row in facts.orders if row.completed_at is not None and start <= row.completed_at < end]
    return kpi.share(sum(row.type in PLANNED_TYPES for row in done), len(done))


def _backlog(facts: Facts, _start: datetime, _end: datetime) -> Figure:
    waiting = [row for row in facts.orders if row.state in UNDONE]
    return kpi.backlog_weeks(sum(row.estimated_min or 0 for row in waiting), len(waiting), facts.technicians)


def cost(facts: Facts, start: datetime, end: datetime) -> kpi.Cost:
    """Labour, parts and downtime of the span."""
    return kpi.Cost(facts.cost("labour", start, end), facts.cost("parts", start, end), facts.downtime_cost(start, end))


@dataclass(frozen=True, slots=True)
class Kpi:
    """A figure by name: unit, what it is called, how it is reckoned from the facts."""

    name: str
    unit: str
    label: str
    of: Callable[[Facts, datetime, datetime], Figure]
    is_series: bool = True


KPIS: dict[str, Kpi] = {
    row.name: row
    for row in (
        Kpi("availability", "%", "Availability", lambda f, a, b: kpi.availability(f.machines(a, b))),
        Kpi("mtbf", "s", "Mean time between failures", lambda f, a, b: kpi.mean_time_between_failures(f.machines(a, b))),
        Kpi("mttr", "s", "Mean time to restore", _restore),
        Kpi("repair_time", "s", "Mean repair time of orders", lambda f, a, b: repair_time(f.orders, a, b)),
        Kpi("failures", "", "Failures", _failures),
        Kpi("downtime", "s", "Downtime", _downtime),
        Kpi("unplanned_downtime", "s", "Unplanned downtime", lambda f, a, b: downtime_s(f, a, b, Category.UNPLANNED)),
        Kpi("unclassified_downtime", "s", "Downtime without a reason", lambda f, a, b: downtime_s(f, a, b, Category.UNCLASSIFIED)),
        Kpi("pm_compliance", "%", "PM compliance", _pm_compliance),
        Kpi("schedule_compliance", "%", "Schedule compliance", lambda f, a, b: schedule_compliance(f.orders, a, b)),
        Kpi("planned_ratio", "%", "Planned work", _planned_ratio),
        Kpi("backlog_weeks", "weeks", "Backlog", _backlog, is_series=False),
        Kpi("labour_cost", "money", "Labour cost", lambda f, a, b: Figure(float(f.cost("labour", a, b)), 0)),
        Kpi("parts_cost", "money", "Parts cost", lambda f, a, b: Figure(float(f.cost("parts", a, b)), 0)),
        Kpi("downtime_cost", "money", "Downtime cost", lambda f, a, b: Figure(float(f.downtime_cost(a, b)), 0)),
        Kpi("total_cost", "money", "Maintenance cost", lambda f, a, b: Figure(float(cost(f, a, b).total), 0)),
    )
}


def overview(session: Session, scope: Scope, now: datetime) -> dict[str, Any]:
    """Every figure of a span, and what it is made of: downtime by area and category, faults by machine, orders by status."""
    facts = kpi_facts.load(session, scope, now)
    _check(facts, scope)
    start, end = scope.start, scope.end
    return {
        "from": rfc3339(start),
        "to": rfc3339(end),
        "kpis": [_body(row, row.of(facts, start, end)) for row in KPIS.values()],
        "downtime_by_area": _grouped(facts, start, end, lambda row: facts.assets[row.asset_id].area),
        "downtime_by_fault_category": _grouped(facts, start, end, lambda row: row.fault_category or row.reason or NOT_SAID),
        "downtime_by_machine": _grouped(facts, start, end, lambda row: facts.assets[row.asset_id].code)[:TOP],
        "faults_by_machine": _faults(facts, start, end)[:TOP],
        "orders_by_status": _by_status(session, list(facts.assets), scope),
    }


def series(session: Session, name: str, scope: Scope, now: datetime) -> dict[str, Any]:
    """One figure week by week, from Monday to Monday of the site; the first and last are cut to the span."""
    row = KPIS.get(name)
    if row is None or not row.is_series:
        raise NotFound("key figure with a series", name)
    if scope.end - scope.start > LONGEST_SERIES:
        raise Invalid("from", "too_long", "a series is three years at most")
    facts = kpi_facts.load(session, scope, now)
    _check(facts, scope)
    points = []
    start = scope.start
    while start < scope.end:
        day = start.astimezone(facts.times.zone).date()
        monday = moment(day + timedelta(days=7 - day.weekday()), datetime.min.time(), facts.times.zone)
        end = min(monday, scope.end)
        figure = row.of(facts, start, end)
        points.append({"from": rfc3339(start), "to": rfc3339(end), "value": figure.value, "n": figure.n})
        start = end
    return {"name": name, "label": row.label, "unit": row.unit, "points": points}


def _check(facts: Facts, scope: Scope) -> None:
    if scope.asset is not None and not facts.assets:
        raise NotFound("asset", scope.asset)


def _body(row: Kpi, figure: Figure) -> dict[str, Any]:
    return {"name": row.name, "label": row.label, "unit": row.unit, "value": figure.value, "n": figure.n}


def _grouped(facts: Facts, start: datetime, end: datetime, key: Callable[[Any], str]) -> list[dict[str, Any]]:
    """Downtime by a key, the most first; `unplanned_s` is part of it."""
    sums: dict[str, list[float]] = {}
    for row, length in facts.down(start, end):
        if length > 0:
            entry = sums.setdefault(key(row), [0.0, 0.0, 0])
            entry[0] += length
            entry[1] += length if row.category == Category.UNPLANNED else 0
            entry[2] += 1
    found = [{"key": name, "downtime_s": round(a, 1), "unplanned_s": round(b, 1), "n": int(n)} for name, (a, b, n) in sums.items()]
    return sorted(found, key=lambda entry: (-float(str(entry["downtime_s"])), str(entry["key"])))


def _faults(facts: Facts, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Failures that began in the span by machine, the most first (S0-21)."""
    counts: dict[int, int] = {}
    for row in facts.downs:
        if row.category == Category.UNPLANNED and start <= row.started_at < end:
            counts[row.asset_id] = counts.get(row.asset_id, 0) + 1
    named = [{"asset": facts.assets[id_].code, "name": facts.assets[id_].name, "failures": n} for id_, n in counts.items()]
    return sorted(named, key=lambda entry: (-int(str(entry["failures"])), str(entry["asset"])))


def _by_status(session: Session, asset_ids: Sequence[int], scope: Scope) -> dict[str, int]:
    """Orders by status now (S0-18); every status, also those that have none."""
    query = select(WorkOrder.state, func.count()).where(kpi_facts.of_orders(asset_ids, scope))
    counts = {row[0]: row[1] for row in session.execute(query.group_by(WorkOrder.state))}
    return {str(state): counts.get(str(state), 0) for state in OrderState}
