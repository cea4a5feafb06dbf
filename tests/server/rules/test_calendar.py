"""Planned production in a site's own time, and the arithmetic of spans."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.calendar import ALWAYS, Pattern, Span, Window, common, merged, planned, seconds, shifted, without

PARIS = ZoneInfo("Europe/Paris")
ORIGIN = datetime(2026, 3, 1, tzinfo=UTC)
DAYS = Pattern(weekly=dict.fromkeys(range(5), (Window(time(6), time(22)),)), exceptions={date(2026, 5, 1): ()})
NIGHTS = Pattern(weekly=dict.fromkeys(range(7), (Window(time(22), time(6)),)))


def span(start_h: float, end_h: float) -> Span:
    return Span(ORIGIN + timedelta(hours=start_h), ORIGIN + timedelta(hours=end_h))


spans = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 40)).map(lambda pair: span(pair[0], pair[0] + pair[1])), max_size=12)


@pytest.mark.parametrize(
    ("day", "hours"),
    [(date(2026, 3, 27), 8), (date(2026, 3, 28), 7), (date(2026, 3, 29), 8), (date(2026, 10, 24), 9)],
    ids=["usual", "clocks go forward", "the night after", "clocks go back"],
)
def test_a_night_shift_lasts_as_long_as_the_clocks_say(day: date, hours: int) -> None:
    night = datetime.combine(day, time(22), PARIS)

    assert seconds(planned(NIGHTS, PARIS, night, night + timedelta(hours=12))) == pytest.approx(hours * 3600)


def test_holidays_and_weekends_plan_nothing() -> None:
    start = datetime(2026, 4, 27, tzinfo=PARIS)  # a Monday; Friday is the first of May

    assert seconds(planned(DAYS, PARIS, start, start + timedelta(days=7))) == 4 * 16 * 3600


def test_around_the_clock_is_everything() -> None:
    assert planned(ALWAYS, PARIS, ORIGIN, ORIGIN + timedelta(days=40)) == [span(0, 40 * 24)]


@pytest.mark.parametrize(
    ("day", "shift", "moved"),
    [
        (date(2026, 5, 1), "none", date(2026, 5, 1)),
        (date(2026, 5, 1), "before", date(2026, 4, 30)),
        (date(2026, 5, 1), "after", date(2026, 5, 4)),
        (date(2026, 5, 5), "after", date(2026, 5, 5)),
    ],
    ids=["stays", "before", "after the weekend", "works already"],
)
def test_a_day_without_production_moves(day: date, shift: str, moved: date) -> None:
    assert shifted(day, shift, DAYS) == moved


def test_a_site_that_never_works_moves_nothing() -> None:
    assert shifted(date(2026, 5, 1), "after", Pattern()) == date(2026, 5, 1)


@given(spans, spans)
def test_common_and_without_divide_the_time(first: list[Span], second: list[Span]) -> None:
    both, left = common(first, second), without(first, second)

    assert seconds(both) + seconds(left) == seconds(first)
    assert common(left, second) == []
    assert seconds(common(second, first)) == seconds(both)


@given(spans)
def test_merging_keeps_the_time_and_leaves_no_touching_spans(given_spans: list[Span]) -> None:
    joined = merged(given_spans)

    assert all(a.end < b.start for a, b in pairwise(joined))
    hours = {
        hour
        for one in given_spans
        for hour in range(int((one.start - ORIGIN) / timedelta(hours=1)), int((one.end - ORIGIN) / timedelta(hours=1)))
    }
    assert seconds(joined) == len(hours) * 3600


@given(st.integers(0, 24 * 365), st.integers(1, 24 * 30), st.sampled_from([DAYS, NIGHTS, ALWAYS]))
def test_planned_time_of_a_period_is_that_of_its_halves(start_h: int, hours: int, pattern: Pattern) -> None:
    start = ORIGIN + timedelta(hours=start_h)
    middle, end = start + timedelta(hours=hours), start + timedelta(hours=2 * hours)
    total = planned(pattern, PARIS, start, end)

    assert seconds(total) == seconds(planned(pattern, PARIS, start, middle)) + seconds(planned(pattern, PARIS, middle, end))
