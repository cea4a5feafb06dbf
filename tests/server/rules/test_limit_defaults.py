"""What a limit has that nobody gave it (S2-R10)."""

from __future__ import annotations

import pytest

from server.errors import Invalid
from server.rules import limit_defaults


@pytest.mark.parametrize(
    ("told", "low", "high", "deadband", "on_delay_s"),
    [
        ({}, 0.0, 16.0, 0.32, 30.0),
        ({}, -20.0, 80.0, 2.0, 30.0),
        ({"deadband": 0.0, "on_delay_s": 0.0}, 0.0, 16.0, 0.0, 0.0),
        ({"deadband": 0.5, "on_delay_s": None}, 0.0, 16.0, 0.5, 30.0),
        ({}, None, 16.0, 0.0, 0.0),
        ({}, 16.0, 16.0, 0.0, 0.0),
    ],
)
def test_a_limit_gets_two_percent_of_the_span_and_thirty_seconds(
    told: dict[str, float | None], low: float | None, high: float | None, deadband: float, on_delay_s: float
) -> None:
    found = limit_defaults.filled({"side": "high", "value": 9.0, **told}, low, high)

    assert (found["deadband"], found["on_delay_s"], found["value"]) == (deadband, on_delay_s, 9.0)


@pytest.mark.parametrize("side", ["rising", "falling"])
def test_a_limit_of_change_gets_a_tenth_of_its_pace_and_ten_seconds_and_is_above_nothing(side: str) -> None:
    found = limit_defaults.filled({"side": side, "value": 2.0}, 0.0, 100.0)

    assert (found["deadband"], found["on_delay_s"]) == (0.2, 10.0)
    with pytest.raises(Invalid, match="above 0"):
        limit_defaults.filled({"side": side, "value": 0.0}, 0.0, 100.0)


def test_a_level_that_becomes_a_pace_gets_the_deadband_and_the_delay_of_one() -> None:
    level = limit_defaults.filled({"side": "high", "value": 9.0}, 0.0, 100.0)

    pace = limit_defaults.merged(level, {"side": "rising", "value": 1.5}, 0.0, 100.0)

    assert (pace["deadband"], pace["on_delay_s"]) == (0.15, 10.0)
    assert limit_defaults.merged(pace, {"side": "high", "value": 9.0}, 0.0, 100.0) == level
    assert limit_defaults.merged(level, {"value": 8.0}, 0.0, 100.0) == {**level, "value": 8.0}
    with pytest.raises(Invalid, match="deadband"):
        limit_defaults.merged(pace, {"value": 0.1}, 0.0, 100.0)
