"""Steps of an order in work: append-only events, the last event of a step counts; `undo` is an event too. Nothing here commits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from realtime.events import FactName
from server import audit, bodies
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.people import User
from server.models.work import StepEvent, WorkOrder
from server.rules import steps as rules
from server.rules.steps import StepAnswer
from server.rules.work_order import OrderState
from server.store import procedures, step_photos
from server.store.actor import Person
from server.store.order_rows import lock
from server.store.outbox import Draft, emit
from server.store.related import by_id
from server.timestamps import rfc3339

__all__ = ["StepAnswer", "StepNow", "StepOutcome", "current", "missing", "record", "step_bodies", "step_body", "undo"]


@dataclass(frozen=True, slots=True)
class StepNow:
    """A step with the answer that counts, and whether it may be answered now."""

    step: dict[str, Any]
    answer: StepEvent | None
    on_path: bool
    former: tuple[StepEvent, ...] = ()  # answers of the rounds before the order was reopened, oldest first

    @property
    def done(self) -> bool:
        """Whether it has an answer."""
        return self.answer is not None


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """What an answer led to: id of the next step or `end`, whether it was good, the order's revision."""

    next: str
    ok: bool
    rev: int


def current(session: Session, order: WorkOrder) -> list[StepNow]:
    """Every step of the order in its order."""
    steps = procedures.steps_of(session, order)
    answers = _answers(session, order)
    path, _ = rules.reachable(steps, {id_: event.next_step or rules.END for id_, event in answers.items()})
    former = _former(session, order)
    ids = [str(step["id"]) for step in steps]
    return [StepNow(step, answers.get(id_), id_ in path, former.get(id_, ())) for id_, step in zip(ids, steps, strict=True)]


def _answers(session: Session, order: WorkOrder) -> dict[str, StepEvent]:
    query = select(StepEvent).where(StepEvent.order_id == order.id)
    if order.reopened_at is not None:
        query = query.where(StepEvent.received_at >= order.reopened_at)  # the work is done again
    last = {event.step_id: event for event in session.scalars(query.order_by(StepEvent.id))}
    return {id_: event for id_, event in last.items() if event.kind == "answer"}


def _former(session: Session, order: WorkOrder) -> dict[str, tuple[StepEvent, ...]]:
    """Answers of earlier rounds by step; those taken back are left out."""
    if order.reopened_at is None:
        return {}
    query = select(StepEvent).where(StepEvent.order_id == order.id, StepEvent.received_at < order.reopened_at)
    kept: dict[str, tuple[StepEvent, ...]] = {}
    for event in session.scalars(query.order_by(StepEvent.id)):
        earlier = kept.get(event.step_id, ())
        kept[event.step_id] = (*earlier, event) if event.kind == "answer" else earlier[:-1]
    return kept


def missing(session: Session, order: WorkOrder) -> str | None:
    """Id of the step that must still be done before the order can be closed; None when it is free."""
    answers = {id_: event.next_step or rules.END for id_, event in _answers(session, order).items()}
    return rules.reachable(procedures.steps_of(session, order), answers)[1]


def record(
    session: Session, order_id: int, step_id: str, answer: StepAnswer, user: Person, by: str, at: datetime, now: datetime
) -> StepOutcome:
    """Keep an answer; raises NotFound, Forbidden, Conflict or Invalid and then has changed nothing.

    by: voice, touch, gaze, keys, auto or page; at: the device's clock.
    """
    order = _in_work(session, order_id, user)
    steps = procedures.steps_of(session, order)
    step = _step(steps, step_id)
    answers = _answers(session, order)
    earlier = answers.get(step_id)
    if earlier is not None and earlier.user_id != user.id:
        raise Conflict("done_by_another", f"step {step_id} was done by somebody else; undo it first", order.state)
    _need_reachable(steps, answers, step_id, order)
    try:
        judged = rules.judge(step, answer)
    except rules.BadAnswer as error:
        raise Invalid(error.field, error.code, error.detail) from error
    step_photos.tie(session, order, answer.media, user)
    following = rules.following(steps, step, judged.goes_to)
    event = _event(order, step_id, "answer", user, by, at, now)
    for name, value in asdict(answer).items():
        setattr(event, name, list(value) if name == "media" else value)
    event.ok, event.next_step = judged.ok, following
    session.add(event)
    _told(session, order, event, user, now)
    return StepOutcome(following, judged.ok, order.rev)


