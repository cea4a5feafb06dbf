"""What people do with an order: one door, `act`, that asks the table, the person's right and the fields each act needs.

Nothing here commits; a refused act raises before it changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from realtime.events import FactName
from server import audit, bodies
from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.models.people import User
from server.models.work import WorkOrder
from server.rules import work_order as rules
from server.rules.proof import may_decide
from server.rules.roles import Role
from server.rules.work_order import OrderAction, OrderState
from server.store import assets, completion, labour, maintenance, order_links, procedures, proofs, reservations
from server.store.actor import Person, has
from server.store.notifications import Message, notify, people_with
from server.store.order_rows import lock
from server.store.outbox import Draft, emit

FACTS = {
    OrderAction.ASSIGN: FactName.WORK_ORDER_ASSIGNED,
    OrderAction.COMPLETE: FactName.WORK_ORDER_COMPLETED,
    OrderAction.VERIFY: FactName.WORK_ORDER_VERIFIED,
    OrderAction.REOPEN: FactName.WORK_ORDER_REOPENED,
}
OF_ASSIGNEE = frozenset({OrderAction.START, OrderAction.HOLD, OrderAction.RESUME, OrderAction.COMPLETE, OrderAction.PROBLEM})
FIELDS: dict[OrderAction, frozenset[str]] = {
    OrderAction.APPROVE: frozenset(),
    OrderAction.ASSIGN: frozenset({"assignee_id"}),
    OrderAction.START: frozenset(),
    OrderAction.HOLD: frozenset({"reason"}),
    OrderAction.PROBLEM: frozenset({"note"}),
    OrderAction.RESUME: frozenset(),
    OrderAction.COMPLETE: frozenset({"notes", "verdict", "actual_minutes", "parts", "other_cost", "signature"}),
    OrderAction.VERIFY: frozenset({"notes"}),
    OrderAction.REOPEN: frozenset({"reason"}),
    OrderAction.CANCEL: frozenset({"reason"}),
}
WATCHED = (
    "state",
    "assignee_id",
    "hold_reason",
    "problem",
    "verdict",
    "notes",
    "parts",
    "other_cost",
    "actual_min",
    "verified_by",
    "reopen_reason",
    "cancel_reason",
)


@dataclass(frozen=True, slots=True)
class Act:
    """An act on a locked order."""

    order: WorkOrder
    user: Person
    now: datetime
    fields: dict[str, Any]

    def words(self, name: str) -> str:
        """A text that the act needs; raises Invalid."""
        value = self.fields.get(name)
        if not isinstance(value, str) or not value.strip():
            raise Invalid(name, "required", "a reason in words is wanted" if name == "reason" else "words are wanted")
        return value.strip()


def act(session: Session, order_id: int, action: str, user: Person, now: datetime, **fields: Any) -> WorkOrder:
    """Take an action; raises NotFound, Forbidden, Conflict or Invalid and then has changed nothing."""
    if action not in set(OrderAction):
        raise NotFound("action", action)
    wanted = OrderAction(action)
    unknown = set(fields) - FIELDS[wanted]
    if unknown:
        raise Invalid(min(unknown), "unknown", f"{action} takes {', '.join(sorted(FIELDS[wanted])) or 'no fields'}")
    order = lock(session, order_id, user)
    _check_right(order, wanted, user, fields)
    after = rules.next_state(OrderState(order.state), wanted)
    before = watched(order)
    _ACTS[wanted](session, Act(order, user, now, fields))
    order.state = str(after)
    settle(session, order, wanted, before, user, now)
    return order


def _check_right(order: WorkOrder, action: OrderAction, user: Person, fields: dict[str, Any]) -> None:
    to_self = action is OrderAction.ASSIGN and fields.get("assignee_id") in {user.id, None}
    if not has(user, rules.right_for(action, to_self=to_self)):
        raise Forbidden("no_right", f"{user.name} may not {action} an order")
    if action in OF_ASSIGNEE and order.assignee_id not in {user.id, None}:
        raise Forbidden("not_assignee", "the order is somebody else's; take it over first")


def watched(order: WorkOrder) -> dict[str, Any]:
    """The columns whose change an audit row tells."""
    return {name: getattr(order, name) for name in WATCHED}


def settle(session: Session, order: WorkOrder, action: OrderAction, before: dict[str, Any], by: Person, now: datetime) -> None:
    """After an act: audit, fact, the asset's states and the maintenance mode that follow from it."""
    order.changed_at = now
    order.rev += 1
    changed = [name for name in WATCHED if getattr(order, name) != before[name]]
    old, new = {name: before[name] for name in changed}, {name: getattr(order, name) for name in changed}
    audit.record(session, audit.Change(str(action), "work_order", order.id, order.site_id, old, new), by, now)
    if order.state in rules.IN_WORK:
        maintenance.begin(session, order, by, now)
    else:
        maintenance.end(session, order, by, now)
    if order.state in rules.FINAL or order.state == OrderState.COMPLETED:
        reservations.release_for_order(session, order.id, by, now)
    name = FACTS.get(action, FactName.WORK_ORDER_CHANGED)
    emit(session, Draft(name, order.id, order.rev, by.name, order.site_id, bodies.order_body(session, order)), now)
    assets.follow(session, order.asset_id, by.name, now)


