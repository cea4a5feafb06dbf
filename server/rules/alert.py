"""Life cycle of an alert: condition x acknowledged until resolved, and the overlays that hide it without ending it.

One table as for work orders; suppression, shelving and order policy read it, they do not change it.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from server.errors import Conflict

SHELVE_LONGEST = timedelta(days=7)


class AlertState(StrEnum):
    """condition x acknowledged, as one word."""

    ACTIVE_NEW = "active_unacknowledged"
    ACTIVE_SEEN = "active_acknowledged"
    RETURNED_NEW = "returned_unacknowledged"
    RETURNED_SEEN = "returned_acknowledged"
    RESOLVED = "resolved"


class AlertAction(StrEnum):
    """RAISE and RETURN come from the plant, the others from people; FORCE is a manager resolving an active one."""

    RAISE = "raise"
    RETURN = "return"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    FORCE = "force"


_S, _A = AlertState, AlertAction

TRANSITIONS: dict[tuple[AlertState, AlertAction], AlertState] = {
    (_S.ACTIVE_NEW, _A.ACKNOWLEDGE): _S.ACTIVE_SEEN,
    (_S.ACTIVE_NEW, _A.RETURN): _S.RETURNED_NEW,
    (_S.ACTIVE_NEW, _A.FORCE): _S.RESOLVED,
    (_S.ACTIVE_SEEN, _A.RETURN): _S.RETURNED_SEEN,
    (_S.ACTIVE_SEEN, _A.FORCE): _S.RESOLVED,
    (_S.RETURNED_NEW, _A.ACKNOWLEDGE): _S.RETURNED_SEEN,
    (_S.RETURNED_NEW, _A.RAISE): _S.ACTIVE_NEW,
    (_S.RETURNED_NEW, _A.RESOLVE): _S.RESOLVED,
    (_S.RETURNED_NEW, _A.FORCE): _S.RESOLVED,
    (_S.RETURNED_SEEN, _A.RAISE): _S.ACTIVE_NEW,
    (_S.RETURNED_SEEN, _A.RESOLVE): _S.RESOLVED,
    (_S.RETURNED_SEEN, _A.FORCE): _S.RESOLVED,
}


def state_of(*, condition: str, acknowledged: bool, resolved: bool) -> AlertState:
    """The state that the columns of an alert mean."""
    if resolved:
        return AlertState.RESOLVED
    if condition == "active":
        return AlertState.ACTIVE_SEEN if acknowledged else AlertState.ACTIVE_NEW
    return AlertState.RETURNED_SEEN if acknowledged else AlertState.RETURNED_NEW


def next_state(state: AlertState, action: AlertAction) -> AlertState:
    """The state after the action; raises Conflict, for a resolve of an active alert with code `still_active`."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        if action is AlertAction.RESOLVE and state in {AlertState.ACTIVE_NEW, AlertState.ACTIVE_SEEN}:
            raise Conflict("still_active", "the condition is still active; it can be resolved when it has returned", str(state)) from None
        raise Conflict("wrong_state", f"cannot {action} an alert that is {state}", str(state)) from None


def shelve_end_problem(until: datetime, now: datetime) -> str | None:
    """Why an end of shelving is refused; None when it stands. Nothing is hidden for ever."""
    if until <= now:
        return "the end must be in the future"
    if until - now > SHELVE_LONGEST:
        return f"at most {SHELVE_LONGEST.days} days"
    return None


def is_announced(*, watch: bool, suppressed: str | None, shelved: bool) -> bool:
    """Whether people are told about it: facts, notifications and orders come only from announced alerts."""
    return not watch and suppressed is None and not shelved
