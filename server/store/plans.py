"""Plans of preventive maintenance: who sees which, making, changing and skipping. Orders are made by plan_orders. Nothing here commits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import AlertType
from server import audit
from server.errors import Conflict, Invalid, NotFound
from server.models.people import User
from server.models.plans import PmOccurrence, PmPlan, PmPlanAsset, PmTrigger
from server.models.plant import Asset
from server.models.work import Procedure, Team
from server.rules.due_dates import Terms, next_due, read_rule
from server.store import numbers, plan_due, plan_orders
from server.store.actor import Person, need, sees_site
from server.store.assets import get_asset
from server.store.page import Page, ordering, page_of

COLUMNS = (
    *("title", "description", "type", "priority", "estimated_min", "parts", "schedule", "starts_on", "at"),
    *("lead_days", "early_days", "late_days", "months", "shift", "series", "level", "active"),
)
SORTS = {
    "number": PmPlan.id,
    "title": PmPlan.title,
    "priority": PmPlan.priority,
    "series": PmPlan.series,
    "level": PmPlan.level,
    "id": PmPlan.id,
}


def list_plans(session: Session, site: int | None, query: Mapping[str, Any]) -> Page[PmPlan]:
    """Plans of a site, the newest last."""
    found = select(PmPlan).where(PmPlan.deleted_at.is_(None))
    if site is not None:
        found = found.where(PmPlan.site_id == site)
    if query.get("search"):
        columns = (PmPlan.number, PmPlan.title, PmPlan.series)
        first, second, third = (column.icontains(query["search"], autoescape=True) for column in columns)
        found = found.where(first | second | third)
    if query.get("asset"):
        on = select(PmPlanAsset.plan_id).join(Asset, Asset.id == PmPlanAsset.asset_id)
        found = found.where(PmPlan.id.in_(on.where(Asset.code == query["asset"], PmPlanAsset.ended_at.is_(None))))
    if query.get("active") is not None:
        found = found.where(PmPlan.active.is_(query["active"]))
    return page_of(session, found, ordering(query["sort"] or "number", SORTS, "id"), query["limit"], query["offset"])


def get(session: Session, plan_id: int, user: Person) -> PmPlan:
    """A visible plan; raises NotFound."""
    row = session.get(PmPlan, plan_id)
    if row is None or row.deleted_at is not None or not sees_site(user, row.site_id):
        raise NotFound("plan", plan_id)
    return row


def create(session: Session, fields: Mapping[str, Any], user: Person, now: datetime) -> PmPlan:
    """A plan with its triggers, on its assets; raises NotFound or Invalid."""
    need(user, "plans.write")
    if user.site_id is None:
        raise Invalid("site", "required", "a plan belongs to a site")
    plan = PmPlan(number=f"PM-{numbers.next_number(session, 'pm_plan')}", site_id=user.site_id, created_at=now)
    _set(session, plan, fields)
    session.add(plan)
    session.flush()
    check_triggers(plan, fields["triggers"])
    _set_triggers(session, plan, fields["triggers"], now)
    _set_assets(session, plan, fields["assets"], user, now)
    session.flush()
    refresh(session, plan, now)
    audit.record(session, audit.Change("create", "plan", plan.id, plan.site_id, None, fields), user, now)
    return plan


def change(session: Session, plan: PmPlan, fields: Mapping[str, Any], user: Person, now: datetime) -> None:
    """Change what is named; triggers and assets are replaced as a whole where they are. What was done so far stays."""
    need(user, "plans.write")
    old = {name: getattr(plan, name) for name in COLUMNS if name in fields}
    _lock(session, plan)
    _set(session, plan, fields)
    triggers = fields.get("triggers")
    known = [trigger_body(row) for row in triggers_of(session, plan)]
    check_triggers(plan, known if triggers is None else triggers)
    if triggers is not None and list(triggers) != known:
        old["triggers"] = known
        _set_triggers(session, plan, triggers, now)
    if "assets" in fields:
        _set_assets(session, plan, fields["assets"], user, now)
    plan.rev += 1
    session.flush()
    refresh(session, plan, now)
    audit.record(session, audit.Change("change", "plan", plan.id, plan.site_id, old, fields), user, now)


def delete(session: Session, plan: PmPlan, user: Person, now: datetime) -> None:
    """End it; its orders and occurrences stay."""
    need(user, "plans.write")
    plan.deleted_at = now
    plan.rev += 1
    audit.record(session, audit.Change("delete", "plan", plan.id, plan.site_id, {"deleted_at": None}, {"deleted_at": now}), user, now)


def skip(session: Session, plan: PmPlan, asset_code: str, reason: str, user: Person, now: datetime) -> PmOccurrence:
    """Leave the next occurrence on an asset out, with a reason; raises NotFound, or Conflict while an order of it is open."""
    need(user, "plans.write")
    _lock(session, plan)
    asset = get_asset(session, asset_code, user)
    rows = [row for row in _places(session, plan) if row.asset_id == asset.id]
    if not rows:
        raise NotFound("asset of the plan", asset_code)
    (place,) = plan_due.places_of(session, rows)
    pending = select(PmOccurrence.state).where(PmOccurrence.plan_id == plan.id, PmOccurrence.asset_id == asset.id)
    if place.floating and session.scalar(pending.where(PmOccurrence.state.in_(plan_orders.PENDING)).limit(1)) is not None:
        raise Conflict("order_open", "an order of it is open: cancel that", plan_orders.OPEN)
    facts = plan_due.facts_of(session, [place], now)
    due = next(iter(plan_due.dues(place, facts)), None)
    if due is None:
        raise Conflict("nothing_due", "nobody can tell when it falls due next")
    row = plan_orders.occurrence(session, place, due, now)
    row.state, row.reason, row.by = plan_orders.SKIPPED, reason, user.name
    if place.floating:
        plan_orders.restart(session, place, facts, now, skipped=due)
    session.flush()
    refresh(session, plan, now)
    new = {"plan": plan.number, "asset": asset.code, "occurrence": row.occurrence, "due": row.due, "reason": reason}
    audit.record(session, audit.Change("skip", "pm_occurrence", row.id, plan.site_id, None, new), user, now)
    return row


def refresh(session: Session, plan: PmPlan, now: datetime) -> None:
    """Reckon the next due times anew, after a change; the leader keeps them so."""
    places = plan_due.places_of(session, _places(session, plan))
    facts = plan_due.facts_of(session, places, now)
    for place in places:
        due = next(iter(plan_due.dues(place, facts)), None)
        place.row.next_due, place.row.next_cause = (due.at, due.cause) if due else (None, None)
    session.flush()


def triggers_of(session: Session, plan: PmPlan) -> Sequence[PmTrigger]:
    """Its triggers in the order they were given."""
    return session.scalars(select(PmTrigger).where(PmTrigger.plan_id == plan.id).order_by(PmTrigger.id)).all()


def trigger_body(row: PmTrigger) -> dict[str, Any]:
    """As it was given."""
    body = {name: getattr(row, name) for name in ("kind", "rrule", "every", "alert_type", "tag")}
    return {name: value for name, value in body.items() if value is not None}


def check_triggers(plan: PmPlan, triggers: Sequence[Mapping[str, Any]]) -> None:
    """Raise Invalid for triggers that cannot be, or that do not go together."""
    wanted = {"calendar": "rrule", "run_hours": "every", "cycles": "every", "condition": "alert_type"}
    for trigger in triggers:
        extra = set(trigger) - {"kind", wanted[trigger["kind"]]} - ({"tag"} if trigger["kind"] == "condition" else set())
        if wanted[trigger["kind"]] not in trigger or extra:
            raise Invalid("triggers", "fields", f"{trigger['kind']} takes {wanted[trigger['kind']]}")
        if trigger["kind"] == "calendar":
            _check_rule(plan, trigger["rrule"])
        elif trigger["kind"] == "condition" and trigger["alert_type"] not in set(AlertType):
            raise Invalid("triggers", "alert_type", f"one of {', '.join(AlertType)}")
    if len(triggers) > 1 and plan.schedule == "fixed":
        raise Invalid("schedule", "floating_only", "several triggers start anew together when it is done: choose floating")


def _check_rule(plan: PmPlan, rule: str) -> None:
    first = datetime.combine(plan.starts_on, time())
    try:
        read_rule(rule, first, first + timedelta(days=1))
        terms = Terms(plan.starts_on, time.fromisoformat(plan.at), months=frozenset(plan.months))
        never = next_due(rule, terms, last_due=None, last_done=None, floating=False) is None
    except ValueError as error:
        raise Invalid("triggers", "rrule", str(error)) from error
    if never:
        raise Invalid("triggers", "rrule", "never comes within twelve years")


def _lock(session: Session, plan: PmPlan) -> None:
    rows = select(PmPlanAsset).where(PmPlanAsset.plan_id == plan.id).order_by(PmPlanAsset.id)
    session.scalars(rows.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def _places(session: Session, plan: PmPlan) -> Sequence[PmPlanAsset]:
    rows = select(PmPlanAsset).where(PmPlanAsset.plan_id == plan.id, PmPlanAsset.ended_at.is_(None))
    return session.scalars(rows.order_by(PmPlanAsset.id)).all()


def _set(session: Session, plan: PmPlan, fields: Mapping[str, Any]) -> None:
    for name in COLUMNS:
        if name in fields:
            setattr(plan, name, fields[name])
    if "procedure" in fields:
        own = (Procedure.site_id == plan.site_id) | Procedure.site_id.is_(None)
        query = (
            select(Procedure.id).where(Procedure.code == fields["procedure"], Procedure.active, own).order_by(Procedure.site_id).limit(1)
        )
        plan.procedure_id = _found(session, "procedure", fields["procedure"], query)
    if "team" in fields:
        query = select(Team.id).where(Team.site_id == plan.site_id, Team.name == fields["team"], Team.deleted_at.is_(None))
        plan.team_id = _found(session, "team", fields["team"], query)
    if "assignee_id" in fields:
        query = select(User.id).where(User.id == fields["assignee_id"], User.site_id == plan.site_id, User.active)
        plan.assignee_id = _found(session, "assignee_id", fields["assignee_id"], query)


def _found(session: Session, field: str, wanted: object, query: Any) -> int | None:
    with session.no_autoflush:
        found: int | None = None if wanted is None else session.scalar(query)
    if wanted is not None and found is None:
        raise Invalid(field, "unknown", f"there is no {wanted}")
    return found


def _set_triggers(session: Session, plan: PmPlan, triggers: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """New rows; a meter that was counted for before goes on from where it was."""
    former = {row.kind: str(row.id) for row in triggers_of(session, plan)}
    session.execute(sql_delete(PmTrigger).where(PmTrigger.plan_id == plan.id))
    rows = [PmTrigger(plan_id=plan.id, **trigger) for trigger in triggers]
    session.add_all(rows)
    session.flush()
    places = plan_due.places_of(session, _places(session, plan))
    facts = plan_due.facts_of(session, places, now)
    for place in places:
        old, place.row.bases = place.row.bases, {}
        plan_orders.restart(session, place, facts, now)
        kept = {str(row.id): old[former[row.kind]] for row in rows if former.get(row.kind) in old}
        place.row.bases = {**place.row.bases, **kept}


def _set_assets(session: Session, plan: PmPlan, codes: Sequence[str], user: Person, now: datetime) -> None:
    wanted = {get_asset(session, code, user).id for code in codes}
    rows = {row.asset_id: row for row in session.scalars(select(PmPlanAsset).where(PmPlanAsset.plan_id == plan.id))}
    for asset_id, row in rows.items():
        row.ended_at = None if asset_id in wanted else row.ended_at or now
    begun = now if plan.starts_on < now.date() else None  # the past is not caught up with
    new = [PmPlanAsset(plan_id=plan.id, asset_id=asset_id, last_due=begun, bases={}) for asset_id in sorted(wanted - set(rows))]
    session.add_all(new)
    session.flush()
    places = plan_due.places_of(session, new)
    facts = plan_due.facts_of(session, places, now)
    for place in places:
        plan_orders.restart(session, place, facts, now)
