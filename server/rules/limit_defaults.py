"""What a limit has that nobody gave it: a deadband of 2 % of the tag's span and 30 s of delay, where the span is known. Pure.

A limit of change (rising, falling) is a pace, which says nothing of the span: a tenth of it, and 10 s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from realtime.events import PACES, Holds, Side
from server.errors import Invalid

SIDES, HOLDS = get_args(Side), get_args(Holds)
DEADBAND_SHARE = 0.02  # of the span
ON_DELAY_S = 30.0
PACE_SHARE, PACE_DELAY_S = 0.1, 10.0


def filled(limit: Mapping[str, Any], low: float | None, high: float | None) -> dict[str, Any]:
    """The limit with deadband and on_delay_s; what was given stays, 0 too. low, high: the tag's range; without one both are 0.

    Raises Invalid for a pace that is none.
    """
    checked(limit)
    known = low is not None and high is not None and high > low
    span = high - low if known and high is not None and low is not None else 0.0
    absent = {"deadband": round(DEADBAND_SHARE * span, 9), "on_delay_s": ON_DELAY_S if known else 0.0}
    if limit["side"] in PACES:
        absent = {"deadband": round(PACE_SHARE * limit["value"], 9), "on_delay_s": PACE_DELAY_S}
    return {**limit, **{name: value for name, value in absent.items() if limit.get(name) is None}}


def merged(before: Mapping[str, Any], given: Mapping[str, Any], low: float | None, high: float | None) -> dict[str, Any]:
    """The limit `before` with what is given; where it turns from a level into a pace or back, what is not given is new too.

    Raises Invalid for a pace that is none.
    """
    after = {**before, **given}
    if (before["side"] in PACES) is (after["side"] in PACES):
        checked(after)
        return after
    return filled({**after, **{name: given.get(name) for name in ("deadband", "on_delay_s")}}, low, high)


def checked(limit: Mapping[str, Any]) -> None:
    """Raises Invalid where a limit of change is not above 0, or its alarm would hardly ever end."""
    if limit["side"] not in PACES:
        return
    if limit["value"] <= 0:
        raise Invalid("value", "pace", "a limit of change is above 0, for what falls too")
    if (limit.get("deadband") or 0) >= limit["value"]:
        raise Invalid("deadband", "pace", "the deadband of a limit of change is below it, else its alarm would not end")
