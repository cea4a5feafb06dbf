"""`POST /ops`: operations of a technician, each in a transaction of its own, each done once whatever is sent again.

The acts themselves are server.store's; this keeps the order, the keys and the answers.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from ar_feed import operations, tasks
from ar_feed.cards import StepFacts
from ar_feed.operations import MAX_OPS, Operation
from realtime.errors import SightlineError
from server.auth.principal import Principal
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.feed import Media
from server.models.work import StepEvent, WorkOrder
from server.problems import Problem, bad_request, body_of, from_error
from server.services import Services
from server.store import operation_keys, orders, steps
from server.store.steps import StepAnswer

SCOPE = "ops"
Result = dict[str, Any]

_ACTIONS = {"start": "start", "pause": "hold", "resume": "resume", "problem": "problem", "finish": "complete"}


def envelope(body: object) -> list[object]:
    """The operations of a request; raises Problem 400 or Invalid (422)."""
    if not isinstance(body, dict):
        raise bad_request("not_an_object", "the body is an object with `ops`")
    wanted = body.get("ops")
    if not isinstance(wanted, list) or not wanted:
        raise Invalid("ops", "missing", "ops is a list of 1 to 50 operations")
    if len(wanted) > MAX_OPS:
        raise Invalid("ops", "too_many", f"{len(wanted)} operations; {MAX_OPS} at most")
    return wanted


def perform(at: Services, person: Principal, wanted: list[object]) -> list[Result]:
    """Do the operations in order; what follows a failure on the same task is 424. A database that is away raises."""
    failed: set[object] = set()
    results = []
    for raw in wanted:
        task = raw.get("task") if isinstance(raw, dict) else None
        task = task if isinstance(task, int) else None
        if task is not None and task in failed:
            problem = Problem(424, "dependency_failed", "an earlier operation on this task failed")
            result = _refused(raw, problem)
        else:
            result = _perform_one(at, person, raw)
        if result["status"] >= 400:
            failed.add(task)
        results.append(result)
    return results


def _perform_one(at: Services, person: Principal, raw: object) -> Result:
    now = at.clock()
    try:
        operation = operations.parse(raw, now)
        assert isinstance(raw, dict)
        with at.database.transaction() as session:
            return _once(session, person, operation, operations.body_hash(raw), now)
    except SightlineError as error:
        return _refused(raw, _answerable(error))


def _once(session: Session, person: Principal, operation: Operation, fingerprint: str, now: datetime) -> Result:
    earlier = operation_keys.earlier_answer(session, SCOPE, person.owner, operation.key, fingerprint)
    if earlier is not None:
        return {**(earlier.answer or {}), "replayed": True}
    try:
        with session.begin_nested():
            result = _apply(session, person, operation, now)
    except SightlineError as error:
        result = _refused({"key": operation.key}, _answerable(error))
    operation_keys.remember(
        session, SCOPE, person.owner, operation.key, fingerprint, status=result["status"], answer=result, now=now
    )  # fmt: skip
    return result


def _answerable(error: SightlineError) -> Problem:
    """The problem that a result carries; what is no fault of the operation is raised again, to answer the whole request."""
    problem = from_error(error)
    if problem.status >= 500 or problem.status == 429:
        raise error
    return problem


def _refused(raw: object, problem: Problem) -> Result:
    key = raw.get("key") if isinstance(raw, dict) else None
    shown = key if isinstance(key, str) and len(key) <= 64 else None
    return {"key": shown, "status": problem.status, "replayed": False, "problem": body_of(problem)}


def _apply(session: Session, person: Principal, operation: Operation, now: datetime) -> Result:
    order = tasks.find(session, person, operation.task)
    _check_mine(session, person, order, operation)
    _check_media(session, person, operation)
    following: str | None = None
    ok: bool | None = None
    if operation.kind == "step":
        assert operation.step is not None
        outcome = steps.record(session, order.id, operation.step, _answer(operation), person, operation.by, operation.at, now)
        following, ok = outcome.next, outcome.ok
    elif operation.kind == "undo":
        assert operation.step is not None
        following = steps.undo(session, order.id, operation.step, person, operation.by, operation.at, now).next
    else:
        orders.act(session, order.id, _ACTIONS[operation.kind], person, now, **_fields(session, order, operation))
    session.flush()
    result: Result = {"key": operation.key, "status": 200, "replayed": False, "rev": order.rev, "next": following}
    if ok is False:
        result["ok"] = False
    if abs(operation.at - now) > operations.SKEW:
        result["skew_s"] = round((operation.at - now).total_seconds())
    return result


def _answer(operation: Operation) -> StepAnswer:
    return StepAnswer(
        value=operation.value,
        unit=operation.unit,
        option=operation.option,
        code=operation.code,
        media=operation.media,
        note=operation.note,
    )


def _fields(session: Session, order: WorkOrder, operation: Operation) -> dict[str, Any]:
    """What the act needs; words that a headset cannot be asked to dictate have plain defaults."""
    if operation.kind == "pause":
        return {"reason": operation.note or "Paused on the headset"}
    if operation.kind == "problem":
        at_step = f" at step {operation.step}" if operation.step else ""
        return {"note": operation.note or f"Problem reported from the headset{at_step}"}
    if operation.kind == "finish":
        return {"notes": operation.note or _notes(session, order), "verdict": operation.option}
    return {}


def _notes(session: Session, order: WorkOrder) -> str:
    """Completion notes from what was recorded: how many steps, which values."""
    answered = [step for step in tasks.steps_of(session, order) if step.done]
    measured = [_measured(step) for step in answered if isinstance(step.value, float)]
    return "; ".join([f"Finished on the headset, {len(answered)} steps done", *measured])[:500]


def _measured(step: StepFacts) -> str:
    unit = (step.body.get("in") or {}).get("unit")
    return " ".join(filter(None, [f"{str(step.body.get('t')).rstrip('.')}: {step.value:g}", unit]))


def _check_mine(session: Session, person: Principal, order: WorkOrder, operation: Operation) -> None:
    may_take = order.assignee_id is None and operation.kind == "start"
    if order.assignee_id == person.id or may_take:
        return
    worked = select(exists().where(StepEvent.order_id == order.id, StepEvent.user_id == person.id))
    if session.scalar(worked):
        raise Conflict("reassigned", "this task was given to somebody else", order.state)
    raise Forbidden("not_yours", "this task is not yours")


def _check_media(session: Session, person: Principal, operation: Operation) -> None:
    if not operation.media:
        return
    wanted = set(operation.media)
    found = set(session.scalars(select(Media.id).where(Media.id.in_(wanted), Media.site_id == person.site_id)))
    if missing := wanted - found:
        raise NotFound("media", min(missing))
