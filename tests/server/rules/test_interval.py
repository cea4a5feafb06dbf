"""The interval that drift proposes: its rate, its bounds, its shown steps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import interval
from server.rules.interval import DAYS_PER_YEAR, LONGEST_DAYS, SHORTEST_DAYS, Check

START = datetime(2023, 1, 1, tzinfo=UTC)


def check(years: float, found: float, left: float | None = None) -> Check:
    return Check(START + timedelta(days=years * DAYS_PER_YEAR), found, found if left is None else left)


@pytest.mark.parametrize(
    ("history", "rate", "method"),
    [
        ([check(0, 0.0), check(1, 0.4)], 0.4, "last_pair"),
        ([check(0, 0.6, 0.1), check(2, 0.5)], 0.2, "last_pair"),
        ([check(0, 0.0), check(1, 0.4, 0.0), check(2, 0.4, 0.0), check(3, 0.4)], 0.4, "least_squares"),
        ([check(0, 0.0), check(1, -0.3), check(2, -0.6)], -0.3, "least_squares"),
    ],
    ids=["one move", "adjusted before", "adjusted each year", "downwards"],
)
def test_what_was_adjusted_is_no_drift(history: list[Check], rate: float, method: str) -> None:
    found = interval.drift_rate(history)

    assert found is not None
    assert (found.pct_per_year, found.method, found.n) == (pytest.approx(rate), method, len(history))


@pytest.mark.parametrize("history", [[], [check(0, 0.1)], [check(1, 0.1), check(1, 0.2)]], ids=["none", "one", "one time"])
def test_no_rate_from_one_time(history: list[Check]) -> None:
    assert interval.drift_rate(history) is None
    assert interval.propose(history, 0.5, 365) is None


def test_the_interval_ends_where_the_error_uses_up_its_share_of_the_tolerance() -> None:
    found = interval.propose([check(0, 0.0), check(1, 0.4, 0.0)], 0.5, 365)

    assert found is not None
    assert found.days == int(0.8 * 0.5 / 0.4 * DAYS_PER_YEAR)
    steps = {step.code: step.value for step in found.steps}
    assert (steps["drift_last_pair"], steps["room"], steps["proposed"]) == (0.4, 0.4, found.days)


@pytest.mark.parametrize(
    ("found", "left", "current", "days"),
    [(0.0, 0.0, 365, 730), (0.0, 0.0, None, LONGEST_DAYS), (5.0, 0.0, 365, SHORTEST_DAYS), (0.45, 0.45, 365, SHORTEST_DAYS)],
    ids=["stable: at most doubled", "stable, no interval yet", "fast", "no room left"],
)
def test_bounds(found: float, left: float, current: int | None, days: int) -> None:
    proposal = interval.propose([check(0, 0.0), check(1, found, left)], 0.5, current)

    assert proposal is not None
    assert proposal.days == days


errors = st.floats(-50, 50)


@given(
    st.lists(st.tuples(st.floats(0.01, 5), errors, errors), min_size=2, max_size=8),
    st.floats(0.01, 20),
    st.none() | st.integers(1, 4000),
)
def test_within_bounds_and_never_longer_for_a_tighter_tolerance(
    rows: list[tuple[float, float, float]], tolerance: float, current: int | None
) -> None:
    years, history = 0.0, []
    for step, found, left in rows:
        years += step
        history.append(check(years, found, left))

    proposal = interval.propose(history, tolerance, current)
    tighter = interval.propose(history, tolerance / 2, current)

    assert proposal is not None
    assert tighter is not None
    assert SHORTEST_DAYS <= tighter.days <= proposal.days <= LONGEST_DAYS
    assert current is None or proposal.days <= max(2 * current, SHORTEST_DAYS)
