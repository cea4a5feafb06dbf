"""Time to limit: the same whatever the units and the origin, honest about its band, silent where nobody can say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from realtime.forecasts import HOUR_MS, POINTS, Forecast, clearest, forecast, memory, running, trendline

T0 = 1_767_600_000_000
HOURS = np.arange(168)
AT = T0 + HOURS * HOUR_MS


def wander(seed: int, hours: int = 168, memory: float = 0.5) -> np.ndarray:
    """float64 (hours,): a level that wanders by 1 and remembers `memory` of the hour before."""
    rng = np.random.default_rng(seed)
    level = np.zeros(hours)
    for i, step in enumerate(rng.normal(0, (1 - memory**2) ** 0.5, hours)[1:], 1):
        level[i] = memory * level[i - 1] + step
    return level


def rising(seed: int, per_hour: float = 0.05) -> np.ndarray:
    """A level that rises through the wander."""
    return wander(seed) + per_hour * HOURS


def expected_times(found: Forecast) -> tuple[int, int, int]:
    assert found.earliest is not None
    assert found.expected is not None
    assert found.latest is not None
    return found.earliest, found.expected, found.latest


@given(seed=st.integers(0, 10_000), per_hour=st.floats(-0.2, 0.2), limit=st.floats(-40, 40), side=st.sampled_from(["high", "low"]))
@settings(max_examples=40, deadline=None)
def test_what_is_shown_lies_ahead_in_order_and_its_band_is_narrower_than_its_distance(
    seed: int, per_hour: float, limit: float, side: str
) -> None:
    line = trendline(AT, rising(seed, per_hour))
    assert line is not None

    found = forecast(line, side, limit)  # type: ignore[arg-type]

    if found.state == "expected":
        earliest, middle, latest = expected_times(found)
        assert line.at <= earliest <= middle <= latest
        assert latest - earliest < middle - line.at + 2
        assert middle - line.at <= 3 * line.span_ms + 1
    else:
        assert (found.expected, found.earliest, found.latest) == (None, None, None)


@given(
    seed=st.integers(0, 200), scale=st.sampled_from([0.001, 4.0, 1e6]), origin=st.sampled_from([-1e4, 0.0, 1e4]), shift=st.integers(0, 500)
)
@settings(max_examples=25, deadline=None)
def test_units_origin_and_date_change_nothing(seed: int, scale: float, origin: float, shift: int) -> None:
    level = rising(seed, 0.1)
    plain = forecast(trendline(AT, level), "high", 30.0)
    other = forecast(trendline(AT + shift * HOUR_MS, scale * (level + origin)), "high", scale * (30.0 + origin))

    assert other.state == plain.state
    if plain.state == "expected":
        moved = [t - shift * HOUR_MS for t in expected_times(other)]
        assert moved == pytest.approx(list(expected_times(plain)), abs=2000)


@given(seed=st.integers(0, 200))
@settings(max_examples=20, deadline=None)
def test_a_low_limit_mirrors_a_high_one_and_the_order_of_rows_does_not_matter(seed: int) -> None:
    level, shuffled = rising(seed, 0.1), np.random.default_rng(seed).permutation(168)

    high = forecast(trendline(AT, level), "high", 30.0)
    low = forecast(trendline(AT[shuffled], -level[shuffled]), "low", -30.0)

    assert low.state == high.state
    if high.state == "expected":
        assert expected_times(low)[1] == pytest.approx(expected_times(high)[1], abs=10)


@given(
    rows=st.lists(st.tuples(st.integers(0, 10**13), st.floats(allow_nan=True, allow_infinity=True, width=32)), max_size=80),
    limit=st.floats(-1e30, 1e30),
)
@settings(max_examples=60, deadline=None)
def test_nothing_that_comes_out_of_a_history_crashes_it(rows: list[tuple[int, float]], limit: float) -> None:
    t, level = [row[0] for row in rows], [row[1] for row in rows]

    found = forecast(trendline(t, level), "high", limit)

    assert found.state == "expected" or found.expected is None


def test_the_same_levels_give_the_same_forecast_every_time() -> None:
    first, second = (forecast(trendline(AT, rising(3, 0.1)), "high", 30.0) for _ in range(2))

    assert first == second
    assert first.state == "expected"


def test_the_band_holds_the_true_time_in_nine_of_ten_shown_forecasts() -> None:
    crossing = T0 + 300 * HOUR_MS  # the rise without its wander is at 15 then
    shown = [found for seed in range(60) if (found := forecast(trendline(AT, rising(seed)), "high", 15.0)).state == "expected"]

    held = [earliest <= crossing <= latest for earliest, _, latest in map(expected_times, shown)]

    assert len(shown) >= 20
    assert np.mean(held) >= 0.9


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.8, 0.9])
def test_on_one_day_of_hours_the_band_holds_the_true_time_in_about_nine_of_ten_too(kept: float) -> None:
    day = np.arange(24)
    crossing = T0 + 36 * HOUR_MS
    lines = [trendline(AT[:24], wander(seed, 24, kept) + 0.83 * day) for seed in range(120)]
    shown = [found for line in lines if (found := forecast(line, "high", 0.83 * 36)).state == "expected"]

    held = [earliest <= crossing <= latest for earliest, _, latest in map(expected_times, shown)]

    assert len(shown) >= 40
    assert np.mean(held) >= 0.85


def test_memory_of_a_day_is_not_told_shorter_than_it_is() -> None:
    for kept in (0.0, 0.5, 0.8):
        told = [
            memory(wander(seed, 24, kept) - np.polyval(np.polyfit(np.arange(24), wander(seed, 24, kept), 1), np.arange(24)))
            for seed in range(60)
        ]
        assert np.median(told) >= kept
    assert memory(np.zeros(24)) < 0.6


def test_hours_in_which_a_machine_stood_do_not_count() -> None:
    middles = AT[:12] + HOUR_MS // 2
    rest = np.array([[AT[2], AT[4]], [AT[6] + HOUR_MS // 2, AT[7] + 60_000]])

    assert running(middles, rest).tolist() == [True, True, False, False, True, True, False, True, True, True, True, True]
    assert running(middles, np.zeros((0, 2), np.int64)).all()
    assert not running(middles, np.array([[T0 - HOUR_MS, T0 + 100 * HOUR_MS]])).any()


def test_of_a_machine_that_never_runs_a_whole_hour_the_fullest_hours_count() -> None:
    middles = AT[:6] + HOUR_MS // 2
    rest = np.array([[at, at + HOUR_MS // (2 if i % 3 else 1)] for i, at in enumerate(AT[:6].tolist())])

    assert running(middles, rest).tolist() == [False, True, True, False, True, True]


def test_a_level_that_only_wanders_has_no_forecast() -> None:
    found = [
        forecast(trendline(AT, wander(seed, memory=0.9)), side, limit) for seed in range(40) for side, limit in (("high", 6), ("low", -6))
    ]

    assert sum(one.state == "expected" for one in found) <= 1


@pytest.mark.parametrize(
    ("level", "limit", "state"),
    [
        (50 + 0.05 * HOURS, 40.0, "beyond"),
        (50 - 0.05 * HOURS, 60.0, "away"),
        (np.full(168, 50.0), 60.0, "away"),
        (50 + 0.01 * HOURS, 90.0, "far"),
        (50 + 0.05 * HOURS, 65.0, "expected"),
    ],
)
def test_where_there_is_no_forecast_it_says_why(level: np.ndarray, limit: float, state: str) -> None:
    assert forecast(trendline(AT, level), "high", limit).state == state


def test_fewer_than_twelve_levels_are_too_little() -> None:
    assert trendline(AT[:11], HOURS[:11]) is None
    assert forecast(None, "high", 1.0).state == "too_little"
    assert clearest([], "high", 1.0) == (Forecast("too_little"), None)


def test_the_line_is_the_theil_sen_line_of_scipy_and_outliers_do_not_bend_it() -> None:
    level = rising(5)[:POINTS]
    level[::9] += 40.0  # one hour in nine is a start-up

    line = trendline(AT[:POINTS], level)

    slope, _intercept, *_ = stats.theilslopes(level, HOURS[:POINTS])
    assert line is not None
    assert line.slope == pytest.approx(slope, rel=1e-9)
    assert line.slope == pytest.approx(0.05, abs=0.03)


def test_of_several_spans_the_clearest_counts() -> None:
    level = np.concatenate([wander(1, 120), 0.5 * np.arange(48) + 0.1 * wander(2, 48)])  # it began to rise two days ago
    lines = [trendline(AT, level), trendline(AT[-48:], level[-48:])]

    found, line = clearest(lines, "high", 40.0)

    assert found.state == "expected"
    assert line is lines[1]
