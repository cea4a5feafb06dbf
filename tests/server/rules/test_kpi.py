"""Key figures: formulas of docs/kpi.md on numbers done by hand, and what must hold whatever happened."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.rules import kpi
from server.rules.calendar import Span
from server.rules.downtime import Category
from server.rules.kpi import Figure, MachineTime, Stop

START = datetime(2026, 11, 16, tzinfo=UTC)


def hours(start: float, end: float) -> Span:
    return Span(START + timedelta(hours=start), START + timedelta(hours=end))


def machine(planned: tuple[float, float] = (0, 100), *stops: tuple[float, float, str]) -> MachineTime:
    return MachineTime([hours(*planned)], [Stop(hours(begin, end), Category(word)) for begin, end, word in stops])


def test_availability_and_time_between_failures_by_hand() -> None:
    press = machine((0, 100), (10, 12, "unplanned"), (50, 53, "planned"), (90, 95, "unplanned"), (98, 110, "unclassified"))

    assert kpi.availability([press]) == Figure(88.0, 1)  # 12 h of 100: 2 + 3 + 5 + 2 inside the plan
    assert kpi.mean_time_between_failures([press]) == Figure(44 * 3600, 2)


def test_what_nobody_can_know_is_none() -> None:
    assert kpi.availability([]) == Figure(None, 0)
    assert kpi.availability([machine((0, 0))]) == Figure(None, 0)
    assert kpi.mean_time_between_failures([machine()]).value is None
    assert kpi.mean_of([]) == Figure(None, 0)
    assert kpi.share(0, 0).value is None
    assert kpi.backlog_weeks(600, 3, 0).value is None


@pytest.mark.parametrize(
    ("minutes", "people", "hours_a_week", "weeks"),
    [(2400, 1, 40, 1.0), (2400, 4, 40, 0.25), (0, 4, 40, 0.0), (2100, 1, 35, 1.0)],
)
def test_backlog_in_weeks(minutes: int, people: int, hours_a_week: float, weeks: float) -> None:
    assert kpi.backlog_weeks(minutes, 1, people, hours_a_week).value == weeks


def test_in_time_counts_what_was_never_done_as_late() -> None:
    due = [(START, START), (START, START + timedelta(seconds=1)), (START, None)]

    assert kpi.in_time(due) == Figure(33.3, 3)


def test_a_part_larger_than_its_whole_is_an_error() -> None:
    with pytest.raises(ValueError, match="3 of 2"):
        kpi.share(3, 2)


def test_cost_is_labour_parts_and_downtime() -> None:
    assert kpi.Cost(Decimal("10.10"), Decimal("0.05"), Decimal("200.00")).total == Decimal("210.15")


stop = st.tuples(st.integers(0, 120), st.integers(0, 30), st.sampled_from(list(Category)), st.booleans()).map(
    lambda row: Stop(hours(row[0], row[0] + row[1]), row[2], row[3])
)
machines = st.lists(
    st.builds(
        MachineTime,
        st.lists(st.tuples(st.integers(0, 60), st.integers(1, 60)).map(lambda p: hours(p[0], p[0] + p[1])), max_size=3),
        st.lists(stop, max_size=5),
    ),
    max_size=4,
)


@given(machines)
def test_availability_is_a_percentage_and_operating_time_fits_the_plan(rows: list[MachineTime]) -> None:
    figure, between = kpi.availability(rows), kpi.mean_time_between_failures(rows)

    assert figure.value is None or 0 <= figure.value <= 100
    assert between.value is None or 0 <= between.value * between.n <= kpi.planned_s(rows) + between.n
    assert between.n == kpi.failures(rows)


@given(machines, stop)
def test_one_more_stop_never_raises_availability(rows: list[MachineTime], more: Stop) -> None:
    before = kpi.availability(rows).value
    after = kpi.availability([MachineTime(row.planned, [*row.stops, more]) for row in rows]).value

    assert before is None or (after is not None and after <= before)
