"""When plans fall due on their assets: triggers with what meters, alerts and calendars say now. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.alerts import AlertRecord
from server.models.meters import Meter
from server.models.plans import PmPlan, PmPlanAsset, PmTrigger
from server.models.plant import Asset
from server.rules.due_dates import Terms, Tolerance, next_due, season_opens
from server.rules.forecast_usage import Usage, reach
from server.store import calendars, meter_counts
from server.store.calendars import SiteTime
from server.store.related import by_id

METERS = frozenset({"run_hours", "cycles"})


@dataclass(frozen=True, slots=True)
class Place:
    """A plan on one asset, with its terms there."""

    plan: PmPlan
    row: PmPlanAsset
    asset: Asset
    triggers: Sequence[PmTrigger]
    terms: Terms

    @property
    def floating(self) -> bool:
        """Whether nothing falls due again before it was done: also where several triggers start anew together."""
        return self.plan.schedule == "floating" or len(self.triggers) > 1 or self.triggers[0].kind == "condition"

    @property
    def tolerance(self) -> Tolerance:
        """Days early and late."""
        return Tolerance(self.plan.early_days, self.plan.late_days)


@dataclass(frozen=True, slots=True)
class Due:
    """When a trigger is due; the bounds and the meter's figures where it is a forecast."""

    at: datetime
    cause: str
    earliest: datetime | None = None
    latest: datetime | None = None
    confidence: str = "certain"
    target: float | None = None
    total: float | None = None
    per_day: float | None = None


@dataclass(slots=True)
class Facts:
    """What the plant says now, for any number of places."""

    now: datetime
    meters: dict[tuple[int, str], Meter] = field(default_factory=dict)
    totals: dict[int, float] = field(default_factory=dict)
    uses: dict[int, Usage | None] = field(default_factory=dict)
    alerts: dict[int, list[AlertRecord]] = field(default_factory=dict)


def places_of(session: Session, rows: Collection[PmPlanAsset]) -> list[Place]:
    """Rows with their plan, asset, triggers and calendar; those whose asset or triggers are gone are left out."""
    plans = by_id(session, PmPlan, (row.plan_id for row in rows))
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    triggers: dict[int, list[PmTrigger]] = {}
    for trigger in session.scalars(select(PmTrigger).where(PmTrigger.plan_id.in_(plans)).order_by(PmTrigger.id)):
        triggers.setdefault(trigger.plan_id, []).append(trigger)
    sites = {site_id: calendars.site_time(session, site_id) for site_id in {plan.site_id for plan in plans.values()}}
    found = []
    for row in rows:
        plan, asset = plans[row.plan_id], assets[row.asset_id]
        if asset.deleted_at is None and plan.id in triggers:
            found.append(Place(plan, row, asset, triggers[plan.id], terms_of(plan, sites[plan.site_id], asset.area_id)))
    return found


def terms_of(plan: PmPlan, times: SiteTime, area_id: int | None) -> Terms:
    """The plan's terms in an area."""
    at = time.fromisoformat(plan.at)
    return Terms(plan.starts_on, at, times.zone, frozenset(plan.months), plan.shift, times.pattern(area_id))


def facts_of(session: Session, places: Collection[Place], now: datetime) -> Facts:
    """Meters and alerts that these places ask for."""
    facts = Facts(now)
    metered = {place.asset.id for place in places if any(trigger.kind in METERS for trigger in place.triggers)}
    watched = {place.asset.id for place in places if any(trigger.kind == "condition" for trigger in place.triggers)}
    if metered:
        query = select(Meter).where(Meter.asset_id.in_(metered), Meter.deleted_at.is_(None)).order_by(Meter.id.desc())
        facts.meters = {(meter.asset_id, meter.kind): meter for meter in session.scalars(query)}  # the oldest of a kind wins
        facts.totals = meter_counts.totals(session, facts.meters.values(), now)
        facts.uses = meter_counts.uses(session, facts.meters.values(), now)
    if watched:
        active = select(AlertRecord).where(
            AlertRecord.asset_id.in_(watched), AlertRecord.condition == "active", AlertRecord.resolved_at.is_(None)
        )
        for alert in session.scalars(active.where(AlertRecord.watch.is_(False)).order_by(AlertRecord.raised_at)):
            facts.alerts.setdefault(alert.asset_id or 0, []).append(alert)
    return facts


def dues(place: Place, facts: Facts) -> list[Due]:
    """When each trigger falls due next, the first first; one that nobody can tell is left out."""
    found = [due for trigger in place.triggers if (due := _due(place, trigger, facts)) is not None]
    return sorted(found, key=lambda due: (due.at, due.cause))


def _due(place: Place, trigger: PmTrigger, facts: Facts) -> Due | None:
    row = place.row
    if trigger.kind == "calendar":
        at = next_due(trigger.rrule or "", place.terms, last_due=row.last_due, last_done=row.last_done, floating=place.floating)
        return None if at is None else Due(at, trigger.kind)
    if trigger.kind == "condition":
        return _condition(place, trigger, facts)
    return _metered(place, trigger, facts)


def _condition(place: Place, trigger: PmTrigger, facts: Facts) -> Due | None:
    """The first alert that is active and came after the plan was last due and done."""
    since = max(at for at in (place.row.last_due, place.row.last_done, place.plan.created_at) if at is not None)
    for alert in facts.alerts.get(place.asset.id, []):
        if alert.raised_at > since and alert.type == trigger.alert_type and (not trigger.tag or (alert.tag or "").endswith(trigger.tag)):
            return Due(season_opens(alert.raised_at, place.terms), trigger.kind)
    return None


def _metered(place: Place, trigger: PmTrigger, facts: Facts) -> Due | None:
    meter = facts.meters.get((place.asset.id, trigger.kind))
    if meter is None or trigger.every is None:
        return None
    total, use = facts.totals[meter.id], facts.uses[meter.id]
    target = place.row.bases.get(str(trigger.id), 0.0) + trigger.every
    forecast = reach(total, target, use, facts.now)
    if forecast.due is None:
        return None
    figures = {"target": target, "total": total, "per_day": use.per_day if use else None}
    sure = "certain" if total >= target else (use.confidence if use else "low")
    at = season_opens(forecast.due, place.terms)
    return Due(at, trigger.kind, forecast.earliest, forecast.latest, sure, **figures)


def ahead(place: Place, first: Due | None, until: datetime) -> Iterator[Due]:
    """What falls due until then if everything is done on its day; of meters and conditions only the next time is known."""
    due = first
    calendar = [trigger for trigger in place.triggers if trigger.kind == "calendar"]
    while due is not None and due.at < until:
        yield due
        last = due.at
        times = [next_due(t.rrule or "", place.terms, last_due=last, last_done=last, floating=place.floating) for t in calendar]
        following = min((at for at in times if at is not None), default=None)
        due = None if following is None else Due(following, "calendar")
