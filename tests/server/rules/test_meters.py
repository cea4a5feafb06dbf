"""Meters count what happened once; forecasts are straight lines with honest bounds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.calendar import Span
from server.rules.forecast_usage import reach, usage
from server.rules.meters import pulses, run_hours

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
MONTH = timedelta(days=28)


def hours(start: float, end: float) -> Span:
    return Span(NOW + timedelta(hours=start), NOW + timedelta(hours=end))


def test_run_hours_are_those_running_while_no_parent_stood() -> None:
    running, parents = [hours(0, 4), hours(6, 10)], [hours(3, 7), hours(9, 9.5)]

    assert run_hours(running, parents, NOW, NOW + timedelta(hours=10)) == pytest.approx(3 + 2 + 0.5)
    assert run_hours(running, parents, NOW + timedelta(hours=1), NOW + timedelta(hours=2)) == 1


@pytest.mark.parametrize(
    ("values", "last", "rollover", "growth"),
    [
        ([5, 7, 9], None, None, 4),
        ([5, 7, 9], 5, None, 4),
        ([65530, 3], 65520, 65536, 10 + 9),
        ([2], 5000, 65536, 2),
        ([2], 5000, None, 2),
        ([], 5, None, 0),
    ],
    ids=["first only sets the start", "grows", "rolls over", "reset, not rolled", "reset", "nothing"],
)
def test_pulses(values: list[float], last: float | None, rollover: float | None, growth: float) -> None:
    assert pulses(values, last, rollover)[0] == growth


@given(st.lists(st.integers(0, 400), max_size=50), st.integers(1000, 70000), st.integers(0, 999), st.integers(1, 50))
def test_a_counter_read_in_any_pieces_counts_every_pulse_once(steps: list[int], rollover: int, start: int, cut: int) -> None:
    at, values = start, [float(start)]
    for step in steps:
        at += step
        values.append(float(at % rollover))

    first, last = pulses(values[:cut], None, rollover)
    second, _ = pulses(values[cut:], last, rollover)

    assert first + second == sum(steps)


def test_steady_use_is_forecast_with_high_confidence() -> None:
    samples = [(NOW - timedelta(hours=6 * n), 1000.0 - 4.0 * n) for n in range(100, -1, -1)]
    rate = usage(samples, NOW, MONTH)

    assert rate is not None
    assert (rate.per_day, rate.confidence) == (pytest.approx(16), "high")
    forecast = reach(1000.0, 1160.0, rate, NOW)
    assert forecast.due is not None
    assert abs(forecast.due - (NOW + timedelta(days=10))) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("samples", "known"),
    [
        ([], False),
        ([(NOW, 5.0)], False),
        ([(NOW - timedelta(hours=5), 1.0), (NOW, 5.0)], False),
        ([(NOW - timedelta(days=2), 5.0), (NOW, 5.0)], True),
    ],
    ids=["none", "one", "less than a day", "stands still"],
)
def test_too_little_says_nothing_and_a_meter_that_stands_never_arrives(samples: list[tuple[datetime, float]], known: bool) -> None:
    rate = usage(samples, NOW, MONTH)

    assert (rate is not None) == known
    assert reach(5.0, 9.0, rate, NOW).due is None
    assert reach(9.0, 9.0, rate, NOW).due == NOW


@given(st.lists(st.floats(0, 24), min_size=2, max_size=28), st.floats(1, 500))
def test_a_forecast_lies_between_its_bounds_and_never_in_the_past(daily: list[float], left: float) -> None:
    total, samples = 0.0, [(NOW - timedelta(days=len(daily)), 0.0)]
    for day, grown in enumerate(daily, 1):
        total += grown
        samples.append((NOW - timedelta(days=len(daily) - day), total))
    forecast = reach(total, total + left, usage(samples, NOW, MONTH), NOW)

    if forecast.due is not None:
        assert forecast.earliest is not None
        assert NOW <= forecast.earliest <= forecast.due
        assert forecast.latest is None or forecast.latest >= forecast.due
