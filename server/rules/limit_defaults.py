"""What a limit has that nobody gave it: a deadband of 2 % of the tag's span and 30 s of delay, where the span is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEADBAND_SHARE = 0.02  # of the span
ON_DELAY_S = 30.0


def filled(limit: Mapping[str, Any], low: float | None, high: float | None) -> dict[str, Any]:
    """The limit with deadband and on_delay_s; what was given stays, 0 too. low, high: the tag's range; without one both are 0."""
    known = low is not None and high is not None and high > low
    span = high - low if known and high is not None and low is not None else 0.0
    absent = {"deadband": round(DEADBAND_SHARE * span, 9), "on_delay_s": ON_DELAY_S if known else 0.0}
    return {**limit, **{name: value for name, value in absent.items() if limit.get(name) is None}}
