"""What the key figures are made of, read in a handful of queries for a span of any length. The formulas are in server/rules/kpi.py."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.orm import Session

from server.models.downtime import Downtime, DowntimeReason
from server.models.interventions import FaultTerm, Intervention
from server.models.order_records import OrderLabour
from server.models.parts import StockMovement
from server.models.people import User
from server.models.plans import PmOccurrence
from server.models.plant import Area, Asset, OperatingPeriod
from server.models.work import WorkOrder
from server.rules.asset import Operating
from server.rules.calendar import Pattern, Span, common, merged, planned, without
from server.rules.downtime import Category, Stretch, money
from server.rules.kpi import MachineTime, Stop
from server.rules.roles import Role
from server.rules.work_order import UNVERIFIED, OrderState
from server.store.calendars import SiteTime, site_time
from server.store.plan_orders import SKIPPED

UNDONE = tuple(str(state) for state in UNVERIFIED - {OrderState.COMPLETED})
NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which site, when, and which part of it; None = all."""

    site_id: int
    start: datetime
    end: datetime
    area: str | None = None
    asset: str | None = None


@dataclass(slots=True)
class Facts:
    """Rows of the span; everything is clipped where it is used."""

    now: datetime
    times: SiteTime
    assets: dict[int, Any] = field(default_factory=dict)  # id, code, name, area_id, area; technicians of the site
    known: dict[int, list[Span]] = field(default_factory=dict)
    downs: list[Any] = field(default_factory=list)
    orders: list[Any] = field(default_factory=list)
    occurrences: list[Any] = field(default_factory=list)
    costs: list[Any] = field(default_factory=list)
    timed: dict[tuple[datetime, datetime], list[MachineTime]] = field(default_factory=dict)  # several figures are made of the same

    @property
    def technicians(self) -> int:
        """People of the site who do work orders."""
        return next((row.technicians for row in self.assets.values()), 0)

    def machines(self, start: datetime, end: datetime) -> list[MachineTime]:
        """Machines whose state was known or entered in [start, end), with planned production and stops."""
        if (start, end) not in self.timed:
            self.timed[start, end] = self._machines(start, min(end, self.now))
        return self.timed[start, end]

    def _machines(self, start: datetime, end: datetime) -> list[MachineTime]:
        plans: dict[int, list[Span]] = {}
        stops: dict[int, list[Stop]] = {}
        for row in self.downs:
            clipped = Span(max(row.started_at, start), min(row.ended_at or self.now, end))
            if clipped.end > clipped.start or (clipped.end == clipped.start and start <= row.started_at < end):
                stops.setdefault(row.asset_id, []).append(Stop(clipped, Category(row.category), start <= row.started_at < end))
        found = []
        for id_, asset in self.assets.items():
            known = common(self.known.get(id_, []), [Span(start, end)]) if end > start else []
            ours = stops.get(id_, [])
            seen = merged([*known, *(stop.span for stop in ours)])
            if not seen:
                continue
            pattern: Pattern = self.times.pattern(asset.area_id)
            if id(pattern) not in plans:
                plans[id(pattern)] = planned(pattern, self.times.zone, start, end)
            found.append(MachineTime(common(plans[id(pattern)], seen), ours))
        return found

    def stretches(self, *categories: Category) -> list[Stretch]:
        """Own stretches of these categories, of all without any named."""
        return [Stretch(row.started_at, row.ended_at) for row in self.downs if not categories or row.category in categories]

    def downtime_cost(self, start: datetime, end: datetime) -> Decimal:
        """Money of what was not planned: seconds in [start, end) x the machine's rate."""
        end = min(end, self.now)
        rows = [row for row in self.downs if row.category != Category.PLANNED]
        spans = ((row, min(row.ended_at or self.now, end) - max(row.started_at, start)) for row in rows)
        return sum((money(length.total_seconds(), row.machine_rate) for row, length in spans if length > NO_TIME), Decimal("0.00"))


def load(session: Session, scope: Scope, now: datetime) -> Facts:
    """Everything for the span."""
    team = (
        select(func.count(User.id)).where(User.site_id == scope.site_id, User.active, User.role == str(Role.TECHNICIAN)).scalar_subquery()
    )
    facts = Facts(now, site_time(session, scope.site_id))
    query = select(Asset.id, Asset.code, Asset.name, Asset.area_id, Area.name.label("area"), team.label("technicians"))
    query = query.join(Area, Area.id == Asset.area_id)
    query = query.where(Asset.site_id == scope.site_id)
    if scope.area is not None:
        query = query.where(Area.name == scope.area)
    if scope.asset is not None:
        query = query.where(Asset.code == scope.asset)
    facts.assets = {row.id: row for row in session.execute(query)}
    ids = list(facts.assets)
    facts.known = _known(session, ids, scope, now)
    facts.downs = own_downtime(session, ids, scope.start, scope.end)
    facts.orders = _orders(session, ids, scope)
    facts.occurrences = _occurrences(session, ids, scope)
    facts.costs = _costs(session, ids, scope)
    return facts


