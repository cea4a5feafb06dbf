"""What the key figures are made of, read in a handful of queries for a span of any length. The formulas are in server/rules/kpi.py."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, any_, func, literal, select
from sqlalchemy.orm import InstrumentedAttribute, Session

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
from server.rules.downtime import CENT, Category, money
from server.rules.kpi import MachineTime, Stop
from server.rules.roles import Role
from server.rules.work_order import UNVERIFIED, OrderState
from server.store.calendars import SiteTime, site_time
from server.store.plan_orders import SKIPPED

UNDONE = tuple(str(state) for state in UNVERIFIED - {OrderState.COMPLETED})
Period = tuple[datetime, datetime]


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
    timed: dict[Period, list[MachineTime]] = field(default_factory=dict)  # several figures are made of the same
    stood: dict[Period, list[tuple[Any, float]]] = field(default_factory=dict)
    spent: dict[Period, dict[str, Decimal]] = field(default_factory=dict)

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

    def down(self, start: datetime, end: datetime) -> list[tuple[Any, float]]:
        """Own stretches that touch [start, end), each with its seconds in it."""
        if (start, end) not in self.stood:
            until = min(end, self.now)
            touching = (row for row in self.downs if row.started_at < until and (row.ended_at is None or row.ended_at > start))
            lengths = ((row, min(row.ended_at or until, until) - max(row.started_at, start)) for row in touching)
            self.stood[start, end] = [(row, max(length.total_seconds(), 0.0)) for row, length in lengths]
        return self.stood[start, end]

    def downtime_cost(self, start: datetime, end: datetime) -> Decimal:
        """Money of what was not planned: seconds in [start, end) x the machine's rate."""
        return self._spent(start, end)["downtime"]

    def cost(self, kind: str, start: datetime, end: datetime) -> Decimal:
        """Money of one kind, labour or parts, in [start, end)."""
        return self._spent(start, end)[kind]

    def _spent(self, start: datetime, end: datetime) -> dict[str, Decimal]:
        if (start, end) not in self.spent:
            paid = [row for row in self.down(start, end) if row[0].category != Category.PLANNED and row[0].machine_rate is not None]
            stood = sum((money(length, row.machine_rate) for row, length in paid), Decimal("0.00"))
            sums = {"labour": Decimal(0), "parts": Decimal(0)}
            for kind, at, amount in self.costs:
                if start <= at < end:
                    sums[kind] += amount
            self.spent[start, end] = {"downtime": stood, **{kind: amount.quantize(CENT) for kind, amount in sums.items()}}
        return self.spent[start, end]


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
    first = first.where(among(Asset.id, ids))
    lost = select(OperatingPeriod.asset_id, OperatingPeriod.started_at, OperatingPeriod.ended_at, literal(False))
    lost = lost.where(among(OperatingPeriod.asset_id, ids), OperatingPeriod.operating == str(Operating.UNKNOWN))
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
    query = query.where(among(Downtime.asset_id, ids)) if ids is not None else query.where(Downtime.site_id == site_id)
    return list(session.execute(query.order_by(Downtime.started_at, Downtime.id)))


def order_rows(session: Session, condition: Any) -> list[Any]:
    """What figures need of orders."""
    columns = (WorkOrder.type, WorkOrder.state, WorkOrder.due, WorkOrder.started_at, WorkOrder.completed_at, WorkOrder.estimated_min)
    return list(session.execute(select(*columns, WorkOrder.asset_id).where(condition)))


def among(column: InstrumentedAttribute[Any], ids: Collection[int]) -> ColumnElement[bool]:
    """Rows of these: one parameter however many there are, where IN takes one each."""
    return column == any_(literal(list(ids), ARRAY(column.type)))


def of_orders(ids: Collection[int], scope: Scope) -> ColumnElement[bool]:
    """Orders of the part; of the whole site they are found by the site, which its indexes lead with."""
    whole = scope.area is None and scope.asset is None
    return WorkOrder.site_id == scope.site_id if whole else among(WorkOrder.asset_id, ids)


def _orders(session: Session, ids: Collection[int], scope: Scope) -> list[Any]:
    touched = WorkOrder.due.between(scope.start, scope.end) | WorkOrder.completed_at.between(scope.start, scope.end)
    return order_rows(session, of_orders(ids, scope) & (touched | WorkOrder.state.in_(UNDONE)))


def _occurrences(session: Session, ids: Collection[int], scope: Scope) -> list[Any]:
    columns = (PmOccurrence.earliest, PmOccurrence.latest, PmOccurrence.done_at, PmOccurrence.state)
    query = select(*columns).where(among(PmOccurrence.asset_id, ids), PmOccurrence.latest.between(scope.start, scope.end))
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