def undo(session: Session, order_id: int, step_id: str, user: Person, by: str, at: datetime, now: datetime) -> StepOutcome:
    """Take the step's answer back; raises Conflict where there is none."""
    order = _in_work(session, order_id, user)
    _step(procedures.steps_of(session, order), step_id)
    if step_id not in _answers(session, order):
        raise Conflict("not_done", f"step {step_id} has no answer to take back", order.state)
    event = _event(order, step_id, "undo", user, by, at, now)
    session.add(event)
    _told(session, order, event, user, now)
    return StepOutcome(step_id, True, order.rev)


def _in_work(session: Session, order_id: int, user: Person) -> WorkOrder:
    order = lock(session, order_id, user)
    if order.assignee_id != user.id:
        raise Forbidden("not_assignee", "the order is not yours; take it over first")
    if order.state != OrderState.IN_PROGRESS:
        raise Conflict("wrong_state", f"steps are done while the order is in progress, it is {order.state}", order.state)
    return order


def _step(steps: Sequence[dict[str, Any]], step_id: str) -> dict[str, Any]:
    for step in steps:
        if str(step["id"]) == step_id:
            return step
    raise NotFound("step", step_id)


def _need_reachable(steps: Sequence[dict[str, Any]], answers: dict[str, StepEvent], step_id: str, order: WorkOrder) -> None:
    path, wanted = rules.reachable(steps, {id_: event.next_step or rules.END for id_, event in answers.items()})
    if step_id not in path:
        detail = f"step {wanted} comes first" if wanted else f"the answers so far lead past step {step_id}"
        raise Conflict("earlier_step_missing", detail, order.state)


def _event(order: WorkOrder, step_id: str, kind: str, user: Person, by: str, at: datetime, now: datetime) -> StepEvent:
    assert order.procedure_version_id is not None
    assert user.id is not None
    return StepEvent(
        order_id=order.id,
        procedure_version_id=order.procedure_version_id,
        step_id=step_id,
        kind=kind,
        user_id=user.id,
        by=by,
        at=at,
        received_at=now,
    )


def _told(session: Session, order: WorkOrder, event: StepEvent, user: Person, now: datetime) -> None:
    session.flush()
    order.rev += 1
    order.changed_at = now
    new = {name: getattr(event, name) for name in ("step_id", "value", "unit", "option", "code", "media", "note", "ok", "by")}
    audit.record(session, audit.Change(f"step_{event.kind}", "work_order", order.id, order.site_id, None, new), user, now)
    body = bodies.order_body(session, order)
    emit(session, Draft(FactName.WORK_ORDER_CHANGED, order.id, order.rev, user.name, order.site_id, body), now)


def step_body(session: Session, now: StepNow) -> dict[str, Any]:
    """AR_FEED.md's step with the answer that counts and, of a reopened order, the answers before (`former`)."""
    return step_bodies(session, [now])[0]


def step_bodies(session: Session, steps: Sequence[StepNow]) -> list[dict[str, Any]]:
    """Steps, in their order."""
    events = [event for now in steps for event in (now.answer, *now.former) if event is not None]
    names = {id_: person.name for id_, person in by_id(session, User, (event.user_id for event in events)).items()}
    return [
        {
            **now.step,
            "done": now.done,
            "open": now.on_path,
            "answer": _answer_body(now.answer, names) if now.answer else None,
            "former": [_answer_body(event, names) for event in now.former],
        }
        for now in steps
    ]


def _answer_body(event: StepEvent, names: dict[int, str]) -> dict[str, Any]:
    fields = {name: getattr(event, name) for name in ("value", "unit", "option", "code", "media", "note", "ok", "by")}
    return {**fields, "at": rfc3339(event.at), "next": event.next_step, "who": names.get(event.user_id)}