def _known(session: Session, ids: Collection[int], scope: Scope, now: datetime) -> dict[int, list[Span]]:
    """From when a machine's state was first known, without the time in which it was not."""
    earliest = select(func.min(OperatingPeriod.started_at)).where(OperatingPeriod.asset_id == Asset.id).scalar_subquery()
    nothing = literal(None, OperatingPeriod.ended_at.type)
    first = select(Asset.id.label("asset_id"), earliest.label("started_at"), nothing.label("ended_at"), literal(True).label("first"))
    first = first.where(Asset.id.in_(ids))
    lost = select(OperatingPeriod.asset_id, OperatingPeriod.started_at, OperatingPeriod.ended_at, literal(False))
    lost = lost.where(OperatingPeriod.asset_id.in_(ids), OperatingPeriod.operating == str(Operating.UNKNOWN))
    lost = lost.where(OperatingPeriod.started_at < scope.end, OperatingPeriod.ended_at.is_(None) | (OperatingPeriod.ended_at > scope.start))
    begun: dict[int, datetime | None] = {}
    unknown: dict[int, list[Span]] = {}
    for row in session.execute(first.union_all(lost)).all():
        if row.first:
            begun[row.asset_id] = row.started_at
        else:
            unknown.setdefault(row.asset_id, []).append(Span(row.started_at, row.ended_at or now))
    end = min(scope.end, now)
    return {
        id_: without([Span(max(start, scope.start), end)], unknown.get(id_, [])) for id_, start in begun.items() if start and start < end
    }


def own_downtime(session: Session, ids: Collection[int] | None, start: datetime, end: datetime, site_id: int | None = None) -> list[Any]:
    """Stretches in which machines stood for a reason of their own, with area, reason and the fault category of their order."""
    category = select(FaultTerm.label).join(Intervention, Intervention.category_id == FaultTerm.id)
    category = category.where(Intervention.order_id == Downtime.work_order_id, Intervention.deleted_at.is_(None))
    named = category.order_by(Intervention.received_at.desc()).limit(1).correlate(Downtime).scalar_subquery()
    columns = (Downtime.asset_id, Downtime.started_at, Downtime.ended_at, Downtime.category, Downtime.machine_rate)
    query = select(*columns, DowntimeReason.label.label("reason"), named.label("fault_category"))
    query = query.outerjoin(DowntimeReason, DowntimeReason.id == Downtime.reason_id)
    query = query.where(Downtime.cause_id.is_(None), Downtime.deleted_at.is_(None), Downtime.started_at < end)
    query = query.where(Downtime.ended_at.is_(None) | (Downtime.ended_at > start))
    query = query.where(Downtime.asset_id.in_(ids)) if ids is not None else query.where(Downtime.site_id == site_id)
    return list(session.execute(query.order_by(Downtime.started_at, Downtime.id)))


def order_rows(session: Session, condition: Any) -> list[Any]:
    """What figures need of orders."""
    columns = (WorkOrder.type, WorkOrder.state, WorkOrder.due, WorkOrder.started_at, WorkOrder.completed_at, WorkOrder.estimated_min)
    return list(session.execute(select(*columns, WorkOrder.asset_id).where(condition)))


def of_orders(ids: Collection[int], scope: Scope) -> ColumnElement[bool]:
    """Orders of the part; of the whole site they are found by the site, which its indexes lead with."""
    whole = scope.area is None and scope.asset is None
    return WorkOrder.site_id == scope.site_id if whole else WorkOrder.asset_id.in_(ids)


def _orders(session: Session, ids: Collection[int], scope: Scope) -> list[Any]:
    touched = WorkOrder.due.between(scope.start, scope.end) | WorkOrder.completed_at.between(scope.start, scope.end)
    return order_rows(session, of_orders(ids, scope) & (touched | WorkOrder.state.in_(UNDONE)))


def _occurrences(session: Session, ids: Collection[int], scope: Scope) -> list[Any]:
    columns = (PmOccurrence.earliest, PmOccurrence.latest, PmOccurrence.done_at, PmOccurrence.state)
    query = select(*columns).where(PmOccurrence.asset_id.in_(ids), PmOccurrence.latest.between(scope.start, scope.end))
    return list(session.execute(query.where(PmOccurrence.state != SKIPPED)))


def _costs(session: Session, ids: Collection[int], scope: Scope) -> list[Any]:
    """(kind, at, amount) of labour and of parts issued, less what was returned."""
    labour = select(literal("labour").label("kind"), OrderLabour.started_at.label("at"), OrderLabour.cost.label("amount"))
    labour = labour.join(WorkOrder, WorkOrder.id == OrderLabour.order_id).where(OrderLabour.deleted_at.is_(None))
    used = select(literal("parts"), StockMovement.at, -StockMovement.quantity * StockMovement.unit_cost)
    used = used.join(WorkOrder, WorkOrder.id == StockMovement.order_id).where(StockMovement.reason.in_(["issue", "return"]))
    spans = (OrderLabour.started_at.between(scope.start, scope.end), StockMovement.at.between(scope.start, scope.end))
    both = (query.where(of_orders(ids, scope), span) for query, span in zip((labour, used), spans, strict=True))
    first, second = both
    return list(session.execute(first.union_all(second)).all())


def total(rows: Iterable[Any], kind: str, start: datetime, end: datetime) -> Decimal:
    """Money of one kind in [start, end)."""
    amounts = (Decimal(row.amount) for row in rows if row.kind == kind and start <= row.at < end)
    return sum(amounts, Decimal(0)).quantize(Decimal("0.01"))
