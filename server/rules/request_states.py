"""The states of a fault report and what its reporter is told; one table `(state, action) -> state`. Pure."""

from __future__ import annotations

from enum import StrEnum

from server.errors import Conflict
from server.rules.work_order import OrderState


class RequestState(StrEnum):
    """Waiting for triage, or its three ends."""

    NEW = "new"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DUPLICATE = "duplicate"


class RequestAction(StrEnum):
    """Triage."""

    ACCEPT = "accept"
    REJECT = "reject"
    DUPLICATE = "duplicate"


class Feel(StrEnum):
    """How bad it looks to who stands before it."""

    STOPPED = "stopped"
    BAD = "bad"
    SMALL = "small"


TRANSITIONS: dict[tuple[RequestState, RequestAction], RequestState] = {
    (RequestState.NEW, RequestAction.ACCEPT): RequestState.ACCEPTED,
    (RequestState.NEW, RequestAction.REJECT): RequestState.REJECTED,
    (RequestState.NEW, RequestAction.DUPLICATE): RequestState.DUPLICATE,
}
PRIORITY = {Feel.STOPPED: "urgent", Feel.BAD: "high", Feel.SMALL: "normal"}


def next_state(state: RequestState, action: RequestAction) -> RequestState:
    """The state after the action; raises Conflict when the report is triaged already."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise Conflict("wrong_state", f"cannot {action} a request that is {state}", str(state)) from None


def progress(state: RequestState, order: OrderState | None) -> str:
    """What the reporter sees: received, planned, in_work, repaired, closed, rejected; the words are the page's."""
    if state is RequestState.REJECTED:
        return "rejected"
    if order is None:
        return "received" if state is RequestState.NEW else "planned"
    if order in {OrderState.IN_PROGRESS, OrderState.ON_HOLD, OrderState.REOPENED}:
        return "in_work"
    ends = {OrderState.COMPLETED: "repaired", OrderState.VERIFIED: "repaired", OrderState.CANCELLED: "closed"}
    return ends.get(order, "planned")
