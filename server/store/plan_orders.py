"""Orders of plans, made ahead by the leader: each occurrence exactly once, never two open orders of one plan on one asset.

An occurrence that falls due while the former order is open is held and counted; a bigger plan of the series swallows the
smaller. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import audit
from server.errors import Conflict, NotFound
from server.models.parts import Part, StockLevel
from server.models.people import User
from server.models.plans import PmOccurrence, PmPlan, PmPlanAsset
from server.models.work import WorkOrder
from server.rules.due_dates import next_base
from server.rules.work_order import OrderState
from server.store import meter_counts, order_acts, orders, plan_due, reservations
from server.store.actor import SYSTEM
from server.store.orders import NewOrder
from server.store.plan_due import METERS, Due, Facts, Place
from server.timestamps import rfc3339

AT_ONCE = 50  # occurrences of one place in one pass
OPEN, HELD, SWALLOWED, DONE, SKIPPED, MISSED = "open", "held", "swallowed", "done", "skipped", "missed"
PENDING = frozenset({OPEN, HELD, SWALLOWED})
FINISHED = frozenset({OrderState.COMPLETED, OrderState.VERIFIED})


def make(session: Session, now: datetime) -> int:
    """Settle what was done and open what falls due within its lead time; the number of occurrences made. For the leader's clock."""
    active = select(PmPlanAsset).join(PmPlan, PmPlan.id == PmPlanAsset.plan_id)
    active = active.where(PmPlan.active, PmPlan.deleted_at.is_(None), PmPlanAsset.ended_at.is_(None)).order_by(PmPlanAsset.id)
    locked = active.with_for_update(of=PmPlanAsset, key_share=True).execution_options(populate_existing=True)
    places = plan_due.places_of(session, session.scalars(locked).all())
    maker = _Maker(session, now, sorted(places, key=lambda place: (-place.plan.level, place.row.id)))
    return maker.run()


@dataclass(slots=True)
class _Maker:
    """One pass over locked places, bigger plans first."""

    session: Session
    now: datetime
    places: Sequence[Place]
    made: int = 0
    facts: Facts = field(init=False)
    pending: dict[int, list[PmOccurrence]] = field(init=False)  # by place
    released: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.facts = plan_due.facts_of(self.session, self.places, self.now)
        by_key = {(place.plan.id, place.asset.id): place.row.id for place in self.places}
        self.pending = {place.row.id: [] for place in self.places}
        query = select(PmOccurrence).where(
            PmOccurrence.plan_id.in_({place.plan.id for place in self.places}), PmOccurrence.state.in_(PENDING)
        )
        for row in self.session.scalars(query.order_by(PmOccurrence.occurrence)):
            if (row.plan_id, row.asset_id) in by_key:
                self.pending[by_key[row.plan_id, row.asset_id]].append(row)

    def run(self) -> int:
        """Everything once."""
        for place in self.places:
            self._settle(place)
        for place in self.places:
            self._advance(place)
        return self.made

    def _settle(self, place: Place) -> None:
        """Follow the order of the open occurrence to its end."""
        row = next((row for row in self.pending[place.row.id] if row.state == OPEN), None)
        order = self.session.get(WorkOrder, row.order_id, populate_existing=True) if row is not None and row.order_id else None
        if row is None or order is None:
            return
        if order.state in FINISHED and order.completed_at is not None:
            self._finish(place, row, DONE, order.completed_at, order.number)
        elif order.state == OrderState.CANCELLED:
            self._finish(place, row, MISSED, order.cancelled_at or self.now, order.number)

    def _finish(self, place: Place, row: PmOccurrence, state: str, at: datetime, number: str) -> None:
        self._end(place, row, state, at, number)
        for held in [one for one in self.pending[place.row.id] if one.state == HELD]:
            if state == DONE and held.earliest <= at <= held.latest:
                self._end(place, held, DONE, at, number)
            elif held.due <= at:
                self._end(place, held, MISSED, at, number)
        for smaller in self.places:
            for one in [
                one for one in self.pending[smaller.row.id] if one.swallowed_by_id == place.plan.id and smaller.asset.id == place.asset.id
            ]:
                if state == DONE:
                    self._end(smaller, one, DONE, at, number)
                else:
                    self.released.add(one.id)

    def _end(self, place: Place, row: PmOccurrence, state: str, at: datetime, number: str) -> None:
        self.pending[place.row.id].remove(row)
        old, row.state = row.state, state
        row.by = number
        if state == DONE:
            row.done_at = at
            place.row.last_done = max(at, place.row.last_done or at)
        if place.floating:
            restart(self.session, place, self.facts, at)
        place.row.next_due = None
        _note(self.session, state, row, place, {"state": old}, {"state": state, "order": number, "at": rfc3339(at)}, self.now)

    def _advance(self, place: Place) -> None:
        """Make the occurrences that are due within the lead time, and open what waited."""
        waiting = self.pending[place.row.id]
        for row in [one for one in waiting if one.state == HELD or one.id in self.released]:
            if not any(one.state == OPEN for one in waiting):
                self._open(place, row)
        for _ in range(AT_ONCE):
            due = None if place.floating and waiting else self._next(place)
            if due is None:
                place.row.next_due = place.row.next_cause = None
                return
            place.row.next_due, place.row.next_cause = due.at, due.cause
            if due.at - timedelta(days=place.plan.lead_days) > self.now:
                return
            self._occur(place, due)

    def _next(self, place: Place) -> Due | None:
        row = place.row
        if row.next_due is not None and row.next_cause == "calendar" and len(place.triggers) == 1:
            return Due(row.next_due, "calendar")
        return next(iter(plan_due.dues(place, self.facts)), None)

    def _occur(self, place: Place, due: Due) -> None:
        row = occurrence(self.session, place, due, self.now)
        waiting = self.pending[place.row.id]
        waiting.append(row)
        self.made += 1
        bigger = self._bigger(place, row)
        if bigger is not None:
            row.state, row.swallowed_by_id = SWALLOWED, bigger.plan.id
        elif any(one.state == OPEN for one in waiting):
            row.state = HELD
        else:
            self._open(place, row)
        self.session.flush()
        new = {"due": rfc3339(row.due), "cause": row.cause, "state": row.state, "order": row.order_id}
        _note(self.session, "due", row, place, None, new, self.now)

    def _bigger(self, place: Place, row: PmOccurrence) -> Place | None:
        """The plan of the same series that is due about then and does this one's work too."""
        for other in self.places:
            if other.asset.id != place.asset.id or other.plan.level <= place.plan.level:
                continue
            if not place.plan.series or other.plan.series != place.plan.series or other.plan.site_id != place.plan.site_id:
                continue
            theirs = [one.due for one in self.pending[other.row.id] if one.state == OPEN]
            if any(row.earliest <= at <= row.latest for at in [*theirs, other.row.next_due] if at is not None):
                return other
        return None

    def _open(self, place: Place, row: PmOccurrence) -> None:
        plan = place.plan
        new = NewOrder(
            title=plan.title,
            asset_id=place.asset.id,
            description="\n\n".join(word for word in (plan.description, f"{plan.number}: due {rfc3339(row.due)} ({row.cause})") if word),
            type=plan.type,
            priority=plan.priority,
            procedure_id=plan.procedure_id,
            team_id=plan.team_id,
            due=max(row.latest, self.now),
            sla_at=max(row.latest, self.now),
            estimated_min=plan.estimated_min,
        )
        order = orders.open_by_system(self.session, new, self.now)
        row.state, row.order_id, row.swallowed_by_id = OPEN, order.id, None
        _reserve(self.session, plan, order, self.now)
        person = self.session.get(User, plan.assignee_id) if plan.assignee_id else None
        if person is not None and person.active:
            order_acts.assign_to(self.session, order, person, SYSTEM, self.now)


