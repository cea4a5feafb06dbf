"""The states of a purchase request: one table `(state, action) -> state`; what is not in it is a Conflict and changes nothing."""

from __future__ import annotations

from enum import StrEnum

from server.errors import Conflict


class PurchaseState(StrEnum):
    """From the rule's proposal to the goods in the store."""

    PROPOSED = "proposed"
    REQUESTED = "requested"
    APPROVED = "approved"
    ORDERED = "ordered"
    PARTLY_RECEIVED = "partly_received"
    RECEIVED = "received"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class PurchaseAction(StrEnum):
    """What people do to one; `receive_part` and `receive_rest` are one act, the lines say which it was."""

    REQUEST = "request"
    APPROVE = "approve"
    REJECT = "reject"
    ORDER = "order"
    RECEIVE_PART = "receive_part"
    RECEIVE_REST = "receive_rest"
    CLOSE = "close"  # the rest will not come
    CANCEL = "cancel"


_S, _A = PurchaseState, PurchaseAction

TRANSITIONS: dict[tuple[PurchaseState, PurchaseAction], PurchaseState] = {
    (_S.PROPOSED, _A.REQUEST): _S.REQUESTED,
    (_S.PROPOSED, _A.REJECT): _S.REJECTED,
    (_S.PROPOSED, _A.CANCEL): _S.CANCELLED,
    (_S.REQUESTED, _A.APPROVE): _S.APPROVED,
    (_S.REQUESTED, _A.REJECT): _S.REJECTED,
    (_S.REQUESTED, _A.CANCEL): _S.CANCELLED,
    (_S.APPROVED, _A.ORDER): _S.ORDERED,
    (_S.APPROVED, _A.CANCEL): _S.CANCELLED,
    (_S.ORDERED, _A.RECEIVE_PART): _S.PARTLY_RECEIVED,
    (_S.ORDERED, _A.RECEIVE_REST): _S.RECEIVED,
    (_S.ORDERED, _A.CANCEL): _S.CANCELLED,
    (_S.PARTLY_RECEIVED, _A.RECEIVE_PART): _S.PARTLY_RECEIVED,
    (_S.PARTLY_RECEIVED, _A.RECEIVE_REST): _S.RECEIVED,
    (_S.PARTLY_RECEIVED, _A.CLOSE): _S.RECEIVED,
}

FINAL = frozenset({_S.RECEIVED, _S.REJECTED, _S.CANCELLED})
OPEN = frozenset(PurchaseState) - FINAL  # what counts as on order for the reorder rule
EDITABLE = frozenset({_S.PROPOSED, _S.REQUESTED})  # afterwards the approver's word would be about something else
RECEIVING = frozenset({_S.ORDERED, _S.PARTLY_RECEIVED})
REASONED = frozenset({_A.REJECT, _A.CLOSE, _A.CANCEL})
RIGHT = {
    _A.APPROVE: "purchases.approve",
    _A.REJECT: "purchases.approve",
    _A.RECEIVE_PART: "parts.write",  # goods are taken in by who keeps the store
    _A.RECEIVE_REST: "parts.write",
}


def next_state(state: PurchaseState, action: PurchaseAction) -> PurchaseState:
    """The state after the action; raises Conflict when the table does not know the pair."""
    try:
        return TRANSITIONS[state, action]
    except KeyError:
        raise Conflict("wrong_state", f"cannot {action} a purchase that is {state}", str(state)) from None


def right_for(action: PurchaseAction) -> str:
    """The right an action needs."""
    return RIGHT.get(action, "purchases.write")


def may_approve(*, requester_id: int | None, person_id: int | None) -> bool:
    """Four eyes: nobody approves the own request, whatever the role."""
    return person_id is not None and person_id != requester_id
