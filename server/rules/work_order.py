"""The states of a work order: one table `(state, action) -> state`; what is not in it is a Conflict and changes nothing.

Who may act, and which notes an act needs, is in `permitted` and `completion_gaps`; nothing here reads a clock or a table.
"""

from __future__ import annotations

from enum import StrEnum

from server.errors import Conflict
from server.rules.roles import Role, may


class OrderState(StrEnum):
    """States of DESIGN.md 5."""

    REQUESTED = "requested"
    OPEN = "open"
    ASSIGNED = "assigned"
    IN_PROGRESS = "in_progress"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    VERIFIED = "verified"
    REOPENED = "reopened"
    CANCELLED = "cancelled"


class OrderAction(StrEnum):
    """What people and the proof do to an order."""

    APPROVE = "approve"
    ASSIGN = "assign"
    START = "start"
    HOLD = "hold"
    PROBLEM = "problem"
    RESUME = "resume"
    COMPLETE = "complete"
    VERIFY = "verify"
    REOPEN = "reopen"
    CANCEL = "cancel"


class OrderVerdict(StrEnum):
    """What the technician found behind an alert."""

    CONFIRMED = "confirmed"
    FALSE = "false"
    SOMETHING_ELSE = "something_else"


_S, _A = OrderState, OrderAction

TRANSITIONS: dict[tuple[OrderState, OrderAction], OrderState] = {
    (_S.REQUESTED, _A.APPROVE): _S.OPEN,
    (_S.REQUESTED, _A.ASSIGN): _S.ASSIGNED,
    (_S.REQUESTED, _A.CANCEL): _S.CANCELLED,
    (_S.OPEN, _A.ASSIGN): _S.ASSIGNED,
    (_S.OPEN, _A.START): _S.IN_PROGRESS,
    (_S.OPEN, _A.CANCEL): _S.CANCELLED,
    (_S.ASSIGNED, _A.ASSIGN): _S.ASSIGNED,
    (_S.ASSIGNED, _A.START): _S.IN_PROGRESS,
    (_S.ASSIGNED, _A.CANCEL): _S.CANCELLED,
    (_S.IN_PROGRESS, _A.ASSIGN): _S.IN_PROGRESS,
    (_S.IN_PROGRESS, _A.HOLD): _S.ON_HOLD,
    (_S.IN_PROGRESS, _A.PROBLEM): _S.ON_HOLD,
    (_S.IN_PROGRESS, _A.COMPLETE): _S.COMPLETED,
    (_S.IN_PROGRESS, _A.CANCEL): _S.CANCELLED,
    (_S.ON_HOLD, _A.ASSIGN): _S.ON_HOLD,
    (_S.ON_HOLD, _A.PROBLEM): _S.ON_HOLD,
    (_S.ON_HOLD, _A.RESUME): _S.IN_PROGRESS,
    (_S.ON_HOLD, _A.CANCEL): _S.CANCELLED,
    (_S.COMPLETED, _A.VERIFY): _S.VERIFIED,
    (_S.COMPLETED, _A.REOPEN): _S.REOPENED,
    (_S.REOPENED, _A.ASSIGN): _S.ASSIGNED,
    (_S.REOPENED, _A.START): _S.IN_PROGRESS,
    (_S.REOPENED, _A.CANCEL): _S.CANCELLED,
}

FINAL = frozenset({OrderState.VERIFIED, OrderState.CANCELLED})
BEFORE_WORK = frozenset({OrderState.REQUESTED, OrderState.OPEN, OrderState.ASSIGNED, OrderState.REOPENED})
IN_WORK = frozenset({OrderState.IN_PROGRESS, OrderState.ON_HOLD})
UNVERIFIED = frozenset(OrderState) - FINAL  # a finding on the alert of such an order is an occurrence, not a second order

_RIGHT = {
    _A.APPROVE: "orders.assign",
    _A.CANCEL: "orders.assign",
    _A.VERIFY: "orders.verify",
    _A.REOPEN: "orders.verify",
}


def next_state(state: OrderState, action: OrderAction) -> OrderState:
    """The state after the action; raises Conflict when the table does not know the pair."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise Conflict("wrong_state", f"cannot {action} an order that is {state}", str(state)) from None


def actions_from(state: OrderState) -> list[OrderAction]:
    """What may be done now, in the order of the table."""
    return [action for (from_state, action) in TRANSITIONS if from_state == state]


def right_for(action: OrderAction, *, to_self: bool = False) -> str:
    """The right an action needs; a technician may take an order over, but gives it to others only with `orders.assign`."""
    if action is OrderAction.ASSIGN:
        return "orders.work" if to_self else "orders.assign"
    return _RIGHT.get(action, "orders.work")


def permitted(role: Role, action: OrderAction, *, to_self: bool = False) -> bool:
    """Whether the role may take the action at all."""
    return may(role, right_for(action, to_self=to_self))


def completion_gaps(*, notes: str | None, verdict: str | None, born_of_alert: bool) -> list[str]:
    """Names of the fields still missing to close: notes always, a verdict where an alert stands behind it."""
    gaps = [] if notes and notes.strip() else ["notes"]
    known = {str(v) for v in OrderVerdict}
    if verdict is not None and verdict not in known:
        return [*gaps, "verdict"]
    if born_of_alert and verdict is None:
        gaps.append("verdict")
    return gaps