def occurrence(session: Session, place: Place, due: Due, now: datetime) -> PmOccurrence:
    """The next occurrence of a place, with its number; the place is locked."""
    place.row.occurrences += 1
    place.row.last_due = due.at
    place.row.next_due = None
    first, last = place.tolerance.around(due.at, place.terms.zone)
    row = PmOccurrence(
        plan_id=place.plan.id, asset_id=place.asset.id, occurrence=place.row.occurrences, due=due.at, cause=due.cause, state=HELD
    )
    row.earliest, row.latest, row.created_at = first, last, now
    session.add(row)
    session.flush()
    if not place.floating:
        _further(place)
    return row


def _further(place: Place) -> None:
    """On a fixed grid the meter counts from the point that was reached just now."""
    bases = dict(place.row.bases)
    for trigger in place.triggers:
        if trigger.kind in METERS and trigger.every:
            bases[str(trigger.id)] = next_base(bases.get(str(trigger.id), 0.0), trigger.every, 0.0, floating=False)
    place.row.bases = bases


def restart(session: Session, place: Place, facts: Facts, at: datetime, *, skipped: Due | None = None) -> None:
    """Every trigger starts anew: meters count from what they said at that time, the one that is skipped ahead of it from its target."""
    bases = dict(place.row.bases)
    for trigger in place.triggers:
        meter = facts.meters.get((place.asset.id, trigger.kind))
        if meter is not None and trigger.every:
            base, total = bases.get(str(trigger.id), 0.0), meter_counts.totals(session, [meter], at)[meter.id]
            if skipped and skipped.target and skipped.cause == trigger.kind:
                total = max(total, min(base + trigger.every, skipped.target))
            bases[str(trigger.id)] = next_base(base, trigger.every, total, floating=True)
    place.row.bases = bases


def _reserve(session: Session, plan: PmPlan, order: WorkOrder, now: datetime) -> None:
    """Keep the planned parts for the order, out of the store that has most; what is not there is left to the planner."""
    for wanted in plan.parts:
        part_id = session.scalar(select(Part.id).where(Part.site_id == plan.site_id, Part.number == wanted["part"]))
        store = select(StockLevel.store_id).where(StockLevel.part_id == part_id).order_by(StockLevel.on_hand.desc()).limit(1)
        store_id = session.scalar(store) if part_id is not None else None
        if part_id is None or store_id is None:
            continue
        wish = reservations.Wish(part_id, store_id, order.id, Decimal(str(wanted["quantity"])))
        try:
            reservations.reserve(session, wish, SYSTEM, now)
        except (Conflict, NotFound):
            continue  # it raised before it changed anything


def _note(
    session: Session,
    action: str,
    row: PmOccurrence,
    place: Place,
    old: Mapping[str, object] | None,
    new: Mapping[str, object],
    now: datetime,
) -> None:
    facts = {"plan": place.plan.number, "asset": place.asset.code, "occurrence": row.occurrence, **new}
    audit.record(session, audit.Change(action, "pm_occurrence", row.id, place.plan.site_id, old, facts), SYSTEM, now)
