"""Waits between attempts: a device that is away for seconds is back soon, one that is away for hours is not hammered."""

from __future__ import annotations

from itertools import accumulate, islice

import pytest

from plc.retries import retries


@pytest.mark.parametrize("outage_s", [1, 2, 5, 8])
def test_after_a_short_outage_the_next_attempt_is_at_most_two_and_a_half_seconds_away(outage_s: float) -> None:
    for _ in range(200):
        attempts = list(accumulate(islice(retries(), 30)))
        assert min(at for at in attempts if at >= outage_s) - outage_s <= 2.4


def test_after_a_long_one_it_is_at_most_sixteen_and_seldom_less_than_ten() -> None:
    waits = list(islice(retries(), 500))

    assert max(waits) <= 15.6
    assert min(waits[10:]) >= 10
