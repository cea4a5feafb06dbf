"""What machines stand for while their parents and they come and go; sums and money."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules.asset import Operating
from server.rules.downtime import OWN, Category, OpenRow, Stretch, category_at_start, money, overlaps, stands_for, total_s

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)


@pytest.mark.parametrize(
    ("own_down", "above", "current", "expected"),
    [
        (False, None, None, None),
        (True, None, None, OWN),
        (False, 7, None, 7),
        (True, 7, OpenRow(9, None), OWN),
        (True, 7, OpenRow(9, 7), 7),
        (False, 7, OpenRow(9, None), 7),
        (True, None, OpenRow(9, 7), OWN),
        (False, None, OpenRow(9, 7), None),
        (True, 7, None, 7),
        (False, 8, OpenRow(9, 7), 8),
    ],
    ids=[
        "runs",
        "stops itself",
        "its parent stops it",
        "stood first, then the parent",
        "the parent first, then a fault of its own",
        "repaired, the parent still stands",
        "the parent runs, its own fault stays",
        "the parent runs",
        "both at once",
        "another parent stops it now",
    ],
)
def test_stands_for(own_down: bool, above: int | None, current: OpenRow | None, expected: int | None) -> None:
    assert stands_for(own_down=own_down, above=above, current=current) == expected


@given(st.booleans(), st.none() | st.integers(1, 3), st.none() | st.builds(OpenRow, st.just(9), st.none() | st.integers(1, 3)))
def test_deciding_again_changes_nothing_and_a_standing_machine_always_stands(own: bool, above: int | None, current: OpenRow | None) -> None:
    decided = stands_for(own_down=own, above=above, current=current)
    row = None if decided is None else OpenRow(10, None if decided == OWN else decided)

    assert stands_for(own_down=own, above=above, current=row) == decided
    assert (decided is not None) == (own or above is not None)


@pytest.mark.parametrize(
    ("operating", "planned", "category"),
    [
        (Operating.FAULT, False, Category.UNPLANNED),
        (Operating.STOPPED, False, Category.UNCLASSIFIED),
        (Operating.STOPPED, True, Category.PLANNED),
        (Operating.FAULT, True, Category.PLANNED),
    ],
)
def test_category_at_start(operating: Operating, planned: bool, category: Category) -> None:
    assert category_at_start(operating, in_planned_work=planned) is category


@pytest.mark.parametrize(
    ("seconds", "rate", "expected"),
    [(3600, Decimal(120), "120.00"), (90, Decimal("99.99"), "2.50"), (60, None, "0.00"), (0, Decimal(5), "0.00")],
)
def test_minutes_times_machine_rate(seconds: float, rate: Decimal | None, expected: str) -> None:
    assert money(seconds, rate) == Decimal(expected)


stretches = st.tuples(st.integers(0, 100), st.none() | st.integers(0, 50)).map(
    lambda pair: Stretch(NOW + timedelta(hours=pair[0]), None if pair[1] is None else NOW + timedelta(hours=pair[0] + pair[1]))
)


@given(stretches, stretches)
def test_stretches_overlap_exactly_when_they_share_time(first: Stretch, second: Stretch) -> None:
    end = NOW + timedelta(hours=1000)
    shared = min(first.end or end, second.end or end) - max(first.start, second.start)
    empty = first.end == first.start or second.end == second.start

    assert empty or overlaps(first, second) == (shared > timedelta(0))
    assert overlaps(first, second) == overlaps(second, first)


@given(st.lists(stretches, max_size=6), st.integers(0, 80), st.integers(1, 40))
def test_downtime_of_a_period_is_that_of_its_parts(rows: list[Stretch], start: int, length: int) -> None:
    first, middle, end = (NOW + timedelta(hours=start + n * length) for n in range(3))

    assert total_s(rows, first, end) == total_s(rows, first, middle) + total_s(rows, middle, end)