def _approve(_session: Session, _act: Act) -> None:
    return


def _assign(session: Session, act_: Act) -> None:
    person_id = act_.fields.get("assignee_id", act_.user.id)
    person = session.get(User, person_id) if isinstance(person_id, int) and not isinstance(person_id, bool) else None
    if person is None or not person.active or person.site_id != act_.order.site_id:
        raise Invalid("assignee_id", "unknown", "not a person of this site")
    if not rules.permitted(person.role_of, OrderAction.START):
        raise Invalid("assignee_id", "no_right", f"{person.name} does not do work orders")
    _hand_over(session, act_.order, person, act_.user, act_.now)


def _hand_over(session: Session, order: WorkOrder, person: User, by: Person, now: datetime) -> None:
    former, order.assignee_id, order.assigned_at = order.assignee_id, person.id, now
    if person.id != by.id:
        message = Message("order_assigned", f"{order.number}: {order.title}", "Assigned to you", order.id, order.alert_id, order.site_id)
        notify(session, [person.id], message, now)
    if former is not None and former not in {person.id, by.id}:
        message = Message("order_taken", f"{order.number}: {order.title}", f"Now with {person.name}", order.id, None, order.site_id)
        notify(session, [former], message, now)


def assign_to(session: Session, order: WorkOrder, person: User, by: Person, now: datetime) -> None:
    """Assign on behalf of a policy: the same act, without asking for rights."""
    after = rules.next_state(OrderState(order.state), OrderAction.ASSIGN)
    before = watched(order)
    _hand_over(session, order, person, by, now)
    order.state = str(after)
    settle(session, order, OrderAction.ASSIGN, before, by, now)


def _start(session: Session, act_: Act) -> None:
    order = act_.order
    blocker = order_links.blocker_of(session, order)
    if blocker is not None:
        raise Conflict("blocked", f"{blocker} comes first", order.state)
    if order.assignee_id is None:
        order.assignee_id, order.assigned_at = act_.user.id, act_.now
    procedures.pin(session, order)
    order.started_at = act_.now
    order.completed_at = order.completed_by_id = order.verdict = order.actual_min = order.signature = None


def _hold(session: Session, act_: Act) -> None:
    act_.order.hold_reason = act_.words("reason")
    labour.stop_all(session, act_.order.id, act_.now)


def _problem(session: Session, act_: Act) -> None:
    order = act_.order
    order.problem = act_.words("note")
    order.hold_reason = order.problem
    labour.stop_all(session, order.id, act_.now)
    people = people_with(session, order.site_id, Role.MANAGER, Role.PLANNER)
    message = Message("order_problem", f"{order.number}: problem reported", order.problem, order.id, None, order.site_id)
    notify(session, people, message, act_.now)


def _resume(_session: Session, act_: Act) -> None:
    act_.order.hold_reason = act_.order.problem = None


def _complete(session: Session, act_: Act) -> None:
    completion.complete(session, act_.order, completion.read(act_.fields, act_.order), act_.user, act_.now)


def _verify(session: Session, act_: Act) -> None:
    order = act_.order
    if not may_decide(completer_id=order.completed_by_id, person_id=act_.user.id):
        raise Forbidden("own_work", "somebody other than the person who completed it verifies an order")
    if proofs.is_open(session, order):
        raise Conflict("proof_running", "the signal is judging the repair; wait for its end", order.state)
    notes = act_.fields.get("notes")
    proofs.leave(session, order, act_.now, f"verified by {act_.user.name}")
    completion.verified(session, order, act_.user, act_.now, notes if isinstance(notes, str) and notes.strip() else None)


def _reopen(session: Session, act_: Act) -> None:
    reason = act_.words("reason")
    proofs.leave(session, act_.order, act_.now, f"reopened by {act_.user.name}")
    completion.reopened(session, act_.order, reason, act_.now)


def _cancel(session: Session, act_: Act) -> None:
    act_.order.cancel_reason = act_.words("reason")
    labour.stop_all(session, act_.order.id, act_.now)
    act_.order.cancelled_at = act_.now
    proofs.leave(session, act_.order, act_.now, "order cancelled")


_ACTS: dict[OrderAction, Callable[[Session, Act], None]] = {
    OrderAction.APPROVE: _approve,
    OrderAction.ASSIGN: _assign,
    OrderAction.START: _start,
    OrderAction.HOLD: _hold,
    OrderAction.PROBLEM: _problem,
    OrderAction.RESUME: _resume,
    OrderAction.COMPLETE: _complete,
    OrderAction.VERIFY: _verify,
    OrderAction.REOPEN: _reopen,
    OrderAction.CANCEL: _cancel,
}
