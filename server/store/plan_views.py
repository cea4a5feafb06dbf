"""Bodies and views of plans: where each stands, what is ahead, how it was kept. Reads only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.people import User
from server.models.plans import PmOccurrence, PmPlan, PmPlanAsset, PmTrigger
from server.models.plant import Asset
from server.models.work import Procedure, Team, WorkOrder
from server.rules import kpi
from server.rules.kpi import Figure
from server.store import plan_due, plans
from server.store.page import Page, ordering, page_of
from server.store.plan_due import Due, Place
from server.store.plan_orders import DONE, HELD, OPEN, PENDING, SKIPPED, SWALLOWED
from server.store.related import by_id
from server.timestamps import rfc3339

KEPT_OVER = timedelta(days=365)
MOST_AHEAD = 2_000


def bodies(session: Session, rows: Sequence[PmPlan], now: datetime) -> list[dict[str, Any]]:
    """REST bodies, in their order."""
    ids = [row.id for row in rows]
    triggers: dict[int, list[dict[str, Any]]] = {}
    for trigger in session.scalars(select(PmTrigger).where(PmTrigger.plan_id.in_(ids)).order_by(PmTrigger.id)):
        triggers.setdefault(trigger.plan_id, []).append(plans.trigger_body(trigger))
    places = _places(session, ids)
    kept = _kept(session, ids, now)
    procedures = by_id(session, Procedure, (row.procedure_id for row in rows))
    teams = by_id(session, Team, (row.team_id for row in rows))
    people = by_id(session, User, (row.assignee_id for row in rows))
    found = []
    for row in rows:
        procedure, person, team = procedures.get(row.procedure_id or 0), people.get(row.assignee_id or 0), teams.get(row.team_id or 0)
        where = places.get(row.id, [])
        dues = [place["next_due"] for place in where if place["next_due"]]
        found.append(
            {
                "id": row.id,
                "number": row.number,
                **{name: getattr(row, name) for name in plans.COLUMNS},
                "starts_on": row.starts_on.isoformat(),
                "procedure": {"code": procedure.code, "title": procedure.title} if procedure else None,
                "team": team.name if team else None,
                "assignee": {"id": person.id, "name": person.name} if person else None,
                "triggers": triggers.get(row.id, []),
                "assets": where,
                "asset_codes": [place["code"] for place in where],
                "next_due": min(dues, default=None) if row.active else None,
                "held": sum(place["held"] for place in where),
                "compliance": kept[row.id].value,
                "compliance_due": kept[row.id].n,
                "created_at": rfc3339(row.created_at),
                "rev": row.rev,
            }
        )
    return found


def _places(session: Session, plan_ids: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    rows = session.scalars(select(PmPlanAsset).where(PmPlanAsset.plan_id.in_(plan_ids), PmPlanAsset.ended_at.is_(None))).all()
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    query = select(PmOccurrence).where(PmOccurrence.plan_id.in_(plan_ids), PmOccurrence.state.in_(PENDING))
    pending: dict[tuple[int, int], list[PmOccurrence]] = {}
    for occurrence in session.scalars(query.order_by(PmOccurrence.occurrence)):
        pending.setdefault((occurrence.plan_id, occurrence.asset_id), []).append(occurrence)
    orders = by_id(session, WorkOrder, (one.order_id for many in pending.values() for one in many))
    found: dict[int, list[dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: assets[row.asset_id].code):
        asset, waiting = assets[row.asset_id], pending.get((row.plan_id, row.asset_id), [])
        order = next((orders[one.order_id] for one in waiting if one.state == OPEN and one.order_id), None)
        found.setdefault(row.plan_id, []).append(
            {
                "id": asset.id,
                "code": asset.code,
                "name": asset.name,
                "next_due": rfc3339(row.next_due),
                "next_cause": row.next_cause,
                "last_due": rfc3339(row.last_due),
                "last_done": rfc3339(row.last_done),
                "order": {"id": order.id, "number": order.number, "status": order.state} if order else None,
                "held": sum(one.state == HELD for one in waiting),
                "swallowed": sum(one.state == SWALLOWED for one in waiting),
            }
        )
    return found


def _kept(session: Session, plan_ids: Sequence[int], now: datetime) -> dict[int, Figure]:
    judged = (PmOccurrence.latest > now - KEPT_OVER, PmOccurrence.latest <= now, PmOccurrence.state != SKIPPED)
    in_time = (PmOccurrence.state == DONE) & PmOccurrence.done_at.between(PmOccurrence.earliest, PmOccurrence.latest)
    query = select(PmOccurrence.plan_id, func.count(), func.count().filter(in_time)).where(PmOccurrence.plan_id.in_(plan_ids), *judged)
    counts = {row[0]: kpi.share(row[2], row[1]) for row in session.execute(query.group_by(PmOccurrence.plan_id))}
    return {id_: counts.get(id_, Figure(None, 0)) for id_ in plan_ids}


def forecast(session: Session, plan: PmPlan, now: datetime) -> list[dict[str, Any]]:
    """By asset: when it falls due next, whichever trigger comes first, and what every trigger says."""
    rows = session.scalars(select(PmPlanAsset).where(PmPlanAsset.plan_id == plan.id, PmPlanAsset.ended_at.is_(None))).all()
    places = plan_due.places_of(session, rows)
    facts = plan_due.facts_of(session, places, now)
    found = []
    for place in sorted(places, key=lambda place: place.asset.code):
        dues = [_due_body(due) for due in plan_due.dues(place, facts)]
        asset = {"id": place.asset.id, "code": place.asset.code, "name": place.asset.name}
        found.append({"asset": asset, **(dues[0] if dues else _NOTHING), "triggers": dues})
    return found


_NOTHING = dict.fromkeys(("due", "cause", "earliest", "latest", "confidence", "target", "total", "per_day"))


def _due_body(due: Due) -> dict[str, Any]:
    figures = {
        name: None if value is None else round(value, 3)
        for name, value in (("target", due.target), ("total", due.total), ("per_day", due.per_day))
    }
    times = {"due": rfc3339(due.at), "earliest": rfc3339(due.earliest), "latest": rfc3339(due.latest)}
    return {**times, "cause": due.cause, "confidence": due.confidence, **figures}


def calendar(session: Session, site: int, start: datetime, end: datetime) -> list[dict[str, Any]]:
    """Everything due in a span, ascending: occurrences that were made, and what is ahead if all is done on its day."""
    made = select(PmOccurrence).join(PmPlan, PmPlan.id == PmOccurrence.plan_id)
    made = (
        made.where(PmPlan.site_id == site, PmOccurrence.due >= start, PmOccurrence.due < end).order_by(PmOccurrence.due).limit(MOST_AHEAD)
    )
    items = occurrence_bodies(session, session.scalars(made).all())
    active = select(PmPlanAsset).join(PmPlan, PmPlan.id == PmPlanAsset.plan_id).where(PmPlan.site_id == site, PmPlan.active)
    rows = session.scalars(active.where(PmPlan.deleted_at.is_(None), PmPlanAsset.ended_at.is_(None))).all()
    for place in plan_due.places_of(session, rows):
        first = Due(place.row.next_due, place.row.next_cause or "calendar") if place.row.next_due else None
        items += [_ahead_body(place, due) for due in plan_due.ahead(place, first, end) if due.at >= start]
        if len(items) > MOST_AHEAD:
            break
    return sorted(items, key=lambda item: (item["due"], item["plan"]["number"], item["asset"]["code"]))[:MOST_AHEAD]


def _ahead_body(place: Place, due: Due) -> dict[str, Any]:
    return {
        "id": None,
        "plan": {"id": place.plan.id, "number": place.plan.number, "title": place.plan.title},
        "asset": {"id": place.asset.id, "code": place.asset.code, "name": place.asset.name},
        "due": rfc3339(due.at),
        "cause": due.cause,
        "state": "ahead",
        "order": None,
    }


def list_occurrences(session: Session, plan: PmPlan, page: Mapping[str, Any]) -> Page[PmOccurrence]:
    """What became of it, newest first."""
    query = select(PmOccurrence).where(PmOccurrence.plan_id == plan.id)
    columns = {"due": PmOccurrence.due, "state": PmOccurrence.state, "id": PmOccurrence.id}
    return page_of(session, query, ordering(page["sort"] or "-due", columns, "-id"), page["limit"], page["offset"])


def occurrence_bodies(session: Session, rows: Sequence[PmOccurrence]) -> list[dict[str, Any]]:
    """REST bodies, in their order."""
    of = by_id(session, PmPlan, [*(row.plan_id for row in rows), *(row.swallowed_by_id for row in rows)])
    assets = by_id(session, Asset, (row.asset_id for row in rows))
    orders = by_id(session, WorkOrder, (row.order_id for row in rows))
    found = []
    for row in rows:
        plan, asset, order, bigger = of[row.plan_id], assets[row.asset_id], orders.get(row.order_id or 0), of.get(row.swallowed_by_id or 0)
        found.append(
            {
                "id": row.id,
                "occurrence": row.occurrence,
                "plan": {"id": plan.id, "number": plan.number, "title": plan.title},
                "asset": {"id": asset.id, "code": asset.code, "name": asset.name},
                "due": rfc3339(row.due),
                "earliest": rfc3339(row.earliest),
                "latest": rfc3339(row.latest),
                "cause": row.cause,
                "state": row.state,
                "order": {"id": order.id, "number": order.number, "status": order.state} if order else None,
                "swallowed_by": bigger.number if bigger else None,
                "done_at": rfc3339(row.done_at),
                "in_time": None if row.done_at is None else row.earliest <= row.done_at <= row.latest,
                "reason": row.reason,
                "by": row.by,
            }
        )
    return found
