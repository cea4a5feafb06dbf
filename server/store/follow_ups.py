"""Failed steps become work of their own (N-3): one linked order a failed step, opened when the order is completed, never twice.

A step says so with `on_fail.follow_up`; in an inspection every failed check does.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.order_records import OrderLink
from server.models.plant import Asset
from server.models.work import Procedure, WorkOrder
from server.rules.order_types import OrderType
from server.rules.roles import Role
from server.rules.wording import TITLE_MAX
from server.store import opening, steps
from server.store.actor import Person
from server.store.notifications import Message, notify, people_with
from server.store.steps import StepNow

KIND = "follow_up"


def open_for(session: Session, order: WorkOrder, by: Person, now: datetime) -> list[WorkOrder]:
    """An order for every failed step that asks for one and has none yet; the order is locked by the caller."""
    known = set(session.scalars(select(OrderLink.step_id).where(OrderLink.to_id == order.id, OrderLink.kind == KIND)))
    failed = [now_ for now_ in steps.current(session, order) if _asks(now_, order) and now_.step["id"] not in known]
    return [_open(session, order, step, by, now) for step in failed]


def _asks(step: StepNow, order: WorkOrder) -> bool:
    if not step.on_path or step.answer is None or step.answer.ok is not False:
        return False
    return "on_fail" in step.step or (order.type == OrderType.INSPECTION and step.step["k"] == "check")


def _open(session: Session, order: WorkOrder, failed: StepNow, by: Person, now: datetime) -> WorkOrder:
    step, answer = failed.step, failed.answer
    wanted: dict[str, Any] = (step.get("on_fail") or {}).get("follow_up") or {}
    found = (
        ""
        if answer is None
        else " ".join(str(word) for word in (answer.value, answer.unit, answer.option, answer.note) if word is not None)
    )
    new = opening.NewOrder(
        title=str(wanted.get("title") or f"Put right: {step['t']}")[:TITLE_MAX],
        asset_id=order.asset_id,
        description=f"{order.number}, step {step['n']}: {step['t']} Found: {found}",
        priority=wanted.get("priority") or order.priority,
        procedure_id=_procedure(session, wanted.get("procedure"), order.site_id),
        team_id=order.team_id,
    )
    made = opening.insert(session, new, session.get_one(Asset, order.asset_id), by, now)
    session.add(OrderLink(from_id=made.id, to_id=order.id, kind=KIND, step_id=str(step["id"]), by=by.name, at=now))
    opening.opened(session, made, by, now)
    people = people_with(session, order.site_id, Role.MANAGER, Role.PLANNER)
    notify(session, people, Message("order_follow_up", f"{made.number}: {made.title}", new.description, made.id, None, order.site_id), now)
    return made


def _procedure(session: Session, code: str | None, site_id: int) -> int | None:
    if code is None:
        return None
    own = (Procedure.site_id == site_id) | Procedure.site_id.is_(None)
    return session.scalar(select(Procedure.id).where(Procedure.code == code, Procedure.active, own).order_by(Procedure.site_id).limit(1))
