"""Orders as tasks: which ones a person has, and everything the feed says of one. Reads tables, writes nothing.

The shapes are `ar_feed.cards`'.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from ar_feed.cards import StepFacts, TagFacts, TaskFacts, keys_of
from server.errors import NotFound
from server.models.alerts import AlertRecord
from server.models.plant import Asset, Tag
from server.models.work import ProofWindow, WorkOrder
from server.rules.wording import PACE_WORDS, number, quantity, wall
from server.rules.work_order import BEFORE_WORK, IN_WORK
from server.store import related as related_rows
from server.store import steps
from server.store.actor import Person
from server.store.related import Related

ACTIVE = [str(state) for state in (BEFORE_WORK | IN_WORK)]
_BY_PRIORITY = case({"urgent": 1, "high": 2, "normal": 3, "low": 4}, value=WorkOrder.priority, else_=3)


def listed(session: Session, person: Person, *, team: bool, limit: int) -> tuple[list[WorkOrder], bool]:
    """Active orders of the person (or of the site), most urgent first, and whether there are more."""
    query = select(WorkOrder).where(WorkOrder.site_id == person.site_id, WorkOrder.state.in_(ACTIVE))
    if not team:
        query = query.where(WorkOrder.assignee_id == person.id)
    rows = session.scalars(query.order_by(_BY_PRIORITY, WorkOrder.due.nulls_last(), WorkOrder.id).limit(limit + 1)).all()
    return list(rows[:limit]), len(rows) > limit


def some(session: Session, person: Person, ids: Collection[int]) -> list[WorkOrder]:
    """Orders of the person's site by id, whatever their state."""
    if not ids:
        return []
    return list(session.scalars(select(WorkOrder).where(WorkOrder.id.in_(ids), WorkOrder.site_id == person.site_id).order_by(WorkOrder.id)))


def find(session: Session, person: Person, order_id: int) -> WorkOrder:
    """One order of the person's site; raises NotFound."""
    order = session.get(WorkOrder, order_id)
    if order is None or order.site_id != person.site_id:
        raise NotFound("task", order_id)
    return order


def facts_of(session: Session, orders: Sequence[WorkOrder]) -> list[TaskFacts]:
    """What summaries need, in a handful of queries."""
    related = related_rows.of_orders(session, orders)
    return [_task(order, related) for order in orders]


def with_steps(session: Session, order: WorkOrder) -> TaskFacts:
    """What the whole task needs."""
    task = facts_of(session, [order])[0]
    found = steps_of(session, order)
    return replace(task, steps=found, tags=_tags(session, keys_of(found)))


def steps_of(session: Session, order: WorkOrder) -> list[StepFacts]:
    """The order's steps with what was answered since it was last reopened."""
    asset_code = session.get_one(Asset, order.asset_id).code
    found = []
    for place, now in enumerate(steps.current(session, order), 1):
        body = {**now.step, **{key: str(now.step[key]).replace("{asset}", asset_code) for key in ("t", "b") if now.step.get(key)}}
        event = now.answer
        found.append(StepFacts(body, place) if event is None else StepFacts(body, place, True, event.ok, event.value, event.next_step))
    return found


def _tags(session: Session, names: Iterable[str]) -> dict[str, TagFacts]:
    wanted = list(names)
    if not wanted:
        return {}
    rows = session.scalars(select(Tag).where(Tag.name.in_(wanted), Tag.deleted_at.is_(None)))
    return {row.name: TagFacts(row.id, row.name, row.label, row.unit, row.low, row.high, row.decimals) for row in rows}


def _task(order: WorkOrder, related: Related) -> TaskFacts:
    asset = related.assets[order.asset_id]
    area = related.areas.get(asset.area_id)
    version = related.versions.get(order.procedure_version_id or 0) or related.newest.get(order.procedure_id or 0)
    assignee = related.users.get(order.assignee_id or 0)
    alert = related.alerts.get(order.alert_id or 0)
    n_steps = len(version.steps) if version else 0
    return TaskFacts(
        id=order.id,
        rev=order.rev,
        number=order.number,
        title=order.title,
        state=order.state,
        has_problem=bool(order.problem),
        priority=order.priority,
        asset_id=asset.id,
        asset_name=asset.name,
        asset_code=asset.code,
        location=asset.location or (area.name if area else ""),
        due=order.due,
        estimated_min=order.estimated_min or (version.estimated_min if version else None),
        who=assignee.name if assignee else None,
        hazards=version.hazards if version else (),
        lock_out=bool(version and version.lock_out),
        n_steps=n_steps,
        n_done=min(related.done.get(order.id, 0), n_steps),
        why=_why(alert, related) if alert else "",
        verdict_needed=alert is not None,
        reopened=order.reopen_reason if order.state in {"reopened", "assigned"} else None,
        proof=_proof(related.proofs.get(order.id), alert, related),
        procedure=(version.procedure_id, version.version) if version else None,
        safety=version.safety if version else (),
    )


def _why(alert: AlertRecord, related: Related) -> str:
    """Value and limit where the alert is about a limit, else its message."""
    tag = related.tag_named(alert.tag)
    if alert.type == "rule_violation" and alert.value is not None and alert.limit is not None:
        decimals = tag.decimals if tag else 2
        return f"{quantity(alert.value, decimals, alert.unit)}, {wall(alert.code, number(alert.limit, decimals))}".strip()
    return alert.message


def level_of(alert: AlertRecord, tag: Tag) -> float | None:
    """The level that the tag's values are drawn against: the crossed limit where it is one of level, else the end of the normal range."""
    return alert.limit if alert.type == "rule_violation" and alert.code not in PACE_WORDS else tag.high


def _proof(window: ProofWindow | None, alert: AlertRecord | None, related: Related) -> dict[str, Any] | None:
    """Where the proof of repair stands, with the alert's value before and its tag's mean in the window after."""
    if window is None:
        return None
    tag = related.tag_named(alert.tag) if alert else None
    body: dict[str, Any] = {"state": window.state, "good_s": round(window.good_s), "required_s": round(window.required_s)}
    if window.reason:
        body["reason"] = window.reason
    if alert is not None and tag is not None:
        body |= {"tag": tag.label or tag.name, "unit": tag.unit, "dec": tag.decimals, "before": alert.value}
        body["limit"] = level_of(alert, tag)
    return {key: value for key, value in body.items() if value is not None}
