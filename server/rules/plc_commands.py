"""States of a guarded write and who may confirm it; the commands program has checks of its own (plc/commands.py). Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from server.errors import Conflict, Forbidden

CONFIRM_WITHIN = timedelta(seconds=30)
ANSWER_WITHIN = timedelta(seconds=20)  # an order lives 5 s, a pulse and its way back some more
MOST_A_MINUTE = 10


class CommandState(StrEnum):
    """requested -> sent -> written | refused | unknown; expired where nobody confirmed in time."""

    REQUESTED = "requested"
    SENT = "sent"
    WRITTEN = "written"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    EXPIRED = "expired"


def shown(state: CommandState, expires_at: datetime, now: datetime) -> CommandState:
    """The state as it is by the clock: a request nobody confirmed is over before anybody writes that down."""
    return CommandState.EXPIRED if state is CommandState.REQUESTED and now > expires_at else state


def check_confirmable(state: CommandState) -> None:
    """Raise Conflict unless it waits for its confirmation."""
    if state is CommandState.EXPIRED:
        raise Conflict("expired", f"not confirmed within {CONFIRM_WITHIN.seconds} s; ask again", str(state))
    if state is not CommandState.REQUESTED:
        raise Conflict("wrong_state", f"a command that is {state} cannot be confirmed", str(state))


def check_confirmer(asked_by: int, confirms: int, *, is_critical: bool) -> None:
    """A normal write is confirmed by who asked for it, a critical one by a second person. Raises Forbidden."""
    if is_critical and asked_by == confirms:
        raise Forbidden("second_person", "a critical write is confirmed by a second person")
    if not is_critical and asked_by != confirms:
        raise Forbidden("not_yours", "who asked for it confirms it")


def wait_s(last_to_source: datetime | None, sent_in_a_minute: int, now: datetime) -> float:
    """Seconds to wait before the next write may be sent; 0 = now. One a second to a source, ten a minute in all."""
    if sent_in_a_minute >= MOST_A_MINUTE:
        return 60.0
    if last_to_source is not None and now - last_to_source < timedelta(seconds=1):
        return 1.0
    return 0.0
